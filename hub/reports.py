"""The audit's questions answered: owed, sent, taken, late and missing, and how each rule's duties went.

Receipts are counted from the log's leaves or from the store's rows: the leaves are enough, the rows are quicker, and a
test holds both to the same figures.

Source: protocol 5 (the clear figures) and 9 (reports); domain 8 and 9.7.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from hub import sums
from hub.core.authenticity import Caller
from hub.core.releasing import find_gaps, release
from hub.core.statistics import Period, Rows, count, rows_from_leaves, sector_of
from hub.entries import is_administrator, may_see
from hub.figures import Maker
from hub.registry import Snapshot
from hub.store.base import Store
from hub.store.rows import ObligationRow
from hub.store.transaction import Transaction
from hub.sums import Counted
from schemas.identifiers import MailboxId, Moment
from schemas.rules.counting import HasParties, Keep
from schemas.rules.figures import COLUMNS, Figures
from schemas.rules.periods import days_of, is_quarter
from schemas.rules.stages import COLUMNS as DUTY_COLUMNS
from schemas.rules.stages import Judged, Thread, judge, tally_duties
from schemas.rules.units import DutyRow, Taken

PAGE: Final = 2048
THREADS: Final = 256
_REFUSED: Final = frozenset({"declined", "rejected"})

IsOwn = Callable[[MailboxId], bool]


class Question(NamedTuple):
    """What is asked of receipts: what fell due in ``period``, of ``families`` (none: all), owed to ``sector``."""

    period: Period
    families: frozenset[str] = frozenset()
    sector: str | None = None


# Figures at one moment of what is of some types (none: all) and of parties that are kept, in one sector if that is asked.
Tell = Callable[[Collection[str], Keep], Figures]


async def count_period(store: Store, asked: Question, snapshot: Snapshot, now: Moment) -> Tell:
    """Return who tells the figures of what is *asked*: by the sums that are kept, or, where there are none, anew."""
    maker = Maker.of(snapshot, now)

    def add_up(tx: Transaction) -> Counted | None:
        fresh = sums.look(tx, maker)
        return None if fresh is None else sums.count_days(tx, asked.period, maker, now, fresh)

    counted = await store.read(add_up)
    if counted is None:
        return tell_rows(await store.read(lambda tx: rows_from_store(tx, asked.period)), asked, snapshot, now)
    return lambda families, keep: counted.figures(now, maker.sector_of, families, keep, asked.sector)


def tell_rows(rows: Rows, asked: Question, snapshot: Snapshot, now: Moment) -> Tell:
    """Return who tells the figures of what is *asked* from *rows*."""
    days, index = days_of(snapshot.rules_at(now).agreement), snapshot.directory
    return lambda families, keep: count(rows, asked.period, index, now, families, days, keep)


async def rows_from_log(store: Store) -> tuple[Rows, int]:
    """Return what the whole log tells, page by page, and how many leaves that were."""
    size = await store.read(lambda tx: tx.log_head().size)
    leaves: list[dict[str, Any]] = []
    for start in range(0, size, PAGE):
        # A page a read: a long reader would keep the database from tidying up.
        page = await store.read(partial(_page, start=start, end=min(start + PAGE, size)))
        leaves += [json.loads(body) for body in page]
    return rows_from_leaves(leaves), size


def _page(tx: Transaction, start: int, end: int) -> list[bytes]:
    return [row.body for row in tx.leaves(start, end)]


def rows_from_store(tx: Transaction, period: Period) -> Rows:
    """Return the duties to send of *period*, with every other duty and receipt of their threads.

    What recurs is in no thread with the message that met it, so that one's is read too; its own has years of periods.
    """
    sends = [row for row in tx.obligations_between(period.start, period.end) if row.duty.kind == "send"]
    recurring = [row for row in sends if row.duty.period_end is not None]
    met = [tx.find_envelope(row.settled_by) for row in recurring if row.settled_by]
    own = {row.duty.thread for row in sends} - {row.duty.thread for row in recurring}
    threads = sorted(own | {row.thread for row in met if row is not None})
    around = [row for thread in threads for row in tx.thread_obligations(thread)]
    duties = {row.id: _row(row) for row in (*around, *recurring)}
    taken = [Taken(row.envelope, row.mailbox, row.level, row.accepted_at) for row in tx.receipts_for_threads(threads)]
    return Rows(tuple(duties.values()), tuple(taken))


def _row(row: ObligationRow) -> DutyRow:
    return DutyRow.of(row.id, row.duty, row.state, row.settled_at, row.settled_by)


def readers_of(snapshot: Snapshot, caller: Caller, now: Moment) -> tuple[IsOwn, ...] | None:
    """Return for whom a report must be fit that *caller* reads: itself first; ``None``: the partnership, who sees all.

    What a single mailbox reads must be fit for its whole agency too: whoever has both could subtract one from the other.
    """
    index = snapshot.directory
    if is_administrator(index, caller):
        return None
    return tuple(
        partial(may_see, index, one, now=now) for one in dict.fromkeys((caller, caller._replace(mailbox=None)))
    )


def report_receipts(
    tell: Tell, asked: Question, snapshot: Snapshot, now: Moment, readers: Sequence[IsOwn] | None
) -> dict[str, Any]:
    """Return the figures at *now* as plain values, fit for all of *readers*; of the first, its own are shown whole.

    Others' figures are shown for one type and one whole quarter that is over, and whatever its sector: two reports
    that overlap could be subtracted.
    """
    rules = snapshot.rules_at(now)
    days, index, least = days_of(rules.agreement), snapshot.directory, rules.agreement.suppress_below
    find_sector = sector_of(index)

    def is_asked(row: HasParties) -> bool:
        return asked.sector in (None, find_sector(row.creditor))

    whole = tell(asked.families, is_asked)
    told: dict[str, Any] = {"definitions": COLUMNS}
    if asked.sector is not None:
        told["sector"] = asked.sector
    if readers is None:
        return {**told, **msgspec.to_builtins(whole)}

    def without(is_own: IsOwn, row: HasParties) -> bool:
        return is_asked(row) and not is_own(row.debtor) and not is_own(row.creditor)

    is_open = asked.sector is None and asked.period.end <= now and is_quarter(days, *asked.period)
    gaps = {
        family: frozenset[Any]().union(
            *(find_gaps(tell({family}, partial(without, reader)), find_sector, least) for reader in readers)
        )
        for family in (whole.by_type if is_open else ())
    }
    others = tell(asked.families, partial(without, readers[0]))
    family = next(iter(asked.families)) if len(asked.families) == 1 else None
    return {
        **told,
        **release(whole, others, gaps, family, readers[0]),
        "suppressed_below": least,
        "others_shown": is_open,
    }


def rules_on(snapshot: Snapshot, family: str) -> dict[str, str]:
    """Return the rules on *family* in their order, each with the procedure that it comes from.

    Those that a message of it opens, those about its receipt, and those that ask for it by the calendar; of every
    version of the agreement, for duties outlive the version that opened them.
    """
    found: dict[str, str] = {}
    for rules in snapshot.rules:
        terms = rules.find_type(family)
        recurring = [
            rule for rule in rules.agreement.recurring if any(family in answer.types for answer in rule.answers)
        ]
        for rule in (*(terms.opens if terms else ()), *(terms.receipts if terms else ()), *recurring):
            found[rule.name] = rule.because
    return found


async def report_duties(
    store: Store, period: Period, rules: Mapping[str, str], now: Moment, readers: Sequence[IsOwn] | None
) -> dict[str, Any]:
    """Return how the duties of *rules* went that fell due in *period*; of readers only those that it is a party to."""

    def find(tx: Transaction) -> dict[str, list[DutyRow]]:
        threads: dict[str, list[DutyRow]] = {}
        for one in tx.obligations_between(period.start, period.end):
            duty = one.duty
            is_own = readers is None or readers[0](duty.debtor) or readers[0](duty.creditor)
            if duty.rule in rules and is_own:
                threads.setdefault(duty.thread, []).append(_row(one))
        return threads

    threads = await store.read(find)
    judged: list[Judged] = []
    found = list(threads.items())
    for start in range(0, len(found), THREADS):
        judged += await store.read(partial(_judge, threads=found[start : start + THREADS]))
    stages = tally_duties(judged, rules, now)
    return {"rules": msgspec.to_builtins(stages), "definitions": DUTY_COLUMNS, "all_parties": readers is None}


def _judge(tx: Transaction, threads: Sequence[tuple[str, list[DutyRow]]]) -> list[Judged]:
    return list(_judged(tx, threads))


def _judged(tx: Transaction, threads: Sequence[tuple[str, list[DutyRow]]]) -> Iterator[Judged]:
    for name, rows in threads:
        thread = Thread(
            duties=[_row(row) for row in tx.thread_obligations(name)],
            newer={row.id: row.superseded_by for row in tx.thread_envelopes(name) if row.superseded_by},
            refused={(row.envelope, row.mailbox) for row in tx.receipts_for_threads([name]) if row.level in _REFUSED},
        )
        yield from (judge(row, thread) for row in rows)
