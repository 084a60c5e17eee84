"""Sessions of the console: the browser has a random token, the database its digest.

A session ends by signing out, after a time without a page, after a working day, and at once when its account ends.

Source: DESIGN 6 (transport identity); OWASP on session fixation.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import msgspec
from aiohttp import web

from hub.kit.browsers import drop_token, read_token, set_token
from hub.people import digest_of
from hub.store.base import StoreBusyError, StoreFullError
from hub.store.people_rows import SessionRow
from hub.store.transaction import Transaction
from hub.web.console.frame import Console, Visit
from keys import vault
from keys.digests import b64u, random_bytes

MINUTE: Final = 60_000
# How often the last page of a session is noted at most: not every page is a write.
SEEN: Final = MINUTE
# The cookie of a sign-in that has begun and isn't complete.
STEP: Final = "__Host-signin"
STEP_MINUTES: Final = 10
# After how long wrong tries are forgotten.
COUNT_KEPT: Final = 24 * 60 * MINUTE

Content = Mapping[str, str]


async def find_visit(console: Console, token: str) -> Visit | None:
    """Return who has *token*, if the session is still good and its account has not ended."""
    if not token:
        return None
    config, now, digest = console.hub.config.console, console.now(), digest_of(token)

    def look(tx: Transaction) -> tuple[SessionRow, Visit] | None:
        row = tx.find_account_session(digest)
        account = tx.find_account(row.account) if row else None
        if row is None or account is None or account.state != "active":
            return None
        return row, Visit(account, row.csrf, token, row.at)

    found = await console.hub.store.read(look)
    if found is None:
        return None
    row, visit = found
    if now - row.seen > config.idle_minutes * MINUTE or now - row.at > config.session_minutes * MINUTE:
        return None
    if now - row.seen > SEEN:
        # A page can be looked at while nothing can be written.
        with suppress(StoreBusyError, StoreFullError):
            await console.hub.store.write(lambda tx: _see(console, tx, digest))
    return visit


def _see(console: Console, tx: Transaction, digest: str) -> None:
    now = console.now()
    tx.see_account_session(digest, now)
    tx.expire_signing_in(now, now - console.hub.config.console.idle_minutes * MINUTE, now - COUNT_KEPT)


def hand_over(response: web.Response, token: str) -> web.Response:
    """Give the browser the *token* of its new session with *response*; what it had begun is over."""
    set_token(response, token)
    drop_token(response, STEP)
    return response


async def begin_step(console: Console, response: web.StreamResponse, kind: str, content: Content) -> None:
    """Keep *content*, sealed, for ten minutes for the browser that gets *response*, instead of what it had begun."""
    token = b64u(random_bytes(32))
    digest, until = digest_of(token), console.now() + STEP_MINUTES * MINUTE
    sealed = seal(console, f"step {digest}", msgspec.msgpack.encode(dict(content)))
    await console.hub.store.write(lambda tx: tx.add_account_step(digest, kind, until, sealed))
    set_token(response, token, STEP, seconds=STEP_MINUTES * 60)


def read_step(console: Console, tx: Transaction, request: web.Request, kind: str) -> Content | None:
    """Return what the browser has begun of *kind*, if it hasn't ended."""
    token = read_token(request, STEP)
    if not token:
        return None
    digest = digest_of(token)
    sealed = tx.find_account_step(digest, kind, console.now())
    return msgspec.msgpack.decode(unseal(console, f"step {digest}", sealed), type=dict[str, str]) if sealed else None


def take_step(console: Console, tx: Transaction, request: web.Request, kind: str) -> Content | None:
    """Return what the browser has begun of *kind*, once: it ends by this."""
    content = read_step(console, tx, request, kind)
    if content is not None:
        tx.drop_account_step(digest_of(read_token(request, STEP)))
    return content


def seal(console: Console, label: str, secret: bytes) -> bytes:
    """Return *secret* as it is kept in the database: only a hub with its keys reads it, and only as *label*."""
    return vault.lock(label, secret, console.hub.keyring.secrets_key)


def unseal(console: Console, label: str, sealed: bytes) -> bytes:
    """Return the secret that :func:`seal` kept.

    Raises:
        KeysError: ``vault-open``.
    """
    return vault.unlock(label, sealed, console.hub.keyring.secrets_key)
