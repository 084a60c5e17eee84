"""Health, figures, and the API's own description for programs; for people it is in ``hub.web.reference``."""

from __future__ import annotations

from aiohttp import web

from hub.errors import HubError
from hub.web.context import Hub
from hub.web.metrics import CONTENT_TYPE
from hub.web.requests import reply


async def show_health(hub: Hub, request: web.Request) -> web.Response:
    """Answer that the process runs."""
    del hub, request
    return reply({"status": "ok"})


async def show_ready(hub: Hub, request: web.Request) -> web.Response:
    """Answer whether requests can be served: started, not stopping, and the database answers."""
    del request
    if not hub.ready or hub.wakeups.stopping or not (await hub.store.check()).ok:
        raise HubError("unavailable", "the hub isn't ready", "ask again in a moment")
    return reply({"status": "ready"})


async def show_metrics(hub: Hub, request: web.Request) -> web.Response:
    """Answer the process's figures."""
    del request
    hub.metrics.body_bytes.set(hub.memory.bytes + hub.public_memory.bytes + hub.sign_in_memory.bytes)
    hub.metrics.commits.set((await hub.store.check()).commits)
    return web.Response(body=hub.metrics.text(), headers={"Content-Type": CONTENT_TYPE})


async def show_openapi(hub: Hub, request: web.Request) -> web.Response:
    """Answer the OpenAPI 3.1 document."""
    del request
    return reply(hub.openapi)
