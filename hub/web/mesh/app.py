"""The front door's table: every operation that MESH has, behind one door that asks who calls and answers in MESH's words.

Source: NHS MESH API 2.0.0.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from aiohttp import web

from hub.web.context import Hub
from hub.web.mesh import collecting, inbox, tracking, uploading
from hub.web.mesh.answers import DoorError, answer, malformed, refuse, version_of
from hub.web.mesh.calling import Caller, prove, use
from hub.web.requests import MEMORY, PATH, body_of

ROOT: Final = "/messageexchange"
# What the client sends where nothing is asked for.
MAX_BODY: Final = 1024

Handler = Callable[[Hub, web.Request, Caller, bytes], Awaitable[web.StreamResponse]]


class Operation(NamedTuple):
    """One operation: methods and path, what answers it, and how long a body it takes."""

    methods: tuple[str, ...]
    path: str
    handler: Handler
    most: int = MAX_BODY


async def shake_hands(hub: Hub, request: web.Request, caller: Caller, body: bytes) -> web.Response:
    """Answer that the caller is known; it says what it runs on."""
    del body
    if not all(request.headers.get(f"Mex-{name}") for name in ("ClientVersion", "OSName", "OSVersion")):
        raise malformed("Mex-ClientVersion, Mex-OSName and Mex-OSVersion are needed")
    # Clients do this once a day.
    await hub.store.write(lambda tx: uploading.tidy(tx, caller))
    return web.Response()


OPERATIONS: Final = (
    Operation(("GET",), "/endpointlookup/{ods}/{workflow}", tracking.look_up),
    Operation(("GET",), "/workflowsearch/{workflow}", tracking.search),
    Operation(("POST", "GET"), "/{mailbox}", shake_hands),
    Operation(("GET",), "/{mailbox}/inbox", inbox.list_inbox),
    Operation(("GET",), "/{mailbox}/count", inbox.count_inbox),
    Operation(("GET", "HEAD"), "/{mailbox}/inbox/{id}", collecting.show_message),
    Operation(("GET",), "/{mailbox}/inbox/{id}/{number}", collecting.show_message),
    Operation(("PUT",), "/{mailbox}/inbox/{id}/status/acknowledged", inbox.acknowledge),
    Operation(("POST",), "/{mailbox}/outbox", uploading.take_first, uploading.MAX_PART),
    Operation(("GET",), "/{mailbox}/outbox/tracking", tracking.track),
    Operation(("GET",), "/{mailbox}/outbox/tracking/{local_id}", tracking.track_local),
    Operation(("POST",), "/{mailbox}/outbox/{id}/{number}", uploading.take_part, uploading.MAX_PART),
)


def add_mesh(app: web.Application, hub: Hub) -> None:
    """Add the front door to *app*."""
    app.router.add_get(f"{ROOT}/_ping", _ping, allow_head=False)
    for operation in OPERATIONS:
        for method in operation.methods:
            app.router.add_route(method, f"{ROOT}{operation.path}", _serve(hub, operation))
    # Nothing under this path may answer with what the client can't read.
    app.router.add_route("*", f"{ROOT}{{rest:(?:/.*)?}}", _nothing)


async def _ping(request: web.Request) -> web.Response:
    del request
    return answer({"status": "ok"})


async def _nothing(request: web.Request) -> web.Response:
    return refuse(request, DoorError(404, "not-found", "There is no such operation"))


def _serve(hub: Hub, operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        request[PATH] = ROOT + operation.path
        try:
            version_of(request)
            caller = await prove(hub, request)
            request[MEMORY] = hub.memory
            async with body_of(hub, request, operation.most, as_sent=True) as body:
                await use(hub, request, caller, body)
                return await operation.handler(hub, request, caller, body)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - the client reads no other answer than this
            return refuse(request, error)

    return serve
