"""What somebody proposed and somebody else decides: the list, one proposal, the decision."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aiohttp import web

from hub import acts
from hub.errors import HubError
from hub.kit.forms import Posted
from hub.kit.pages import see
from hub.store.people_rows import AccountRow, ProposalRow
from hub.store.transaction import Transaction
from hub.web.console.frame import ROOT, Console, NotHereError, Visit
from schemas.identifiers import is_id

PAGE: Final = 50


async def show_proposals(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer the proposals in one state, those that wait first."""
    del visit
    state, after = request.query.get("state", "proposed"), request.query.get("after")
    if state not in acts.STATES:
        raise NotHereError

    def look(tx: Transaction) -> tuple[list[ProposalRow], dict[str, AccountRow]]:
        rows = tx.proposals(state, after if after and is_id(after) else None, PAGE + 1)
        return rows, _people(tx, *rows)

    rows, names = await console.hub.store.read(look)
    context = {
        "proposals": rows[:PAGE], "after": rows[PAGE - 1].id if len(rows) > PAGE else None, "state": state,
        "states": acts.STATES, "people": names, "acts": acts.ACTS,
    }  # fmt: skip
    return console.show(request, "proposals.html", context)


def _people(tx: Transaction, *rows: ProposalRow) -> dict[str, AccountRow]:
    names = {name for row in rows for name in (row.by, row.decided_by) if name is not None}
    return {name: found for name in names if (found := tx.find_account(name)) is not None}


async def show_proposal(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer one proposal, with what it is about and who may decide it."""
    return await _show(console, request, visit, "")


async def _show(console: Console, request: web.Request, visit: Visit, wrong: str) -> web.Response:
    name = _name(request)

    def look(tx: Transaction) -> dict[str, Any]:
        row = tx.find_proposal(name)
        if row is None:
            raise NotHereError
        return {
            "proposal": row, "act": acts.ACTS[row.act], "about": msgspec.json.decode(row.about),
            "people": _people(tx, row), "may_decide": acts.may_decide(tx, row, visit.account.id),
        }  # fmt: skip

    context = await console.hub.store.read(look)
    return console.show(request, "proposal.html", context | {"wrong": wrong}, status=422 if wrong else 200)


async def decide(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Approve or refuse a proposal."""
    name, answer = _name(request), posted.get("answer")
    if answer not in {"approve", "refuse"}:
        return await _show(console, request, visit, "Choose whether you approve or refuse")
    try:
        await console.hub.store.write(
            lambda tx: acts.decide(tx, visit.account.id, name, console.now(), approve=answer == "approve")
        )
    except HubError as error:
        return await _show(console, request, visit, f"{error.message.capitalize()}: {error.hint}")
    # A key that was suspended gets nothing more from here on, not only from the next round on.
    await console.hub.registry.refresh(console.hub.store)
    return see(f"{ROOT}/proposals/{name}")


async def withdraw(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Take back what one proposed oneself."""
    del posted
    name = _name(request)
    await console.hub.store.write(lambda tx: acts.withdraw(tx, visit.account.id, name, console.now()))
    return see(f"{ROOT}/proposals/{name}")


def _name(request: web.Request) -> str:
    name = request.match_info["proposal"]
    if not is_id(name):
        raise NotHereError
    return name
