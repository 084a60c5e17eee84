"""What becomes of proposals by themselves: nobody decided in time, or what was approved has been done elsewhere."""

from __future__ import annotations

from typing import Final

from hub import acts, drafts, ledger
from hub.store.base import Store
from hub.store.people_rows import ProposalRow
from hub.store.transaction import Transaction
from schemas.identifiers import Moment

_PAGE: Final = 100


async def sweep(store: Store, now: Moment) -> None:
    """Let go what nobody decided in time, and record as done the documents that officers have signed and published."""
    if not await store.read(lambda tx: bool(tx.proposals_lapsed(now, 1)) or any(_published(tx))):
        return

    def record(tx: Transaction) -> None:
        at = ledger.moment(tx, now)
        acts.lapse(tx, at)
        for row in _published(tx):
            acts.finish(tx, row.id, at)

    await store.write(record)


def _published(tx: Transaction) -> list[ProposalRow]:
    found, after = list[ProposalRow](), None
    while rows := tx.proposals("approved", after, _PAGE):
        found += [row for row in rows if row.act == drafts.PUBLISH and drafts.is_published(tx, row)]
        after = rows[-1].id
    return found
