"""``GET /v1/events``: a stream that says whose feed grew and which obligation changed.

Hints only: feed and obligations are the truth.

Source: protocol 9; HTML "server-sent events".
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from hub import entries
from hub.web.context import Hub
from hub.web.identity import Caller
from hub.web.requests import check_query
from schemas.identifiers import MailboxId, ObligationId
from schemas.strict_json import dump

# Between two hints a comment, so that a dead connection is noticed; below what proxies cut off.
BEAT_SECONDS: Final = 15.0
# How often the log is asked for obligations; a feed that grows is told at once.
LOOK_SECONDS: Final = 1.0


async def stream_events(hub: Hub, request: web.Request, caller: Caller) -> web.StreamResponse:
    """Stream ``event: feed`` with ``{"mailbox"}`` for each of the caller's mailboxes that grows.

    ``event: obligation`` with ``{"id"}`` follows for each of the caller's that begins, ends or takes a step.  The stream ends with the caller's token.
    """
    check_query(request)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    with hub.wakeups.stream(caller.agency) as queue:
        await response.prepare(request)
        await response.write(b": connected\n\n")
        seen = await _sizes(hub, caller) if hub.poll_seconds else {}
        last = await hub.store.read(lambda tx: tx.log_head().size) - 1
        quiet = 0.0
        while hub.clock() < caller.expires and not hub.wakeups.stopping:
            grown = await _next(hub, caller, queue, seen)
            if grown is None:
                break
            changed, last = await _changed(hub, caller, last)
            lines = [b"event: feed\ndata: " + dump({"mailbox": mailbox}) + b"\n\n" for mailbox in grown]
            lines += [b"event: obligation\ndata: " + dump({"id": name}) + b"\n\n" for name in sorted(changed)]
            quiet = 0.0 if lines else quiet + LOOK_SECONDS
            if quiet >= BEAT_SECONDS:
                lines, quiet = [b": still here\n\n"], 0.0
            if lines:
                await response.write(b"".join(lines))
    await response.write_eof()
    return response


async def _changed(hub: Hub, caller: Caller, last: int) -> tuple[frozenset[ObligationId], int]:
    snapshot, now = hub.registry.snapshot, hub.clock()
    return await hub.store.read(lambda tx: entries.changed_obligations(tx, snapshot, caller, last, now))


async def _next(
    hub: Hub, caller: Caller, queue: asyncio.Queue[MailboxId | None], seen: dict[MailboxId, int]
) -> list[MailboxId] | None:
    """Return the mailboxes that grew, none if it is time to look, or ``None`` at the end of the stream."""
    grown: list[MailboxId] = []
    try:
        async with asyncio.timeout(min(hub.poll_seconds or LOOK_SECONDS, LOOK_SECONDS)):
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
