"""*People*: the accounts of the agency, kept by its administrators, who open nothing themselves."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from adapters.errors import GatewayError
from adapters.gateway.inbox.access import Duty
from adapters.gateway.inbox.accounts import CODE_HOURS, Accounts
from adapters.gateway.inbox.context import Inbox, NotHereError, visit_of
from adapters.gateway.inbox.people import Person, check_details
from adapters.gateway.inbox.steps import begin_step, read_step
from adapters.gateway.spool import Transaction
from hub.kit.forms import Posted
from hub.kit.pages import see

DUTIES: Final[dict[Duty, str]] = {
    "practitioner": "Practitioner: opens, takes receipt and writes",
    "manager": "Manager: sees the whole team's work, and assigns it",
    "reviewer": "Reviewer: looks at who opened what in an emergency",
    "administrator": "Administrator: keeps the accounts, and opens nothing",
}


async def show_people(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the list of accounts."""
    visit_of(request, "people")

    async def work(tx: Transaction) -> list[tuple[Person, bool]]:
        now, found = inbox.now(), []
        for row in await tx.all("list_people"):
            away = await tx.one("find_away", person=row["id"])
            is_away = away is not None and away["since"] <= now < away["until"]
            found.append((await inbox.people.read(tx, row), is_away))
        return sorted(found, key=lambda one: (one[0].state == "left", one[0].name.casefold()))

    return inbox.show(request, "people.html", {"people": await inbox.gateway.spool.write(work)})


async def show_add(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the page on which an account is added."""
    visit_of(request, "people")
    return _show_add(inbox, request, "", Posted(()))


def _show_add(inbox: Inbox, request: web.Request, wrong: str, given: Posted) -> web.Response:
    context = {"wrong": wrong, "given": given} | _choices(inbox)
    return inbox.show(request, "people_add.html", context, status=422 if wrong else 200)


def _choices(inbox: Inbox) -> dict[str, Any]:
    return {"all_duties": DUTIES, "all_teams": sorted(inbox.gateway.mailboxes()), "code_hours": CODE_HOURS}


async def add(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Add an account, then show its code."""
    by = visit_of(request, "people").person.id
    try:
        details = check_details(
            name=posted.get("name"), login=posted.get("login"), role=posted.get("role"), email=posted.get("email")
        )
        person, code = await inbox.gateway.spool.write(
            lambda tx: _accounts(inbox).add(tx, details, posted.all("duty"), posted.all("team"), by)
        )
    except GatewayError as error:
        return _show_add(inbox, request, _words_of(error), posted)
    return await _show_code(inbox, person, code)


async def show_person(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the page of one account."""
    visit_of(request, "people")
    return await _show_person(inbox, request, "")


async def _show_person(inbox: Inbox, request: web.Request, wrong: str) -> web.Response:
    name = request.match_info["person"]

    async def work(tx: Transaction) -> tuple[Person | None, str, int]:
        step = await read_step(inbox, tx, request, "code")
        code = step["code"] if step and step["person"] == name else ""
        return await inbox.people.find(tx, name), code, len(await tx.all("held_by", person=name))

    person, code, held = await inbox.gateway.spool.write(work)
    if person is None:
        raise NotHereError
    context = {"person": person, "code": code, "held": held, "wrong": wrong} | _choices(inbox)
    return inbox.show(request, "people_one.html", context, status=422 if wrong else 200)


async def change(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Change role, duties and teams of an account, if it still is as it was shown."""
    by, name = visit_of(request, "people").person.id, request.match_info["person"]
    version = posted.get("version")
    try:
        await inbox.gateway.spool.write(
            lambda tx: _accounts(inbox).change(
                tx, name, by, role=posted.get("role"), duties=posted.all("duty"), teams=posted.all("team"),
                version=int(version) if version.isdecimal() and len(version) < 10 else 0,
            )
        )  # fmt: skip
    except GatewayError as error:
        return await _show_person(inbox, request, _words_of(error))
    return see(f"/people/{name}")


async def give_code(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Give somebody a new code; their password and passkeys end."""
    del posted
    by, name = visit_of(request, "people").person.id, request.match_info["person"]
    if name == by:
        # It would end the session in which the code is to be shown.
        raise GatewayError(
            "person-self", "Nobody gives a code to themselves", "Ask a colleague, or use `gateway people`"
        )
    code = await inbox.gateway.spool.write(lambda tx: _accounts(inbox).give_code(tx, name, by))
    return await _show_code(inbox, name, code)


async def end_sessions(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """End every session of somebody."""
    del posted
    by, name = visit_of(request, "people").person.id, request.match_info["person"]
    await inbox.gateway.spool.write(lambda tx: _accounts(inbox).end_sessions(tx, name, by))
    return see(f"/people/{name}")


async def show_leave(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the page that asks whether somebody really leaves."""
    visit_of(request, "people")
    name = request.match_info["person"]

    async def work(tx: Transaction) -> tuple[Person | None, int]:
        return await inbox.people.find(tx, name), len(await tx.all("held_by", person=name))

    person, held = await inbox.gateway.spool.write(work)
    if person is None or person.state != "active":
        raise NotHereError
    return inbox.show(request, "people_leave.html", {"person": person, "held": held})


async def leave(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """End an account."""
    del posted
    by, name = visit_of(request, "people").person.id, request.match_info["person"]
    await inbox.gateway.spool.write(lambda tx: _accounts(inbox).leave(tx, name, by))
    return see(f"/people/{name}")


async def come_back(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Begin an account again, then show its code."""
    del posted
    by, name = visit_of(request, "people").person.id, request.match_info["person"]
    code = await inbox.gateway.spool.write(lambda tx: _accounts(inbox).come_back(tx, name, by))
    return await _show_code(inbox, name, code)


async def _show_code(inbox: Inbox, person: str, code: str) -> web.StreamResponse:
    # Shown to this browser for ten minutes, so that reloading the page neither loses it nor makes another.
    response = see(f"/people/{person}")
    await begin_step(inbox, response, "code", {"person": person, "code": code})
    return response


def _accounts(inbox: Inbox) -> Accounts:
    return Accounts(inbox.gateway, inbox.people)


def _words_of(error: GatewayError) -> str:
    said = error.message[:1].upper() + error.message[1:]
    return f"{said}: {error.hint}" if error.hint else said
