"""The port on which drafts come: signed, recent, of a bounded size and number, and kept before the answer says so."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

from aiohttp import web

from adapters.desks import Desk, FullError, UsedError
from adapters.errors import place_of
from adapters.webhook.bodies import MAX_BODY, parse_body
from adapters.webhook.signing import Head, Secrets, parse_head, unsigned
from hub.kit.limits import SERVER_OPTIONS, BodyLimits, LimitError, Memory, limit_connections, read_body
from schemas.strict_json import MalformedError

_log = logging.getLogger("gateway.adapters.webhook")
PATH: Final = "/drafts"
MAX_CONNECTIONS: Final = 64
_BODY: Final = BodyLimits(total_seconds=120.0, grace_seconds=10.0, min_bytes_per_second=16_384)
_STATUS: Final = {"webhook-id-used": 409, "webhook-timestamp": 401, "webhook-signature": 401}
_SECONDS: Final = 60


class Pace:
    """At most *count* in a minute, spread or at once."""

    def __init__(self, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._count, self._clock = count, clock
        self._left, self._at = float(count), clock()

    def allows(self) -> bool:
        """Answer whether one more may come now, and count it."""
        now = self._clock()
        self._left = min(self._count, self._left + (now - self._at) * self._count / _SECONDS)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Listener:
    """A server at *place*, with TLS where *context* is given."""

    def __init__(
        self, desk: Desk, secrets: Secrets, place: tuple[str, int], context: ssl.SSLContext | None, pace: Pace
    ) -> None:
        self._desk, self._secrets, self._place, self._context, self._pace = desk, secrets, place, context, pace
        self._memory = Memory(2 * MAX_BODY, MAX_CONNECTIONS)
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Return the port, once it listens."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else self._place[1]

    async def ensure(self) -> None:
        """Listen, unless it does already.

        Raises:
            OSError: the port is taken.
        """
        if self._server is not None:
            return
        app = web.Application()
        app.router.add_post(PATH, self._answer)
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=2, **SERVER_OPTIONS)
        await runner.setup()
        factory = limit_connections(cast(web.Server, runner.server), MAX_CONNECTIONS)
        try:
            self._server = await asyncio.get_running_loop().create_server(
                factory, *self._place, ssl=self._context, reuse_address=True
            )
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None and self._runner is not None:
            self._server.close()
            await self._runner.cleanup()
            await self._server.wait_closed()
            self._server = self._runner = None

    async def _answer(self, request: web.Request) -> web.Response:
        count = 0

        def grow(more: int) -> None:
            nonlocal count
            self._memory.grow(more)
            count += more

        entered = False
        try:
            self._memory.enter()
            entered = True
            head = parse_head(request.headers, time.time())
            raw = await read_body(request, MAX_BODY, _BODY, grow)
            return await self._take(head, raw)
        except LimitError as error:
            wait = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
            return _say(error.status, _words(error), wait)
        except MalformedError as error:
            return _say(_STATUS.get(error.code, 400), _words(error))
        except FullError:
            return _wait(503, "webhook-full", "as many as may are waiting to be sent")
        except Exception as error:  # noqa: BLE001 (its text, which the server would log, may hold content)
            _log.warning("a draft can't be kept now: %s", place_of(error))
            return _wait(503, "webhook-not-kept", "it can't be kept now")
        finally:
            if entered:
                self._memory.leave(count)

    async def _take(self, head: Head, raw: bytes) -> web.Response:
        if not await asyncio.to_thread(self._secrets.has_signed, head, raw):
            raise unsigned()
        if not self._pace.allows():
            return _wait(429, "webhook-pace", "more came in a minute than is taken")
        try:
            taken = await asyncio.to_thread(self._desk.take, head.id, raw, partial(parse_body, raw))
        except UsedError as error:
            raise MalformedError(
                "webhook-id-used",
                "something else came under this `webhook-id`",
                "a draft that was corrected needs a new one",
            ) from error
        return _say(202, {"state": taken.state, **taken.details})


def _words(error: MalformedError | LimitError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "hint": error.hint}


def _wait(status: int, code: str, message: str) -> web.Response:
    said = {"code": code, "message": message, "hint": "send it again, later"}
    return _say(status, said, {"Retry-After": str(_SECONDS)})


def _say(status: int, said: dict[str, Any], headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(
        said, status=status, headers={"Server": "gateway", "Cache-Control": "no-store", **(headers or {})}
    )
