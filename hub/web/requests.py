"""Reading what a request says, strictly: bodies within limits, numbers within bounds, names as they are spelt."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from aiohttp import web

from hub.errors import HubError
from hub.kit.limits import Memory, read_body
from hub.web.context import Hub
from hub.web.problems import invalid, not_found
from schemas.identifiers import Moment, is_agency, is_id, is_mailbox, is_sha256
from schemas.strict_json import dump, parse_as

T = TypeVar("T")
MAX_JSON: Final = 1024 * 1024
# Where the request's body is counted; without one, with what anyone may send.
MEMORY: Final = web.RequestKey("memory", Memory)
# How a request's path is written in logs and figures, where it isn't one of the API's table.
PATH: Final = web.RequestKey("path", str)
_INTEGER: Final = re.compile(r"\A(0|[1-9][0-9]{0,15})\Z")
_CHECKS: Final[dict[str, Callable[[str], bool]]] = {
    "agency": is_agency,
    "mailbox": is_mailbox,
    "id": is_id,
    "sha256": is_sha256,
    "text": lambda text: len(text) <= 64 and text.isascii() and text.isprintable(),
}


@asynccontextmanager
async def body_of(hub: Hub, request: web.Request, max_bytes: int, *, as_sent: bool = False) -> AsyncIterator[bytes]:
    """Give the body for as long as the block runs, counted against what this process may hold of its kind.

    *as_sent*: encoded content is taken, and stays encoded.
    """
    held = 0
    memory = request.get(MEMORY, hub.public_memory)

    def grow(count: int) -> None:
        nonlocal held
        memory.grow(count)
        held += count

    memory.enter()
    try:
        yield await read_body(request, max_bytes, hub.body_limits, grow, as_sent=as_sent)
    finally:
        memory.leave(held)


def check_media(request: web.Request, *allowed: str) -> str:
    """Return the request's media type, one of *allowed*.

    Raises:
        HubError: ``media-type``.
    """
    if request.content_type not in allowed:
        raise HubError("media-type", "this media type isn't accepted here", f"send {' or '.join(allowed)}")
    return request.content_type


async def read_json(hub: Hub, request: web.Request, kind: type[T], max_bytes: int = MAX_JSON) -> T:
    """Return a JSON body as the struct *kind*."""
    check_media(request, "application/json")
    async with body_of(hub, request, max_bytes) as body:
        return parse_as(body, kind, max_bytes=max_bytes)


async def read_compact(hub: Hub, request: web.Request, max_bytes: int) -> bytes:
    """Return a body that is one compact JWS."""
    check_media(request, "application/jose")
    async with body_of(hub, request, max_bytes) as body:
        return body


def check_query(request: web.Request, *names: str) -> None:
    """Raise unless every query parameter is one of *names*, once."""
    for name in request.query:
        if name not in names:
            raise invalid("an unknown query parameter", f"known here: {', '.join(names) or 'none'}")
        if len(request.query.getall(name)) > 1:
            raise invalid(f"`{name}` stands twice", "give it once")


def integer(request: web.Request, name: str, default: int | None = None, *, most: int = 2**53 - 1) -> int:
    """Return the query parameter *name* as an integer from 0 to *most*."""
    text = request.query.get(name)
    if text is None and default is not None:
        return default
    if text is None or not _INTEGER.match(text) or int(text) > most:
        raise invalid(f"`{name}` isn't an integer from 0 to {most}", "see /docs")
    return int(text)


def optional(request: web.Request, name: str, kind: str) -> str | None:
    """Return the query parameter *name*, which is spelt as *kind* says, or ``None``."""
    text = request.query.get(name)
    if text is not None and not _CHECKS[kind](text):
        raise invalid(f"`{name}` isn't spelt as it must be", "see /docs")
    return text


def moment(request: web.Request, name: str) -> Moment | None:
    """Return the query parameter *name* as a moment, or ``None``."""
    return integer(request, name) if name in request.query else None


def path_id(request: web.Request, kind: str = "id") -> str:
    """Return ``{id}`` of the path; one that can't exist is not found, as one that doesn't."""
    text = request.match_info["id"]
    if not _CHECKS[kind](text):
        raise not_found()
    return text


def reply(value: Any, status: int = 200) -> web.Response:
    """Return *value* as JSON."""
    return web.Response(status=status, body=dump(value), content_type="application/json")
