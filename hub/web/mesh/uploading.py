"""Sending: one envelope or one receipt, in one part or several; 202 once the hub has accepted it for good.

What comes in parts is kept as it came until the last of them is there, and then accepted or refused as a whole.

Source: NHS MESH API 2.0.0, sending; MESH's own rule that a receipt goes on the workflow ``…_ACK``.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import Final

from aiohttp import web
from msgspec.structs import replace

from hub import mesh
from hub.errors import HubError
from hub.store.rows import MeshSentRow
from hub.store.transaction import Transaction
from hub.web.context import Hub
from hub.web.envelopes import MAX_ENVELOPE
from hub.web.mesh.accepting import accept
from hub.web.mesh.answers import DoorError, answer, malformed, translate, unknown, version_of
from hub.web.mesh.calling import Caller
from hub.web.mesh.headers import GZIP, check_again, read_said
from keys.digests import sha256_b64u
from keys.errors import KeysError
from schemas.envelope import DAY
from schemas.strict_json import MalformedError

# Compressing what is sealed makes it a little longer.
MAX_PART: Final = MAX_ENVELOPE + 1024 * 1024
MAX_UPLOADS: Final = 8
# An upload that isn't complete after so long may be displaced by a new one.
STALE: Final = DAY
# For so long the same message sent again has the same id: longer than any envelope is kept unasked.
REMEMBERED: Final = 400 * DAY


async def take_first(hub: Hub, request: web.Request, caller: Caller, body: bytes) -> web.Response:
    """Take a message, or the first part of one."""
    version = version_of(request)
    said = read_said(request, hub.registry.snapshot, caller.at)
    if not body:
        raise DoorError(417, "02", "There is no content")
    row = MeshSentRow(
        id=mesh.upload_name(caller.token),
        sender=caller.mailbox,
        recipient=said.recipient,
        workflow=said.workflow,
        local_id=said.local_id,
        told=said.kept,
        parts=said.parts,
        encoding=said.encoding,
        first=sha256_b64u(body),
        state="uploading",
        at=caller.at,
    )
    name = await (_take_whole(hub, caller, row, body) if said.parts == 1 else _begin(hub, row, body))
    return answer({"message_id": name} if version == 2 else {"messageID": name}, 202)


async def _take_whole(hub: Hub, caller: Caller, row: MeshSentRow, body: bytes) -> str:
    raw = await asyncio.to_thread(inflate, [body], row.encoding)
    done = await accept(hub, caller, row, raw)
    # The same envelope is the same message, however often it is sent.
    named = replace(done, id=mesh.message_name(done.kind, done.ref or "", row.recipient))
    await hub.store.write(lambda tx: tx.add_mesh_sent(named))
    return named.id


async def _begin(hub: Hub, row: MeshSentRow, body: bytes) -> str:
    def work(tx: Transaction) -> str:
        # A repeat of the same request has the same token; one by a sender that lost the answer, the same local id.
        known = tx.find_mesh_sent(row.id) or (tx.mesh_sent_before(row) if row.local_id else None)
        if known is not None:
            return known.id
        open_ones = tx.mesh_uploads(row.sender, MAX_UPLOADS)
        if len(open_ones) == MAX_UPLOADS:
            oldest, at = open_ones[0]
            if at > row.at - STALE:
                raise DoorError(417, "mesh-uploads", f"At most {MAX_UPLOADS} messages can be on their way in parts")
            _give_up(tx, oldest)
        tx.add_mesh_sent(row)
        tx.set_mesh_part(row.id, 1, row.first, body)
        return row.id

    return await hub.store.write(work)


def tidy(tx: Transaction, caller: Caller) -> None:
    """Give up the caller's uploads that were never completed, and forget what was sent long ago."""
    for name, at in tx.mesh_uploads(caller.mailbox, MAX_UPLOADS):
        if at <= caller.at - STALE:
            _give_up(tx, name)
    tx.forget_mesh_sent(caller.at - REMEMBERED)


def _give_up(tx: Transaction, name: str) -> None:
    row = tx.find_mesh_sent(name)
    if row is not None:
        tx.finish_mesh_sent(replace(row, state="error", code="mesh-uploads"))
        tx.empty_mesh_parts(name)


async def take_part(hub: Hub, request: web.Request, caller: Caller, body: bytes) -> web.Response:
    """Take a later part; with the last of them the message is accepted, or refused."""
    name, number = request.match_info["id"], request.match_info["number"]
    if not mesh.is_name(name):
        raise unknown(name)
    if not (number.isascii() and number.isdigit()) or len(number) > 6:
        raise malformed("A part has a number")
    digest = sha256_b64u(body)

    def work(tx: Transaction) -> MeshSentRow | None:
        row = tx.find_mesh_sent(name)
        if row is None or row.sender != caller.mailbox:
            raise unknown(name)
        check_again(request, row, int(number))
        return _keep(tx, row, int(number), digest, body)

    complete = await hub.store.write(work)
    if complete is not None:
        await _finish(hub, caller, complete)
    return web.Response(status=202)


def _keep(tx: Transaction, row: MeshSentRow, number: int, digest: str, body: bytes) -> MeshSentRow | None:
    """Keep one part; return *row* if it waits for no other, and wasn't accepted before."""
    known = tx.mesh_part_digests(row.id)
    same = known.get(number, ("", 0))[0] == digest
    if row.state != "uploading":
        if not same:
            raise DoorError(423, "upload-complete", "The upload is complete", about=row.id)
        if row.state == "error":
            raise DoorError(417, row.code, "The message was refused", about=row.id)
        return None
    if not same:
        if sum(size for _, size in known.values()) + len(body) > MAX_PART:
            raise DoorError(413, "request-too-large", "The message is too long", about=row.id)
        tx.set_mesh_part(row.id, number, digest, body)
    return row if len(known.keys() | {number}) == row.parts else None


async def _finish(hub: Hub, caller: Caller, row: MeshSentRow) -> None:
    parts = await hub.store.read(lambda tx: tx.mesh_part_contents(row.id))
    if len(parts) != row.parts:
        # The same last part came twice at once, and the other of them has finished it.
        return
    try:
        raw = await asyncio.to_thread(inflate, parts, row.encoding)
        done = await accept(hub, caller, row, raw)
    except (DoorError, HubError, MalformedError, KeysError) as error:
        said = error if isinstance(error, DoorError) else translate(error)
        if said.status < 500:
            await _end(hub, replace(row, state="error", code=said.code))
        raise
    await _end(hub, done)


async def _end(hub: Hub, row: MeshSentRow) -> None:
    def work(tx: Transaction) -> None:
        tx.finish_mesh_sent(row)
        tx.empty_mesh_parts(row.id)

    await hub.store.write(work)


def inflate(parts: list[bytes], encoding: str) -> bytes:
    """Return the message whose parts, each compressed by itself if *encoding* says so, these are.

    Raises:
        DoorError: 400; a part isn't what gzip makes. 413; it is longer than any envelope.
    """
    if encoding != GZIP:
        return b"".join(parts)
    out, left = [], MAX_ENVELOPE
    for part in parts:
        stream = zlib.decompressobj(wbits=31)
        try:
            out.append(stream.decompress(part, left + 1))
        except zlib.error as error:
            raise DoorError(400, "11", "The content isn't compressed as its header says") from error
        left -= len(out[-1])
        if left < 0:
            raise DoorError(413, "request-too-large", "The message is longer than an envelope can be")
        if not stream.eof or stream.unused_data:
            raise DoorError(400, "11", "A compressed part isn't whole")
    return b"".join(out)
