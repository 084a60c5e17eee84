"""Days and moments as people type them, and as messages hold them: local time here, UTC there.

On the two nights a year when clocks change, a local time may come twice or not at all: neither is guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

Part = Literal["day", "month", "year", "time", "fold"]
LONDON: Final = ZoneInfo("Europe/London")
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_TIME: Final = re.compile(
    r"(?P<hour>\d{1,2})(?:[:.]?(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>\.\d{3})?)?)?\s*(?P<half>[ap]\.?m\.?)?", re.ASCII
)  # fmt: skip
_NUMBER: Final = re.compile(r"\d{1,4}", re.ASCII)


@dataclass(slots=True)
class UnreadableError(Exception):
    """What was typed is no day or moment: ``words`` follow the name of the field, ``part`` is the box to go to."""

    words: str
    part: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A day, or a moment with its time, as it stands in the boxes.  ``fold`` is ``first`` or ``second`` of a time that came twice."""

    day: str = ""
    month: str = ""
    year: str = ""
    time: str = ""
    fold: str = ""

    def __bool__(self) -> bool:
        return any((self.day, self.month, self.year, self.time))


def read_day(typed: Typed) -> date:
    """Return the day in *typed*; the month may be a number or a name.

    Raises:
        UnreadableError: a box is empty, or there is no such day.
    """
    boxes: tuple[tuple[Part, str], ...] = (("day", typed.day), ("month", typed.month), ("year", typed.year))
    missing = [part for part, text in boxes if not text]
    if missing:
        raise UnreadableError("must include a " + " and a ".join(missing), missing[0])
    names = [
        number
        for number, name in enumerate(_MONTHS, 1)
        if len(typed.month) >= 3 and name.startswith(typed.month.lower())
    ]
    month = str(names[0]) if names else typed.month
    for part, text in (("day", typed.day), ("month", month)):
        if not _NUMBER.fullmatch(text):
            raise UnreadableError("must be a real date", "day" if part == "day" else "month")
    if not _NUMBER.fullmatch(typed.year) or not 1900 <= int(typed.year) <= 2199:
        raise UnreadableError("must have a year of 4 digits, such as 2026", "year")
    try:
        return date(int(typed.year), int(month), int(typed.day))
    except ValueError:
        raise UnreadableError("must be a real date", "day") from None


def read_moment(typed: Typed, zone: ZoneInfo = LONDON) -> str:
    """Return the moment in *typed* as messages hold it: ``2026-04-14T09:30:00Z``.

    Raises:
        UnreadableError: a box is empty or wrong, the clocks skipped that time, or it came twice and ``fold`` doesn't say which.
    """
    day = read_day(typed)
    if day.year < 1970:
        raise UnreadableError("must be in 1970 or later", "year")
    local, fraction = _read_time(day, typed.time)
    instants = [local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    if all(one.astimezone(zone).replace(tzinfo=None) != local for one in instants):
        raise UnreadableError(
            f"must be a time that there was: the clocks went forward and skipped {local:%H:%M}", "time"
        )
    if instants[0] != instants[1] and typed.fold not in {"first", "second"}:
        raise UnreadableError(
            f"must say which {local:%H:%M}: the clocks went back, so it came twice that night", "fold"
        )
    chosen = instants[1 if typed.fold == "second" else 0].replace(tzinfo=None)
    return f"{chosen.isoformat(timespec='seconds')}{fraction}Z"


def _read_time(day: date, text: str) -> tuple[datetime, str]:
    if not text:
        raise UnreadableError("must include a time", "time")
    found = _TIME.fullmatch(text.strip().lower())
    if found is None or (found["minute"] is None and found["half"] is None):
        raise UnreadableError("must have a time such as 14:30 or 2:30pm", "time")
    hour, half = int(found["hour"]), (found["half"] or "")[:1]
    if half:
        hour = hour % 12 + (12 if half == "p" else 0) if 1 <= hour <= 12 else 24
    try:
        time = datetime(day.year, day.month, day.day, hour, int(found["minute"] or 0), int(found["second"] or 0))  # noqa: DTZ001 local
    except ValueError:
        raise UnreadableError("must have a time such as 14:30 or 2:30pm", "time") from None
    return time, found["fraction"] or ""


def comes_twice(typed: Typed, zone: ZoneInfo = LONDON) -> bool:
    """Answer whether the local time in *typed* came twice, so that the writer must say which."""
    try:
        local, _ = _read_time(read_day(typed), typed.time)
    except UnreadableError:
        return False
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first < second  # of a time that was skipped the order is reversed


def type_day(text: str) -> Typed:
    """Return a message's day as it stands in the boxes."""
    year, month, day = text.split("-")
    return Typed(day=str(int(day)), month=str(int(month)), year=year)


def type_moment(text: str, zone: ZoneInfo = LONDON) -> Typed:
    """Return a message's moment as it stands in the boxes; seconds only where there are any."""
    local = datetime.fromisoformat(text).astimezone(zone)
    fraction = text[19:-1]
    time = f"{local:%H:%M:%S}{fraction}" if local.second or fraction else f"{local:%H:%M}"
    typed = Typed(day=str(local.day), month=str(local.month), year=f"{local.year:04}", time=time)
    if not comes_twice(typed, zone):
        return typed
    return Typed(day=typed.day, month=typed.month, year=typed.year, time=time, fold="second" if local.fold else "first")


def say_day(text: str) -> str:
    """Return a message's day as people read it: ``14 April 2026``."""
    day = date.fromisoformat(text)
    return f"{day.day} {day:%B %Y}"


def say_moment(text: str, zone: ZoneInfo = LONDON) -> str:
    """Return a message's moment as people read it, in local time: ``14 April 2026, 10:30 (BST)``."""
    local = datetime.fromisoformat(text).astimezone(zone)
    return f"{local.day} {local:%B %Y}, {local:%H:%M} ({local:%Z})"


def write_instant(now: int) -> str:
    """Return *now* (UTC milliseconds) as messages hold it, to the second."""
    return datetime.fromtimestamp(now // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
