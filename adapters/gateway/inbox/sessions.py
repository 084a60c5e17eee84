"""Sessions: begun by signing in, kept in the database, ended with the account.

The browser has a random token; the database its digest.  A session ends by signing out, after a time without a page, after a
working day, and at once when its person leaves.

Source: design 6 (transport identity); OWASP on session fixation.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from adapters.errors import GatewayError
from adapters.gateway.inbox.context import Inbox, Visit
from adapters.gateway.spool import Transaction
from hub.kit.browsers import drop_token, set_token
from keys.digests import b64u, random_bytes, sha256_b64u

MINUTE: Final = 60_000
# How often the last page of a session is noted at most: not every page is a write.
SEEN: Final = MINUTE
# The cookie of a sign-in that has begun and isn't complete (`steps`).
STEP: Final = "__Host-signin"


async def begin_session(inbox: Inbox, tx: Transaction, person: str, how: str, *, instead_of: str = "") -> str:
    """Begin a session for *person*, who has just proved who they are; return the browser's token.

    It is always a new one: whatever token the browser had before (*instead_of*) means nothing from now on.

    Raises:
        GatewayError: ``person-left``; they left meanwhile.
    """
    token, now = b64u(random_bytes(32)), inbox.now()
    found = await tx.one("find_person", id=person)
    if found is None or found["state"] != "active":
        raise GatewayError("person-left", "That account has ended", "Ask whoever keeps the accounts")
    await tx.run("drop_session", token=digest_of(instead_of))
    await tx.run("add_session", token=digest_of(token), person=person, csrf=b64u(random_bytes(16)), at=now)
    await inbox.people.note(tx, person, "sign-in", now, code=how)
    return token


def digest_of(token: str) -> str:
    """Return by what the database knows a browser's *token*."""
    return sha256_b64u(token.encode())


def hand_over(response: web.Response, token: str) -> web.Response:
    """Give the browser the *token* of its new session with *response*; what it had begun is over."""
    set_token(response, token)
    drop_token(response, STEP)
    return response


async def find_visit(inbox: Inbox, token: str, *, seen: bool = True) -> Visit | None:
    """Return who has *token*, if the session is still good and its person is still here.

    *seen*: that they look at a page; an open page that listens keeps no session alive.
    """
    if not token:
        return None

    async def work(tx: Transaction) -> Visit | None:
        digest, now = digest_of(token), inbox.now()
        row = await tx.one("find_session", token=digest)
        if row is None:
            return None
        idle, whole = inbox.config.idle_minutes * MINUTE, inbox.config.session_minutes * MINUTE
        person = await inbox.people.find(tx, row["person"])
        if now - row["seen"] > idle or now - row["at"] > whole or person is None or person.state != "active":
            await tx.run("drop_session", token=digest)
            return None
        if seen and now - row["seen"] > SEEN:
            await tx.run("see_session", token=digest, seen=now)
        return Visit(person, row["csrf"], token)

    return await inbox.gateway.spool.write(work)


async def end_session(inbox: Inbox, visit: Visit) -> None:
    """End the session of *visit*."""

    async def work(tx: Transaction) -> None:
        await tx.run("drop_session", token=digest_of(visit.token))
        await inbox.people.note(tx, visit.person.id, "sign-out", inbox.now())

    await inbox.gateway.spool.write(work)


async def sweep_sessions(inbox: Inbox) -> None:
    """Forget the sessions that are over."""
    now = inbox.now()
    await inbox.gateway.spool.run(
        "expire_sessions", idle=now - inbox.config.idle_minutes * MINUTE,
        oldest=now - inbox.config.session_minutes * MINUTE,
    )  # fmt: skip
