"""The audit's question answered: owed, sent, taken, late and missing, from the log's leaves or from the store's rows.

The leaves are enough; the rows are quicker.  Both give the same figures, and a test holds them to it.

Source: protocol 5 (the clear figures) and 9 (reports); domain 8.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from hub.registry import Snapshot
from hub.store.base import Store
from hub.store.rows import ObligationRow
from hub.store.transaction import Transaction
from schemas.directory import DirectoryIndex
from schemas.identifiers import MailboxId, Moment, agency_of
from schemas.rules.figures import DutyRow, Figures, Taken, tally

PAGE = 2048


class Rows(NamedTuple):
    """What the figures are made from."""

    duties: tuple[DutyRow, ...]
    taken: tuple[Taken, ...]


class Period(NamedTuple):
    """Duties that fall due from ``start`` on and before ``end``."""

    start: Moment
    end: Moment


def rows_from_leaves(leaves: Iterable[Mapping[str, Any]]) -> Rows:
    """Return every duty and receipt that *leaves*, in the log's order, tell of."""
    duties: dict[str, DutyRow] = {}
    taken: list[Taken] = []
    for leaf in leaves:
        event = leaf["event"]
        if event == "obligation-opened":
            duties[leaf["obligation"]] = _opened(leaf)
        elif event == "obligation-settled":
            duties[leaf["obligation"]] = duties[leaf["obligation"]]._replace(
                state=leaf["outcome"], settled_at=leaf.get("met_at", leaf["at"]), settled_by=leaf.get("by")
            )
        elif event == "obligation-reopened":
            duties[leaf["obligation"]] = duties[leaf["obligation"]]._replace(
                state="open", settled_at=None, settled_by=None
            )
        elif event == "receipt-accepted":
            taken.append(Taken(leaf["envelope"], leaf["mailbox"], leaf["level"], leaf["at"]))
    return Rows(tuple(duties.values()), tuple(taken))


def _opened(leaf: Mapping[str, Any]) -> DutyRow:
    return DutyRow(
        id=leaf["obligation"],
        kind=leaf["kind"],
        rule=leaf["rule"],
        thread=leaf["thread"],
        family=leaf["type"],
        debtor=leaf["mailbox"],
        creditor=leaf["creditor"],
        item=leaf.get("item", ""),
        due=leaf["due"],
        state="open",
        settled_at=None,
        settled_by=None,
        envelope=leaf["envelope"],
    )


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
    """Return the duties to send of *period*, with every receipt duty and receipt of their threads."""
    sends = [row for row in tx.obligations_between(period.start, period.end) if row.duty.kind == "send"]
    threads = sorted({row.duty.thread for row in sends})
    receipts = [
        row
        for thread in threads
        for row in tx.thread_obligations(thread, only_open=False)
        if row.duty.kind == "receipt"
    ]
    taken = [Taken(row.envelope, row.mailbox, row.level, row.accepted_at) for row in tx.receipts_for_threads(threads)]
    return Rows(tuple(_row(row) for row in (*sends, *receipts)), tuple(taken))


def _row(row: ObligationRow) -> DutyRow:
    duty = row.duty
    return DutyRow(
        id=row.id,
        kind=duty.kind,
        rule=duty.rule,
        thread=duty.thread,
        family=duty.types[0],
        debtor=duty.debtor,
        creditor=duty.creditor,
        item=duty.item,
        due=duty.due,
        state=row.state,
        settled_at=row.settled_at,
        settled_by=row.settled_by,
        envelope=duty.envelope,
    )


def count(rows: Rows, period: Period, index: DirectoryIndex, now: Moment, families: Collection[str] = ()) -> Figures:
    """Return the figures at *now* for *families* (every type, when none is named) that fall due in *period*."""
    sends = [row for row in rows.duties if row.kind == "send" and period.start <= row.due < period.end]
    threads = {row.thread for row in sends}
    receipts = [row for row in rows.duties if row.kind == "receipt" and row.thread in threads]
    return tally([*sends, *receipts], rows.taken, now, sector_of(index), families or {row.family for row in sends})


def sector_of(index: DirectoryIndex) -> Callable[[MailboxId], str]:
    """Return the function that says to which sector a mailbox counts: the first role of its agency."""

    def find(mailbox: MailboxId) -> str:
        agency = index.find_agency(agency_of(mailbox))
        return agency.roles[0] if agency and agency.roles else "none"

    return find


def visible_to(snapshot: Snapshot, agency: str) -> Callable[[str], bool] | None:
    """Return which agencies' rows *agency* may see whole; ``None``: all, for it is the partnership itself."""
    index = snapshot.directory
    if agency == index.directory.partnership:
        return None
    return lambda name: index.is_same_or_successor(agency, name)
