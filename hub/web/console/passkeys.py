"""Passkeys of people at the console: a device they hold and a gesture that only they can make, so two factors in one.

A passkey that signs no more often than it did may be a copy, and is refused.

Source: WebAuthn Level 3, 7.1 and 7.2.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from hub import people
from hub.errors import HubError
from hub.kit.browsers import read_token
from hub.kit.forms import Posted
from hub.kit.pages import HEADERS, see
from hub.kit.passkeys import Origin, PasskeyError, read_claimed
from hub.store.people_rows import AccountRow, PasskeyRow
from hub.store.transaction import Transaction
from hub.web.console.frame import Console
from hub.web.console.sessions import begin_step, hand_over, take_step
from hub.web.console.signing_in import back_path, show_form
from keys.digests import b64u, from_b64u, random_bytes

MOST: Final = 10
MAX_NAME: Final = 60
WRONG: Final = "The passkey could not be used. Try again, or use another way."


def origin_of(console: Console) -> Origin:
    """Return whose passkeys these are."""
    return Origin(console.origin, "Safeguarding hub")


async def offer_sign_in(console: Console, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Answer what a browser needs to sign in by passkey."""
    del request, posted
    challenge = random_bytes(32)
    response = answer_json(origin_of(console).ask(challenge))
    await begin_step(console, response, "passkey", {"challenge": b64u(challenge)})
    return response


def answer_json(text: str) -> web.Response:
    """Answer options for a browser."""
    return web.Response(text=text, content_type="application/json", headers=HEADERS)


async def sign_in(console: Console, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Begin a session for whose passkey signed."""
    credential, back = posted.get("credential"), posted.get("back")

    def work(tx: Transaction) -> str | None:
        step = take_step(console, tx, request, "passkey")
        row = _check(console, tx, credential, from_b64u(step["challenge"])) if step else None
        if row is None:
            return None
        return people.begin_session(tx, row.account, "passkey", console.now(), instead_of=read_token(request))

    token = await console.hub.store.write(work)
    if token is None:
        return show_form(console, request, WRONG, back=back)
    return hand_over(see(back_path(back)), token)


def _check(console: Console, tx: Transaction, credential: str, challenge: bytes) -> PasskeyRow | None:
    try:
        claimed = read_claimed(credential)
        row = tx.find_account_passkey(claimed.id)
        account = tx.find_account(row.account) if row else None
        if row is None or account is None or account.state != "active" or claimed.user != row.account.encode():
            return None
        count = origin_of(console).check(credential, challenge, key=row.public, count=row.signed)
    except PasskeyError:
        return None
    tx.use_account_passkey(row.id, count, console.now())
    return row


def ask_new(console: Console, tx: Transaction, account: AccountRow, challenge: bytes) -> web.Response:
    """Answer what a browser needs to make a passkey for *account*."""
    known = [row.id for row in tx.account_passkeys(account.id)]
    text = origin_of(console).ask_new(
        challenge, user=account.id.encode(), login=account.login, name=account.name, known=known
    )
    return answer_json(text)


def add(console: Console, tx: Transaction, account: str, credential: str, challenge: bytes, name: str) -> None:
    """Keep the passkey that a browser made for *account*.

    Raises:
        HubError: ``passkey-wrong``, ``passkey-name``, ``passkey-many``.
    """
    tidy = " ".join(name.split()) or "Passkey"
    if len(tidy) > MAX_NAME or not tidy.isprintable():
        raise HubError("passkey-name", f"A name has {MAX_NAME} characters or fewer", "Choose a shorter one")
    if len(tx.account_passkeys(account)) >= MOST:
        raise HubError("passkey-many", f"Nobody has more than {MOST} passkeys", "Remove one that you don't use")
    try:
        made = origin_of(console).check_new(credential, challenge)
    except PasskeyError:
        raise _wrong() from None
    if not tx.add_account_passkey(PasskeyRow(made.id, account, made.key, made.signed, tidy, console.now())):
        raise _wrong()


def _wrong() -> HubError:
    return HubError("passkey-wrong", "The passkey could not be added", "Try again, from the beginning")
