"""One message as it is collected: whole, or in parts of the size that the configuration gives.

Source: NHS MESH API 2.0.0, receiving.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from hub import mesh
from hub.store.rows import EnvelopeRow, MeshSentRow
from hub.store.transaction import Transaction
from hub.web.context import Hub
from hub.web.mesh.answers import DoorError, unknown
from hub.web.mesh.calling import Caller
from hub.web.mesh.inbox import find_report
from hub.web.mesh.reports import show_report
from schemas.envelope import MEDIA_TYPE, join_envelope
from schemas.identifiers import MailboxId, Moment

JOSE = "application/jose"


class Message(NamedTuple):
    """One message of an inbox; ``sender`` is ``None`` where it is the hub."""

    content: bytes
    sender: MailboxId | None
    workflow: str
    local_id: str
    kept: dict[str, str]
    media: str
    at: Moment


async def show_message(hub: Hub, request: web.Request, caller: Caller, body: bytes) -> web.Response:
    """Answer a message, or one part of it: 206 while there are more, 200 with the last of them."""
    del body
    name, number = request.match_info["id"], request.match_info.get("number", "1")
    if not (number.isascii() and number.isdigit()) or len(number) > 6:
        raise unknown(name)
    found = await hub.store.read(lambda tx: _load(tx, name, caller))
    if isinstance(found, MeshSentRow):
        return show_report(hub, found)
    size, place = hub.config.mesh.part_bytes, int(number)
    count = max(1, -(-len(found.content) // size))
    if not 1 <= place <= count:
        raise DoorError(406, "InvalidHeaderChunks", f"The message has {count} parts", event="RECEIVE", about=name)
    return web.Response(
        status=200 if place == count else 206,
        body=found.content[(place - 1) * size : place * size],
        headers=_headers(hub, caller, name, found, place, count),
        content_type=found.media if count == 1 else "application/octet-stream",
    )


def _load(tx: Transaction, name: str, caller: Caller) -> Message | MeshSentRow:
    report = find_report(tx, name, caller.mailbox)
    if report is not None:
        if report.report_taken is not None:
            raise _closed(name)
        return report
    entry, box = mesh.parse_name(name, caller.mailbox), tx.find_mesh_mailbox(caller.mailbox)
    found = tx.mesh_entry(caller.mailbox, *entry) if entry else None
    if entry is None or box is None or found is None:
        raise unknown(name)
    if found.gone or tx.is_mesh_acknowledged(box, found.seq):
        raise _closed(name)
    if entry.kind == "delivery":
        return _envelope(tx, name, entry.ref, caller.mailbox, found.at)
    if found.payload is None:
        raise _closed(name)
    return _signed(tx, entry, found.payload, caller.mailbox, found.at)


def _closed(name: str) -> DoorError:
    return DoorError(
        410, "message-closed", "The message was acknowledged, taken back or deleted", event="RECEIVE", about=name
    )


def _envelope(tx: Transaction, name: str, ref: str, mailbox: MailboxId, at: Moment) -> Message:
    row = tx.find_envelope(ref)
    body = tx.body(ref) if row and row.state == "present" else None
    if row is None or body is None:
        raise _closed(name)
    sent = next(iter(tx.mesh_sent_as(ref, mailbox)), None)
    kept: dict[str, Any] = msgspec.msgpack.decode(sent.told) if sent else {}
    content = join_envelope(row.header, row.wraps, body)
    workflow = mesh.workflow_in("delivery", row.type)
    kept |= {"Content-Encrypted": "Y"}
    return Message(content, row.sender, workflow, sent.local_id if sent else "", kept, MEDIA_TYPE, at)


def _signed(tx: Transaction, entry: mesh.Entry, payload: bytes, mailbox: MailboxId, at: Moment) -> Message:
    receipt = tx.find_receipt(entry.ref) if entry.kind == "receipt" else None
    about: EnvelopeRow | None = tx.find_envelope(receipt.envelope) if receipt else None
    workflow = mesh.workflow_in(entry.kind, about.type if about else None)
    local_id = ""
    if receipt is not None:
        # By which its sender knows what the receipt is for; one that came by MESH may have said it itself.
        named = [*tx.mesh_sent_as(entry.ref, mailbox), *tx.mesh_sent_as(receipt.envelope, receipt.mailbox)]
        local_id = next((row.local_id for row in named if row.local_id), "")
    return Message(bytes(payload), receipt.mailbox if receipt else None, workflow, local_id, {}, JOSE, at)


def _headers(hub: Hub, caller: Caller, name: str, found: Message, place: int, count: int) -> dict[str, str]:
    index = hub.registry.snapshot.directory
    said = {
        "MessageID": name,
        "From": index.mesh_address(found.sender) if found.sender else mesh.HUB,
        "To": caller.address,
        "WorkflowID": found.workflow,
        "MessageType": "DATA",
        "Chunk-Range": f"{place}:{count}",
        "Total-Chunks": str(count),
        "AddressType": "ALL",
        "Version": "1.0",
        "FileName": f"{name}.dat",
        "LocalID": found.local_id,
        "Content-Type": found.media,
        "StatusCode": "00",
        "StatusEvent": "TRANSFER",
        "StatusDescription": "Transferred to recipient mailbox",
        "StatusSuccess": "SUCCESS",
        "StatusTimestamp": datetime.fromtimestamp(found.at / 1000, UTC).strftime("%Y%m%d%H%M%S"),
        **found.kept,
    }
    headers = {f"Mex-{key}": text for key, text in said.items() if text}
    return headers | {"Last-Modified": formatdate(found.at / 1000, usegmt=True)}
