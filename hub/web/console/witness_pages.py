"""Who watches the log from outside, and how far."""

from __future__ import annotations

from aiohttp import web

from hub import witnessing
from hub.web.console.frame import Console, Visit


async def show_witnesses(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer how far the log is witnessed, by whom, and who must."""
    del visit
    snapshot, now = console.hub.registry.snapshot, console.now()
    state = await console.hub.store.read(lambda tx: witnessing.state(tx, snapshot, now))
    context = {"state": state, "policy": snapshot.directory.directory.witnesses}
    return console.show(request, "witnesses.html", context)
