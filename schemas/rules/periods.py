"""Weeks, months and quarters as people in the partnership's own zone count them.

The zone is that of the agreement's first calendar, as everywhere where local time is meant; UTC where it has none.

Source: domain 1 (a figure for any week), 8 and 9.7.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from schemas.agreement import Agreement, Calendar
from schemas.identifiers import Moment
from schemas.rules.clocks import OpenDays, add_months

_MONTH: Final = re.compile(r"\A([0-9]{4})-(0[1-9]|1[0-2])\Z")
_EPOCH: Final = date(1970, 1, 1).toordinal()
# After 400 years dates and weekdays repeat, so that any moment, however far, has a week.
_CYCLE_DAYS, _CYCLE_YEARS = 146_097, 400

UTC: Final = OpenDays(
    Calendar(
        version=1,
        zone="UTC",
        first="1970-01-01",
        last="2999-12-31",
        weekend=(6, 7),
        closed=(),
        offsets=((0, 0),),
        day_starts=0,
        day_ends=24 * 60 - 1,
    )
)


def days_of(agreement: Agreement) -> OpenDays:
    """Return the days of *agreement*'s first calendar."""
    calendar = next(iter(agreement.calendars.values()), None)
    return OpenDays(calendar) if calendar else UTC


def _date_of(number: int) -> tuple[date, int]:
    cycles, day = divmod(number, _CYCLE_DAYS)
    return date.fromordinal(day + _EPOCH), cycles * _CYCLE_YEARS


def week_of(days: OpenDays, at: Moment) -> str:
    """Return the ISO week of *at*, such as ``2026-W28``."""
    return week_of_day(days.local(at)[0])


def week_of_day(number: int) -> str:
    """Return the ISO week of a day, which is counted from 1970-01-01."""
    day, years = _date_of(number)
    year, week, _ = day.isocalendar()
    return f"{year + years}-W{week:02}"


def month_of_day(number: int) -> int:
    """Return the month of a day that is counted from 1970-01-01, counted from January of the year 0."""
    day, years = _date_of(number)
    return (day.year + years) * 12 + day.month - 1


def month_of(days: OpenDays, at: Moment) -> str:
    """Return the month of *at*, such as ``2026-07``."""
    return name_of_month(month_of_day(days.local(at)[0]))


def parse_month(text: str) -> int | None:
    """Return the month that *text* names, such as ``2026-07``; ``None``: it names none."""
    found = _MONTH.match(text)
    return int(found[1]) * 12 + int(found[2]) - 1 if found else None


def name_of_month(number: int) -> str:
    """Return a month as :func:`month_of_day` counts them, such as ``2026-07``."""
    return f"{number // 12:04}-{number % 12 + 1:02}"


def is_quarter(days: OpenDays, start: Moment, end: Moment) -> bool:
    """Answer whether *start* (included) and *end* (excluded) are those of one calendar quarter."""
    number, wall = days.local(start)
    day, _ = _date_of(number)
    begins = wall == 0 and day.day == 1 and day.month % 3 == 1
    return begins and end == days.moment(add_months(number, 3), 0)
