"""Signing in with a local account's password and one-time code, and signing out.

Whether a login exists can't be found out by what is answered or how long it takes: every try does the same work.  After
several wrong tries a login waits, each time longer.  A session always begins under a new token.

Source: OWASP on authentication; NCSC on passwords (no composition rules, no expiry) and on a second factor.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Final

from aiohttp import web
from msgspec.structs import replace

from hub import people
from hub.errors import HubError
from hub.kit.browsers import drop_token, read_token
from hub.kit.forms import Posted
from hub.kit.pages import see
from hub.store.people_rows import AccountRow
from hub.store.transaction import Transaction
from hub.web.console.frame import ROOT, VISIT, Console, Visit
from hub.web.console.sessions import MINUTE, hand_over, unseal
from keys import otp
from keys.digests import sha256_b64u
from keys.passwords import hash_password, is_password

FREE_TRIES: Final = 5
LONGEST_WAIT: Final = 60 * MINUTE
MIN_PASSWORD, MAX_PASSWORD = 12, 1000
# The longest that a try waits for its turn.
PATIENCE: Final = 15.0
WRONG: Final = (
    "Your login, password or one-time code is not right. After several tries you have to wait for some minutes."
)
# Where somebody may be sent after signing in: a page of ours, named by plain parts.
_BACK: Final = re.compile(r"/console(?:/[A-Za-z0-9_.-]{1,64}){0,4}")


@cache
def _nobodys() -> str:
    return hash_password("a password that nobody has")


async def show_sign_in(console: Console, request: web.Request) -> web.StreamResponse:
    """Answer the page on which people sign in."""
    if request.get(VISIT) is not None:
        return see(ROOT)
    return show_form(console, request, "", back=request.query.get("back", ""))


def show_form(console: Console, request: web.Request, wrong: str, *, login: str = "", back: str = "") -> web.Response:
    """Return the page with every way to sign in, and with what was *wrong*, if anything was."""
    config = console.hub.config.console
    context = {
        "wrong": wrong, "login": login, "back": back_path(back), "passwords": config.passwords, "oidc": config.oidc,
    }  # fmt: skip
    return console.show(request, "sign_in.html", context, status=422 if wrong else 200)


def back_path(text: str) -> str:
    """Return *text* if somebody may be sent there after signing in, else the first page: never another host's address."""
    return text if _BACK.fullmatch(text) and "sign-" not in text else ROOT


def see_sign_in(request: web.Request) -> web.Response:
    """Return "sign in first", which then leads back to where *request* wanted to go."""
    back = back_path(request.path) if request.method == "GET" else ROOT
    return see(f"{ROOT}/sign-in" if back == ROOT else f"{ROOT}/sign-in?back={back}")


async def sign_in(console: Console, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Begin a session for who gave the right password and one-time code."""
    login, back = posted.get("login").strip().casefold(), posted.get("back")
    account = await _check_password(console, login, posted.get("password"))
    if account is None:
        return show_form(console, request, WRONG, login=login, back=back)
    code = "".join(posted.get("code").split())

    def work(tx: Transaction) -> str | None:
        now = console.now()
        row = tx.find_account(account.id)
        step = _find_step(console, row, code, now) if row else None
        if row is None or step is None:
            return None
        tx.set_account_secrets(replace(row, otp_used=step))
        tx.drop_sign_in_count(_who(login))
        return people.begin_session(tx, row.id, "password", now, instead_of=read_token(request))

    token = await console.hub.store.write(work)
    if token is None:
        return show_form(console, request, WRONG, login=login, back=back)
    return hand_over(see(back_path(back)), token)


def _find_step(console: Console, row: AccountRow, code: str, now: int) -> int | None:
    if row.otp is None:
        return None
    return otp.find_step(unseal(console, f"otp {row.id}", row.otp), code, now, row.otp_used)


async def _check_password(console: Console, login: str, password: str) -> AccountRow | None:
    """Return the active account whose password this is, or ``None``; every try is counted until one is wholly right."""
    async with _turn(console):
        row, waits = await console.hub.store.write(lambda tx: _count(console, tx, login))
        stored = row.password if row is not None else None
        right = len(password) <= MAX_PASSWORD and await asyncio.to_thread(is_password, password, stored or _nobodys())
    known = row is not None and stored is not None and row.state == "active"
    return row if known and right and not waits and console.hub.config.console.passwords else None


def _count(console: Console, tx: Transaction, login: str) -> tuple[AccountRow | None, bool]:
    """Count one try; return whose it is and whether it has to wait and doesn't count."""
    now, who = console.now(), _who(login)
    failed, locked_until = tx.sign_in_count(who)
    if locked_until > now:
        return None, True
    failed += 1
    wait = min(LONGEST_WAIT, MINUTE * 2 ** min(failed - FREE_TRIES, 10)) if failed >= FREE_TRIES else 0
    tx.set_sign_in_count(who, failed, now + wait if wait else 0, now)
    return tx.find_account_by_login(login[: people.MAX_LOGIN]), False


def _who(login: str) -> str:
    return sha256_b64u(f"login {login}".encode())


@asynccontextmanager
async def _turn(console: Console) -> AsyncIterator[None]:
    """Wait for one of the few places where a password may be tried: Argon2id takes 64 MiB each."""
    try:
        async with asyncio.timeout(PATIENCE):
            await console.turns.acquire()
    except TimeoutError as error:
        raise HubError("sign-in-busy", "Too many people are signing in at once", "Try again in a moment") from error
    try:
        yield
    finally:
        console.turns.release()


async def make_password(console: Console, password: str) -> str:
    """Return what to keep of a new password.

    Raises:
        HubError: ``account-password``, ``sign-in-busy``.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise HubError("account-password", "A password has 12 characters or more", "Three words in a row are good")
    async with _turn(console):
        return await asyncio.to_thread(hash_password, password)


async def sign_out(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """End the session."""
    del posted, request
    digest = people.digest_of(visit.token)
    await console.hub.store.write(lambda tx: tx.drop_account_session(digest))
    response = see(f"{ROOT}/sign-in")
    drop_token(response)
    return response
