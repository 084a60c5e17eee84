"""The agencies' keys as they have published them, and those that two people have suspended."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web

from hub import suspensions
from hub.core.authenticity import KeyFact
from hub.errors import HubError
from hub.kit.forms import Posted
from hub.store.rows import SuspensionRow
from hub.web.console.documents_shown import fingerprint
from hub.web.console.frame import Console, Visit
from hub.web.console.proposing import PAGE, propose, read_index, say
from schemas.identifiers import Moment, is_agency

USES = {"sign": "signing", "seal": "sealing", "witness": "witness"}


class Shown(NamedTuple):
    """One key as the page has it."""

    fact: KeyFact
    fingerprint: str
    tag: str
    says: str
    by: SuspensionRow | None


def state_of(fact: KeyFact, now: Moment) -> tuple[str, str]:
    """Return how a key stands at *now*: a state for a tag, and in words."""
    if fact.suspended:
        return "alarm", "suspended"
    if fact.state != "active":
        return "grey", fact.state
    if fact.expires <= now:
        return "grey", "expired"
    if max(fact.not_before, fact.usable_from) > now:
        return "note", "not usable yet"
    return "ok", "active"


async def show_keys(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer the keys in use, of one agency or of all, or every key."""
    del visit
    return await _show(console, request, "")


async def _show(console: Console, request: web.Request, wrong: str) -> web.Response:
    agency, every = request.query.get("agency", ""), request.query.get("state") == "every"
    snapshot, now, after = console.hub.registry.snapshot, console.now(), read_index(request) or 0
    suspended = {row.kid: row for row in await console.hub.store.read(lambda tx: tx.suspensions())}
    facts = [
        fact
        for fact in snapshot.keys.values()
        if (not is_agency(agency) or fact.agency == agency)
        and (every or fact.suspended or (fact.state == "active" and fact.expires > now))
    ]
    facts.sort(key=lambda fact: (fact.agency, fact.use, fact.mailbox or "", -fact.expires, fact.kid))
    rows = [
        Shown(one, fingerprint(one.kid), *state_of(one, now), suspended.get(one.kid)) for one in facts[after:][:PAGE]
    ]
    context = {
        "keys": rows, "after": after + PAGE if len(facts) > after + PAGE else None, "agency": agency, "every": every,
        "agencies": [one.id for one in snapshot.directory.directory.agencies], "wrong": wrong, "uses": USES,
        "reasons": suspensions.REASONS, "readmit_reasons": suspensions.READMIT_REASONS,
    }  # fmt: skip
    return console.show(request, "keys.html", context, status=422 if wrong else 200)


async def propose_key(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Propose that a key is suspended, or let in again."""
    act = "key-readmit" if posted.get("do") == "readmit" else "key-suspend"
    try:
        return await propose(console, visit, posted, act, {"kid": posted.get("kid")})
    except HubError as error:
        return await _show(console, request, say(error))
