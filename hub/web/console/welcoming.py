"""The first sign-in: somebody types the code that they were given, and makes a passkey or sets a password with a second factor.

A code works for 72 hours and until a way in has been made with it.  It is typed, and never in an address.

Source: NCSC on passwords; issue of the console (a second factor).
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from msgspec.structs import replace

from hub import people
from hub.errors import HubError
from hub.kit.browsers import read_token
from hub.kit.forms import Posted
from hub.kit.pages import see
from hub.store.people_rows import AccountRow
from hub.store.transaction import Transaction
from hub.web.console import passkeys
from hub.web.console.frame import ROOT, Console
from hub.web.console.sessions import Content, begin_step, hand_over, read_step, seal, take_step
from hub.web.console.signing_in import make_password
from keys import otp
from keys.digests import b64u, from_b64u, random_bytes

WRONG = "That code is not right, was used already, or has ended."


async def show_welcome(console: Console, request: web.Request) -> web.StreamResponse:
    """Answer the page on which a code is typed."""
    return console.show(request, "welcome.html", {"wrong": ""})


async def take_code(console: Console, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Let somebody with a code go on to set how they sign in."""
    code = posted.get("code")
    account = await console.hub.store.read(lambda tx: people.find_code(tx, code, console.now()))
    if account is None:
        return console.show(request, "welcome.html", {"wrong": WRONG}, status=422)
    response = see(f"{ROOT}/welcome/choose")
    secrets = {"otp": b64u(otp.new_secret()), "challenge": b64u(random_bytes(32))}
    await begin_step(console, response, "welcome", {"code": code} | secrets)
    return response


async def show_choose(console: Console, request: web.Request) -> web.StreamResponse:
    """Answer the page on which a passkey is made or a password set."""
    return await _show_choose(console, request, "")


async def _show_choose(console: Console, request: web.Request, wrong: str) -> web.Response:
    account, step = await console.hub.store.read(lambda tx: _whose(console, tx, request))
    secret = from_b64u(step["otp"])
    text = otp.as_text(secret)
    context = {
        "account": account, "wrong": wrong, "passwords": console.hub.config.console.passwords,
        "secret": " ".join(text[at : at + 4] for at in range(0, len(text), 4)),
        "link": otp.as_link(secret, "Safeguarding hub", account.login),
    }  # fmt: skip
    return console.show(request, "welcome_choose.html", context, status=422 if wrong else 200)


async def set_password(console: Console, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Set the first password and the authenticator app that goes with it, and sign in."""
    if not console.hub.config.console.passwords:
        raise HubError("account-password", "This console has no passwords", "Make a passkey")
    account, step = await console.hub.store.read(lambda tx: _whose(console, tx, request))
    secret, code = from_b64u(step["otp"]), "".join(posted.get("code").split())
    used = otp.find_step(secret, code, console.now(), 0)
    if used is None:
        return await _show_choose(
            console, request, "The code from the app is not right. Give the one that it shows now."
        )
    try:
        stored = await make_password(console, posted.get("password"))
    except HubError as error:
        return await _show_choose(console, request, f"{error.message}. {error.hint}.")
    sealed = seal(console, f"otp {account.id}", secret)

    def keep(tx: Transaction, row: AccountRow, _: Content) -> None:
        tx.set_account_secrets(replace(row, password=stored, otp=sealed, otp_used=used))

    return await _finish(console, request, keep)


async def offer_passkey(console: Console, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Answer what a browser needs to make the first passkey."""
    del posted

    def look(tx: Transaction) -> web.Response:
        account, step = _whose(console, tx, request)
        return passkeys.ask_new(console, tx, account, from_b64u(step["challenge"]))

    return await console.hub.store.read(look)


async def add_passkey(console: Console, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Keep the first passkey, and sign in."""

    def keep(tx: Transaction, row: AccountRow, step: Content) -> None:
        challenge = from_b64u(step["challenge"])
        passkeys.add(console, tx, row.id, posted.get("credential"), challenge, posted.get("name"))

    return await _finish(console, request, keep)


async def _finish(
    console: Console, request: web.Request, keep: Callable[[Transaction, AccountRow, Content], None]
) -> web.StreamResponse:
    def work(tx: Transaction) -> str:
        account, step = _whose(console, tx, request)
        keep(tx, account, step)
        take_step(console, tx, request, "welcome")
        tx.drop_account_code(account.id)
        return people.begin_session(tx, account.id, "code", console.now(), instead_of=read_token(request))

    return hand_over(see(ROOT), await console.hub.store.write(work))


def _whose(console: Console, tx: Transaction, request: web.Request) -> tuple[AccountRow, Content]:
    """Return whose code this browser has typed, if it still counts."""
    step = read_step(console, tx, request, "welcome")
    account = people.find_code(tx, step["code"], console.now()) if step else None
    if step is None or account is None:
        raise HubError("account-code", "Your code has ended or was used", "Type it again, or ask for a new one")
    return account, step
