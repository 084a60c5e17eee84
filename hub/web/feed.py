"""A mailbox's feed, as JSON or as binary frames, with long poll.

Source: protocol 6 and 9.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any, Final

from aiohttp import web

from hub import exchange
from hub.store.rows import FeedDelivery
from hub.web.context import Hub
from hub.web.identity import Caller
from hub.web.problems import not_found
from hub.web.requests import check_query, integer
from hub.web.wakeups import wait_for
from keys.digests import b64u
from schemas.identifiers import MailboxId, is_mailbox
from schemas.strict_json import dump

FRAMES: Final = "application/vnd.safeguarding-hub.feed"
MAX_WAIT: Final = 30
MAX_LIMIT: Final = 200
LIMIT: Final = 50
_LENGTH: Final = struct.Struct(">I")


async def show_feed(hub: Hub, request: web.Request, caller: Caller) -> web.Response:
    """Answer the entries after a number; where there are none yet, wait for the first of them."""
    check_query(request, "after", "limit", "wait")
    mailbox = f"{request.match_info['agency']}/{request.match_info['team']}"
    if not is_mailbox(mailbox) or (caller.mailbox is not None and not caller.speaks_for(mailbox)):
        raise not_found()
    after, limit = integer(request, "after", 0), integer(request, "limit", LIMIT, most=MAX_LIMIT) or 1
    wait = integer(request, "wait", 0, most=MAX_WAIT)
    entries = await _collect(hub, caller, mailbox, after, limit, wait)
    if FRAMES in request.headers.get("Accept", ""):
        return web.Response(body=frames(entries), content_type=FRAMES)
    last = entries[-1].entry.seq if entries else after
    answer = {"mailbox": mailbox, "after": after, "next": last, "entries": [_with_body(entry) for entry in entries]}
    return web.Response(body=dump(answer), content_type="application/json")


async def _collect(
    hub: Hub, caller: Caller, mailbox: MailboxId, after: int, limit: int, wait: int
) -> list[FeedDelivery]:
    def look() -> Any:
        return exchange.hand_over(hub.store, hub.registry, caller.agency, mailbox, after, limit, hub.clock())

    if not wait:
        entries: list[FeedDelivery] = await look()
        return entries
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    # Registered before the first look: what is added in between wakes us.
    with hub.wakeups.waiting_for(mailbox) as event:
        while True:
            event.clear()
            entries = await look()
            left = until - loop.time()
            if entries or left <= 0 or hub.wakeups.stopping:
                return entries
            woken = await wait_for(event, min(left, hub.poll_seconds or left))
            if not woken and hub.poll_seconds is None:
                return []


def describe(item: FeedDelivery) -> dict[str, Any]:
    """Return one entry without its body."""
    entry, envelope = item.entry, item.envelope
    said: dict[str, Any] = {"seq": entry.seq, "kind": entry.kind, "at": entry.at}
    if entry.kind == "delivery" and envelope is not None:
        said |= {
            "envelope": envelope.id,
            "header": envelope.header.decode(),
            "wraps": envelope.wraps.decode(),
            "acceptance": envelope.acceptance.decode(),
            "state": envelope.state,
            "length": envelope.length,
        }
    elif entry.payload is not None:
        said["jws"] = bytes(entry.payload).decode()
        if item.index is not None:
            said["index"] = item.index
    return said


def _with_body(item: FeedDelivery) -> dict[str, Any]:
    said = describe(item)
    if item.body is not None:
        said["body"] = b64u(item.body)
    return said


def frames(items: list[FeedDelivery]) -> bytes:
    """Return entries as frames: length (4 bytes, big-endian), JSON, length, body; a body that isn't inline has none."""
    parts: list[bytes] = []
    for item in items:
        said, body = dump(describe(item)), item.body or b""
        parts += (_LENGTH.pack(len(said)), said, _LENGTH.pack(len(body)), body)
    return b"".join(parts)
