"""Health, figures, the API's own description, and a plain page that lists it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from aiohttp import web

from hub.errors import CODES, HubError
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


async def show_docs(hub: Hub, request: web.Request) -> web.Response:
    """Answer the operations as a page without script or style."""
    del request
    return web.Response(text=describe_operations(hub.openapi), content_type="text/html")


async def show_errors(hub: Hub, request: web.Request) -> web.Response:
    """Answer every code of a problem as a page: where a problem's ``type`` leads."""
    del hub, request
    rows = [
        (f'<code id="{code}">{code}</code>', str(known.status), escape(known.title)) for code, known in CODES.items()
    ]
    return web.Response(text=_page("Errors", ("Code", "Status", "Means"), rows), content_type="text/html")


def describe_operations(document: dict[str, Any]) -> str:
    """Return a page that lists the operations of an OpenAPI *document*."""
    rows = [
        (f"<code>{method.upper()}</code>", f"<code>{escape(path)}</code>", escape(operation["summary"]))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    return _page(document["info"]["title"], ("Method", "Path", "Does"), rows)


def _page(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    cells = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title></head><body><main>'
        f'<h1>{escape(title)}</h1><p>For programs: <a href="/openapi.json">openapi.json</a>. '
        f'For people: <a href="/docs">operations</a>, <a href="/docs/errors">errors</a>.</p>'
        f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></main></body></html>"
    )
