"""The first sign-in: somebody types the code that they were given, and sets a password or makes a passkey.

A code works for 72 hours and until a way in has been made with it.  It is typed, and never in an address.

Source: NCSC on passwords; issue of the inbox.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import web

from adapters.errors import GatewayError
from adapters.gateway.inbox import passkeys
from adapters.gateway.inbox.accounts import Accounts
from adapters.gateway.inbox.context import Inbox
from adapters.gateway.inbox.people import Person
from adapters.gateway.inbox.sessions import begin_session, hand_over
from adapters.gateway.inbox.signing_in import make_password
from adapters.gateway.inbox.steps import Content, begin_step, read_step, set_step, take_step
from adapters.gateway.spool import Transaction
from hub.kit.browsers import read_token
from hub.kit.forms import Posted
from hub.kit.pages import see
from keys.digests import b64u, from_b64u, random_bytes

WRONG = "That code is not right, was used already, or has ended."


async def show_welcome(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the page on which a code is typed."""
    return inbox.show(request, "welcome.html", {"wrong": ""})


async def take_code(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Let somebody with a code go on to set how they sign in."""
    code = posted.get("code")
    person = await inbox.gateway.spool.write(lambda tx: _accounts(inbox).find_code(tx, code))
    if person is None:
        return inbox.show(request, "welcome.html", {"wrong": WRONG}, status=422)
    response = see("/welcome/choose")
    await begin_step(inbox, response, "welcome", {"code": code})
    return response


async def show_choose(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the page on which a password is set or a passkey made."""
    return await _show_choose(inbox, request, "")


async def _show_choose(inbox: Inbox, request: web.Request, wrong: str) -> web.Response:
    person, _ = await inbox.gateway.spool.write(lambda tx: _whose(inbox, tx, request))
    context = {"person": person, "wrong": wrong, "passwords": inbox.config.passwords}
    return inbox.show(request, "welcome_choose.html", context, status=422 if wrong else 200)


async def set_password(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Set the first password, and sign in."""
    if not inbox.config.passwords:
        raise GatewayError("password-off", "This inbox has no passwords", "Make a passkey")
    await inbox.gateway.spool.write(lambda tx: _whose(inbox, tx, request))
    try:
        stored = await make_password(inbox, posted.get("password"))
    except GatewayError as error:
        return await _show_choose(inbox, request, f"{error}. {error.hint}.")

    async def keep(tx: Transaction, person: Person, _: Content) -> None:
        await tx.run("set_password", id=person.id, password=stored)
        await inbox.people.note(tx, person.id, "password-set", inbox.now())

    return await _finish(inbox, request, keep)


async def offer_passkey(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Answer what a browser needs to make the first passkey."""
    del posted
    challenge = random_bytes(32)

    async def work(tx: Transaction) -> web.Response:
        person, step = await _whose(inbox, tx, request)
        await set_step(inbox, tx, request, "welcome", dict(step) | {"challenge": b64u(challenge)})
        return await passkeys.ask_new(inbox, tx, person, challenge)

    return await inbox.gateway.spool.write(work)


async def add_passkey(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Keep the first passkey, and sign in."""

    async def keep(tx: Transaction, person: Person, step: Content) -> None:
        challenge = from_b64u(step.get("challenge", ""))
        await passkeys.add(inbox, tx, person.id, posted.get("credential"), challenge, posted.get("name"))

    return await _finish(inbox, request, keep)


async def _finish(
    inbox: Inbox, request: web.Request, keep: Callable[[Transaction, Person, Content], Coroutine[Any, Any, None]]
) -> web.StreamResponse:
    async def work(tx: Transaction) -> str:
        person, step = await _whose(inbox, tx, request)
        await keep(tx, person, step)
        await take_step(inbox, tx, request, "welcome")
        await tx.run("drop_welcome", person=person.id)
        return await begin_session(inbox, tx, person.id, "code", instead_of=read_token(request))

    return hand_over(see("/"), await inbox.gateway.spool.write(work))


async def _whose(inbox: Inbox, tx: Transaction, request: web.Request) -> tuple[Person, Content]:
    """Return whose code this browser has typed, if it still counts."""
    step = await read_step(inbox, tx, request, "welcome")
    accounts = _accounts(inbox)
    person = await accounts.find_code(tx, step["code"]) if step else None
    if step is None or person is None:
        raise GatewayError("welcome-over", "Your code has ended or was used", "Type it again, or ask for a new one")
    return await accounts.get(tx, person), step


def _accounts(inbox: Inbox) -> Accounts:
    return Accounts(inbox.gateway, inbox.people)
