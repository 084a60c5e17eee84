"""The whole life of an envelope through a real hub: sent, handed over, receipts taken, the sender told.

Sealed and signed beforehand, 32 KiB of document each; singly, a request each with 32 in flight, and in batches.

    python -m tests.bench.lifecycle --n 1000

Source: promises 4.
"""

from __future__ import annotations

import argparse
import asyncio
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from hub.web.feed import FRAMES
from keys.digests import random_bytes
from schemas.envelope import BATCH_MEDIA_TYPE, MEDIA_TYPE
from schemas.strict_json import dump
from tests.bench import limits
from tests.bench.figures import Cell, Figures, Goal, machine, median, run
from tests.bench.stand import URL, Cost, Stand, folder_of
from tests.bench.wire import Answer, Line
from tests.county import CAIT, COUNCIL, EXPLOITATION, MASH, NURSES, OFFICERS, PAEDIATRICS, SOURCES, County, Sent

DOCUMENT: Final = 32 * 1024
IN_FLIGHT: Final = 32
BATCHES_IN_FLIGHT: Final = 2
BATCH: Final = 100
PAGE: Final = 200
LEVELS: Final = ("collected", "filed")
SIX: Final = (NURSES, PAEDIATRICS, CAIT, EXPLOITATION, SOURCES, OFFICERS)
LOADS: Final = tuple((to, batch) for to in (SIX[:1], SIX) for batch in (1, BATCH))


class Prepared(NamedTuple):
    """One sealed envelope, and what each of its recipients will sign."""

    sent: Sent
    receipts: dict[str, list[str]]


def prepare(county: County, to: Sequence[str], count: int) -> list[Prepared]:
    """Return *count* envelopes to *to*, each on a thread of its own, sealed and signed, with their receipts."""
    made = []
    for _ in range(count):
        # Ids begin with their moment, as they do in life; made in one millisecond, they would lie scattered.
        county.now = time.time_ns() // 1_000_000
        sent = county.seal("minutes.full/1", MASH, to, documents=(b'{"fictional":true}', random_bytes(DOCUMENT)))
        receipts = {box: [county.receipt(sent, box, level).decode() for level in LEVELS] for box in to}
        made.append(Prepared(sent, receipts))
    return made


@dataclass
class Traffic:
    """Everybody's side of the wire; ``tickets`` hand out places of feeds, each of which is read once."""

    stand: Stand
    tokens: dict[str, str] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)

    async def sign_in(self, line: Line) -> None:
        """Get everybody a fresh token: none outlives a round."""
        seconds = time.time_ns() // 10**9
        for agency in {COUNCIL, *(box.partition("/")[0] for box in SIX)}:
            self.tokens[agency] = await line.sign_in(self.stand.county, agency, URL, seconds)

    def place(self, mailbox: str, count: int) -> int:
        """Return after which number of the feed the next *count* entries stand that nobody has asked for yet."""
        place = self.places.get(mailbox, 0)
        self.places[mailbox] = place + count
        return place

    async def send(self, line: Line, batch: Sequence[Prepared]) -> None:
        """Have the hub accept *batch*: by itself if it is one, else as one batch."""
        token = self.tokens[COUNCIL]
        if len(batch) == 1:
            _expect(await line.call("POST", "/v1/envelopes", token, batch[0].sent.raw, MEDIA_TYPE), 201)
            return
        body = b"".join(struct.pack(">I", len(one.sent.raw)) + one.sent.raw for one in batch)
        answer = _expect(await line.call("POST", "/v1/envelopes", token, body, BATCH_MEDIA_TYPE), 207)
        _expect_all(answer, len(batch))

    async def collect(self, line: Line, mailbox: str, count: int, known: dict[str, Prepared]) -> None:
        """Fetch the next *count* deliveries of *mailbox* and take receipt of each, at both levels, by one request."""
        token = self.tokens[mailbox.partition("/")[0]]
        path = f"/v1/mailboxes/{mailbox}/feed?after={self.place(mailbox, count)}&limit={count}"
        frames = list(_frames(_expect(await line.call("GET", path, token, accept=FRAMES), 200).body))
        if len(frames) != count or not all(body for _, body in frames):
            raise RuntimeError(f"{len(frames)} deliveries, not {count}")
        receipts = [one for entry, _ in frames for one in known[entry["envelope"]].receipts[mailbox]]
        body = dump({"receipts": receipts})
        answer = _expect(await line.call("POST", "/v1/receipts", token, body, "application/json"), 200)
        _expect_all(answer, len(receipts))

    async def hear(self, line: Line, count: int) -> None:
        """Fetch the next *count* receipts from the sender's feed."""
        while count:
            some = min(count, PAGE)
            path = f"/v1/mailboxes/{MASH}/feed?after={self.place(MASH, some)}&limit={some}"
            answer = _expect(await line.call("GET", path, self.tokens[COUNCIL], accept=FRAMES), 200)
            kinds = [entry["kind"] for entry, _ in _frames(answer.body)]
            if kinds != ["receipt"] * some:
                raise RuntimeError(f"the sender heard {len(kinds)} entries, not {some} receipts")
            count -= some

    async def live(self, line: Line, batch: Sequence[Prepared], known: dict[str, Prepared]) -> None:
        """Take *batch* through its whole life."""
        to = batch[0].sent.header.to
        await self.send(line, batch)
        for mailbox in to:
            await self.collect(line, mailbox, len(batch), known)
        await self.hear(line, len(batch) * len(to) * len(LEVELS))


def _expect(answer: Answer, status: int) -> Answer:
    if answer.status != status:
        raise RuntimeError(f"{answer.status}: {answer.body[:500].decode(errors='replace')}")
    return answer


def _expect_all(answer: Answer, count: int) -> None:
    statuses = [one["status"] for one in msgspec.json.decode(answer.body)["outcomes"]]
    if statuses != [201] * count:
        raise RuntimeError(f"not all of {count} were accepted: {statuses}")


def _frames(body: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
    place = 0
    while place < len(body):
        parts = []
        for _ in range(2):
            (length,) = struct.unpack_from(">I", body, place)
            parts.append(body[place + 4 : place + 4 + length])
            place += 4 + length
        yield msgspec.json.decode(parts[0]), parts[1]


async def measure_round(
    stand: Stand, traffic: Traffic, to: Sequence[str], batch: int, count: int
) -> tuple[float, Cost]:
    """Return the seconds of *count* lifecycles, and what they cost the hub."""
    prepared = prepare(stand.county, to, count)
    known = {one.sent.id: one for one in prepared}
    lines = [await Line.open(stand.port) for _ in range(IN_FLIGHT if batch == 1 else BATCHES_IN_FLIGHT)]
    await traffic.sign_in(lines[0])
    waiting = iter([prepared[place : place + batch] for place in range(0, count, batch)])

    async def work(line: Line) -> None:
        for some in waiting:
            await traffic.live(line, some, known)

    before, started = await stand.cost(lines[0]), time.perf_counter()
    await asyncio.gather(*map(work, lines))
    seconds, after = time.perf_counter() - started, await stand.cost(lines[0])
    for line in lines:
        await line.close()
    return seconds, Cost(after.cpu - before.cpu, after.commits - before.commits)


async def measure_load(
    stand: Stand, traffic: Traffic, floor: limits.Floor, to: Sequence[str], batch: int, n: int, rounds: int
) -> dict[str, Cell]:
    """Return the medians of *rounds* of *n* lifecycles, after a small one that warms up."""
    await measure_round(stand, traffic, to, batch, min(n, BATCH))
    costs = [await measure_round(stand, traffic, to, batch, n) for _ in range(rounds)]
    cpu = median([cost.cpu / n * 1e6 for _, cost in costs])
    return {
        "load": f"1→{len(to)} {'singly' if batch == 1 else f'by {batch}'}",
        "lifecycles/s": median([n / seconds for seconds, _ in costs]),
        "hub CPU each, ms": cpu / 1000,
        "÷ its cryptography": cpu / floor.lifecycle(len(to)),
        "commits each": median([cost.commits / n for _, cost in costs]),
        "of the disk's commits": median([cost.commits / seconds for seconds, cost in costs]) / floor.commits,
        "peak memory, MB": stand.peak_memory(),
    }


def measure(args: argparse.Namespace) -> Figures:
    """Return the figures of every load against one hub."""
    with folder_of(args.folder) as folder, Stand(folder) as stand:
        floor = limits.measure(prepare(stand.county, SIX[:1], 1)[0].sent, folder)
        traffic = Traffic(stand)
        rows = [
            asyncio.run(measure_load(stand, traffic, floor, to, batch, max(1, args.n // len(to)), args.rounds))
            for to, batch in LOADS
        ]
    cpu = {str(row["load"]): float(row["hub CPU each, ms"]) for row in rows}
    commits = {str(row["load"]): float(row["commits each"]) for row in rows}
    return Figures(
        program="lifecycle",
        title="The whole life of an envelope of 32 KiB",
        machine=machine() | {name: f"{value:.3g}" for name, value in floor.row().items()},
        rows=rows,
        goals=[
            Goal(name="hub CPU, 1→1 singly", limit=1.0, measured=cpu["1→1 singly"], unit="ms"),
            Goal(name="hub CPU, 1→1 in batches", limit=0.5, measured=cpu["1→1 by 100"], unit="ms"),
            Goal(name="durable commits, 1→1 singly", limit=0.4, measured=commits["1→1 singly"], unit="a lifecycle"),
            Goal(
                name="memory", limit=150, measured=max(float(row["peak memory, MB"]) for row in rows), unit="MB at most"
            ),
            *_further(cpu),
        ],
        notes=[
            "Sealed and signed before the clock starts; every answer is after its durable commit (`synchronous=FULL`).",
            "Processor time is the hub's, user and system, all threads; the driver shares the machine with it.",
            "Its cryptography: the signatures verified, the body digested, the acceptance signed, at full speed here.",
        ],
    )


def _further(cpu: dict[str, float]) -> Iterator[Goal]:
    for way in ("singly", "by 100"):
        each = (cpu[f"1→6 {way}"] - cpu[f"1→1 {way}"]) / 5 / cpu[f"1→1 {way}"]
        yield Goal(name=f"each further recipient, {way}", limit=0.45, measured=each, unit="of a 1→1")


if __name__ == "__main__":
    run(__doc__.partition("\n")[0], 3000, measure)
