"""What takes two people: what a program proposes, and what was agreed on and only the partnership's own gateway can sign.

Source: docs/decisions/partnership-waivers.md; protocol 9.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from hub import acts, waiving
from hub.core.events import Leaf
from hub.entries import is_administrator
from hub.errors import HubError
from hub.store.people_rows import ProposalRow
from hub.store.transaction import Transaction
from hub.web.context import Hub
from hub.web.identity import Caller
from hub.web.problems import invalid
from hub.web.requests import check_query, integer, optional, read_json, reply
from schemas.envelope import Struct

MAX_LIMIT: Final = 100
_STEPS: Final = ("act-proposed", "act-approved")
# Proposals about one obligation are few; each has at most this many entries under its thread.
_ENTRIES: Final = 100


async def list_acts(hub: Hub, request: web.Request, caller: Caller) -> web.Response:
    """Answer the endings of duties in one state, each with its steps as they stand in the log."""
    check_query(request, "state", "after", "limit")
    if caller.program is not None or not is_administrator(hub.registry.snapshot.directory, caller):
        raise HubError(
            "token-scope",
            "only the partnership's own gateway signs what was agreed on",
            "ask with a token of the partnership's agency",
        )
    state, after = optional(request, "state", "text") or "approved", optional(request, "after", "id")
    if state not in acts.STATES:
        raise invalid("`state` isn't a state of proposals", f"one of {', '.join(acts.STATES)}")
    limit = integer(request, "limit", MAX_LIMIT, most=MAX_LIMIT) or 1

    def look(tx: Transaction) -> dict[str, Any]:
        rows = tx.proposals(state, after, limit + 1)
        shown = [_describe(tx, row) for row in rows[:limit] if row.act in waiving.STATES]
        return {"acts": shown} | ({"next": rows[limit - 1].id} if len(rows) > limit else {})

    return reply(await hub.store.read(look))


class ActRequest(Struct, frozen=True, kw_only=True):
    """What a program proposes: the act's name, what it is about, and a reason code; see ``hub.acts``."""

    act: Annotated[str, Meta(max_length=64)]
    about: dict[str, Any]
    reason: Annotated[str, Meta(max_length=64)]


async def propose_act(hub: Hub, request: web.Request, caller: Caller) -> web.Response:
    """Propose an act in the name of who made the program's token; somebody else decides it at the console."""
    check_query(request)
    account = caller.account
    if account is None:
        raise HubError("token-scope", "only a program's token proposes here", "make one at the console")
    asked = await read_json(hub, request, ActRequest)
    kind = acts.ACTS.get(asked.act)
    # Accounts are kept at the console alone: a token that leaks makes none.
    if kind is None or kind.propose == "people":
        raise HubError("act-unknown", "there is no such act for programs", "see docs/console/README.md")
    try:
        about = msgspec.convert(asked.about, kind.about, strict=True)
    except msgspec.ValidationError as error:
        raise invalid(f"`about`: {error}", "see docs/audit-api.md") from error
    now = hub.clock()
    row = await hub.store.write(lambda tx: acts.propose(tx, account, asked.act, about, asked.reason, now))
    return reply({"id": row.id, "state": row.state, "until": row.until}, 201)


def _describe(tx: Transaction, row: ProposalRow) -> dict[str, Any]:
    about = msgspec.json.decode(row.about, type=waiving.Ending)
    return {
        "id": row.id,
        "act": row.act,
        "state": row.state,
        "ends": waiving.STATES[row.act],
        "obligation": about.obligation,
        "thread": about.thread,
        "reason": row.reason,
        "steps": [{"index": index, "text": text} for index, text in _steps(tx, row, about)],
    }


def _steps(tx: Transaction, row: ProposalRow, about: waiving.Ending) -> list[tuple[int, str]]:
    found = [
        leaf
        for event in _STEPS
        for leaf in tx.find_leaves(event=event, thread=about.thread, obligation=about.obligation, limit=_ENTRIES)
    ]
    return [(leaf.index, bytes(leaf.body).decode()) for leaf in found if _by(leaf.body) == row.id]


def _by(body: bytes) -> str | None:
    return msgspec.json.decode(body, type=Leaf).by
