"""The audit log: checkpoint, hashes and proofs for anyone; its entries for those whom they concern.

Source: protocol 8; C2SP tlog-tiles, tlog-proof, tlog-cosignature.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any, Final

from aiohttp import web

from hub import entries, ledger, witnessing
from hub.errors import HubError
from hub.store.transaction import Transaction
from hub.web.context import Hub
from hub.web.identity import Caller
from hub.web.problems import invalid, not_found
from hub.web.requests import (
    body_of,
    check_media,
    check_query,
    integer,
    reply,
)
from hub.web.searching import FILTERS, entry_of, filters_of
from keys import notes

MAX_COSIGNATURES: Final = 16 * 1024
MAX_ENTRIES: Final = 1000
# tlog-tiles: three digits at a time, each but the last behind an `x`; `.p/W` for the last, incomplete tile.
_TILE: Final = re.compile(r"\A((?:x[0-9]{3}/){0,4}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?\Z")
_FOREVER: Final = "public, max-age=31536000, immutable"


def _tile_of(request: web.Request) -> tuple[int, int]:
    found = _TILE.match(request.match_info["tile"])
    if not found:
        raise not_found()
    digits = found[1].replace("x", "").replace("/", "")
    width = int(found[2]) if found[2] else ledger.TILE_WIDTH
    if (
        width > ledger.TILE_WIDTH
        or (found[2] and width == ledger.TILE_WIDTH)
        or (found[1][0] == "x" and digits[:3] == "000")
    ):
        raise not_found()
    return int(digits), width


def _tile_answer(tile: bytes | None) -> web.Response:
    if tile is None:
        raise HubError("tile-unknown", "the log doesn't reach so far", "read the checkpoint first")
    return web.Response(body=tile, content_type="application/octet-stream", headers={"Cache-Control": _FOREVER})


async def show_tile(hub: Hub, request: web.Request) -> web.Response:
    """Answer hashes of one tile."""
    check_query(request)
    number, width = _tile_of(request)
    level = request.match_info["level"]
    if not re.match(r"\A[0-7]\Z", level):
        raise not_found()
    return _tile_answer(await hub.store.read(lambda tx: ledger.tile(tx, int(level), number, width)))


async def show_entries_tile(hub: Hub, request: web.Request, caller: Caller) -> web.Response:
    """Answer the leaves of one tile to the partnership, each behind its length as two bytes, big-endian."""
    check_query(request)
    if not entries.is_administrator(hub.registry.snapshot.directory, caller):
        raise HubError(
            "token-scope",
            "only the partnership's own agency reads the whole log",
            "ask /v1/audit/entries for what concerns you",
        )
    number, width = _tile_of(request)
    await hub.looks.note(hub.store, caller, "entries", hub.clock())
    answer = _tile_answer(await hub.store.read(lambda tx: ledger.entries_tile(tx, number, width)))
    answer.headers["Cache-Control"] = "private"
    return answer


def _signed(tx: Transaction) -> tuple[int, str] | None:
    last = tx.last_checkpoint()
    return (last[0], "".join((last[2], *(line for _, line, _ in tx.cosignatures(last[0]))))) if last else None


async def _last(hub: Hub) -> tuple[int, str]:
    last = await hub.store.read(_signed)
    if last is None:
        raise HubError("no-checkpoint", "no checkpoint is signed yet", "ask again in a second")
    return last


async def show_checkpoint(hub: Hub, request: web.Request) -> web.Response:
    """Answer the last signed checkpoint with the witnesses' lines."""
    check_query(request)
    return web.Response(text=(await _last(hub))[1], content_type="text/plain")


async def find_entries(hub: Hub, request: web.Request, caller: Caller) -> web.Response:
    """Answer what the caller may see of the log, by time, event and subject, oldest first.

    One answer looks at a limited part of the log: it may have fewer entries than asked for, or none, and a ``next``.
    """
    check_query(request, *FILTERS, "after", "limit")
    limit = integer(request, "limit", 100, most=MAX_ENTRIES) or 1
    filters = filters_of(request)
    after = integer(request, "after") if "after" in request.query else -1
    snapshot, now = hub.registry.snapshot, hub.clock()
    await hub.looks.note(hub.store, caller, "entries", now, filters)
    found = await hub.store.read(lambda tx: entries.find(tx, snapshot, caller, filters, after, limit, now))
    answer: dict[str, Any] = {"entries": [entry_of(row) for row in found.rows]}
    if found.next is not None:
        answer["next"] = str(found.next)
    return reply(answer)


async def prove_inclusion(hub: Hub, request: web.Request) -> web.Response:
    """Answer the hashes from a leaf to the root; as a ``tlog-proof`` where plain text is asked for."""
    check_query(request, "index", "size")
    index, size = integer(request, "index"), integer(request, "size")
    if "text/plain" not in request.headers.get("Accept", ""):
        proof = await hub.store.read(lambda tx: ledger.inclusion_proof(tx, index, size))
        return reply({"index": index, "size": size, "proof": _texts(proof)})
    signed, note = await _last(hub)
    if size != signed:
        raise invalid("`size` isn't the last checkpoint's", f"ask with size={signed}")
    proof = await hub.store.read(lambda tx: ledger.inclusion_proof(tx, index, size))
    return web.Response(text=notes.tlog_proof(index, proof, note), content_type="text/plain")


async def prove_consistency(hub: Hub, request: web.Request) -> web.Response:
    """Answer the hashes that show that the older tree is a beginning of the newer one."""
    check_query(request, "from", "to")
    old, new = integer(request, "from"), integer(request, "to")
    proof = await hub.store.read(lambda tx: ledger.consistency_proof(tx, old, new))
    return reply({"from": old, "to": new, "proof": _texts(proof)})


def _texts(proof: list[bytes]) -> list[str]:
    return [b64encode(hash_).decode() for hash_ in proof]


async def take_cosignatures(hub: Hub, request: web.Request) -> web.Response:
    """Keep witnesses' lines over a checkpoint that this hub signed."""
    check_query(request)
    check_media(request, "text/plain")
    now = hub.clock()
    async with body_of(hub, request, MAX_COSIGNATURES) as body:
        verifiers = witnessing.verifiers(hub.registry.snapshot, now)
        taken = await ledger.add_cosignatures(hub.store, verifiers, body, now)
    for one in taken:
        hub.witness_times.hear(one.name, one.at, now)
    return reply({"taken": len(taken)})
