"""One's own account: what it may do, and its passkeys."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from hub.core.rights import WHAT
from hub.errors import HubError
from hub.kit.forms import Posted
from hub.kit.pages import see
from hub.people import check_roles
from hub.store.transaction import Transaction
from hub.web.console import passkeys
from hub.web.console.frame import ROOT, Console, NotHereError, Visit
from hub.web.console.sessions import MINUTE, begin_step, take_step
from keys.digests import b64u, from_b64u, random_bytes
from keys.errors import KeysError

# Whoever adds a way in has signed in a moment ago: a session left open adds none.
RECENT: Final = 10 * MINUTE


async def show_account(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer the page of one's own account."""
    rows = await console.hub.store.read(lambda tx: tx.account_passkeys(visit.account.id))
    context = {
        "roles": {role: WHAT[role] for role in check_roles(visit.account.roles)},
        "passkeys": [{"id": b64u(row.id), "name": row.name, "at": row.at, "used": row.used} for row in rows],
        "is_recent": _is_recent(console, visit),
    }
    return console.show(request, "account.html", context)


async def offer_passkey(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Answer what a browser needs to make one more passkey."""
    del request, posted
    _check_recent(console, visit)
    challenge = random_bytes(32)
    response = await console.hub.store.read(lambda tx: passkeys.ask_new(console, tx, visit.account, challenge))
    await begin_step(console, response, "register", {"challenge": b64u(challenge)})
    return response


async def add_passkey(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Keep one more passkey."""
    _check_recent(console, visit)

    def work(tx: Transaction) -> None:
        step = take_step(console, tx, request, "register")
        if step is None:
            raise HubError("passkey-wrong", "The passkey could not be added", "Try again, from the beginning")
        challenge = from_b64u(step["challenge"])
        passkeys.add(console, tx, visit.account.id, posted.get("credential"), challenge, posted.get("name"))

    await console.hub.store.write(work)
    return see(f"{ROOT}/account")


async def remove_passkey(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Remove a passkey that one doesn't use any more."""
    del request
    try:
        name = from_b64u(posted.get("passkey"))
    except KeysError as error:
        raise NotHereError from error
    await console.hub.store.write(lambda tx: tx.drop_account_passkey(visit.account.id, name))
    return see(f"{ROOT}/account")


def _is_recent(console: Console, visit: Visit) -> bool:
    return console.now() - visit.since <= RECENT


def _check_recent(console: Console, visit: Visit) -> None:
    if not _is_recent(console, visit):
        raise HubError("act-right", "You signed in a while ago", "Sign out and in again, then add the passkey")
