"""One plain value as people read it: labels for codes, teams by name, moments in local time with their zone.

Source: domain 9.8; GOV.UK style guide (dates and times).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from adapters.gateway.exports.marking import clean
from adapters.gateway.exports.policy import load_policy
from adapters.gateway.exports.shapes import Shape
from schemas.identifiers import Moment

LONDON: Final = ZoneInfo("Europe/London")
_PLACES: Final = frozenset({"Mailbox", "Organisation"})
_DAYS: Final = frozenset({"Date", "DueDay"})
_CODE: Final = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value in words.

    ``iso``: the moment or day for a ``datetime`` attribute, or empty.  ``free``: somebody wrote it, in the message's
    language; it may have lines.
    """

    text: str
    iso: str = ""
    free: bool = False

    @property
    def paragraphs(self) -> tuple[tuple[str, ...], ...]:
        """Return the text in paragraphs, each of lines."""
        return tuple(tuple(part.split("\n")) for part in re.split(r"\n\s*\n", self.text.strip("\n")))


def _same(name: str) -> str:
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How things are said to one reader: ``name_of`` a mailbox or agency, moments in ``zone``."""

    name_of: Callable[[str], str] = field(default=_same)
    zone: ZoneInfo = LONDON

    def say(self, shape: Shape, value: Any) -> Value:
        """Return one plain *value* of *shape* in words."""
        if isinstance(value, bool):
            return Value(text="Yes" if value else "No")
        if not isinstance(value, str):
            return Value(text=str(value))
        kinds = frozenset(shape.kinds)
        if "Instant" in kinds:
            return self.moment(datetime.fromisoformat(value))
        if kinds & _DAYS:
            return Value(text=_day(date.fromisoformat(value)), iso=value)
        if kinds & _PLACES:
            return Value(text=clean(self.name_of(value)))
        if "NhsNumber" in kinds:
            return Value(text=f"{value[:3]} {value[3:6]} {value[6:]}")
        label = shape.schema.get("x-labels", {}).get(value)
        if label is not None:
            return Value(text=str(label))
        if "Code" in kinds and _CODE.fullmatch(value):
            return Value(text=as_words(value))
        return Value(text=clean(value), free=not kinds.isdisjoint(load_policy().free_text_kinds))

    def moment(self, at: datetime | Moment) -> Value:
        """Return *at* (with its zone, or UTC milliseconds) in local time: ``14 April 2026, 10:30 am (BST)``."""
        moment = at if isinstance(at, datetime) else datetime.fromtimestamp(at / 1000, UTC)
        local = moment.astimezone(self.zone)
        half = "am" if local.hour < 12 else "pm"
        # Midnight belongs to two days, and "12 pm" to nobody: both are said.
        exact = {(0, 0, 0): ", the start of the day", (12, 0, 0): ", midday"}.get(
            (local.hour, local.minute, local.second), ""
        )
        seconds = f":{local.second:02}" if local.second else ""
        text = f"{_day(local)}, {local.hour % 12 or 12}:{local.minute:02}{seconds} {half}{exact} ({local:%Z})"
        iso = moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return Value(text=text, iso=iso)


def as_words(code: str) -> str:
    """Return a code of small letters as words: ``health_practitioner`` as ``Health practitioner``."""
    return clean(code).replace("_", " ").capitalize()


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
