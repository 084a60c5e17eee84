"""What one client may cost: connections, time, rate and bytes, counted while they come.

aiohttp has no body timeout, doesn't count streamed bodies, and inflates gzip by default (204 kB became 210 MB).
So the server is set up not to inflate, and bodies are read here and nowhere else.

Source: promises 3 (measured), DESIGN threats "anyone unauthenticated".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

SERVER_OPTIONS: Final[dict[str, Any]] = {
    "auto_decompress": False,
    # Also the longest that a connection may take to send a request's headers.
    "keepalive_timeout": 15.0,
    "lingering_time": 1.0,
    "max_line_size": 4096,
    "max_field_size": 4096,
    "max_headers": 48,
    "access_log": None,
}
OVERLOADED: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)


# What isn't HTTP, or is too long to be read as such, is told so; aiohttp's own answer would repeat what was sent.  Without
# `detail`: it may have been meant for the MESH front door, whose clients expect a list under that name.
MALFORMED: Final = (
    b'{"type":"about:blank","title":"Not a request as HTTP/1.1 has it, or longer than is read","status":400,'
    b'"code":"request-invalid"}'
)


class LimitError(Exception):
    """A limit was met.  ``status`` for the answer, ``code`` permanent; ``close`` the connection afterwards."""

    def __init__(self, status: int, code: str, message: str, hint: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.hint, self.retry_after = status, code, message, hint, retry_after


class BodyLimits(NamedTuple):
    """Seconds for the whole body, seconds before the rate counts, and the least bytes a second after that."""

    total_seconds: float
    grace_seconds: float
    min_bytes_per_second: int


class Memory:
    """Bytes of request bodies held at once, and requests with a body at work; both have a ceiling."""

    def __init__(self, max_bytes: int, max_requests: int) -> None:
        self.max_bytes, self.max_requests = max_bytes, max_requests
        self.bytes = self.requests = 0

    def enter(self) -> None:
        """Count one request in, or raise :class:`LimitError` (503)."""
        if self.requests >= self.max_requests:
            raise LimitError(503, "unavailable", "too many requests are at work", "try again", retry_after=1)
        self.requests += 1

    def grow(self, count: int) -> None:
        """Count *count* bytes in, or raise :class:`LimitError` (503)."""
        if self.bytes + count > self.max_bytes:
            raise LimitError(503, "unavailable", "too many bytes are on their way in", "try again", retry_after=1)
        self.bytes += count

    def leave(self, count: int) -> None:
        """Count one request and its *count* bytes out."""
        self.requests -= 1
        self.bytes -= count


async def read_body(
    request: web.Request,
    max_bytes: int,
    limits: BodyLimits,
    grow: Callable[[int], None],
    *,
    as_sent: bool = False,
) -> bytes:
    """Return the request's body of at most *max_bytes* bytes.

    *grow* is called with each number of bytes before they are kept, and may raise.  *as_sent*: encoded content is taken, and
    stays encoded.

    Raises:
        LimitError: 415 for any ``Content-Encoding``, 413 too long, 408 too slow, 400 cut short.
    """
    if "Content-Encoding" in request.headers and not as_sent:
        raise LimitError(415, "content-encoding", "encoded content isn't accepted", "send it as it is")
    length = request.content_length
    if length is not None and length > max_bytes:
        raise _too_large(max_bytes)
    loop = asyncio.get_running_loop()
    started = loop.time()
    chunks: list[bytes] = []
    count = 0
    try:
        async with asyncio.timeout(min(limits.total_seconds, limits.grace_seconds)) as deadline:
            while chunk := await request.content.readany():
                count += len(chunk)
                if count > max_bytes:
                    raise _too_large(max_bytes)
                grow(len(chunk))
                chunks.append(chunk)
                allowed = limits.grace_seconds + count / limits.min_bytes_per_second
                deadline.reschedule(started + min(limits.total_seconds, allowed))
    except TimeoutError as error:
        raise LimitError(408, "request-too-slow", "the body came too slowly", "send it faster, or in parts") from error
    except (HttpProcessingError, web.PayloadAccessError, ConnectionError, asyncio.IncompleteReadError) as error:
        raise LimitError(400, "request-cut-short", "the body ended before its end", "send the whole body") from error
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(max_bytes: int) -> LimitError:
    return LimitError(413, "request-too-large", f"the body is longer than {max_bytes} bytes", "send less at once")


def is_worth_logging(record: logging.LogRecord) -> bool:
    """Answer whether *record* is more than somebody's bytes that weren't HTTP: those are answered 400 and forgotten."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


class _Overloaded(asyncio.Protocol):
    """One connection too many: told so and closed, without a byte of it being read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(OVERLOADED)
        transport.close()


class _Handler(web.RequestHandler):
    """One connection, whose client hears nothing of what it sent."""

    __slots__ = ()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        response = web.Response(status=status, body=MALFORMED, content_type="application/problem+json")
        response.force_close()
        return response


def limit_connections(server: web.Server, most: int) -> Callable[[], asyncio.BaseProtocol]:
    """Return a protocol factory that serves at most *most* connections at once and refuses further ones."""
    logging.getLogger("aiohttp.server").addFilter(is_worth_logging)

    def make() -> asyncio.BaseProtocol:
        if len(server.connections) >= most:
            return _Overloaded()
        return _Handler(server, loop=asyncio.get_running_loop(), **SERVER_OPTIONS)

    return make
