"""What one client may cost: slow, long, encoded, half-sent and crowded requests."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest

from hub.kit.limits import LimitError, Memory
from hub.store.base import Store
from hub.web.documents import MAX_BROUGHT
from schemas.envelope import MEDIA_TYPE
from tests.county import COUNCIL, HEALTH
from tests.web.support import Site, open_site
from tests.web.test_envelopes import minutes

BIG = 65 * 1024 * 1024


async def raw(site: Site, data: bytes, *, then: bytes = b"", pause: float = 0.0, close: bool = False) -> bytes:
    """Return what the hub answers to *data*, after *pause* to *then*; nothing when *close*."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    try:
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(pause)
        if close:
            return b""
        writer.write(then)
        async with asyncio.timeout(20):
            return await reader.read(4096)
    finally:
        writer.close()


def head(token: str | None, length: int, extra: str = "") -> bytes:
    """Return the head of a request that sends an envelope of *length* bytes."""
    return (
        f"POST /v1/envelopes HTTP/1.1\r\nHost: hub\r\nContent-Type: {MEDIA_TYPE}\r\n{extra}"
        f"Authorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def alive(site: Site) -> None:
    """Assert that the hub still serves and holds nothing of what went wrong."""
    assert (await site.api.get("/healthz")).status == 200
    async with asyncio.timeout(5):
        while site.hub.memory.requests or site.hub.memory.bytes:  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.01)


async def test_a_body_that_comes_too_slowly_is_cut_off(sqlite_store: Store, tmp_path: Path) -> None:
    """Dripping a byte at a time ends in 408."""
    async with open_site(sqlite_store, tmp_path, "grace_seconds = 0.2\nmin_bytes_per_second = 100000") as site:
        token = (await site.as_agency(COUNCIL)).token
        answer = await raw(site, head(token, 100_000) + b"x" * 10)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"request-too-slow"' in answer
        await alive(site)


async def test_a_request_that_takes_too_long_is_cut_off(sqlite_store: Store, tmp_path: Path) -> None:
    """However steadily it comes, it has to end."""
    async with open_site(sqlite_store, tmp_path, "request_seconds = 0.3\nmin_bytes_per_second = 1") as site:
        token = (await site.as_agency(COUNCIL)).token
        answer = await raw(site, head(token, 100_000) + b"x" * 5000)
        assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_says_that_it_is_too_long_is_not_read(site: Site) -> None:
    """413 comes before the body."""
    token = (await site.as_agency(COUNCIL)).token
    answer = await raw(site, head(token, BIG))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in answer
    await alive(site)


async def test_a_body_without_a_length_is_counted_while_it_comes(site: Site) -> None:
    """Chunks don't get past the limit."""
    health = await site.as_agency(HEALTH)

    async def chunks() -> object:
        for _ in range(80):
            yield b"x" * 65536

    answer = await health.call("POST", "/v1/receipts", chunks(), "application/json")
    assert (answer.status, answer.code) == (413, "request-too-large")
    await alive(site)


async def test_encoded_content_is_refused_unread(site: Site) -> None:
    """A gzip bomb is never inflated."""
    council, bomb = await site.as_agency(COUNCIL), gzip.compress(bytes(50_000_000))
    for encoding in ("gzip", "deflate", "br", "identity"):
        answer = await council.call("POST", "/v1/envelopes", bomb, MEDIA_TYPE, Content_Encoding=encoding)
        assert (answer.status, answer.code) == (415, "content-encoding")
    await alive(site)


async def test_long_and_many_headers_are_refused(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """A header bomb gets 400, no handler, and no line in the log."""
    for bomb in (
        b"GET /healthz HTTP/1.1\r\nHost: hub\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: hub\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(1000)) + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: hub\r\n\r\n",
    ):
        assert (await raw(site, bomb)).partition(b" ")[2].startswith(b"400 ")
    assert caplog.records == []
    await alive(site)


async def test_a_client_that_hangs_up_leaves_nothing_behind(site: Site) -> None:
    """Half an envelope is no envelope, and the next one is taken."""
    council, sent = await site.as_agency(COUNCIL), minutes(site)
    for cut in (0, 1, 100, len(sent.raw) - 1):
        await raw(site, head(council.token, len(sent.raw)) + sent.raw[:cut], pause=0.05, close=True)
    await alive(site)
    assert await site.hub.store.read(lambda tx: tx.find_envelope(sent.id)) is None
    assert (await council.send(sent)).status == 201


async def test_a_client_that_hangs_up_after_sending_loses_only_the_answer(site: Site) -> None:
    """What was accepted stays accepted: the repeat gets the first answer."""
    council, sent = await site.as_agency(COUNCIL), minutes(site)
    await raw(site, head(council.token, len(sent.raw)) + sent.raw, pause=0.0, close=True)
    async with asyncio.timeout(5):
        while await site.hub.store.read(lambda tx: tx.find_envelope(sent.id)) is None:  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.02)
    assert (await council.send(sent)).status == 200


async def test_one_connection_too_many_is_told_so(sqlite_store: Store, tmp_path: Path) -> None:
    """It gets 503 and Retry-After, and the others go on."""
    async with open_site(sqlite_store, tmp_path, "max_connections = 8") as site:
        idle = [await asyncio.open_connection("127.0.0.1", site.port) for _ in range(8)]
        await asyncio.sleep(0.1)
        answer = await raw(site, b"")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: " in answer
        for _, writer in idle:
            writer.close()
        await asyncio.sleep(0.1)
        await alive(site)


async def test_too_many_requests_at_work_are_told_to_come_again(sqlite_store: Store, tmp_path: Path) -> None:
    """503 with Retry-After, and the first is still taken."""
    async with open_site(sqlite_store, tmp_path, "max_in_flight = 1") as site:
        council, sent = await site.as_agency(COUNCIL), minutes(site)
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(head(council.token, len(sent.raw)) + sent.raw[:100])
        await writer.drain()
        await asyncio.sleep(0.1)
        second = await council.send(sent)
        assert (second.status, second.code) == (503, "unavailable")
        assert int(second.headers["Retry-After"]) > 0
        writer.write(sent.raw[100:])
        assert (await reader.read(4096)).startswith(b"HTTP/1.1 201 ")
        writer.close()


async def test_strangers_cannot_take_the_agencies_room(site: Site) -> None:
    """As many half-sent documents as there is room for: the next is put off, agencies sign in and send as ever."""
    open_request = (
        b"POST /v1/directory HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n["
    )
    writers = []
    for _ in range(site.hub.public_memory.max_requests):
        _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(open_request)
        await writer.drain()
        writers.append(writer)
    async with asyncio.timeout(5):
        while site.hub.public_memory.requests < len(writers):  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.01)
    put_off = await site.api.post("/v1/directory", b"[]")
    assert (put_off.status, put_off.code) == (503, "unavailable")
    assert (await (await site.as_agency(COUNCIL)).send(minutes(site))).status == 201
    for writer in writers:
        writer.close()
    head = "POST /v1/directory HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
    assert b" 413 " in await raw(site, f"{head}Content-Length: {MAX_BROUGHT + 1}\r\n\r\n".encode())


async def test_the_bytes_held_at_once_have_a_ceiling() -> None:
    """Growth beyond the ceiling is refused before it is kept."""
    memory = Memory(max_bytes=10, max_requests=2)
    memory.enter()
    memory.grow(10)
    with pytest.raises(LimitError) as refused:
        memory.grow(1)
    assert refused.value.status == 503
    memory.leave(10)
    assert (memory.bytes, memory.requests) == (0, 0)


async def test_every_answer_carries_the_security_headers(site: Site) -> None:
    """Errors too, and none says what software this is."""
    for path in ("/healthz", "/nothing", "/v1/obligations", "/docs", "/docs/errors"):
        answer = await site.api.get(path)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Server"] == "hub"


async def test_another_method_is_named(site: Site) -> None:
    """405 says which methods there are."""
    answer = await site.api.call("DELETE", "/v1/envelopes")
    assert (answer.status, answer.code, answer.headers["Allow"]) == (405, "method-not-allowed", "POST")


async def test_what_is_no_request_is_answered_without_its_bytes(site: Site) -> None:
    """A filter that is longer than a request's line may be: a problem, and nothing of what was sent comes back."""
    answer = await site.api.get(f"/v1/audit/entries?thread={'marker' * 1000}")
    assert (answer.status, answer.code) == (400, "request-invalid")
    assert b"marker" not in answer.body
