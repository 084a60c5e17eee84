"""What is missing now: the list with its filters and counts, one obligation, and what can be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from aiohttp import web

from hub import acts, missing, waiving
from hub.chasing import chase, last_chased
from hub.errors import HubError
from hub.journeys.tracing import trace_obligation
from hub.kit.forms import Posted
from hub.kit.pages import see
from hub.missing import AGES, RUNGS, Filters
from hub.store.rows import ObligationRow
from hub.store.transaction import Transaction
from hub.web.console import saying
from hub.web.console.frame import ROOT, Console, NotHereError, Visit
from hub.web.console.proposing import propose, say
from schemas.identifiers import is_sha256
from schemas.rules.duty import Kind

PAGE: Final = 50
FILTERS: Final = ("agency", "type", "kind", "rung")
_ENDINGS: Final[Mapping[str, str]] = {"waive": waiving.WAIVE, "elsewhere": waiving.ELSEWHERE}


async def show_missing(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer what is overdue, the longest first, and how much by age and rung."""
    del visit
    asked = {name: value for name in FILTERS if (value := request.query.get(name))}
    filters, after = _filters(console, asked), request.query.get("after") or None
    if after is not None and not is_sha256(after):
        raise NotHereError
    now = console.now()

    def look(tx: Transaction) -> dict[str, Any]:
        found = missing.find_missing(tx, filters, now, after, PAGE)
        return {
            "late": found.late,
            "after": found.after,
            "tally": missing.tally(tx, filters, now) if after is None else None,
        }

    context = await console.hub.store.read(look) | {
        "asked": asked, "saying": saying, "ages": AGES, "rungs": RUNGS, "kinds": get_args(Kind),
        "agencies": console.hub.registry.snapshot.directory.directory.agencies, "titles": sorted(console.titles.items(), key=_by_title),
    }  # fmt: skip
    return console.show(request, "missing.html", context)


def _by_title(item: tuple[str, str]) -> str:
    return item[1]


def _filters(console: Console, asked: Mapping[str, str]) -> Filters:
    """Return what the address asks for; what it can't mean is no page."""
    boxes = None
    if agency := asked.get("agency"):
        entry = console.hub.registry.snapshot.directory.find_agency(agency)
        if entry is None:
            raise NotHereError
        boxes = tuple(box.id for box in entry.mailboxes)
    kind = next((one for one in get_args(Kind) if one == asked.get("kind")), None)
    rung = next((one for one in RUNGS if one == asked.get("rung", "nobody")), None)
    family = asked.get("type")
    if rung is None or (family and family not in console.titles) or ("kind" in asked and kind is None):
        raise NotHereError
    return Filters(debtors=boxes, family=family, kind=kind, rung=rung)


async def show_obligation(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer one obligation: what it is, its ladder, what is in the log of it, and what can be done."""
    del visit
    return await _show(console, request, "")


async def _show(console: Console, request: web.Request, wrong: str) -> web.Response:
    name, now = _name(request), console.now()

    def look(tx: Transaction) -> dict[str, Any]:
        row = _get(tx, name)
        is_late = row.state == "open" and row.duty.due < now and not row.duty.lapses
        ending = waiving.Ending(obligation=row.id, thread=row.duty.thread)
        return {
            "row": row, "late": missing.look_at(row), "is_late": is_late, "entries": trace_obligation(tx, row),
            "chased": last_chased(tx, row, now) if is_late else None,
            "may_end": row.state == "open" and waiving.may_end(tx, row, now), "reasons": waiving.reasons_at(tx, ending, now),
        }  # fmt: skip

    context = await console.hub.store.read(look)
    rule = console.hub.registry.snapshot.rules_at(now).find_rule(context["row"].duty.rule)
    context |= {"wrong": wrong, "saying": saying, "because": rule.because if rule else ""}
    return console.show(request, "obligation.html", context, status=422 if wrong else 200)


async def chase_obligation(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Remind by hand whoever owes it, and their manager."""
    del posted
    name, hub = _name(request), console.hub
    try:
        done = await hub.store.write(
            lambda tx: chase(tx, hub.registry.snapshot, visit.account.id, name, console.now(), hub.keyring.signing)
        )
    except HubError as error:
        return await _show(console, request, say(error))
    hub.wakeups.wake(done.told)
    return see(f"{ROOT}/obligations/{name}")


async def propose_ending(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Propose that the duty is given up, or that it was met by other means."""
    name, act = _name(request), _ENDINGS.get(posted.get("ending"))
    row = await console.hub.store.read(lambda tx: _get(tx, name))
    if act is None or act not in acts.ACTS:
        return await _show(console, request, "Choose what you propose")
    try:
        return await propose(console, visit, posted, act, {"obligation": row.id, "thread": row.duty.thread})
    except HubError as error:
        return await _show(console, request, say(error))


def _get(tx: Transaction, name: str) -> ObligationRow:
    row = tx.find_obligation(name)
    if row is None:
        raise NotHereError
    return row


def _name(request: web.Request) -> str:
    name = request.match_info["obligation"]
    if not is_sha256(name):
        raise NotHereError
    return name
