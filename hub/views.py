"""What a party may see of an envelope: its own part, and nothing else exists for it.

Source: protocol 9; domain 3 (6: receipts go to the sender, a recipient sees its own).
"""

from __future__ import annotations

from typing import Any

from hub.core.authenticity import Caller
from hub.entries import may_see
from hub.errors import Refusal, RefusedError
from hub.registry import Registry
from hub.store.base import Store
from hub.store.rows import EnvelopeRow
from hub.store.transaction import Transaction
from schemas.identifiers import EnvelopeId, Moment


def _nothing() -> RefusedError:
    return RefusedError(Refusal("not-found", "there is nothing of yours under this name", "check it"))


async def envelope_state(
    store: Store, registry: Registry, caller: Caller, name: EnvelopeId, now: Moment
) -> dict[str, Any]:
    """Return where an envelope stands: all deliveries for the sender, a recipient's own for the recipient.

    Raises:
        RefusedError: ``not-found``; it does not exist, or not for *caller*.
    """
    index = registry.snapshot.directory

    def look(tx: Transaction) -> dict[str, Any]:
        row, deliveries = tx.find_envelope(name), tx.deliveries_of(name)
        seen = [
            one
            for one in deliveries
            if row and (may_see(index, caller, row.sender, now) or may_see(index, caller, one.mailbox, now))
        ]
        if row is None or not seen:
            raise _nothing()
        levels: dict[str, list[str]] = {}
        for receipt in tx.receipts_of(name):
            levels.setdefault(receipt.mailbox, []).append(receipt.level)
        # Whoever lost the answer to sending has it here.
        mine = {"acceptance": row.acceptance.decode()} if may_see(index, caller, row.sender, now) else {}
        return {
            **_public(row),
            **mine,
            "deliveries": [
                {"mailbox": one.mailbox, "state": one.state, "levels": levels.get(one.mailbox, [])} for one in seen
            ],
        }

    return await store.read(look)


def _public(row: EnvelopeRow) -> dict[str, Any]:
    names = ("id", "thread", "type", "state", "accepted_at", "index", "supersedes", "superseded_by")
    return {name: value for name in names if (value := getattr(row, name)) is not None}


async def sealed_body(store: Store, registry: Registry, caller: Caller, name: EnvelopeId, now: Moment) -> bytes:
    """Return the sealed bytes of an envelope for one of its parties.

    Raises:
        RefusedError: ``not-found``; also where the body was withdrawn or deleted.
    """
    index = registry.snapshot.directory

    def look(tx: Transaction) -> bytes:
        row = tx.find_envelope(name)
        mailboxes = [one.mailbox for one in tx.deliveries_of(name) if one.state != "gone"]
        body = (
            tx.body(name)
            if row
            and row.state == "present"
            and any(may_see(index, caller, box, now) for box in (row.sender, *mailboxes))
            else None
        )
        if body is None:
            raise _nothing()
        return body

    return await store.read(look)
