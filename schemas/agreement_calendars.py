"""A calendar of the agreement's text written out: holidays and clock changes, looked up once when it is made.

Source: design 6 (time); domain 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from schemas.agreement import Calendar
from schemas.agreement_tables import CalendarTable
from schemas.identifiers import Moment
from schemas.rules.clocks import DAY
from schemas.strict_json import MalformedError

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def expand(name: str, text: CalendarTable, version: int) -> Calendar:
    """Return the calendar with the dates and clock changes of its years written out.

    Raises:
        MalformedError: ``agreement-date`` or ``agreement-calendar``.
    """
    if not 1970 <= text.years[0] <= text.years[1] <= 2200:
        raise MalformedError("agreement-date", f"calendar `{name}`: its years are out of order", "say [first, last]")
    first, last = date(text.years[0], 1, 1), date(text.years[1], 12, 31)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    closed = set(_holidays(name, text, range(first.year, last.year + 1))) | set(text.add)
    for start, end in text.closed:
        closed.update(day for day in days if start <= day <= end)
    if text.terms:
        closed.update(day for day in days if not any(start <= day <= end for start, end in text.terms))
    weekend = {_WEEKDAYS.index(day) + 1 for day in text.weekend}
    closed = {day for day in closed - set(text.remove) if day.isoweekday() not in weekend}
    hours, minutes = ([int(part) for part in wall.split(":")] for wall in (text.day_starts, text.day_ends))
    return Calendar(
        version=version,
        zone=text.zone,
        first=first.isoformat(),
        last=last.isoformat(),
        weekend=tuple(sorted(weekend)),
        closed=tuple(sorted(day.isoformat() for day in closed)),
        offsets=tuple(_offsets(name, text.zone, first, last)),
        day_starts=hours[0] * 60 + hours[1],
        day_ends=minutes[0] * 60 + minutes[1],
        after_hours="next_day" if text.after_hours == "next day" else "same_day",
    )


def _holidays(name: str, text: CalendarTable, years: range) -> set[date]:
    if text.country is None:
        return set()
    import holidays  # 60 ms, and needed only when an agreement is made

    try:
        return set(holidays.country_holidays(text.country, subdiv=text.subdivision, years=years))
    except NotImplementedError as error:
        raise MalformedError(
            "agreement-calendar",
            f"calendar `{name}`: its country or subdivision is unknown",
            "say for example GB and ENG",
        ) from error


def find_zone(name: str, key: str) -> Any:
    """Return the zone *key* of calendar *name*; raises MalformedError ``agreement-calendar``."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(key)
    except (KeyError, OSError, ValueError) as error:
        raise MalformedError(
            "agreement-calendar", f"calendar `{name}`: its zone is unknown", "say for example Europe/London"
        ) from error


def _offsets(name: str, key: str, first: date, last: date) -> Iterator[tuple[Moment, int]]:
    """Yield each clock change of the years and a day around them, the first offset from its first moment."""
    zone = find_zone(name, key)

    def offset(at: Moment) -> int:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
        return (moment.astimezone(zone).replace(tzinfo=UTC) - moment) // timedelta(milliseconds=1)

    start, end = (int(datetime.combine(day, time(), tzinfo=UTC).timestamp()) * 1000 for day in (first, last))
    at, known = start - DAY, offset(start - DAY)
    yield at, known
    while at < end + 2 * DAY:
        low, at = at, at + DAY
        if offset(at) == known:
            continue
        high = at
        while high - low > 1000:
            middle = (low + high) // 2000 * 1000
            low, high = (middle, high) if offset(middle) == known else (low, middle)
        known = offset(high)
        yield high, known
