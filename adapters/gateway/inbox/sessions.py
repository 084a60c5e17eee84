"""Sessions: begun by signing in, kept in the database, ended with the account.

The browser has a random token; the database its digest.  A session ends by signing out, after a time without a page, after a
working day, and at once when its person leaves.

Source: design 6 (transport identity); OWASP on session fixation.
"""

from __future__ import annotations

from typing import Final

from adapters.gateway.inbox.context import Inbox, Visit
from adapters.gateway.spool import Transaction
from keys.digests import b64u, random_bytes, sha256_b64u

MINUTE: Final = 60_000
# How often the last page of a session is noted at most: not every page is a write.
SEEN: Final = MINUTE


async def begin_session(inbox: Inbox, tx: Transaction, person: str, how: str) -> str:
    """Begin a session for *person*, who has just proved who they are; return the browser's token.

    It is always a new one: whatever token the browser had before means nothing.
    """
    token, now = b64u(random_bytes(32)), inbox.now()
    await tx.run("add_session", token=sha256_b64u(token.encode()), person=person, csrf=b64u(random_bytes(16)), at=now)
    await inbox.people.note(tx, person, "sign-in", now, code=how)
    return token


async def find_visit(inbox: Inbox, token: str, *, seen: bool = True) -> Visit | None:
    """Return who has *token*, if the session is still good and its person is still here.

    *seen*: that they look at a page; an open page that listens keeps no session alive.
    """
    if not token:
        return None

    async def work(tx: Transaction) -> Visit | None:
        digest, now = sha256_b64u(token.encode()), inbox.now()
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


async def end_session(inbox: Inbox, token: str) -> None:
    """End the session of *token*."""
    await inbox.gateway.spool.run("drop_session", token=sha256_b64u(token.encode()))


async def sweep_sessions(inbox: Inbox) -> None:
    """Forget the sessions that are over."""
    now = inbox.now()
    await inbox.gateway.spool.run(
        "expire_sessions", idle=now - inbox.config.idle_minutes * MINUTE,
        oldest=now - inbox.config.session_minutes * MINUTE,
    )  # fmt: skip
