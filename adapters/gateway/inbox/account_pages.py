"""*Your account*: password, passkeys, sessions, and being out of office.

What would let somebody else in for good (a passkey, a first password) needs a sign-in of some minutes ago at most.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web

from adapters.errors import GatewayError
from adapters.gateway.inbox import passkeys, signing_in
from adapters.gateway.inbox.accounts import Accounts
from adapters.gateway.inbox.context import Inbox, NotHereError, Visit, visit_of
from adapters.gateway.inbox.sessions import MINUTE, begin_session, digest_of, hand_over
from adapters.gateway.inbox.steps import begin_step, take_step
from adapters.gateway.spool import Transaction
from hub.kit.browsers import read_token
from hub.kit.forms import Posted
from hub.kit.pages import see
from keys.digests import b64u, from_b64u, random_bytes
from schemas.identifiers import Moment

RECENT: Final = 15 * MINUTE


async def show_account(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the page of somebody's own account."""
    visit = visit_of(request, "account")

    async def work(tx: Transaction) -> dict[str, Any]:
        now, config = inbox.now(), inbox.config
        row = await tx.one("find_person", id=visit.person.id)
        away = await tx.one("find_away", person=visit.person.id)
        cover = await inbox.people.find(tx, away["cover"]) if away and away["cover"] else None
        sessions = await tx.all(
            "list_sessions", person=visit.person.id, idle=now - config.idle_minutes * MINUTE,
            oldest=now - config.session_minutes * MINUTE,
        )  # fmt: skip
        return {
            "notifies": config.notify is not None, "person": visit.person, "own": digest_of(visit.token), "sessions": sessions,
            "has_password": bool(row and row["password"]), "passwords": config.passwords,
            "away": away if away and away["until"] > now else None, "cover": cover,
            "passkeys": await passkeys.list_passkeys(inbox, tx, visit.person.id),
            "is_recent": await _is_recent(inbox, tx, visit),
        }  # fmt: skip

    return inbox.show(request, "account.html", await inbox.gateway.spool.write(work))


async def _is_recent(inbox: Inbox, tx: Transaction, visit: Visit) -> bool:
    row = await tx.one("find_session", token=digest_of(visit.token))
    return row is not None and inbox.now() - row["at"] <= RECENT


async def show_password(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the page on which somebody changes their password."""
    return await _show_password(inbox, request, {})


async def _show_password(inbox: Inbox, request: web.Request, wrong: dict[str, str]) -> web.Response:
    visit = visit_of(request, "account")
    if not inbox.config.passwords:
        raise NotHereError
    row = await inbox.gateway.spool.one("find_person", id=visit.person.id)
    context = {"wrong": wrong, "has_password": bool(row and row["password"])}
    return inbox.show(request, "account_password.html", context, status=422 if wrong else 200)


async def set_password(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Set another password; every other session ends, and this one goes on under a new token."""
    visit = visit_of(request, "account")
    if not inbox.config.passwords:
        raise NotHereError
    row = await inbox.gateway.spool.one("find_person", id=visit.person.id)
    if row is not None and row["password"]:
        known = read_token(request, signing_in.KNOWN)
        if await signing_in.check_password(inbox, visit.person.login, posted.get("current"), known) is None:
            return await _show_password(inbox, request, {"current": "That is not your password now"})
    elif not await inbox.gateway.spool.write(lambda tx: _is_recent(inbox, tx, visit)):
        raise _old()
    try:
        stored = await signing_in.make_password(inbox, posted.get("password"))
    except GatewayError as error:
        return await _show_password(inbox, request, {"password": f"{error}. {error.hint}"})

    async def work(tx: Transaction) -> str:
        await tx.run("set_password", id=visit.person.id, password=stored)
        await tx.run("drop_sessions", person=visit.person.id)
        await tx.run("drop_known_browsers", person=visit.person.id)
        await inbox.people.note(tx, visit.person.id, "password-set", inbox.now())
        return await begin_session(inbox, tx, visit.person.id, "password-set")

    return hand_over(see("/account"), await inbox.gateway.spool.write(work))


async def offer_passkey(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Answer what a browser needs to make another passkey."""
    del posted
    visit, challenge = visit_of(request, "account"), random_bytes(32)

    async def work(tx: Transaction) -> web.Response:
        if not await _is_recent(inbox, tx, visit):
            raise _old()
        return await passkeys.ask_new(inbox, tx, visit.person, challenge)

    response = await inbox.gateway.spool.write(work)
    await begin_step(inbox, response, "register", {"person": visit.person.id, "challenge": b64u(challenge)})
    return response


async def add_passkey(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Keep another passkey."""
    visit = visit_of(request, "account")

    async def work(tx: Transaction) -> None:
        step = await take_step(inbox, tx, request, "register")
        if step is None or step["person"] != visit.person.id or not await _is_recent(inbox, tx, visit):
            raise _old()
        challenge = from_b64u(step["challenge"])
        await passkeys.add(inbox, tx, visit.person.id, posted.get("credential"), challenge, posted.get("name"))

    await inbox.gateway.spool.write(work)
    return see("/account")


async def remove_passkey(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Forget a passkey."""
    person = visit_of(request, "account").person

    async def work(tx: Transaction) -> None:
        if await tx.run("drop_passkey", id=posted.get("passkey"), person=person.id):
            await inbox.people.note(tx, person.id, "passkey-removed", inbox.now())

    await inbox.gateway.spool.write(work)
    return see("/account")


async def end_sessions(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """End one of somebody's own sessions, or all but this one."""
    visit, one = visit_of(request, "account"), posted.get("session")

    async def work(tx: Transaction) -> None:
        if one:
            await tx.run("drop_own_session", token=one, person=visit.person.id)
        else:
            await tx.run("drop_other_sessions", token=digest_of(visit.token), person=visit.person.id)
        await inbox.people.note(tx, visit.person.id, "sessions-ended", inbox.now())

    await inbox.gateway.spool.write(work)
    return see("/account")


async def show_away(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the page on which somebody says when they are out of office."""
    return await _show_away(inbox, request, "", {})


async def _show_away(inbox: Inbox, request: web.Request, wrong: str, given: dict[str, str]) -> web.Response:
    person = visit_of(request, "account").person
    colleagues = await inbox.gateway.spool.write(
        lambda tx: Accounts(inbox.gateway, inbox.people).list_colleagues(tx, person)
    )
    context = {"wrong": wrong, "given": given, "colleagues": colleagues}
    return inbox.show(request, "account_away.html", context, status=422 if wrong else 200)


async def go_away(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Say when somebody is out of office, and who covers."""
    person, accounts = visit_of(request, "account").person, Accounts(inbox.gateway, inbox.people)
    try:
        zone = ZoneInfo(inbox.config.time_zone)
        since, until = _read_day(posted, "since", zone, 0), _read_day(posted, "until", zone, 1)
        cover = posted.get("cover") or None
        await inbox.gateway.spool.write(lambda tx: accounts.go_away(tx, person, since, until, cover))
    except GatewayError as error:
        return await _show_away(inbox, request, f"{error.message}. {error.hint}", dict(posted))
    return see("/account")


async def be_back(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Say that somebody is here again."""
    del posted
    person = visit_of(request, "account").person
    await inbox.gateway.spool.write(lambda tx: Accounts(inbox.gateway, inbox.people).be_back(tx, person))
    return see("/account")


def _read_day(posted: Posted, name: str, zone: ZoneInfo, later: int) -> Moment:
    """Return the moment at which the local day in three fields begins, *later* days after it."""
    try:
        year, month, day = (int(posted.get(f"{name}-{part}").strip()) for part in ("year", "month", "day"))
        at = datetime(year, month, day, tzinfo=zone) + timedelta(days=later)
        return round(at.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise GatewayError("away-day", "That is no day", "Write it as 27 3 2027") from error


def _old() -> GatewayError:
    return GatewayError(
        "session-old", "For this you have to have signed in just now", "Sign out and in again, then do it"
    )
