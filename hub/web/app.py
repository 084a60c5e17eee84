"""The application: every route of the table behind one door that measures, logs and turns errors into problems."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, Self, cast

from aiohttp import web
from aiohttp.typedefs import Middleware

from hub import programs
from hub.errors import HubError
from hub.kit.headers import add_security_headers
from hub.kit.limits import SERVER_OPTIONS, limit_connections
from hub.kit.logs import log
from hub.web.console.app import add_console
from hub.web.console.making import make_console
from hub.web.context import HUB, Hub
from hub.web.identity import Caller
from hub.web.mesh.app import add_mesh
from hub.web.openapi import build_openapi
from hub.web.problems import respond
from hub.web.requests import MEMORY, PATH
from hub.web.routes import ROUTES, Route

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_ROUTE: Final = web.RequestKey("route", Route)
_AGENCY: Final = web.RequestKey("agency", str)
_LOGGER: Final = logging.getLogger("hub.web")


def make_app(hub: Hub) -> web.Application:
    """Return the application over *hub*."""
    hub.openapi = build_openapi(ROUTES, hub.config.url)
    # Bodies are read by ``kit.limits`` alone: what aiohttp itself would read may have no byte.
    app = web.Application(middlewares=[_door(hub)], client_max_size=1)
    app[HUB] = hub
    for route in ROUTES:
        app.router.add_route(route.method, route.path, _serve(hub, route))
    add_console(app, make_console(hub))
    if hub.config.mesh.enabled:
        add_mesh(app, hub)
    app.on_response_prepare.append(add_security_headers)
    return app


def _serve(hub: Hub, route: Route) -> Handler:
    private, public = route.private, route.public
    if private is not None:

        async def serve_private(request: web.Request) -> web.StreamResponse:
            request[_ROUTE] = route
            caller = await _authenticate(hub, route, request.headers.get("Authorization"))
            request[_AGENCY] = caller.agency
            request[MEMORY] = hub.memory
            return await private(hub, request, caller)

        return serve_private
    if public is None:
        raise AssertionError(f"{route.name} has no handler")

    async def serve_public(request: web.Request) -> web.StreamResponse:
        request[_ROUTE] = route
        return await public(hub, request)

    return serve_public


async def _authenticate(hub: Hub, route: Route, authorization: str | None) -> Caller:
    """Return who calls: an agency's gateway, or a program of the partnership's that may do what *route* is for."""
    bearer = f"Bearer {programs.PREFIX}"
    if authorization is None or not authorization.startswith(bearer):
        caller = hub.identity.authenticate(authorization, hub.registry, hub.clock())
        hub.gateways[caller.agency] = hub.clock()
        return caller
    token, now = authorization.removeprefix("Bearer "), hub.clock()
    program = await hub.store.read(lambda tx: programs.find_program(tx, token, now))
    if route.scope not in program.scopes:
        raise HubError("token-scope", "the access token doesn't allow this", "use one that was made for it")
    partnership = hub.registry.snapshot.directory.directory.partnership
    return Caller(partnership, None, "", now, program=program.id, account=program.account)


def _door(hub: Hub) -> Middleware:
    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        try:
            response = await handler(request)
        except ConnectionError:
            # The client is gone: there is nobody to answer, and what was committed stays committed.
            raise
        except Exception as error:  # noqa: BLE001 - the one place where nothing may get past
            response = respond(error)
        seconds = time.perf_counter() - started
        route = request.get(_ROUTE)
        path = route.path if route else request.get(PATH, "none")
        method = request.method if path != "none" else "other"
        hub.metrics.count(method, path, response.status, None if route and route.waits else seconds)
        log(
            _LOGGER,
            logging.INFO,
            "request",
            method=method,
            route=path,
            status=response.status,
            ms=round(seconds * 1000, 2),
            agency=request.get(_AGENCY, ""),
        )
        return response

    return answer


class Server:
    """The application on a socket, with limits on connections; as a context manager it starts and stops."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._runner = web.AppRunner(
            make_app(hub), handle_signals=False, shutdown_timeout=hub.config.stop_seconds, **SERVER_OPTIONS
        )
        self.port = 0

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        listen, limits = self._hub.config.listen, self._hub.config.limits
        factory = limit_connections(cast(web.Server, self._runner.server), limits.max_connections)
        self._socket = await asyncio.get_running_loop().create_server(
            factory, listen.host, listen.port, backlog=min(limits.max_connections, 1024), reuse_address=True
        )
        self.port = self._socket.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        # No new connection, then every wait answered, then what is at work may end.
        self._socket.close()
        self._hub.wakeups.stop()
        await self._runner.cleanup()
