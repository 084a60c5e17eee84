"""When a duty is due, and what its clock does before and after.

Source: protocol 5; domain 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import NamedTuple

from schemas.agreement import Alarm, Calendar, Clock, Rule
from schemas.envelope import Header, Item
from schemas.identifiers import Moment
from schemas.rules import clocks
from schemas.rules.duty import BOTH, Step

_AT = attrgetter("at")


class Timing(NamedTuple):
    """The moment that the clock counted from, when it ends, by which calendar (``id@version``), and its steps."""

    moment: Moment
    due: Moment
    beyond_calendar: bool
    calendar: str
    steps: tuple[Step, ...]


class Timetable:
    """The calendars of one agreement, ready for arithmetic."""

    def __init__(self, calendars: Mapping[str, Calendar]) -> None:
        self._calendars = {name: clocks.OpenDays(calendar) for name, calendar in calendars.items()}

    def __getitem__(self, name: str) -> clocks.OpenDays:
        return self._calendars[name]

    def find(self, clock: Clock) -> clocks.OpenDays | None:
        """Return the calendar by which *clock* counts, ``None`` where it counts elapsed time."""
        return self._calendars[clock.calendar] if clock.calendar else None

    def of_rule(self, rule: Rule, header: Header, item: Item | None, now: Moment, *, lapses: bool) -> Timing:
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
            steps=self.steps(rule, end.at, now, lapses=lapses),
        )

    def name_of(self, clock: Clock) -> str:
        """Return ``office@3``: the calendar by which *clock* counts and its version, or nothing."""
        return f"{clock.calendar}@{self._calendars[clock.calendar].version}" if clock.calendar else ""

    def steps(self, alarm: Alarm, due: Moment, now: Moment, *, lapses: bool) -> tuple[Step, ...]:
        """Return warnings that still lie ahead, then what happens once it is late, which stays however late it is opened."""
        warnings = [
            Step(at=at, notice="due-soon", to=rung.to)
            for rung in alarm.warn
            if now < (at := clocks.shift(rung.span, self.find(rung.span), due, way=-1)) < due
        ]
        # What comes at the due moment itself is in time, so nobody is late before the next millisecond.
        late = [
            Step(
                at=max(due + 1, clocks.shift(rung.span, self.find(rung.span), due, way=1)), notice="overdue", to=rung.to
            )
            for rung in alarm.ladder
        ]
        if not late and not lapses:
            late = [Step(at=due + 1, notice="overdue", to=BOTH)]
        return tuple(sorted(warnings + late, key=_AT))
