"""Word of what is new, while a page is open: an event without content, after which the page offers to be loaded again.

Source: HTML Living Standard, 9.2 (server-sent events); the page works as well without.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from aiohttp import web
from aiohttp_sse import sse_response

from adapters.errors import NotYetError
from adapters.gateway.inbox.context import VISIT, Inbox, NotHereError, Visit
from adapters.gateway.inbox.sessions import find_visit
from adapters.gateway.inbox.today import look
from keys.digests import sha256_b64u
from schemas.strict_json import dump

# Each open page costs a look at the list so often.
SECONDS: Final = 10.0
# Pages of one person that listen at once: more tabs than that look for themselves.
MOST: Final = 6


async def show_events(inbox: Inbox, request: web.Request) -> web.StreamResponse:
    """Answer a stream that says when what waits for the person has changed; it ends with the session."""
    visit: Visit = request[VISIT]
    if inbox.listening[visit.person.id] >= MOST:
        raise NotHereError
    inbox.listening[visit.person.id] += 1
    try:
        async with sse_response(request) as stream:
            last = ""
            while not inbox.stopping.is_set() and stream.is_connected():
                now = await describe(inbox, visit.token)
                if now is None:
                    break
                if now != last:
                    last = now
                    await stream.send(now, event="waiting")
                await _rest(inbox.stopping, SECONDS)
        return stream
    finally:
        _leave(inbox.listening, visit.person.id)


async def describe(inbox: Inbox, token: str) -> str | None:
    """Return what changes when what waits for the session's person changes, and says nothing of it; ``None``: it is over."""
    try:
        visit = await find_visit(inbox, token, seen=False)
        if visit is None:
            return None
        person = visit.person
        today = await inbox.gateway.spool.write(lambda tx: look(inbox, tx, person))
    except NotYetError:
        return ""
    waiting = [[one.envelope for one in today.new], *([one.id, one.is_overdue] for one in today.missing + today.owed)]
    return sha256_b64u(dump(waiting))[:12]


async def _rest(stopping: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        pass


def _leave(listening: Counter[str], person: str) -> None:
    listening[person] -= 1
    if not listening[person]:
        del listening[person]
