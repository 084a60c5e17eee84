"""Who signs in at the console: a list, and what two people change of it.

Adding, changing and ending an account is proposed here and decided by somebody else; a code is given by one person, and is in
the log.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from hub import acts, people
from hub.core.rights import ROLES, WHAT
from hub.errors import HubError
from hub.kit.forms import Posted
from hub.kit.pages import see
from hub.store.people_rows import AccountRow
from hub.store.transaction import Transaction
from hub.web.console.frame import ROOT, Console, NotHereError, Visit
from schemas.identifiers import is_id

PAGE: Final = 50


async def show_people(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer the list of accounts."""
    del visit
    after = request.query.get("after")
    rows = await console.hub.store.read(lambda tx: tx.accounts(after if after and is_id(after) else None, PAGE + 1))
    context = {"people": rows[:PAGE], "after": rows[PAGE - 1].id if len(rows) > PAGE else None}
    return console.show(request, "people.html", context)


async def show_add(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer the form that proposes an account."""
    del visit
    return _show_add(console, request, Posted(()), "")


def _show_add(console: Console, request: web.Request, posted: Posted, wrong: str) -> web.Response:
    context = {"posted": posted, "wrong": wrong, "roles": WHAT, "reasons": acts.ACTS["account-add"].reasons}
    return console.show(request, "people_add.html", context, status=422 if wrong else 200)


async def propose_add(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Propose an account, which somebody else then decides about."""
    try:
        about = acts.NewAccount(
            login=people.check_login(posted.get("login")),
            name=people.check_name(posted.get("name")),
            roles=people.check_roles(posted.all("role")),
        )
        row = await console.hub.store.write(
            lambda tx: acts.propose(tx, visit.account.id, "account-add", about, posted.get("reason"), console.now())
        )
    except HubError as error:
        return _show_add(console, request, posted, f"{error.message.capitalize()}: {error.hint}")
    return see(f"{ROOT}/proposals/{row.id}")


async def show_person(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer one account, and the form that proposes to change or end it."""
    del visit
    return await _show_person(console, request, "", "")


async def _show_person(console: Console, request: web.Request, wrong: str, code: str) -> web.Response:
    account = await _find(console, request)
    inviter = account.invited_by
    by = await console.hub.store.read(lambda tx: tx.find_account(inviter)) if inviter else None
    context = {
        "person": account, "wrong": wrong, "code": code, "roles": ROLES, "what": WHAT, "invited_by": by,
        "reasons": acts.ACTS["account-change"].reasons, "hours": people.CODE_HOURS,
    }  # fmt: skip
    return console.show(request, "people_one.html", context, status=422 if wrong else 200)


async def _find(console: Console, request: web.Request) -> AccountRow:
    name = request.match_info["account"]
    found = await console.hub.store.read(lambda tx: tx.find_account(name)) if is_id(name) else None
    if found is None:
        raise NotHereError
    return found


async def propose_change(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Propose other roles for an account, or its end."""
    account = await _find(console, request)
    try:
        roles = () if posted.get("do") == "end" else people.check_roles(posted.all("role"))
        about = acts.Roles(account=account.id, roles=roles)
        row = await console.hub.store.write(
            lambda tx: acts.propose(tx, visit.account.id, "account-change", about, posted.get("reason"), console.now())
        )
    except HubError as error:
        return await _show_person(console, request, f"{error.message.capitalize()}: {error.hint}", "")
    return see(f"{ROOT}/proposals/{row.id}")


async def give_code(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Give a code to begin with, shown this once; every way in that the account had ends."""
    del posted
    account = await _find(console, request)
    if account.id == visit.account.id:
        raise HubError("act-right", "Nobody gives themselves a code", "Ask a colleague")

    def work(tx: Transaction) -> str:
        return people.give_code(tx, visit.account.id, account.id, console.now())

    code = await console.hub.store.write(work)
    return await _show_person(console, request, "", code)
