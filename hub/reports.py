"""The audit's question answered: owed, sent, taken, late and missing, from the log's leaves or from the store's rows.

The leaves are enough; the rows are quicker.  Both give the same figures, and a test holds them to it.

Source: protocol 5 (the clear figures) and 9 (reports); domain 8.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from hub.core.authenticity import Caller
from hub.core.statistics import Period, Rows, rows_from_leaves
from hub.entries import is_administrator
from hub.registry import Snapshot
from hub.store.base import Store
from hub.store.rows import ObligationRow
from hub.store.transaction import Transaction
from schemas.identifiers import Moment
from schemas.rules.figures import DutyRow, Taken

PAGE = 2048


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
    return DutyRow.of(row.id, row.duty, row.state, row.settled_at, row.settled_by)


def visible_to(snapshot: Snapshot, caller: Caller, now: Moment) -> Callable[[str], bool] | None:
    """Return which agencies' rows *caller* may see whole; ``None``: all, for it is the partnership itself."""
    index = snapshot.directory
    if is_administrator(index, caller):
        return None
    return lambda name: caller.mailbox is None and index.is_same_or_successor(caller.agency, name, now)
