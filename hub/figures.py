"""The figures of years, added up as the log grows.

What each thread counts for is kept, and the sums over all threads; a leaf about a thread has that one counted again.
A sum never takes part in a decision: it can be forgotten at any time and comes back from the log and the rows.  The
rules of :mod:`schemas.rules.figures` say what is counted, here it is only remembered.

Source: protocol 5 (the clear figures); domain 8; promises 4.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from hub.core.statistics import sector_of
from hub.obligations import header_of
from hub.registry import Snapshot
from hub.store.base import Store
from hub.store.figures import Named, Sum, Waiting
from hub.store.rows import LeafRow
from hub.store.transaction import Transaction
from schemas.identifiers import Moment, ThreadId, agency_of
from schemas.rules.clocks import OpenDays
from schemas.rules.periods import days_of, month_of_day
from schemas.rules.recurring import is_recurring
from schemas.rules.spreading import Spans, spread_scope
from schemas.rules.units import DutyRow, Taken, rank_units

DAYS: Final = 0
MONTHS: Final = 1
RECORDS: Final = 2
WEEKS: Final = 3
# Leaves and threads a round: read apart from the writer, which then has only some hundred rows to change.
LEAVES: Final = 512
SCOPES: Final = 32
OF_OBLIGATIONS: Final = frozenset({"obligation-opened", "obligation-settled", "obligation-reopened"})
_OF_FIGURES: Final = OF_OBLIGATIONS | {"receipt-accepted"}

_Sums = dict[int, Counter[tuple[Any, ...]]]


class Scope(NamedTuple):
    """What is counted at once: a thread; of what recurs, its rule's thread, the period's name and when that begins."""

    thread: ThreadId
    item: str = ""
    begins: Moment = 0


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What the sums were made with: days in whose zone, and to which sector each agency counted."""

    zone: str
    sectors: dict[str, str]

    def still_holds(self, old: Basis) -> bool:
        """Answer whether what was added up on *old* would be the same on this one: new agencies change nothing."""
        return self.zone == old.zone and all(self.sectors.get(name) == sector for name, sector in old.sectors.items())


class Maker(NamedTuple):
    """By what a scope is counted."""

    days: OpenDays
    sector_of: Callable[[str], str]
    basis: Basis

    @classmethod
    def of(cls, snapshot: Snapshot, now: Moment) -> Maker:
        """Return the maker by the agreement and directory at *now*."""
        agreement = snapshot.rules_at(now).agreement
        calendar = next(iter(agreement.calendars.values()), None)
        find = sector_of(snapshot.directory)
        sectors = {one.id: find(one.id) for one in snapshot.directory.directory.agencies}
        return cls(days_of(agreement), find, Basis(zone=calendar.zone if calendar else "UTC", sectors=sectors))


class Round(NamedTuple):
    """What one round found: the place that it began and ended at, each scope's spans, and who was named."""

    before: tuple[int, str]
    size: int
    basis: str
    forget: bool
    scopes: Mapping[Scope, Spans]
    named: Sequence[Named]


async def follow(store: Store, snapshot: Snapshot, now: Moment) -> bool:
    """Count what the log has beyond what is counted; answer whether there is more of it.

    Several processes may do it at once: who comes second finds that the place has moved, and changes nothing.
    """
    maker = Maker.of(snapshot, now)
    found = await store.read(lambda tx: _look(tx, maker))
    if found is None:
        return False
    await store.write(lambda tx: keep(tx, found))
    return True


def _look(tx: Transaction, maker: Maker) -> Round | None:
    before = tx.figure_place()
    counted, text = before
    basis = msgspec.json.encode(maker.basis).decode()
    forget = bool(text) and not maker.basis.still_holds(msgspec.json.decode(text, type=Basis))
    if forget:
        return Round(before, 0, basis, forget, {}, ())
    size = tx.log_head().size
    if counted == size:
        return None
    scopes: dict[Scope, Spans] = {}
    named: Counter[tuple[Any, ...]] = Counter()
    for leaf in tx.leaves(counted, min(size, counted + LEAVES)):
        if len(scopes) >= SCOPES:
            break
        counted = leaf.index + 1
        if leaf.event == "envelope-accepted":
            named.update(_named(tx, maker, json.loads(leaf.body)["envelope"], leaf.at))
        for scope in scopes_of(tx, leaf):
            if scope not in scopes:
                scopes[scope] = count_scope(tx, scope, maker)
    return Round(
        before, counted, basis, forget, scopes, [Named._make((*key, *_both(named, key))) for key in _keys(named)]
    )


def _keys(named: Counter[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return list(dict.fromkeys(key[:4] for key in named))


def _both(named: Counter[tuple[Any, ...]], key: tuple[Any, ...]) -> tuple[int, int]:
    return named[*key, "sent"], named[*key, "named"]


def _named(tx: Transaction, maker: Maker, envelope: str, at: Moment) -> Iterator[tuple[Any, ...]]:
    """Yield to which agencies *envelope* was sent, and which it names as parties."""
    row = tx.find_envelope(envelope)
    if row is None:
        return
    header, sender = header_of(row), agency_of(row.sender)
    month = month_of_day(maker.days.local(at)[0])
    family = row.type.partition("/")[0]
    for how, boxes in (("sent", header.to), ("named", header.parties)):
        for agency in {agency_of(box) for box in boxes} - {sender}:
            yield month, family, agency, sender, how


def scopes_of(tx: Transaction, leaf: LeafRow) -> Iterator[Scope]:
    """Yield what counts otherwise since *leaf*."""
    if leaf.event not in _OF_FIGURES or leaf.thread is None:
        return
    if is_recurring(leaf.thread) and leaf.event in OF_OBLIGATIONS:
        row = tx.find_obligation(json.loads(leaf.body)["obligation"])
        if row is not None and row.duty.period_end is not None:
            yield Scope(leaf.thread, row.duty.item, row.duty.moment)
            return
    yield Scope(leaf.thread)
    # What recurs is received when its message is, which seldom lies in the rule's own thread.
    for thread, duty in tx.periods_met_in(leaf.thread):
        yield Scope(thread, duty.item, duty.moment)


def count_scope(tx: Transaction, scope: Scope, maker: Maker) -> Spans:
    """Return what *scope* counts for as it stands."""
    if scope.item:
        rows = [row for row in tx.period_obligations(scope.thread, scope.begins) if row.duty.item == scope.item]
        met = [tx.find_envelope(row.settled_by) for row in rows if row.settled_by]
        threads = sorted({one.thread for one in met if one is not None})
        rows += [row for one in threads for row in tx.thread_obligations(one) if row.duty.kind == "receipt"]
    else:
        rows = [row for row in tx.thread_obligations(scope.thread) if row.duty.period_end is None]
        threads = [scope.thread]
    duties = [DutyRow.of(row.id, row.duty, row.state, row.settled_at, row.settled_by) for row in rows]
    taken = [Taken(row.envelope, row.mailbox, row.level, row.accepted_at) for row in tx.receipts_for_threads(threads)]
    return spread_scope(rank_units(duties, taken), lambda at: maker.days.local(at)[0], maker.sector_of)


def keep(tx: Transaction, found: Round) -> None:
    """Replace what each scope of *found* has put into the sums, unless somebody else has counted meanwhile."""
    if tx.figure_place() != found.before:
        return
    if found.forget:
        tx.forget_figures()
    change: _Sums = defaultdict(Counter)
    for (thread, item, _), spans in found.scopes.items():
        old = tx.find_figure_part(thread, item)
        new = [(grain, *key, amount) for grain, key, amount in sums_of(spans)]
        for sign, sums in ((-1, msgspec.json.decode(old) if old else ()), (1, new)):
            for grain, *key, amount in sums:
                change[grain][tuple(key)] += sign * amount
        tx.set_figure_part(thread, item, msgspec.json.encode(new), waiting_of(thread, item, spans))
    for grain, counter in change.items():
        tx.add_figures(grain, (Sum._make((*key, amount)) for key, amount in counter.items() if amount))
    if change:
        tx.drop_empty_figures()
    tx.add_named(found.named)
    tx.set_figure_place(found.size, found.basis)


def sums_of(spans: Spans) -> Iterator[tuple[int, tuple[Any, ...], int]]:
    """Yield what *spans* add to the sums: the grain, the sum's key and the amount."""
    for (low, high, part), amount in spans.units.items():
        one = Sum(low, high, *part[:5], amount)
        for grain, added in ((DAYS, one), (MONTHS, by_month(one)), (WEEKS, by_week(one))):
            yield grain, added[:-1], amount
    for (low, high, record), amount in spans.records.items():
        yield RECORDS, (low, high, low, record.family, record.sector, "", record.fact), amount


def by_month(one: Sum) -> Sum:
    """Return a sum of a day as part of the month's, by agencies."""
    return _in_months(one)._replace(bucket=month_of_day(one.bucket))


def by_week(one: Sum) -> Sum:
    """Return a sum of a day as part of that of the week that begins on its Monday; who owes it isn't told apart."""
    # 1 January 1970 was a Thursday.
    return _in_months(one)._replace(bucket=one.bucket - (one.bucket + 3) % 7, debtor="")


def _in_months(one: Sum) -> Sum:
    return one._replace(
        low=month_of_day(one.low),
        high=month_of_day(one.high),
        creditor=agency_of(one.creditor),
        debtor=agency_of(one.debtor),
    )


def waiting_of(thread: ThreadId, item: str, spans: Spans) -> Iterator[Waiting]:
    """Yield what of *spans* waits for somebody."""
    for (low, high, part), amount in spans.units.items():
        if part.waits_until is not None:
            one = Sum(low, high, *part[:5], amount)
            yield Waiting(thread, item, one, part.waits_until, part.obligation, part.due)
