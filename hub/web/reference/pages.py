"""``/docs``: the operations, one page each, and every code of a problem; public, and the same for everybody."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from typing import Any, Final

import jinja2
from aiohttp import web

from hub.errors import CODES
from hub.kit import pages
from hub.kit.assets import Files, gather_files
from hub.web.context import Hub
from hub.web.problems import not_found
from hub.web.reference.describing import operations_of
from keys.digests import sha256_b64u

ASSETS: Final = "/docs/assets"
_FOREVER: Final = "public, max-age=31536000, immutable"


@cache
def _environment() -> jinja2.Environment:
    return pages.make_environment("hub.web.reference")


@cache
def _files() -> tuple[Files, str, bool]:
    """Return what pages link to, its version, and whether there is a script among it."""
    files, has_script = gather_files("hub.web.reference", "reference.css")
    return files, sha256_b64u(b"".join(content for content, _ in files.values()))[:16], has_script


def _show(hub: Hub, template: str, context: dict[str, Any]) -> web.Response:
    _, version, has_script = _files()
    common = {"assets": f"{ASSETS}/{version}", "has_script": has_script, "document": hub.openapi}
    return pages.render(_environment(), template, common | context)


async def show_docs(hub: Hub, request: web.Request) -> web.Response:
    """Answer the list of operations."""
    del request
    order = [tag["name"] for tag in hub.openapi["tags"]]
    every = sorted(operations_of(hub.openapi), key=lambda one: order.index(one.tag))
    parts = [(tag, list(group)) for tag, group in groupby(every, key=lambda one: one.tag)]
    return _show(hub, "operations.html", {"parts": parts})


async def show_operation(hub: Hub, request: web.Request) -> web.Response:
    """Answer one operation: parameters, bodies, answers, examples, and a line to try it by."""
    wanted = request.match_info["operation"]
    found = next((one for one in operations_of(hub.openapi) if one.name == wanted), None)
    if found is None:
        raise not_found()
    return _show(hub, "operation.html", {"operation": found})


async def show_errors(hub: Hub, request: web.Request) -> web.Response:
    """Answer every code of a problem: where a problem's ``type`` leads."""
    del request
    return _show(hub, "errors.html", {"codes": CODES})


async def show_asset(hub: Hub, request: web.Request) -> web.Response:
    """Answer a style or script that these pages link to."""
    del hub
    files, version, _ = _files()
    found = files.get(request.match_info["file"])
    if found is None or request.match_info["digest"] != version:
        raise not_found()
    content, kind = found
    return web.Response(body=content, content_type=kind, charset="utf-8", headers={"Cache-Control": _FOREVER})
