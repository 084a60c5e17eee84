"""Legal holds: which there are, and what two people place and release."""

from __future__ import annotations

from aiohttp import web

from hub import holds
from hub.errors import HubError
from hub.kit.forms import Posted
from hub.web.console.frame import Console, Visit
from hub.web.console.proposing import PAGE, propose, read_index, say


async def show_holds(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer the holds, the newest first, and the form that proposes one."""
    del visit
    return await _show(console, request, Posted(()), "")


async def _show(console: Console, request: web.Request, posted: Posted, wrong: str) -> web.Response:
    active = request.query.get("state", "standing") != "every"
    rows = await console.hub.store.read(lambda tx: tx.holds(read_index(request), PAGE + 1, active=active))
    context = {
        "holds": rows[:PAGE], "after": rows[PAGE - 1].index if len(rows) > PAGE else None, "active": active,
        "wrong": wrong, "posted": posted, "reasons": holds.REASONS, "release_reasons": holds.RELEASE_REASONS,
        "thread": posted.get("thread") or request.query.get("thread", "")[:64],
        "envelope": posted.get("envelope") or request.query.get("envelope", "")[:64],
    }  # fmt: skip
    return console.show(request, "holds.html", context, status=422 if wrong else 200)


async def propose_hold(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Propose a hold, or that one is released."""
    try:
        if posted.get("hold"):
            return await propose(console, visit, posted, "hold-release", {"hold": posted.get("hold")})
        about = {"thread": posted.get("thread").strip(), "envelope": posted.get("envelope").strip()}
        return await propose(console, visit, posted, "hold-place", about)
    except HubError as error:
        return await _show(console, request, posted, say(error))
