"""Signing in with a local account's password, and signing out.

Whether a login exists can't be found out by what is answered or how long it takes: every try does the same work.  After
several wrong tries a login waits, each time longer; but a browser on which its person has signed in before counts by itself,
so that nobody can keep a colleague out by trying.  A session always begins under a new token.

Source: OWASP on authentication and device cookies; NCSC on passwords (no composition rules, no expiry).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Final

from aiohttp import web

from adapters.errors import GatewayError, NotYetError
from adapters.gateway.inbox.context import VISIT, Inbox
from adapters.gateway.inbox.sessions import MINUTE, begin_session, end_session, hand_over
from adapters.gateway.spool import Row, Transaction
from hub.kit.browsers import drop_token, read_token, set_token
from hub.kit.forms import Posted
from hub.kit.pages import see
from keys.digests import b64u, random_bytes, sha256_b64u
from keys.passwords import hash_password, is_password

FREE_TRIES: Final = 5
LONGEST_WAIT: Final = 60 * MINUTE
# After how long wrong tries are forgotten, and a browser is no longer known.
COUNT_KEPT: Final = 24 * 60 * MINUTE
KNOWN_DAYS: Final = 180
KNOWN: Final = "__Host-known"
DAY: Final = 24 * 60 * MINUTE
MIN_PASSWORD, MAX_PASSWORD = 12, 1000
# The longest that a try waits for its turn.
PATIENCE: Final = 15.0
WRONG: Final = "Your login or password is not right. After several tries you have to wait for some minutes."
# Where a notification may lead to: one thing by its random id.
_BACK: Final = re.compile(r"/(?:messages|threads)/[A-Za-z0-9_-]{22}")


@cache
def _nobodys() -> str:
    return hash_password("a password that nobody has")


async def show_sign_in(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the page on which people sign in."""
    if request.get(VISIT) is not None:
        return see("/")
    return show_form(inbox, request, "", back=request.query.get("back", ""))


def show_form(inbox: Inbox, request: web.Request, wrong: str, *, login: str = "", back: str = "") -> web.Response:
    """Return the page with every way to sign in, and with what was *wrong*, if anything was."""
    context = {
        "wrong": wrong, "login": login, "back": back_path(back), "passwords": inbox.config.passwords,
        "oidc": inbox.config.oidc,
    }  # fmt: skip
    return inbox.show(request, "sign_in.html", context, status=422 if wrong else 200)


def back_path(text: str) -> str:
    """Return *text* if somebody may be sent there after signing in, else the inbox: never another host's address."""
    return text if _BACK.fullmatch(text) else "/"


def see_sign_in(request: web.Request) -> web.Response:
    """Return "sign in first", which then leads back to where *request* wanted to go."""
    back = back_path(request.path) if request.method == "GET" else "/"
    return see("/sign-in" if back == "/" else f"/sign-in?back={back}")


async def sign_in(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Begin a session for who gave the right password."""
    login, back = posted.get("login").strip().casefold(), posted.get("back")
    known = read_token(request, KNOWN)
    person = await check_password(inbox, login, posted.get("password"), known)
    if person is None:
        return show_form(inbox, request, WRONG, login=login, back=back)

    async def work(tx: Transaction) -> tuple[str, str]:
        token = await begin_session(inbox, tx, person, "password", instead_of=read_token(request))
        return token, await _get_known(inbox, tx, person, known)

    token, known = await inbox.gateway.spool.write(work)
    response = hand_over(see(back_path(back)), token)
    set_token(response, known, KNOWN, seconds=KNOWN_DAYS * DAY // 1000)
    return response


async def check_password(inbox: Inbox, login: str, password: str, known: str = "") -> str | None:
    """Return the id of the active person whose password this is, or ``None``; wrong tries are counted.

    *known* is the token of a browser on which somebody has signed in before.

    Raises:
        NotYetError: ``sign-in-busy``.
    """
    async with _turn(inbox):
        row, who = await inbox.gateway.spool.write(lambda tx: _count(inbox, tx, login, known))
        stored = row["password"] if row is not None and row["password"] else None
        right = len(password) <= MAX_PASSWORD and await asyncio.to_thread(_is_password, password, stored)
    if row is None or stored is None or not right or not who or not inbox.config.passwords or row["state"] != "active":
        return None
    await inbox.gateway.spool.run("drop_count", who=who)
    return str(row["id"])


async def _count(inbox: Inbox, tx: Transaction, login: str, known: str) -> tuple[Row | None, str]:
    """Count one try before it is made, so that many at once count too; return the account and its counter.

    The counter is empty where the try may not succeed, whatever the password.  A login that doesn't exist is counted alike.
    """
    now = inbox.now()
    row = await tx.one("find_login", login=inbox.people.digest("login", login))
    who = inbox.people.digest("tries", login)
    if row is not None and await _is_known(tx, row["id"], known, now):
        who = inbox.people.digest("tries", f"{login} {known}")
    count = await tx.one("find_count", who=who)
    failed, locked_until = (count["failed"], count["locked_until"]) if count else (0, 0)
    waits = locked_until > now
    if not waits:
        failed += 1
        locked_until = now + min(LONGEST_WAIT, MINUTE * 2 ** (failed - FREE_TRIES)) if failed >= FREE_TRIES else 0
    await tx.run("set_count", who=who, failed=failed, locked_until=locked_until, at=now)
    await tx.run("expire_counts", before=now - COUNT_KEPT)
    if row is not None and not waits:
        await inbox.people.note(tx, row["id"], "sign-in-tried", now, code="password")
    return row, "" if waits else who


async def _is_known(tx: Transaction, person: str, known: str, now: int) -> bool:
    token = sha256_b64u(known.encode())
    return await tx.one("find_known_browser", token=token, person=person, oldest=now - KNOWN_DAYS * DAY) is not None


async def _get_known(inbox: Inbox, tx: Transaction, person: str, known: str) -> str:
    now = inbox.now()
    await tx.run("expire_known_browsers", oldest=now - KNOWN_DAYS * DAY)
    if await _is_known(tx, person, known, now):
        return known
    token = b64u(random_bytes(32))
    await tx.run("add_known_browser", token=sha256_b64u(token.encode()), person=person, at=now)
    return token


@asynccontextmanager
async def _turn(inbox: Inbox) -> AsyncIterator[None]:
    """Wait for one of the few places where a password may be tried: Argon2id takes 64 MiB each."""
    try:
        async with asyncio.timeout(PATIENCE):
            await inbox.turns.acquire()
    except TimeoutError as error:
        raise NotYetError("sign-in-busy", "Too many people are signing in at once", "Try again in a moment") from error
    try:
        yield
    finally:
        inbox.turns.release()


def _is_password(password: str, stored: str | None) -> bool:
    return is_password(password, stored or _nobodys()) and stored is not None


async def make_password(inbox: Inbox, password: str) -> str:
    """Return what to keep of a new password.

    Raises:
        GatewayError: ``person-password``.
        NotYetError: ``sign-in-busy``.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise GatewayError("person-password", "A password has 12 characters or more", "Three words in a row are good")
    async with _turn(inbox):
        return await asyncio.to_thread(hash_password, password)


async def sign_out(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """End the session."""
    del posted
    visit = request.get(VISIT)
    if visit is not None:
        await end_session(inbox, visit)
    response = see("/sign-in")
    drop_token(response)
    return response
