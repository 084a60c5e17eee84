"""``GET /v1/events``: a stream that says whose feed grew.  Hints only; the feed is the truth.

Source: protocol 9; HTML "server-sent events".
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from hub.web.context import Hub
from hub.web.identity import Caller
from hub.web.requests import check_query
from schemas.identifiers import MailboxId
from schemas.strict_json import dump

# Between two hints a comment, so that a dead connection is noticed; below what proxies cut off.
BEAT_SECONDS: Final = 15.0


async def stream_events(hub: Hub, request: web.Request, caller: Caller) -> web.StreamResponse:
    """Stream ``event: feed`` with ``{"mailbox"}`` for each of the caller's mailboxes that grows.

    The stream ends with the caller's token.
    """
    check_query(request)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    with hub.wakeups.stream(caller.agency) as queue:
        await response.prepare(request)
        await response.write(b": connected\n\n")
        seen = await _sizes(hub, caller) if hub.poll_seconds else {}
        while hub.clock() < caller.expires and not hub.wakeups.stopping:
            grown = await _next(hub, caller, queue, seen)
            if grown is None:
                break
            lines = [b"event: feed\ndata: " + dump({"mailbox": mailbox}) + b"\n\n" for mailbox in grown]
            await response.write(b"".join(lines) or b": still here\n\n")
    await response.write_eof()
    return response


async def _next(
    hub: Hub, caller: Caller, queue: asyncio.Queue[MailboxId | None], seen: dict[MailboxId, int]
) -> list[MailboxId] | None:
    """Return the mailboxes that grew, none if a beat passed, or ``None`` at the end of the stream."""
    grown: list[MailboxId] = []
    try:
        async with asyncio.timeout(hub.poll_seconds or BEAT_SECONDS):
            mailbox = await queue.get()
        if mailbox is None:
            return None
        if caller.speaks_for(mailbox):
            grown.append(mailbox)
    except TimeoutError:
        pass
    if hub.poll_seconds:
        sizes = await _sizes(hub, caller)
        grown += [box for box, size in sizes.items() if size > seen.get(box, 0) and box not in grown]
        seen.update(sizes)
    return grown


async def _sizes(hub: Hub, caller: Caller) -> dict[MailboxId, int]:
    agency = hub.registry.snapshot.directory.find_agency(caller.agency)
    boxes = [box.id for box in agency.mailboxes if caller.speaks_for(box.id)] if agency else []
    return await hub.store.read(lambda tx: {box: tx.feed_size(box) for box in boxes})
