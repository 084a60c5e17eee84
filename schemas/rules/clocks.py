"""Time limits as arithmetic on UTC milliseconds: elapsed time, and days of a written-out calendar.

A day is a number, days since 1970-01-01 in local time; nothing here looks up zones, holidays or the time.
Outside a calendar's dates only weekends count and the nearest known offset holds; the caller is told so.

Source: domain 4.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

from schemas.agreement import Calendar, Clock
from schemas.identifiers import Moment

DAY: Final = 86_400_000
MINUTE: Final = 60_000
LATEST: Final = 2**53 - 1
_EPOCH: Final = date(1970, 1, 1).toordinal()
# The Gregorian calendar repeats after 400 years, so that any moment, however far, has a date.
_CYCLE: Final = 146_097
_DAYS: Final = {"days": 1, "weeks": 7}


class Due(NamedTuple):
    """When a limit ends, and whether a day outside the calendar's dates was needed to say so."""

    at: Moment
    beyond_calendar: bool


def day_of(text: str) -> int:
    """Return the day number of an ISO date.

    Raises:
        ValueError: there is no such date.
    """
    return date.fromisoformat(text).toordinal() - _EPOCH


def add_months(day: int, months: int) -> int:
    """Return the same day of the month *months* later, or that month's last day where it is shorter."""
    cycles, rest = divmod(day, _CYCLE)
    start = date.fromordinal(rest + _EPOCH)
    years, month = divmod(start.month - 1 + months, 12)
    for number in range(start.day, 27, -1):
        try:
            return date(start.year + years, month + 1, number).toordinal() - _EPOCH + cycles * _CYCLE
        except ValueError:
            continue
    return date(start.year + years, month + 1, start.day).toordinal() - _EPOCH + cycles * _CYCLE


class OpenDays:
    """One :class:`Calendar` made ready for arithmetic."""

    def __init__(self, calendar: Calendar) -> None:
        self.version = calendar.version
        self.starts, self.ends = calendar.day_starts * MINUTE, calendar.day_ends * MINUTE
        self._next_day = calendar.after_hours == "next_day"
        self._first, self._last = day_of(calendar.first), day_of(calendar.last)
        self._closed = frozenset(day_of(text) for text in calendar.closed)
        self._weekend = frozenset(weekday - 1 for weekday in calendar.weekend)
        self._changes = [start for start, _ in calendar.offsets[1:]]
        self._offsets = [offset for _, offset in calendar.offsets]
        # Where local time jumps or repeats, the offset before the change is meant.
        self._walls = [
            change + max(before, after)
            for change, before, after in zip(self._changes, self._offsets, self._offsets[1:], strict=False)
        ]
        # Most time limits end when offices close, so that the same few moments are asked for again and again.
        self.shift = lru_cache(maxsize=4096)(self._shift)
        self.closing = lru_cache(maxsize=4096)(self._closing)

    def covers(self, day: int) -> bool:
        """Answer whether *day* is within the calendar's dates."""
        return self._first <= day <= self._last

    def is_open(self, day: int) -> bool:
        """Answer whether *day* counts."""
        return (day + 3) % 7 not in self._weekend and day not in self._closed

    def local(self, at: Moment) -> tuple[int, int]:
        """Return the local day of *at* and the milliseconds since its midnight."""
        return divmod(at + self._offsets[bisect_right(self._changes, at)], DAY)

    def moment(self, day: int, wall: int) -> Moment:
        """Return the UTC moment of *wall* milliseconds after local midnight of *day*."""
        local = day * DAY + wall
        return local - self._offsets[bisect_right(self._walls, local)]

    def step(self, day: int, days: int) -> int:
        """Return the open day that lies *days* open days after *day*, or before it where *days* is negative."""
        way = 1 if days > 0 else -1
        while days:
            day += way
            if self.is_open(day):
                days -= way
        return day

    def _shift(self, at: Moment, days: int) -> Moment:
        """Return the moment *days* open days after *at*, or before it where negative, at the same time of day."""
        day, wall = self.local(at)
        return self.moment(self.step(day, days), wall)

    def _closing(self, day: int, days: int) -> Due:
        """Return when offices close on the open day that lies *days* open days after *day*, one at least."""
        last = self.step(day, days)
        return Due(min(self.moment(last, self.ends), LATEST), not self.covers(last))

    def day_zero(self, day: int, wall: int) -> int:
        """Return the day that what happens then counts as: its own, or by ``after_hours`` the next open one."""
        if self._next_day and (wall > self.ends or not self.is_open(day)):
            return self.step(day, 1)
        return day

    def next_boundary(self, at: Moment, wall: int) -> Moment:
        """Return the first moment after *at* at which an open day reaches *wall*."""
        day, passed = self.local(at)
        if passed >= wall or not self.is_open(day):
            day = self.step(day, 1)
        return self.moment(day, wall)


def due(clock: Clock, calendar: OpenDays | None, start: Moment) -> Due:
    """Return when *clock*, counting from *start*, ends.  ``moment`` and ``item`` clocks have their own moment instead.

    No working days at all means the end of the same open day, or of the next one once that has passed.
    """
    if calendar is None:
        return Due(min(start + clock.amount, LATEST), False)
    day, wall = calendar.local(start)
    if clock.kind == "working_days" and clock.amount:
        end = calendar.closing(calendar.day_zero(day, wall), clock.amount)
        return end if calendar.covers(day) else Due(end.at, True)
    if clock.kind == "working_days":
        at = calendar.next_boundary(start, calendar.ends)
    elif clock.kind == "before_day":
        at = calendar.next_boundary(start, calendar.starts)
    else:
        far = add_months(day, clock.amount) if clock.kind == "months" else day + clock.amount * _DAYS[clock.kind]
        at = calendar.moment(far, calendar.ends)
    known = calendar.covers(day) and calendar.covers(calendar.local(at)[0])
    return Due(min(at, LATEST), not known)


def shift(span: Clock, calendar: OpenDays | None, start: Moment, *, way: int) -> Moment:
    """Return *start* moved by *span* forward (*way* 1) or back (-1); by working days at the same time of day."""
    if calendar is None:
        return max(0, min(start + way * span.amount, LATEST))
    return max(0, min(calendar.shift(start, way * span.amount), LATEST))
