"""What a browser has begun and not finished: a sign-in at a provider or by passkey, a first password.

The browser has a random token, the database what belongs to it, sealed.  It ends after some minutes, and what must happen
once takes it away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from aiohttp import web

from adapters.gateway.inbox.context import Inbox
from adapters.gateway.inbox.sessions import MINUTE, STEP, digest_of
from adapters.gateway.spool import Row, Transaction
from hub.kit.browsers import read_token, set_token
from keys.digests import b64u, random_bytes

Kind = Literal["oidc", "passkey", "welcome", "register", "code"]
Content = Mapping[str, str]
MINUTES: Final = 10
# Anybody may begin one: beyond as many, the oldest end.
MOST: Final = 5000


async def begin_step(inbox: Inbox, response: web.StreamResponse, kind: Kind, content: Content) -> None:
    """Keep *content* for ten minutes for the browser that gets *response*, instead of what it had begun."""
    token, now = b64u(random_bytes(32)), inbox.now()
    digest = digest_of(token)

    async def work(tx: Transaction) -> None:
        await tx.run("expire_steps", now=now)
        await tx.run(
            "add_step", token=digest, kind=kind, until=now + MINUTES * MINUTE, content=_lock(inbox, digest, content)
        )
        await tx.run("limit_steps", most=MOST)

    await inbox.gateway.spool.write(work)
    set_token(response, token, STEP, seconds=MINUTES * 60)


async def read_step(inbox: Inbox, tx: Transaction, request: web.Request, kind: Kind) -> Content | None:
    """Return what the browser has begun of *kind*, if it hasn't ended."""
    row = await _find(inbox, tx, request, kind)
    if row is None:
        return None
    content = inbox.gateway.spool.unlock(bytes(row["content"]), f"step {row['token']}")
    return msgspec.msgpack.decode(content, type=dict[str, str])


async def take_step(inbox: Inbox, tx: Transaction, request: web.Request, kind: Kind) -> Content | None:
    """Return what the browser has begun of *kind*, once: it ends by this."""
    content = await read_step(inbox, tx, request, kind)
    if content is not None:
        await tx.run("drop_step", token=digest_of(read_token(request, STEP)))
    return content


async def set_step(inbox: Inbox, tx: Transaction, request: web.Request, kind: Kind, content: Content) -> None:
    """Keep *content* for what the browser has begun, instead of what was kept."""
    digest = digest_of(read_token(request, STEP))
    await tx.run("set_step", token=digest, kind=kind, content=_lock(inbox, digest, content))


async def _find(inbox: Inbox, tx: Transaction, request: web.Request, kind: Kind) -> Row | None:
    token = read_token(request, STEP)
    return await tx.one("find_step", token=digest_of(token), kind=kind, now=inbox.now()) if token else None


def _lock(inbox: Inbox, digest: str, content: Content) -> bytes:
    return inbox.gateway.spool.lock(msgspec.msgpack.encode(content), f"step {digest}")
