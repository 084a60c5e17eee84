"""When a duty is due, and what its clock does before and after.

Source: protocol 5; domain 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from schemas.agreement import Alarm, Calendar, Clock, Rule
from schemas.envelope import Header, Item
from schemas.identifiers import Moment
from schemas.rules import clocks
from schemas.rules.duty import BOTH, Step

_AT = attrgetter("at")


class Timing(NamedTuple):
    """The moment that the clock counted from, when it ends, and by which calendar (``id@version``)."""

    moment: Moment
    due: Moment
    beyond_calendar: bool
    calendar: str


class Timetable:
    """The calendars of one agreement, ready for arithmetic."""

    def __init__(self, calendars: Mapping[str, Calendar]) -> None:
        self._calendars = {name: clocks.OpenDays(calendar) for name, calendar in calendars.items()}
        self._names = {name: f"{name}@{calendar.version}" for name, calendar in calendars.items()}

    def __getitem__(self, name: str) -> clocks.OpenDays:
        return self._calendars[name]

    def find(self, clock: Clock) -> clocks.OpenDays | None:
        """Return the calendar by which *clock* counts, ``None`` where it counts elapsed time."""
        return self._calendars[clock.calendar] if clock.calendar else None

    def of_rule(self, rule: Rule, header: Header, item: Item | None, now: Moment) -> Timing:
        """Return the timing of a duty that *header*, accepted at *now*, opens for *item*."""
        word, _, code = rule.since.partition(":")
        start = now if word == "accepted" else header.moments.get(code, header.at)
        clock, fixed = rule.within, None
        if clock.kind == "item" and item is not None:
            fixed = item.due
        elif clock.kind == "moment" and clock.code is not None:
            fixed = header.moments.get(clock.code)
            if fixed is None and rule.otherwise is not None:
                clock = rule.otherwise
        # A moment that the envelope lacks has amount 0: due at once, so that the lack can't hide the duty.
        counted = clocks.due(clock, self.find(clock), start)
        end = counted if fixed is None else clocks.Due(fixed, False)
        return Timing(
            moment=start,
            due=end.at,
            beyond_calendar=end.beyond_calendar,
            calendar=self.name_of(clock),
        )

    def name_of(self, clock: Clock) -> str:
        """Return ``office@3``: the calendar by which *clock* counts and its version, or nothing."""
        return self._names[clock.calendar] if clock.calendar else ""


class Steps:
    """What the clock does before and after the duties of one rule are due: its warnings and its ladder."""

    def __init__(self, alarm: Alarm, timetable: Timetable, *, lapses: bool = False) -> None:
        self._alarm, self._timetable, self._lapses = alarm, timetable, lapses
        # Nothing but the due moment tells them apart, and most limits end when offices close.
        self._of = lru_cache(maxsize=64)(self._all)

    def of(self, due: Moment, now: Moment) -> tuple[Step, ...]:
        """Return warnings that still lie ahead, then what happens once it is late, which stays however late it is opened."""
        steps = self._of(due)
        if not steps or now < steps[0].at:
            return steps
        return tuple([step for step in steps if now < step.at or due < step.at])

    def _all(self, due: Moment) -> tuple[Step, ...]:
        warnings = [
            Step(at=at, notice="due-soon", to=rung.to)
            for rung in self._alarm.warn
            if (at := self._shift(rung.span, due, way=-1)) < due
        ]
        # What comes at the due moment itself is in time, so nobody is late before the next millisecond.
        late = [
            Step(at=max(due + 1, self._shift(rung.span, due, way=1)), notice="overdue", to=rung.to)
            for rung in self._alarm.ladder
        ]
        if not late and not self._lapses:
            late = [Step(at=due + 1, notice="overdue", to=BOTH)]
        return tuple(sorted(warnings + late, key=_AT))

    def _shift(self, span: Clock, due: Moment, *, way: int) -> Moment:
        return clocks.shift(span, self._timetable.find(span), due, way=way)
