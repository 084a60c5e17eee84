"""The witness's server: one operation, ``POST /add-checkpoint``, and ``GET /healthz``.

What was cosigned is durable before anybody hears of it, and one request is judged at a time: a crash or a race can't
make the witness go back.

Source: c2sp.org/tlog-witness.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self, cast

from aiohttp import web
from msgspec.structs import replace

from hub.errors import HubError
from hub.kit.headers import add_security_headers
from hub.kit.limits import SERVER_OPTIONS, BodyLimits, LimitError, Memory, limit_connections, read_body
from hub.witness.cosigning import Asked, ConflictError, check_grows, check_signed, parse_asked
from hub.witness.home import Home, Log
from keys import notes
from keys.jws import SigningKey

MAX_BODY: Final = 64 * 1024
MAX_CONNECTIONS: Final = 256
SIZE_TYPE: Final = "text/x.tlog.size"
STATUSES: Final = {"request-invalid": 400, "witness-key": 403, "witness-log": 404, "witness-proof": 422}
_LIMITS: Final = BodyLimits(total_seconds=20.0, grace_seconds=5.0, min_bytes_per_second=1024)
_log = logging.getLogger("hub.witness")


@dataclass(slots=True)
class Witness:
    """One witness at work; ``logs`` is what its folder holds."""

    home: Home
    name: str
    key: SigningKey
    clock: Callable[[], int]
    logs: dict[str, Log]
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def open(cls, home: Home, passphrase: str, clock: Callable[[], int]) -> Witness:
        """Return the witness of *home*, which the caller has locked.

        Raises:
            HubError: ``home`` or ``passphrase``.
        """
        return cls(home, home.about().name, home.key(passphrase), clock, home.logs())

    async def cosign(self, body: bytes) -> str:
        """Return the cosignature's line over what *body* asks for.

        Raises:
            HubError: ``request-invalid``, ``witness-log``, ``witness-key``, ``witness-proof``.
            ConflictError: it has cosigned another tree.
        """
        asked = parse_asked(body)
        origin = asked.checkpoint.origin
        check_signed(asked, self.logs.get(origin))
        async with self._one:
            log = self.logs[origin]
            try:
                check_grows(asked, log)
            except (HubError, ConflictError) as error:
                if isinstance(error, HubError) or error.is_fork:
                    # The log signed both: that is for its officers to explain.
                    _log.error("a log did not continue what it had signed", extra={"size": asked.checkpoint.size})
                    await asyncio.to_thread(self.home.keep_evidence, origin, body, log.note)
                raise
            return await self._sign(asked, log)

    async def _sign(self, asked: Asked, log: Log) -> str:
        # Signed times never run back, whatever happens to the clock.
        at = max(self.clock(), log.at)
        cosigned = replace(log, size=asked.checkpoint.size, note=asked.note, at=at)
        logs = {**self.logs, asked.checkpoint.origin: cosigned}
        await asyncio.to_thread(self.home.save, logs)
        self.logs = logs
        return notes.cosign(asked.note, self.name, self.key, at)


def make_app(witness: Witness) -> web.Application:
    """Return the application over *witness*."""
    memory = Memory(64 * MAX_BODY, 64)

    async def add_checkpoint(request: web.Request) -> web.StreamResponse:
        taken = 0

        def grow(count: int) -> None:
            nonlocal taken
            memory.grow(count)
            taken += count

        memory.enter()
        try:
            return web.Response(text=await witness.cosign(await read_body(request, MAX_BODY, _LIMITS, grow)))
        finally:
            memory.leave(taken)

    async def show_health(request: web.Request) -> web.StreamResponse:
        del request
        return web.Response(text=f"{witness.name}\n")

    # Bodies are read by ``kit.limits`` alone: what aiohttp itself would read may have no byte.
    app = web.Application(middlewares=[_answer_errors], client_max_size=1)
    app.router.add_post("/add-checkpoint", add_checkpoint)
    app.router.add_get("/healthz", show_health)
    app.on_response_prepare.append(add_security_headers)
    return app


@web.middleware
async def _answer_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except ConflictError as error:
        return web.Response(status=409, text=f"{error.size}\n", content_type=SIZE_TYPE)
    except HubError as error:
        return web.Response(status=STATUSES.get(error.code, 500), text=f"{error.code}: {error.message}\n")
    except LimitError as error:
        after = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
        return web.Response(status=error.status, text=f"{error.code}: {error.message}\n", headers=after)


class Server:
    """The application on a socket; as a context manager it starts and stops."""

    def __init__(self, witness: Witness, host: str, port: int) -> None:
        self._runner = web.AppRunner(make_app(witness), handle_signals=False, **SERVER_OPTIONS)
        self._host, self.port = host, port

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        factory = limit_connections(cast(web.Server, self._runner.server), MAX_CONNECTIONS)
        self._socket = await asyncio.get_running_loop().create_server(
            factory, self._host, self.port, reuse_address=True
        )
        self.port = self._socket.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        await self._runner.cleanup()
