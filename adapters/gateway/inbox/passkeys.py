"""Passkeys of people: made in a session or with a code, used to sign in without typing who one is.

A passkey that signs no more often than it did may be a copy, and is refused.  Whose it is is looked up by its id; the name
that its person gave it is sealed.

Source: WebAuthn Level 3, 7.1 and 7.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from aiohttp import web

from adapters.errors import GatewayError
from adapters.gateway.inbox.context import Inbox
from adapters.gateway.inbox.people import Person
from adapters.gateway.inbox.sessions import begin_session, hand_over
from adapters.gateway.inbox.signing_in import back_path, show_form
from adapters.gateway.inbox.steps import begin_step, take_step
from adapters.gateway.spool import Row, Transaction
from hub.kit.browsers import read_token
from hub.kit.forms import Posted
from hub.kit.pages import HEADERS, see
from hub.kit.passkeys import Origin, PasskeyError, read_claimed
from keys.digests import b64u, from_b64u, random_bytes
from schemas.identifiers import Moment

MOST: Final = 10
MAX_NAME: Final = 60
WRONG: Final = "The passkey could not be used. Try again, or use another way."


class Passkey(msgspec.Struct, frozen=True, kw_only=True):
    """One passkey as its person sees it: its id, the name they gave it, since when, and when it was last used."""

    id: str
    name: str
    at: Moment
    used: Moment | None


def origin_of(inbox: Inbox) -> Origin:
    """Return whose passkeys these are."""
    return Origin(inbox.config.origin, inbox.gateway.config.name or inbox.gateway.config.agency)


async def offer_sign_in(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Answer what a browser needs to sign in by passkey."""
    del request, posted
    challenge = random_bytes(32)
    response = web.Response(text=origin_of(inbox).ask(challenge), content_type="application/json", headers=HEADERS)
    await begin_step(inbox, response, "passkey", {"challenge": b64u(challenge)})
    return response


async def sign_in(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Begin a session for whose passkey signed."""
    credential, back = posted.get("credential"), posted.get("back")

    async def work(tx: Transaction) -> str | None:
        step = await take_step(inbox, tx, request, "passkey")
        row = await _check(inbox, tx, credential, from_b64u(step["challenge"])) if step else None
        if row is None:
            return None
        return await begin_session(inbox, tx, row["person"], "passkey", instead_of=read_token(request))

    token = await inbox.gateway.spool.write(work)
    if token is None:
        return show_form(inbox, request, WRONG, back=back)
    return hand_over(see(back_path(back)), token)


async def _check(inbox: Inbox, tx: Transaction, credential: str, challenge: bytes) -> Row | None:
    try:
        claimed = read_claimed(credential)
    except PasskeyError:
        return None
    row = await tx.one("find_passkey", id=b64u(claimed.id))
    if row is None or row["state"] != "active" or claimed.user != row["person"].encode():
        return None
    try:
        count = origin_of(inbox).check(credential, challenge, key=bytes(row["key"]), count=row["count"])
    except PasskeyError:
        await inbox.people.note(tx, row["person"], "sign-in-tried", inbox.now(), code="passkey")
        return None
    await tx.run("use_passkey", id=row["id"], count=count, at=inbox.now())
    return row


async def ask_new(inbox: Inbox, tx: Transaction, person: Person, challenge: bytes) -> web.Response:
    """Answer what a browser needs to make a passkey for *person*."""
    known = [from_b64u(row["id"]) for row in await tx.all("list_passkeys", person=person.id)]
    text = origin_of(inbox).ask_new(
        challenge, user=person.id.encode(), login=person.login, name=person.name, known=known
    )
    return web.Response(text=text, content_type="application/json", headers=HEADERS)


async def add(inbox: Inbox, tx: Transaction, person: str, credential: str, challenge: bytes, name: str) -> None:
    """Keep the passkey that a browser made for *person*.

    Raises:
        GatewayError: ``passkey-wrong``, ``passkey-name``, ``passkey-many``.
    """
    tidy = " ".join(name.split()) or "Passkey"
    if len(tidy) > MAX_NAME or not tidy.isprintable():
        raise GatewayError("passkey-name", f"A name has {MAX_NAME} characters or fewer", "Choose a shorter one")
    if len(await tx.all("list_passkeys", person=person)) >= MOST:
        raise GatewayError("passkey-many", f"Nobody has more than {MOST} passkeys", "Remove one that you don't use")
    try:
        made = origin_of(inbox).check_new(credential, challenge)
    except PasskeyError:
        raise _wrong() from None
    name_of = inbox.gateway.spool.lock(tidy.encode(), f"passkey {b64u(made.id)}")
    added = await tx.run(
        "add_passkey", id=b64u(made.id), person=person, key=made.key, count=made.signed, at=inbox.now(), content=name_of
    )
    if not added:
        raise _wrong()
    await inbox.people.note(tx, person, "passkey-added", inbox.now())


def _wrong() -> GatewayError:
    return GatewayError("passkey-wrong", "The passkey could not be added", "Try again, from the beginning")


async def list_passkeys(inbox: Inbox, tx: Transaction, person: str) -> Sequence[Passkey]:
    """Return the passkeys of *person*, oldest first."""
    return [
        Passkey(
            id=row["id"], at=row["at"], used=row["used"],
            name=inbox.gateway.spool.unlock(bytes(row["content"]), f"passkey {row['id']}").decode(),
        )
        for row in await tx.all("list_passkeys", person=person)
    ]  # fmt: skip
