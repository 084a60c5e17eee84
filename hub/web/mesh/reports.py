"""Reports that a message was not taken, at our deadline: once, and empty, as MESH has them.

The deadline is that of the receipt that is owed for the envelope; where none is, MESH's own, for what was never collected.

Source: NHS MESH API 2.0.0, non-delivery; protocol 5.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from aiohttp import web
from msgspec.structs import replace

from hub import mesh
from hub.store.rows import MeshSentRow
from hub.store.transaction import Transaction
from hub.web.context import Hub
from hub.web.mesh.calling import Caller
from schemas.identifiers import Moment

MOST: Final = 500


async def report_due(hub: Hub, caller: Caller) -> None:
    """Make the reports that are due for what the caller sent; with a clock in doubt, none."""
    if hub.rounds.in_doubt:
        return

    def work(tx: Transaction) -> None:
        for row in tx.mesh_sent_due(caller.mailbox, caller.at, MOST):
            reported = caller.at if is_missing(tx, row, caller.at) else None
            tx.set_mesh_report(replace(row, due=row.due if reported else None, reported=reported))

    if await hub.store.read(lambda tx: tx.mesh_sent_due(caller.mailbox, caller.at, 1)):
        await hub.store.write(work)


def is_missing(tx: Transaction, row: MeshSentRow, now: Moment) -> bool:
    """Answer whether what was due for *row* has still not come."""
    delivery = tx.find_delivery(row.ref or "", row.recipient)
    if delivery is None or delivery.state in {"gone", "declined", "rejected"}:
        # Taken back by its sender, or given back to it: it has heard that already.
        return False
    if row.duty is not None:
        duty = tx.find_obligation(row.duty)
        return duty is not None and duty.state == "open" and duty.duty.due < now
    return delivery.state == "owed" and not is_acknowledged(tx, row.recipient, delivery.seq)


def is_acknowledged(tx: Transaction, mailbox: str, seq: int) -> bool:
    """Answer whether *mailbox* acknowledged this entry of its feed by MESH."""
    box = tx.find_mesh_mailbox(mailbox)
    return box is not None and tx.is_mesh_acknowledged(box, seq)


def show_report(hub: Hub, row: MeshSentRow) -> web.Response:
    """Return the report about *row*."""
    index = hub.registry.snapshot.directory
    said = {
        "MessageID": mesh.report_name(row.id),
        "LinkedMsgID": row.id,
        "MessageType": "REPORT",
        "From": index.mesh_address(row.sender),
        "To": index.mesh_address(row.recipient),
        "WorkflowID": row.workflow,
        "LocalID": row.local_id,
        "Chunk-Range": "1:0",
        "AddressType": "ALL",
        "Version": "1.0",
        "StatusCode": "14",
        "StatusEvent": "SEND",
        "StatusSuccess": "ERROR",
        "StatusDescription": "Message not taken by recipient within the time agreed",
        "StatusTimestamp": datetime.fromtimestamp((row.reported or 0) / 1000, UTC).strftime("%Y%m%d%H%M%S"),
    }
    headers = {f"Mex-{name}": text for name, text in said.items() if text}
    return web.Response(headers=headers, content_type="application/octet-stream")
