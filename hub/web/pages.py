"""Health, figures, the API's own description, and a plain page that lists it."""

from __future__ import annotations

from html import escape
from typing import Any

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
    hub.metrics.body_bytes.set(hub.memory.bytes)
    return web.Response(body=hub.metrics.text(), headers={"Content-Type": CONTENT_TYPE})


async def show_openapi(hub: Hub, request: web.Request) -> web.Response:
    """Answer the OpenAPI 3.1 document."""
    del request
    return reply(hub.openapi)


async def show_docs(hub: Hub, request: web.Request) -> web.Response:
    """Answer the operations as a page without script or style."""
    del request
    return web.Response(text=describe_operations(hub.openapi), content_type="text/html")


def describe_operations(document: dict[str, Any]) -> str:
    """Return a page that lists the operations of an OpenAPI *document*."""
    rows = "".join(
        f"<tr><td><code>{method.upper()}</code></td><td><code>{escape(path)}</code></td>"
        f"<td>{escape(operation['summary'])}</td></tr>"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )
    title = escape(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head><body><main>'
        f"<h1>{title}</h1><p>The whole description for programs: "
        f'<a href="/openapi.json">openapi.json</a>.</p>'
        f"<table><caption>Operations</caption><thead><tr><th scope=col>Method</th><th scope=col>Path</th>"
        f"<th scope=col>Does</th></tr></thead><tbody>{rows}</tbody></table></main></body></html>"
    )
