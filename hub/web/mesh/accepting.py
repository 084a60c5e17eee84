"""What was sent is one of ours, goes where MESH's headers say, and is accepted as if it had come by the API.

Source: protocol 2 and 4.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from hub import exchange, mesh
from hub.store.rows import MeshSentRow
from hub.store.transaction import Transaction
from hub.web.context import Hub
from hub.web.mesh.answers import DoorError
from hub.web.mesh.calling import Caller
from hub.web.receipts import MAX_COMPACT
from keys import jws
from schemas.envelope import DAY, Header, parse_header, split_envelope
from schemas.receipt import parse_receipt

# MESH's own rule, for what no receipt is owed for.
COLLECT_WITHIN: Final = 5 * DAY


async def accept(hub: Hub, caller: Caller, row: MeshSentRow, raw: bytes) -> MeshSentRow:
    """Have the hub accept *raw*; return *row* with what it was and by when it has to be taken.

    Raises:
        DoorError: it isn't what its headers say. Whatever ``hub.exchange`` raises.
    """
    if row.workflow.endswith(mesh.ACK):
        return await _accept_receipt(hub, caller, row, raw)
    return await _accept_envelope(hub, caller, row, raw)


async def _accept_envelope(hub: Hub, caller: Caller, row: MeshSentRow, raw: bytes) -> MeshSentRow:
    header = parse_header(jws.parse(split_envelope(raw).header, jws.ENVELOPE).payload)
    if header.from_ != caller.mailbox:
        raise DoorError(403, "07", "The envelope is from another mailbox than this")
    if row.recipient not in header.to:
        raise DoorError(417, "12", "Mex-To names none of the envelope's recipients")
    if mesh.workflow_of(header.type) != row.workflow:
        raise DoorError(417, "17", f"An envelope of this type goes on the workflow {mesh.workflow_of(header.type)}")
    done = await exchange.accept_envelope(hub.store, hub.registry, caller.agency, raw, caller.at, hub.keyring.signing)
    hub.wakeups.wake(done.wake)
    duty, due = await hub.store.read(lambda tx: _owed(tx, header, row.recipient, caller.at))
    return replace(row, state="accepted", ref=header.id, kind="delivery", duty=duty, due=due)


def _owed(tx: Transaction, header: Header, recipient: str, at: int) -> tuple[str | None, int]:
    """Return the first receipt that *recipient* owes for the envelope, and when its sender hears that it is missing."""
    rows = [row for row in tx.receipts_owed(header.thread, recipient) if row.duty.envelope == header.id]
    first = min(rows, key=lambda row: row.duty.due, default=None)
    return (first.id, first.duty.due) if first else (None, at + COLLECT_WITHIN)


async def _accept_receipt(hub: Hub, caller: Caller, row: MeshSentRow, raw: bytes) -> MeshSentRow:
    if len(raw) > MAX_COMPACT:
        raise DoorError(400, "11", "This is no receipt")
    receipt = parse_receipt(jws.parse(raw, jws.RECEIPT).payload)
    if receipt.mailbox != caller.mailbox:
        raise DoorError(403, "07", "The receipt is another mailbox's")
    about = await hub.store.read(lambda tx: tx.find_envelope(receipt.envelope))
    if about is not None and about.sender != row.recipient:
        raise DoorError(417, "12", "Mex-To isn't the sender of what the receipt is for")
    if about is not None and mesh.workflow_of(about.type) + mesh.ACK != row.workflow:
        raise DoorError(417, "17", "The receipt is for another workflow")
    (outcome,) = await exchange.accept_receipts(
        hub.store, hub.registry, caller.agency, [raw], caller.at, hub.keyring.signing
    )
    if not isinstance(outcome, exchange.Taken):
        raise outcome
    hub.wakeups.wake(outcome.wake)
    return replace(row, state="accepted", ref=receipt.id, kind="receipt")
