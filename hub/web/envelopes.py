"""Envelopes in, and what became of them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

from aiohttp import web

from hub import amendments, exchange, views
from hub.errors import MalformedError
from hub.web.context import Hub
from hub.web.identity import Caller
from hub.web.problems import describe
from hub.web.requests import (
    body_of,
    check_media,
    check_query,
    path_id,
    read_compact,
    reply,
)
from schemas.envelope import (
    BATCH_MEDIA_TYPE,
    MAX_BODY,
    MAX_HEADER,
    MAX_WRAPS,
    MEDIA_TYPE,
)

MAX_ENVELOPE: Final = MAX_HEADER + MAX_WRAPS + MAX_BODY + 2
MAX_BATCH: Final = 1000
MAX_WITHDRAWAL: Final = 4 * 1024


async def take_envelopes(hub: Hub, request: web.Request, caller: Caller) -> web.Response:
    """Take one envelope (201, or 200 for a repeat) or a batch of them (207, one outcome each in order)."""
    check_query(request)
    media = check_media(request, MEDIA_TYPE, BATCH_MEDIA_TYPE)
    many = media == BATCH_MEDIA_TYPE
    most = max(hub.config.limits.max_batch_bytes, MAX_ENVELOPE + 4) if many else MAX_ENVELOPE
    async with body_of(hub, request, most) as body:
        raws = list(split_batch(body)) if many else [body]
        outcomes = await exchange.accept_envelopes(
            hub.store, hub.registry, caller.agency, raws, hub.clock(), hub.keyring.signing
        )
    for outcome in outcomes:
        if isinstance(outcome, exchange.Accepted):
            hub.wakeups.wake(outcome.wake)
    if many:
        return reply({"outcomes": [_outcome(outcome) for outcome in outcomes]}, 207)
    first = outcomes[0]
    if not isinstance(first, exchange.Accepted):
        raise first
    return reply({"acceptance": first.acceptance.decode()}, 200 if first.repeat else 201)


def split_batch(body: bytes) -> Iterator[bytes]:
    """Yield the envelopes of a batch: each behind its length as four bytes, big-endian.

    Raises:
        MalformedError: ``envelope-batch``.
    """
    place = count = 0
    while place < len(body):
        count += 1
        end = place + 4
        length = struct.unpack_from(">I", body, place)[0] if end <= len(body) else -1
        if count > MAX_BATCH or not 0 < length <= len(body) - end:
            raise MalformedError(
                "envelope-batch",
                f"not a batch of at most {MAX_BATCH} envelopes, each behind its length",
                "write each length as four bytes, big-endian",
            )
        yield body[end : end + length]
        place = end + length
    if not count:
        raise MalformedError("envelope-batch", "the batch is empty", "send at least one envelope")


def _outcome(outcome: Any) -> dict[str, Any]:
    if isinstance(outcome, exchange.Accepted):
        return {"status": 200 if outcome.repeat else 201, "acceptance": outcome.acceptance.decode()}
    problem = describe(outcome)
    return {"status": problem["status"], "problem": problem}


async def show_envelope(hub: Hub, request: web.Request, caller: Caller) -> web.Response:
    """Answer the state of an envelope to its sender, or a recipient's own part of it."""
    check_query(request)
    return reply(await views.envelope_state(hub.store, hub.registry, caller, path_id(request), hub.clock()))


async def show_body(hub: Hub, request: web.Request, caller: Caller) -> web.Response:
    """Answer the sealed bytes, or one range of them, to the envelope's parties."""
    check_query(request)
    body = await views.sealed_body(hub.store, hub.registry, caller, path_id(request), hub.clock())
    headers = {"Accept-Ranges": "bytes"}
    try:
        asked = request.http_range
    except ValueError:
        asked = slice(None)
    if asked.start is None and asked.stop is None:
        return web.Response(body=body, headers=headers, content_type="application/octet-stream")
    start, stop, _ = asked.indices(len(body))
    if start >= stop:
        raise web.HTTPRequestRangeNotSatisfiable
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(body)}"
    return web.Response(status=206, body=body[start:stop], headers=headers, content_type="application/octet-stream")


async def take_wraps(hub: Hub, request: web.Request, caller: Caller) -> web.Response:
    """Take new wraps from the envelope's sender."""
    check_query(request)
    raw = await read_compact(hub, request, MAX_WRAPS)
    done = await amendments.replace_wraps(hub.store, hub.registry, caller.agency, path_id(request), raw, hub.clock())
    hub.wakeups.wake(done.wake)
    return reply({"status": "replaced"})


async def take_withdrawal(hub: Hub, request: web.Request, caller: Caller) -> web.Response:
    """Take a withdrawal from the envelope's sender."""
    check_query(request)
    raw = await read_compact(hub, request, MAX_WITHDRAWAL)
    done = await amendments.withdraw_envelope(
        hub.store, hub.registry, caller.agency, path_id(request), raw, hub.clock(), hub.keyring.signing
    )
    hub.wakeups.wake(done.wake)
    return reply({"state": done.state})
