"""Subject access: which agencies hold something of a thread.  Each look is in the log before it is answered."""

from __future__ import annotations

from aiohttp import web

from hub import holdings
from hub.kit.forms import Posted
from hub.web.console.frame import Console, Visit
from schemas.identifiers import is_id


async def show_form(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer the form that asks."""
    del visit
    return console.show(request, "holdings.html", {"thread": request.query.get("thread", "")[:64]})


async def find_holders(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Answer which agencies hold something of a thread."""
    thread = posted.get("thread").strip()
    if not is_id(thread):
        context = {"thread": thread[:64], "wrong": "Enter the reference of a thread, 22 characters"}
        return console.show(request, "holdings.html", context, status=422)

    found = await console.hub.store.write(lambda tx: holdings.look_up(tx, thread, visit.account.id, console.now()))
    return console.show(request, "holdings.html", {"thread": thread, "holders": found, "asked": True})
