"""What a gateway makes of a hub that is busy, full, broken, or lies."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from adapters.errors import GatewayError, NotYetError
from adapters.gateway import incoming
from adapters.gateway.client import Client, HubAwayError, HubRefusedError
from adapters.gateway.pacing import Pacer
from adapters.gateway.tree import tile_path
from adapters.gateway.watch import Watch
from keys import jws
from tests.county import HEALTH, NURSES, START, County
from tests.gateway.support import books_of, gateway_of

Handler = Callable[[web.Request], web.Response]


@asynccontextmanager
async def stranger(handle: Handler) -> AsyncIterator[tuple[str, list[str]]]:
    """Give a server that answers everything but the token by *handle*, and the calls that it got."""
    calls: list[str] = []

    async def serve(request: web.Request) -> web.Response:
        calls.append(f"{request.method} {request.path_qs}")
        if request.path == "/v1/token":
            return web.json_response({"access_token": f"token-{len(calls)}", "token_type": "Bearer", "expires_in": 300})
        return handle(request)

    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{tail:.*}", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", calls
    finally:
        await runner.cleanup()


def problem(status: int, code: str, **headers: str) -> web.Response:
    """Return problem details."""
    body = {"type": f"/docs/errors#{code}", "title": "t", "status": status, "detail": "d", "code": code, "hint": "h"}
    return web.json_response(
        body, status=status, content_type="application/problem+json",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )  # fmt: skip


def client(url: str) -> Client:
    """Return a client of the nurses' agency."""
    return Client(url, HEALTH, jws.SigningKey.generate(), lambda: START)


@pytest.mark.parametrize(
    ("status", "code", "seconds"), [(503, "store-busy", 7.0), (507, "store-full", 7.0), (429, "too-many-requests", 7.0)]
)
async def test_a_hub_that_asks_to_wait_is_waited_for(status: int, code: str, seconds: float) -> None:
    """Its `Retry-After` is passed on; nothing is taken as refused."""
    async with stranger(lambda _: problem(status, code, Retry_After="7")) as (url, _), client(url) as hub:
        with pytest.raises(HubAwayError) as caught:
            await hub.send_envelopes([b"envelope"])
    assert (caught.value.code, caught.value.retry_after) == (code, seconds)


@pytest.mark.parametrize("answer", [b"<html>", b"", b"[]", b'{"code": 7}', b'{"status": 502}'])
async def test_an_answer_that_is_no_hubs_is_no_answer(answer: bytes) -> None:
    """A proxy's error page leaves everything where it is."""
    async with stranger(lambda _: web.Response(status=502, body=answer)) as (url, _), client(url) as hub:
        with pytest.raises(HubAwayError):
            await hub.send_receipts(["receipt"])


async def test_a_refusal_is_an_answer() -> None:
    """It keeps its code and its way out, and is an outcome for an envelope."""
    async with stranger(lambda _: problem(403, "type-not-allowed")) as (url, _), client(url) as hub:
        (outcome,) = await hub.send_envelopes([b"envelope"])
        assert (outcome["status"], outcome["problem"]["code"]) == (403, "type-not-allowed")
        with pytest.raises(HubRefusedError) as caught:
            await hub.send_receipts(["receipt"])
        assert (caught.value.status, caught.value.hint) == (403, "h")


async def test_a_token_is_used_until_it_is_refused_and_renewed_once() -> None:
    """One assertion serves many calls; after a 401 there is one new one, and then the failure is told."""
    state = {"good": "token-1"}

    def handle(request: web.Request) -> web.Response:
        if request.headers["Authorization"] != f"Bearer {state['good']}":
            return problem(401, "token-expired")
        return web.json_response({"outcomes": [{"status": 201}]})

    async with stranger(handle) as (url, calls), client(url) as hub:
        for _ in range(3):
            await hub.send_receipts(["receipt"])
        assert calls.count("POST /v1/token") == 1
        state["good"] = f"token-{len(calls) + 2}"
        await hub.send_receipts(["receipt"])
        assert calls.count("POST /v1/token") == 2
        state["good"] = "never"
        with pytest.raises(HubRefusedError) as caught:
            await hub.send_receipts(["receipt"])
        assert caught.value.code == "token-expired"


async def test_a_hub_that_answers_for_another_number_is_not_believed() -> None:
    """Two receipts and one outcome: nobody knows which."""
    answer = {"outcomes": [{"status": 201}]}
    async with stranger(lambda _: web.json_response(answer)) as (url, _), client(url) as hub:
        with pytest.raises(HubAwayError):
            await hub.send_receipts(["one", "two"])
        with pytest.raises(HubAwayError):
            await hub.send_envelopes([b"one", b"two"])


async def test_a_redirect_is_not_followed() -> None:
    """A token is sent to the hub and to nobody else."""
    moved = web.Response(status=307, headers={"Location": "http://127.0.0.1:9/elsewhere"})
    async with stranger(lambda _: moved) as (url, calls), client(url) as hub:
        with pytest.raises(GatewayError):
            await hub.fetch("/v1/directory", signed_in=True)
        assert calls == ["POST /v1/token", "GET /v1/directory"]


async def test_a_body_that_breaks_off_is_continued() -> None:
    """What came is kept, and the rest asked for by range."""
    whole = bytes(range(256)) * 40

    def handle(request: web.Request) -> web.Response:
        begin = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        part = whole[begin : begin + 5000]
        return web.Response(status=206 if begin else 200, body=part)

    async with stranger(handle) as (url, calls), client(url) as hub:
        assert await hub.body("AZ82p-KAfcKGpmUXAcWmjQ", len(whole)) == whole
        assert len(calls) == 4


async def test_a_feed_with_a_gap_is_not_read_on(tmp_path: Path) -> None:
    """A hub that leaves out a number of a mailbox's feed is found out; the place stays before the gap."""
    entries: list[dict[str, Any]] = [{"seq": 1, "kind": "tombstone", "at": 1}, {"seq": 3, "kind": "tombstone", "at": 1}]
    page = {"mailbox": NURSES, "after": 0, "next": 3, "entries": entries}
    async with (
        stranger(lambda _: web.json_response(page)) as (url, _),
        gateway_of(tmp_path, County(), HEALTH, url) as gateway,
    ):
        with pytest.raises(GatewayError) as caught:
            await incoming.pull(gateway, Watch(HEALTH), NURSES, 0)
        assert caught.value.code == "feed-gap"
        assert await gateway.spool.one("find_place", mailbox=NURSES) is None


@pytest.mark.parametrize("kind", ["receipt", "notice", "waiver", "unheard-of"])
async def test_statements_that_nobody_signed_change_nothing(tmp_path: Path, kind: str) -> None:
    """A hub that invents receipts, notices or waivers is passed over, with a word of it; what follows is still read."""
    county = County()
    forged = jws.SigningKey.generate().sign(json.dumps({"v": 1}).encode(), jws.ENVELOPE).decode()
    entries = [{"seq": 1, "kind": kind, "at": 1, "jws": forged}, {"seq": 2, "kind": "tombstone", "at": 1}]
    page = {"mailbox": NURSES, "after": 0, "next": 2, "entries": entries}
    async with (
        stranger(lambda _: web.json_response(page)) as (url, _),
        gateway_of(tmp_path, county, HEALTH, url) as gateway,
    ):
        gateway.partnership._books = books_of(county)
        assert await incoming.pull(gateway, Watch(HEALTH), NURSES, 0) == 2
        told = [(one["code"], one["source"]) for one in await gateway.spool.all("list_notices")]
        assert told == ([] if kind == "unheard-of" else [("statement-left-out", "gateway")])


async def test_a_hub_that_is_not_there_is_away() -> None:
    """Nothing listens: it is an outage, not a refusal."""
    async with client("http://127.0.0.1:9") as hub:
        with pytest.raises(NotYetError) as caught:
            await hub.fetch("/v1/directory")
    assert caught.value.code == "hub-unreachable"


def test_pauses_double_up_to_the_longest_with_chance_in_them() -> None:
    """A county's gateways don't come back in step; a success begins anew; `Retry-After` is the least."""
    now = [0.0]
    pacer = Pacer(8.0, lambda: now[0])
    pauses = [pacer.failed("hub") for _ in range(10)]
    for pause, most in zip(pauses, (0.5, 1, 2, 4, 8, 8, 8, 8, 8, 8), strict=True):
        assert most / 2 <= pause <= most
    assert len(set(pauses[4:])) > 1
    assert not pacer.is_ready("hub")
    assert pacer.is_ready("other")
    now[0] += 8.0
    assert pacer.is_ready("hub")
    pacer.worked("hub")
    assert pacer.failed("hub") <= 0.5
    assert pacer.failed("hub", retry_after=60.0) == 60.0


@pytest.mark.parametrize(
    ("number", "path"), [(0, "000"), (7, "007"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067")]
)
def test_tiles_have_the_standards_names(number: int, path: str) -> None:
    """Three digits at a time, each group but the last behind an `x`."""
    assert tile_path(number) == path
