"""What became of what was sent, and who can be sent what.

Tracking says what MESH says of any message; it stands for no receipt.

Source: NHS MESH API 2.0.0, tracking and endpoint lookup.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from hub import mesh
from hub.store.rows import MeshSentRow
from hub.store.transaction import Transaction
from hub.web.context import Hub
from hub.web.mesh.answers import answer, malformed, unknown, version_of
from hub.web.mesh.calling import Caller
from hub.web.mesh.reports import is_acknowledged
from schemas.directory import AgencyEntry

_ODS: Final = "ods"
# How version 1 calls what it says.
_OLD: Final = {
    "message_id": "messageId",
    "local_id": "localId",
    "workflow_id": "workflowId",
    "upload_timestamp": "uploadTimestamp",
    "recipient": "recipient",
    "recipient_name": "recipientName",
    "recipient_ods_code": "recipientOrgCode",
    "status": "status",
    "status_success": "statusSuccess",
    "status_event": "statusEvent",
    "status_description": "statusDescription",
    "status_code": "statusCode",
}


async def track(hub: Hub, request: web.Request, caller: Caller, body: bytes) -> web.Response:
    """Answer what became of one message that the caller sent."""
    del body
    name = request.query.get("messageID", "")
    if not name:
        raise malformed("messageID is missing")

    if not mesh.is_name(name):
        raise unknown(name)

    def look(tx: Transaction) -> dict[str, Any]:
        row = tx.find_mesh_sent(name)
        if row is None or row.sender != caller.mailbox:
            raise unknown(name)
        return _tracked(hub, tx, row)

    return _shown(request, await hub.store.read(look))


async def track_local(hub: Hub, request: web.Request, caller: Caller, body: bytes) -> web.Response:
    """Answer what became of the message with a local id; 300 where there are several."""
    del body
    local_id = request.match_info["local_id"]
    if not local_id.isascii() or not local_id.isprintable():
        raise unknown()

    def look(tx: Transaction) -> dict[str, Any] | None:
        rows = tx.mesh_sent_called(caller.mailbox, local_id, 2)
        if not rows:
            raise unknown()
        return _tracked(hub, tx, rows[0]) if len(rows) == 1 else None

    found = await hub.store.read(look)
    return answer({}, 300) if found is None else _shown(request, found)


def _shown(request: web.Request, said: dict[str, Any]) -> web.Response:
    if version_of(request) == 1:
        said = {_OLD[name]: value for name, value in said.items() if name in _OLD}
    return answer(said)


def _tracked(hub: Hub, tx: Transaction, row: MeshSentRow) -> dict[str, Any]:
    index = hub.registry.snapshot.directory
    status, description = _status(tx, row)
    agency = index.find_agency(row.recipient.partition("/")[0])
    box = index.find_mailbox(row.recipient)
    said = {
        "message_id": row.id,
        "local_id": row.local_id,
        "workflow_id": row.workflow,
        "upload_timestamp": datetime.fromtimestamp(row.at / 1000, UTC).isoformat(timespec="milliseconds"),
        "recipient": index.mesh_address(row.recipient),
        "recipient_name": box.title if box else None,
        "recipient_ods_code": agency.codes.get(_ODS) if agency else None,
        "recipient_org_name": agency.name if agency else None,
        "status": status,
        "status_success": status not in {"error", "undeliverable"},
        "status_event": "TRANSFER" if status in {"accepted", "acknowledged"} else "SEND",
        "status_description": description,
        "status_code": {"error": row.code, "undeliverable": "14"}.get(status, "00"),
    }
    return {name: value for name, value in said.items() if value not in {None, ""}}


def _status(tx: Transaction, row: MeshSentRow) -> tuple[str, str]:
    if row.state != "accepted":
        return row.state, "The message is on its way" if row.state == "uploading" else "The message was refused"
    entry = tx.mesh_entry(row.recipient, row.kind, row.ref or "")
    delivery = tx.find_delivery(row.ref or "", row.recipient) if row.kind == "delivery" else None
    if entry is not None and (
        is_acknowledged(tx, row.recipient, entry.seq)
        or (delivery is not None and delivery.state not in {"owed", "gone", "rejected"})
    ):
        return "acknowledged", "Collected by its recipient; no receipt"
    if row.reported is not None:
        return "undeliverable", "Not taken by its recipient within the time agreed"
    return "accepted", "Waits for its recipient"


async def look_up(hub: Hub, request: web.Request, caller: Caller, body: bytes) -> web.Response:
    """Answer which mailboxes of an organisation, by its ODS code, may get what goes on a workflow."""
    del body
    wanted = request.match_info["ods"].upper()
    agencies = hub.registry.snapshot.directory.directory.agencies
    return _endpoints(hub, request, caller, [one for one in agencies if one.codes.get(_ODS, "").upper() == wanted])


async def search(hub: Hub, request: web.Request, caller: Caller, body: bytes) -> web.Response:
    """Answer which mailboxes of the partnership may get what goes on a workflow."""
    del body
    return _endpoints(hub, request, caller, list(hub.registry.snapshot.directory.directory.agencies))


def _endpoints(hub: Hub, request: web.Request, caller: Caller, agencies: list[AgencyEntry]) -> web.Response:
    snapshot, workflow = hub.registry.snapshot, request.match_info["workflow"]
    index, rules = snapshot.directory, snapshot.rules_at(caller.at)
    family = mesh.find_family(rules, workflow.removesuffix(mesh.ACK))
    agreed = rules.find_type(family) if family else None
    if agreed is None:
        return answer({"results": []})
    may = agreed.may_send if workflow.endswith(mesh.ACK) else agreed.may_receive
    names = ("mailbox_id", "mailbox_name") if version_of(request) == 2 else ("address", "description")
    found = [
        (index.mesh_address(box.id), box.title)
        for agency in agencies
        for box in agency.mailboxes
        if index.is_open(box.id, caller.at) and may(box.id, index)
    ]
    return answer({"results": [dict(zip(names, one, strict=True)) for one in found]})
