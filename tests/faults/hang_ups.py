"""Clients that hang up, stop in the middle, or drip: nothing is half accepted, and others are served meanwhile.

    python -m tests.faults.hang_ups --n 2000

Source: promises 1 (P2, P14), 3.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import statistics
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from keys.digests import random_bytes
from schemas.envelope import BATCH_MEDIA_TYPE, MEDIA_TYPE
from schemas.strict_json import dump
from tests.county import COUNCIL, HEALTH, MASH, NURSES, County, Sent
from tests.faults.counts import Tally, run
from tests.faults.house import House, batch, now_ms, read_feed
from tests.web.support import Api

TITLE: Final = "Clients that hang up"
AT_ONCE: Final = 24
DRIPPERS: Final = 100
PATIENCE: Final = 10.0
# Headers that don't end are cut off after the fifteen seconds that an idle connection has; waited for in long runs.
LONG: Final = 200
# Waits for slow bodies that the suite can afford.
LIMITS: Final = "grace_seconds = 0.5\nmin_bytes_per_second = 20000\nrequest_seconds = 3"


@dataclass
class Crowd:
    """The hub, two agencies' callers, and what was sent in what way."""

    house: House
    tally: Tally
    council: Api
    health: Api
    never: list[Sent] = field(default_factory=list)
    perhaps: list[Sent] = field(default_factory=list)
    surely: list[Sent] = field(default_factory=list)

    def seal(self, length: int = 3000) -> Sent:
        """Return a new envelope of the council's."""
        self.house.county.now = now_ms()
        return self.house.county.seal("minutes.full/1", MASH, [NURSES], documents=(b"{}", random_bytes(length)))

    def head(self, method: str, path: str, api: Api, length: int | None = None, media: str = MEDIA_TYPE) -> bytes:
        """Return the head of a request."""
        text = f"{method} {path} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {api.token}\r\n"
        if length is not None:
            text += f"Content-Type: {media}\r\nContent-Length: {length}\r\n"
        return f"{text}\r\n".encode()

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a new connection."""
        return await asyncio.open_connection("127.0.0.1", self.house.port)

    def hang_up(self, writer: asyncio.StreamWriter) -> None:
        """End a connection: politely, or by a reset, as a process that is killed does."""
        if self.tally.chance.random() < 0.5:
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        else:
            writer.close()


async def half_a_body(crowd: Crowd) -> None:
    """Send part of an envelope and go."""
    sent = crowd.seal(crowd.tally.chance.choice((3000, 100_000)))
    crowd.never.append(sent)
    _, writer = await crowd.open()
    cut = crowd.tally.chance.randrange(len(sent.raw))
    writer.write(crowd.head("POST", "/v1/envelopes", crowd.council, len(sent.raw)) + sent.raw[:cut])
    await writer.drain()
    await asyncio.sleep(crowd.tally.chance.uniform(0, 0.05))
    crowd.hang_up(writer)


async def half_a_head(crowd: Crowd) -> None:
    """Send part of a request's head and go."""
    sent = crowd.seal()
    crowd.never.append(sent)
    _, writer = await crowd.open()
    head = crowd.head("POST", "/v1/envelopes", crowd.council, len(sent.raw))
    writer.write(head[: crowd.tally.chance.randrange(len(head) - 2)])
    await writer.drain()
    crowd.hang_up(writer)


async def half_a_batch(crowd: Crowd) -> None:
    """Send a batch whose last envelope is cut short, and go: not even the whole ones count."""
    sent = [crowd.seal() for _ in range(3)]
    crowd.never += sent
    body = batch(one.raw for one in sent)
    _, writer = await crowd.open()
    writer.write(crowd.head("POST", "/v1/envelopes", crowd.council, len(body), BATCH_MEDIA_TYPE) + body[:-100])
    await writer.drain()
    await asyncio.sleep(crowd.tally.chance.uniform(0, 0.05))
    crowd.hang_up(writer)


async def wrong_length(crowd: Crowd) -> None:
    """Send an envelope that is said to be shorter or longer than it is."""
    sent = crowd.seal()
    crowd.never.append(sent)
    reader, writer = await crowd.open()
    length = len(sent.raw) + crowd.tally.chance.choice((-100, -1, 1, 100))
    writer.write(crowd.head("POST", "/v1/envelopes", crowd.council, length) + sent.raw)
    status = await _status(reader)
    crowd.tally.hold("an envelope of another length was not refused", status in {400, 408}, status)
    crowd.hang_up(writer)


async def no_ear(crowd: Crowd) -> None:
    """Send a whole envelope and go before the answer: it counts wholly or not at all."""
    sent = crowd.seal()
    crowd.perhaps.append(sent)
    _, writer = await crowd.open()
    writer.write(crowd.head("POST", "/v1/envelopes", crowd.council, len(sent.raw)) + sent.raw)
    await writer.drain()
    await asyncio.sleep(crowd.tally.chance.choice((0, 0.001, 0.003)))
    crowd.hang_up(writer)


async def half_an_answer(crowd: Crowd) -> None:
    """Ask for a feed, read some of it, and go."""
    reader, writer = await crowd.open()
    writer.write(crowd.head("GET", f"/v1/mailboxes/{NURSES}/feed?after=0&limit=200", crowd.health))
    await reader.read(crowd.tally.chance.choice((1, 100, 5000)))
    crowd.hang_up(writer)


async def no_patience(crowd: Crowd) -> None:
    """Begin a long wait and go."""
    _, writer = await crowd.open()
    writer.write(crowd.head("GET", f"/v1/mailboxes/{NURSES}/feed?after=1000000&wait=30", crowd.health))
    await writer.drain()
    await asyncio.sleep(crowd.tally.chance.uniform(0, 0.1))
    crowd.hang_up(writer)


async def half_receipts(crowd: Crowd) -> None:
    """Send an envelope, and its receipts in a body that stops."""
    sent = crowd.seal()
    answer = await crowd.council.send(sent)
    crowd.tally.hold("an envelope beside the others is not accepted", answer.status == 201, answer.body[:200])
    crowd.surely.append(sent)
    signed = [crowd.house.county.receipt(sent, NURSES, level).decode() for level in ("collected", "filed")]
    body = dump({"receipts": signed})
    _, writer = await crowd.open()
    writer.write(crowd.head("POST", "/v1/receipts", crowd.health, len(body), "application/json") + body[:-50])
    await writer.drain()
    crowd.hang_up(writer)


async def _status(reader: asyncio.StreamReader) -> int:
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE):
            line = await reader.readline()
        return int(line.split(b" ")[1]) if line else 0
    return 0


WAYS: Final[tuple[Callable[[Crowd], Awaitable[None]], ...]] = (
    half_a_body, half_a_head, half_a_batch, wrong_length, no_ear, half_an_answer, no_patience, half_receipts,
)  # fmt: skip


async def hang_up_often(crowd: Crowd, n: int) -> None:
    """Hang up *n* times, many at once, in every way."""
    waiting = iter([WAYS[place % len(WAYS)] for place in range(n)])

    async def client() -> None:
        for way in waiting:
            with contextlib.suppress(ConnectionError):
                await way(crowd)

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))


async def drip(crowd: Crowd, n: int) -> None:
    """Let many drip heads and bodies, serve others meanwhile, and see the drippers cut off."""
    lines = [await crowd.open() for _ in range(DRIPPERS)]
    dripped: list[tuple[asyncio.StreamReader, float]] = []
    for place, (reader, writer) in enumerate(lines):
        sent = crowd.seal(30_000)
        crowd.never.append(sent)
        head = crowd.head("POST", "/v1/envelopes", crowd.council, len(sent.raw))
        whole = place % 2 == 0
        writer.write(head + sent.raw[:100] if whole else head[:60])
        if whole or n >= LONG:
            dripped.append((reader, time.monotonic()))
    seconds = []
    for _ in range(20):
        sent = crowd.seal()
        started = time.monotonic()
        answer = await crowd.council.send(sent)
        seconds.append(time.monotonic() - started)
        crowd.tally.hold("an envelope beside the others is not accepted", answer.status == 201, answer.body[:200])
        crowd.surely.append(sent)
    crowd.tally.figures["accepted beside drippers, longest s"] = round(max(seconds), 3)
    crowd.tally.figures["accepted beside drippers, median s"] = round(statistics.median(seconds), 3)
    for reader, _ in dripped:
        try:
            async with asyncio.timeout(PATIENCE * 2):
                answered = await reader.read()
            good = not answered or b" 408 " in answered[:20]
        except ConnectionError:
            good = True
        except TimeoutError:
            good = False
        crowd.tally.hold("a dripping client was not cut off", good)
    for _, writer in lines:
        writer.close()


async def settle(crowd: Crowd) -> None:
    """Hold the hub to it: what was cut short is nowhere, what was whole is there once, nothing is still held."""
    tally, house = crowd.tally, crowd.house
    async with asyncio.timeout(PATIENCE):
        while _metric((await crowd.council.get("/metrics")).body, "hub_body_bytes"):  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.05)
    for sent in crowd.never:
        answer = await crowd.council.get(f"/v1/envelopes/{sent.id}")
        tally.hold("half an envelope was accepted", answer.status == 404, answer.body[:200])
    there = 0
    for sent in crowd.perhaps:
        first = await crowd.council.send(sent)
        there += first.status == 200
        tally.hold("an envelope whose sender had gone can't be sent again", first.status in {200, 201}, first.body)
        crowd.surely.append(sent)
    for sent in crowd.never:
        first = await crowd.council.send(sent)
        tally.hold("an envelope that was cut short can't be sent again", first.status == 201, first.body)
        crowd.surely.append(sent)
    entries = await read_feed(crowd.health, NURSES)
    numbers = [entry["seq"] for entry in entries]
    tally.hold("a mailbox's numbers have a gap", numbers == list(range(1, len(numbers) + 1)))
    names = sorted(entry["envelope"] for entry in entries if entry["kind"] == "delivery")
    tally.hold("a delivery is missing or doubled", names == sorted(one.id for one in crowd.surely), len(names))
    heard = [entry for entry in await read_feed(crowd.council, MASH) if entry["kind"] == "receipt"]
    tally.hold("half of a body of receipts was taken", not heard, len(heard))
    tally.figures["accepted though its sender had gone"] = there
    await house.covered(crowd.council)


def _metric(text: bytes, name: str) -> float:
    return sum(float(line.split()[-1]) for line in text.decode().splitlines() if line.startswith(name))


async def program(folder: Path, tally: Tally, n: int) -> None:
    """Hang up *n* times on one hub."""
    house = House(folder / "hub", County(now=now_ms()), limits=LIMITS)
    await house.found()
    async with house.running():
        async with house.caller() as api:
            crowd = Crowd(house, tally, await api.sign_in(COUNCIL), await api.sign_in(HEALTH))
            await hang_up_often(crowd, n)
            await drip(crowd, n)
            await settle(crowd)
        said = await house.audit(folder / "export")
        tally.hold("the log does not verify", said["verified"], said["problems"])
        errors = [
            line for line in house.log.read_text().splitlines() if '"level":"error"' in line or "Traceback" in line
        ]
        tally.hold("somebody's hanging up is an error of the hub's", not errors, errors[:2])
    await house.check_store()
    tally.figures["hang-ups"] = n


if __name__ == "__main__":
    run("hang_ups", TITLE, program, 2000)
