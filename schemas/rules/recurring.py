"""What is owed by the calendar alone: the monthly list, the eight-weekly meeting, the report of each quarter.

Nothing opens these duties but time, so that the meeting that nobody convened is missed.  A period is governed by the
agreement that is in force as it begins; hub, gateway and verifier open the same duties under the same ids.

Source: domain 1 (absence is visible), 2 (systems 3, 9, 10, 20, 28) and 4.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from schemas.agreement import Recurring
from schemas.directory import DirectoryIndex
from schemas.identifiers import MailboxId, Moment, ThreadId
from schemas.rules import clocks
from schemas.rules.compiled import Rules
from schemas.rules.duty import Duty
from schemas.rules.selectors import resolve_role
from schemas.rules.timing import Steps

_FOREVER = 2**53 - 1
# The 48 bits of a UUIDv7's moment.
_1970 = "A" * 8


def thread_of(name: str) -> ThreadId:
    """Return the thread under which duties of the recurring rule *name* are kept: a UUIDv7 of the year 1970.

    The rest of it is FNV-1a (64 bits) of the name, which tells rules of one agreement apart and hides nothing.
    """
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    raw = (0x7 << 76 | 0b10 << 62 | value >> 2).to_bytes(16, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def is_recurring(thread: ThreadId) -> bool:
    """Answer whether *thread* is a recurring rule's own: no thread that an agency begins is of the first moment of 1970."""
    return thread.startswith(_1970)


class Period(NamedTuple):
    """One period of a recurring rule: its name (the date on which it begins), its beginning and its end, excluded."""

    name: str
    starts: Moment
    ends: Moment


def periods(rule: Recurring, calendar: clocks.OpenDays, after: Moment, until: Moment) -> Iterator[Period]:
    """Yield the periods of *rule* that begin after *after* and at or before *until*, oldest first."""
    first = clocks.day_of(rule.starting)
    number = _guess(rule, first, calendar, after)
    while True:
        day, following = _begin(rule, first, number), _begin(rule, first, number + 1)
        number += 1
        starts, ends = calendar.moment(day, 0), calendar.moment(following, 0)
        if starts > until:
            return
        if starts > after:
            yield Period((date(1970, 1, 1) + timedelta(days=day)).isoformat(), starts, ends)


def _begin(rule: Recurring, first: int, number: int) -> int:
    amount = rule.period.amount * number
    if rule.period.kind == "months":
        return clocks.add_months(first, amount)
    return first + amount * (7 if rule.period.kind == "weeks" else 1)


def _guess(rule: Recurring, first: int, calendar: clocks.OpenDays, after: Moment) -> int:
    """Return a period that begins at or before *after*, close enough to count on from."""
    longest = {"days": 1, "weeks": 7, "months": 31}[rule.period.kind] * rule.period.amount
    return max(0, (calendar.local(after)[0] - first) // longest)


@lru_cache(maxsize=16)
def next_recurrence(versions: tuple[Rules, ...], after: Moment) -> Moment | None:
    """Return the first moment after *after* at which a period begins by the agreement then in force, if there is one.

    Asked each second with the same arguments until that moment has come, hence remembered.
    """
    starts = [
        period.starts
        for rules, begin, end in _reigns(versions)
        for rule in rules.agreement.recurring
        for period in islice(periods(rule, rules.timetable[rule.calendar], max(after, begin - 1), end - 1), 1)
    ]
    return min(starts, default=None)


def open_recurring(versions: Sequence[Rules], index: DirectoryIndex, after: Moment, until: Moment) -> tuple[Duty, ...]:
    """Return the duties of every period that begins after *after* and at or before *until*, oldest first.

    *versions* are those of the agreement, oldest first.
    """
    found = [
        duty
        for rules, begin, end in _reigns(versions)
        for rule in rules.agreement.recurring
        for period in periods(rule, rules.timetable[rule.calendar], max(after, begin - 1), min(until, end - 1))
        for duty in _duties(rules, rule, period, index)
    ]
    return tuple(sorted(found, key=lambda duty: duty.moment))


class Begun(NamedTuple):
    """Duties of periods that have begun, oldest first, and ``until``: up to which moment these are all."""

    duties: tuple[Duty, ...]
    until: Moment


def open_some(versions: tuple[Rules, ...], index: DirectoryIndex, after: Moment, until: Moment, most: int) -> Begun:
    """Return what :func:`open_recurring` does, but no more periods once there are *most* duties.

    What begins at one moment is never torn apart.
    """
    duties: list[Duty] = []
    while len(duties) < most:
        begins = next_recurrence(versions, after)
        if begins is None or begins > until:
            return Begun(tuple(duties), until)
        duties += open_recurring(versions, index, after, begins)
        after = begins
    return Begun(tuple(duties), after)


def _reigns(versions: Sequence[Rules]) -> Iterator[tuple[Rules, Moment, Moment]]:
    """Yield each version with the moments from and until which it is in force; before it was issued, none is."""
    end = _FOREVER
    for rules in reversed(versions):
        begin = max(rules.agreement.in_force_from, rules.agreement.issued)
        # A newer version may be in force from an earlier day than the one that it replaces, which then never is.
        if begin < end:
            yield rules, begin, end
            end = begin


def _duties(rules: Rules, rule: Recurring, period: Period, index: DirectoryIndex) -> Iterator[Duty]:
    calendar, limit = rules.timetable[rule.calendar], rule.within
    due = clocks.Due(period.ends - 1, not calendar.covers(calendar.local(period.ends - 1)[0]))
    if limit is not None:
        due = clocks.due(limit, rules.timetable.find(limit), period.starts)
    steps = Steps(rule, rules.timetable).of(due.at, period.starts)
    creditors = list(_boxes(rule.to, index, period.starts))
    for debtor in _boxes((rule.by,), index, period.starts):
        for creditor in creditors:
            if debtor != creditor:
                yield Duty(
                    rule=rule.name,
                    thread=rule.thread,
                    debtor=debtor,
                    creditor=creditor,
                    item=period.name,
                    kind="send",
                    answers=rule.answers,
                    moment=period.starts,
                    due=due.at,
                    period_end=period.ends,
                    steps=steps,
                    tell=rule.tell,
                    agreement=rules.version,
                    calendar=rules.timetable.name_of(limit) if limit else "",
                    beyond_calendar=due.beyond_calendar,
                )


def _boxes(names: Sequence[str], index: DirectoryIndex, at: Moment) -> Iterator[MailboxId]:
    yield from dict.fromkeys(box for name in names for box in resolve_role(name, index, at))
