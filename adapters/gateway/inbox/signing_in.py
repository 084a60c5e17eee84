"""Signing in with a local account's password, and signing out.

Whether a login exists can't be found out by what is answered or how long it takes.  After several wrong passwords the account
waits, each time longer; a session always begins under a new token.

Source: OWASP on authentication; NCSC on passwords (no composition rules, no expiry).
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Final

from aiohttp import web

from adapters.errors import GatewayError
from adapters.gateway.inbox.context import VISIT, Inbox
from adapters.gateway.inbox.posted import Posted
from adapters.gateway.inbox.sessions import MINUTE, begin_session, end_session
from adapters.gateway.spool import Transaction
from hub.kit.browsers import drop_token, set_token
from hub.kit.pages import see
from keys.passwords import hash_password, is_password

FREE_TRIES: Final = 5
LONGEST_WAIT: Final = 60 * MINUTE
MAX_PASSWORD: Final = 1000
# Argon2id takes 64 MiB each: as many at once as a small machine bears.
_AT_ONCE: Final = asyncio.Semaphore(2)


@cache
def _nobodys() -> str:
    return hash_password("a password that nobody has")


async def show_sign_in(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the page on which people sign in."""
    if request.get(VISIT) is not None:
        return see("/")
    return inbox.show(request, "sign_in.html", {"wrong": "", "login": ""})


async def sign_in(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Begin a session for who gave the right password."""
    login, password = posted.get("login").strip().casefold(), posted.get("password")
    person = await check_password(inbox, login, password)
    if person is None:
        wrong = "Your login or password is not right. After several tries the account waits for some minutes."
        return inbox.show(request, "sign_in.html", {"wrong": wrong, "login": login}, status=422)
    token = await inbox.gateway.spool.write(lambda tx: begin_session(inbox, tx, person, "password"))
    response = see("/")
    set_token(response, token)
    return response


async def check_password(inbox: Inbox, login: str, password: str) -> str | None:
    """Return the id of the active person whose password this is, or ``None``; wrong tries are counted."""
    row = await inbox.gateway.spool.one("find_login", login=inbox.people.digest("login", login))
    stored = row["password"] if row is not None and row["password"] else None
    waits = row is not None and row["locked_until"] > inbox.now()
    async with _AT_ONCE:
        right = len(password) <= MAX_PASSWORD and await asyncio.to_thread(is_password, password, stored or _nobodys())
    if row is None or stored is None or not inbox.config.passwords:
        return None
    if waits or row["state"] != "active":
        return None
    if right:
        await inbox.gateway.spool.run("set_failed", id=row["id"], failed=0, locked_until=0)
        return str(row["id"])

    async def count(tx: Transaction) -> None:
        current = await tx.one("find_person", id=row["id"])
        failed = (current["failed"] if current else 0) + 1
        wait = min(LONGEST_WAIT, MINUTE * 2 ** (failed - FREE_TRIES)) if failed >= FREE_TRIES else 0
        await tx.run("set_failed", id=row["id"], failed=failed, locked_until=inbox.now() + wait)
        await inbox.people.note(tx, row["id"], "sign-in-failed", inbox.now(), code="password")

    await inbox.gateway.spool.write(count)
    return None


async def sign_out(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """End the session."""
    del posted
    visit = request.get(VISIT)
    if visit is not None:
        await end_session(inbox, visit.token)
    response = see("/sign-in")
    drop_token(response)
    return response


def check_new_password(password: str) -> str:
    """Return what to keep of a new password.

    Raises:
        GatewayError: ``person-password``.
    """
    if not 12 <= len(password) <= MAX_PASSWORD:
        raise GatewayError("person-password", "A password has 12 characters or more", "Three words in a row are good")
    return hash_password(password)
