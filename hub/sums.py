"""Figures of a period from what the follower of the log has added up, exact at any moment.

What the log has beyond that, and what time has changed since, is counted as it is asked for; where that is too much,
because a follower has just begun, there is no answer, and the caller counts everything anew or says how far it is.

Source: protocol 5 (the clear figures); promises 4.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from hub.core.statistics import Period
from hub.figures import (
    DAYS,
    MONTHS,
    RECORDS,
    WEEKS,
    Basis,
    Maker,
    Scope,
    by_month,
    by_week,
    count_scope,
    scopes_of,
    sums_of,
    waiting_of,
)
from hub.store.figures import Sum, Waiting
from hub.store.transaction import Transaction
from schemas.identifiers import MailboxId, Moment
from schemas.rules import counting
from schemas.rules.counting import Groups, Keep
from schemas.rules.figures import Figures, Missing, Records, compose
from schemas.rules.periods import week_of_day
from schemas.rules.spreading import EVERY_SECTOR, NEVER_RECEIVED, NOT_RECEIVED, OWED

# How much is counted as it is asked for: beyond that, a page would take longer than a person waits.
LEAVES: Final = 2_000
SCOPES: Final = 64


class Parties(NamedTuple):
    """Whose a unit is."""

    debtor: MailboxId
    creditor: MailboxId


class Counted(NamedTuple):
    """What is owed in a period: units and records added up, and what somebody is late with or not yet.

    ``bucket`` of ``units`` is a day, a month or a week's Monday; only those by day come with records and what is late.
    """

    units: tuple[Sum, ...]
    records: tuple[Sum, ...]
    waiting: tuple[Waiting, ...]

    def by_family(self) -> dict[str, Counted]:
        """Return the same of each type alone."""
        found: defaultdict[str, tuple[list[Sum], list[Sum], list[Waiting]]] = defaultdict(lambda: ([], [], []))
        for unit in self.units:
            found[unit.family][0].append(unit)
        for record in self.records:
            found[record.family][1].append(record)
        for waiting in self.waiting:
            found[waiting.sum.family][2].append(waiting)
        return {
            family: Counted(tuple(units), tuple(records), tuple(waiting))
            for family, (units, records, waiting) in found.items()
        }

    def figures(
        self,
        now: Moment,
        sector_of: Callable[[str], str],
        families: Collection[str] = (),
        keep: Keep = lambda _: True,
        sector: str | None = None,
    ) -> Figures:
        """Return the figures at *now*, as ``schemas.rules.figures`` would count the same units.

        *sector* is that of *keep*, where *keep* asks for one: whole records can be told by nothing else.
        """
        groups, kept = Groups(), _Kept(keep)
        weeks: dict[int, str] = {}
        for one in self.units:
            if (not families or one.family in families) and kept(one):
                week = weeks.setdefault(one.bucket, week_of_day(one.bucket))
                groups.add(one.creditor, one.family, week, one.facts, one.amount)
        records = [
            one
            for one in self.records
            if (not families or one.family in families) and one.creditor == (sector or EVERY_SECTOR)
        ]
        owed, missed, never = (
            sum(one.amount for one in records if one.facts == fact) for fact in (OWED, NOT_RECEIVED, NEVER_RECEIVED)
        )
        late = [
            one
            for one in self.waiting
            if one.until < now and (not families or one.sum.family in families) and kept(one.sum)
        ]
        return compose(
            groups,
            sector_of,
            Records(owed, owed - missed, owed - never),
            missing=_late(late, counting.OWES_SEND),
            untaken=_late(late, counting.OWES_RECEIPT),
        )


class _Kept:
    """Remembers what was answered of each pair of parties: there are few pairs and many sums."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._known: dict[Parties, bool] = {}

    def __call__(self, one: Sum) -> bool:
        parties = Parties(one.debtor, one.creditor)
        if parties not in self._known:
            self._known[parties] = self._keep(parties)
        return self._known[parties]


def _late(waiting: Iterable[Waiting], bit: int) -> Iterator[Missing]:
    found: dict[Missing, int] = defaultdict(int)
    for one in waiting:
        if one.sum.facts & bit:
            found[
                Missing(
                    obligation=one.obligation,
                    thread=one.thread,
                    type=one.sum.family,
                    debtor=one.sum.debtor,
                    creditor=one.sum.creditor,
                    due=one.due,
                )
            ] += one.sum.amount
    return (missing for missing, amount in found.items() if amount)


class Fresh(NamedTuple):
    """What the log says beyond what is counted: each scope anew, and what it has in the sums."""

    scopes: frozenset[tuple[str, str]]
    sums: Mapping[int, Counter[tuple[Any, ...]]]
    waiting: tuple[Waiting, ...]


def look(tx: Transaction, maker: Maker) -> Fresh | None:
    """Return what the follower has still to count; ``None``: too much, or all of it again."""
    counted, text = tx.figure_place()
    size = tx.log_head().size
    if size - counted > LEAVES or (text and not maker.basis.still_holds(msgspec.json.decode(text, type=Basis))):
        return None
    found: dict[Scope, None] = {}
    for leaf in tx.leaves(counted, size):
        found.update(dict.fromkeys(scopes_of(tx, leaf)))
        if len(found) > SCOPES:
            return None
    change: dict[int, Counter[tuple[Any, ...]]] = defaultdict(Counter)
    waiting: list[Waiting] = []
    for scope in found:
        old = tx.find_figure_part(scope.thread, scope.item)
        for grain, *key, amount in msgspec.json.decode(old) if old else ():
            change[grain][tuple(key)] -= amount
        spans = count_scope(tx, scope, maker)
        for grain, now, amount in sums_of(spans):
            change[grain][now] += amount
        waiting += waiting_of(scope.thread, scope.item, spans)
    return Fresh(frozenset((one.thread, one.item) for one in found), change, tuple(waiting))


def count_days(tx: Transaction, period: Period, maker: Maker, now: Moment, fresh: Fresh) -> Counted | None:
    """Return what fell due in *period*, day by day and mailbox by mailbox; ``None``: its days are not whole days."""
    (first, begun), (last, ends) = maker.days.local(period.start), maker.days.local(period.end)
    past = last + (ends > 0)
    units = tuple(_sums(tx, DAYS, first, past, fresh))
    torn = {first} if begun else set()
    torn |= {last} if ends else set()
    if torn and any(torn & {one.low, one.high} for one in units):
        return None
    waiting = tuple(one for one in _waiting(tx, first, past, fresh))
    pending = [one.sum for one in waiting if one.until >= now]
    return Counted((*units, *_as_pending(pending)), tuple(_sums(tx, RECORDS, first, past, fresh)), waiting)


def count_months(tx: Transaction, first: int, past: int, now: Moment, fresh: Fresh | None) -> Counted:
    """Return what fell due from the month *first* to before *past*, by months and agencies.

    Without *fresh* it is as the follower left it.
    """
    return _count(tx, MONTHS, by_month, first, past, now, fresh)


def count_weeks(tx: Transaction, first: int, past: int, now: Moment, fresh: Fresh) -> Counted:
    """Return what fell due from the month *first* to before *past*, by weeks and the agencies that are owed it."""
    return _count(tx, WEEKS, by_week, first, past, now, fresh)


def _count(
    tx: Transaction,
    grain: int,
    of_day: Callable[[Sum], Sum],
    first: int,
    past: int,
    now: Moment,
    fresh: Fresh | None,
) -> Counted:
    units = _sums(tx, grain, first, past, fresh)
    pending = [
        one
        for waiting in _not_in(tx.figures_waiting_from(now), fresh, now)
        if first <= (one := of_day(waiting.sum)).low and one.high < past
    ]
    return Counted((*units, *_as_pending(pending)), (), ())


def _sums(tx: Transaction, grain: int, first: int, past: int, fresh: Fresh | None) -> Iterator[Sum]:
    yield from tx.figure_sums(grain, first, past)
    if fresh is not None:
        for key, amount in fresh.sums.get(grain, {}).items():
            one = Sum._make((*key, amount))
            if amount and first <= one.low and one.high < past:
                yield one


def _waiting(tx: Transaction, first: int, past: int, fresh: Fresh) -> Iterator[Waiting]:
    for one in _not_in(tx.figures_waiting_between(first, past), fresh):
        if first <= one.sum.low and one.sum.high < past:
            yield one


def _not_in(stored: Iterable[Waiting], fresh: Fresh | None, since: Moment = 0) -> Iterator[Waiting]:
    """Yield what is *stored* of scopes that didn't change, and what waits from *since* on of those that did."""
    if fresh is None:
        yield from stored
        return
    yield from (one for one in stored if (one.thread, one.item) not in fresh.scopes)
    yield from (one for one in fresh.waiting if one.until >= since)


def _as_pending(waiting: Iterable[Sum]) -> Iterator[Sum]:
    """Yield what turns *waiting*, which is counted as late, into what nobody is late with yet."""
    for one in waiting:
        yield one._replace(amount=-one.amount)
        yield one._replace(facts=one.facts | counting.PENDING)
