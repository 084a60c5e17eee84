"""A hub under load, killed again and again: what was answered is there, once, and the log verifies.

    python -m tests.faults.hub_kills --n 1000

Source: promises 1 (P1, P2, P13).
"""

from __future__ import annotations

import asyncio
import json
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

from keys.digests import from_b64u, random_bytes
from schemas.envelope import BATCH_MEDIA_TYPE, MEDIA_TYPE
from schemas.identifiers import agency_of
from tests.county import CAIT, EXPLOITATION, MASH, NURSES, OFFICERS, PAEDIATRICS, County, Sent
from tests.faults.counts import Tally, run
from tests.faults.house import House, batch, body_of, is_whole, now_ms, read_feed
from tests.web.support import Api

TITLE: Final = "A hub killed under load (`kill -9`)"
SENDERS: Final = (MASH, EXPLOITATION)
RECIPIENTS: Final = (NURSES, PAEDIATRICS, CAIT, OFFICERS)
BOXES: Final = (*SENDERS, *RECIPIENTS)
LEVELS: Final = ("collected", "filed")
LINES: Final = 6
PAGE: Final = 100
TOKEN_AGE: Final = 120_000
GONE: Final = (aiohttp.ClientError, OSError, TimeoutError)


@dataclass
class Claims:
    """What was sent, and what the hub answered: its word is kept here and held against it later."""

    sent: dict[str, Sent] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)
    signed: dict[str, tuple[str, str]] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    interrupted: int = 0


@dataclass
class Load:
    """Several senders and recipients at work on one hub until it is gone."""

    house: House
    claims: Claims
    tally: Tally
    callers: dict[str, Api] = field(default_factory=dict)
    since: int = 0

    async def keep_signed_in(self, api: Api) -> None:
        """Get everybody a new token unless they have a fresh one."""
        self.house.county.now = now_ms()
        if not self.callers or self.house.county.now - self.since > TOKEN_AGE:
            self.since = self.house.county.now
            self.callers = {agency: await api.sign_in(agency) for agency in sorted({agency_of(box) for box in BOXES})}

    def make(self, sender: str) -> Sent:
        """Return a new envelope of *sender*; one in eight is too long for the database's own pages."""
        chance = self.tally.chance
        self.house.county.now = now_ms()
        to = chance.sample(RECIPIENTS, chance.randint(1, len(RECIPIENTS)))
        document = random_bytes(90_000 if chance.random() < 0.125 else 3000)
        sent = self.house.county.seal("minutes.full/1", sender, to, documents=(b'{"fictional":true}', document))
        self.claims.sent[sent.id] = sent
        return sent

    async def work(self) -> None:
        """Send, take receipt, send again, until the hub is gone."""
        chance = self.tally.chance
        try:
            while True:
                sender = chance.choice(SENDERS)
                made = [self.make(sender) for _ in range(chance.choice((1, 1, 1, 4)))]
                await self.send(made)
                for sent in made:
                    for box in sent.header.to:
                        await self.receipt(sent, box)
        except GONE:
            self.claims.interrupted += 1

    async def send(self, made: Sequence[Sent]) -> None:
        """Have the hub accept *made*, by one request, and keep its word."""
        caller = self.callers[agency_of(made[0].header.from_)]
        if len(made) == 1:
            answer = await caller.send(made[0])
            outcomes = [{"status": answer.status, **answer.json}]
        else:
            answer = await caller.post("/v1/envelopes", batch(one.raw for one in made), BATCH_MEDIA_TYPE)
            outcomes = answer.json["outcomes"]
        for sent, outcome in zip(made, outcomes, strict=True):
            good = outcome["status"] == (200 if sent.id in self.claims.accepted else 201)
            self.tally.hold("an envelope under load answered otherwise than 201", good, answer.body[:300])
            if good:
                self.claims.accepted[sent.id] = outcome["acceptance"]

    async def receipt(self, sent: Sent, box: str) -> None:
        """Have the hub take both receipts of *box*, by one request, and keep its word."""
        signed = [self.house.county.receipt(sent, box, level).decode() for level in LEVELS]
        names = [_id_of(one) for one in signed]
        for name, one in zip(names, signed, strict=True):
            self.claims.signed[name] = (agency_of(box), one)
        answer = await self.callers[agency_of(box)].post("/v1/receipts", {"receipts": signed})
        for name, outcome in zip(names, answer.json["outcomes"], strict=True):
            good = outcome["status"] == 201
            self.tally.hold("a receipt under load answered otherwise than 201", good, outcome)
            if good:
                self.claims.taken[name] = outcome["index"]


def _id_of(compact: str) -> str:
    return str(json.loads(from_b64u(compact.split(".")[1]))["id"])


async def kill_once(load: Load) -> float:
    """Start the hub, let everybody work, kill it at a moment that chance has; return the seconds to ready."""
    house, chance = load.house, load.tally.chance
    seconds = await house.start()
    async with house.caller() as api:
        load.callers = {}
        await load.keep_signed_in(api)
        lines = [asyncio.create_task(load.work()) for _ in range(LINES)]
        await asyncio.sleep(chance.uniform(0.01, 0.2))
        house.kill()
        await asyncio.gather(*lines)
    return seconds


async def hold_to_its_word(load: Load, api: Api) -> None:
    """Ask for everything that was ever answered 201, and send all of it again, twice."""
    claims, tally = load.claims, load.tally
    for name in claims.accepted:
        await load.keep_signed_in(api)
        answer = await load.callers[agency_of(claims.sent[name].header.from_)].get(f"/v1/envelopes/{name}")
        tally.hold("an envelope answered 201 is lost", answer.status == 200, name)
    for turn in range(2):
        for sent in claims.sent.values():
            await load.keep_signed_in(api)
            await _send_again(load, sent, turn)
        for agency in load.callers:
            names = [name for name, (of, _) in claims.signed.items() if of == agency]
            for start in range(0, len(names), PAGE):
                await load.keep_signed_in(api)
                await _receipts_again(load, agency, names[start : start + PAGE], turn)


async def _receipts_again(load: Load, agency: str, names: Sequence[str], turn: int) -> None:
    claims = load.claims
    answer = await load.callers[agency].post("/v1/receipts", {"receipts": [claims.signed[name][1] for name in names]})
    for name, outcome in zip(names, answer.json["outcomes"], strict=True):
        status = outcome["status"]
        known = status == 200 if turn or name in claims.taken else status in {200, 201}
        index = claims.taken.setdefault(name, outcome.get("index", -1))
        load.tally.hold("a repeated receipt got another answer", known and outcome["index"] == index, outcome)


async def _send_again(load: Load, sent: Sent, turn: int) -> None:
    claims, tally = load.claims, load.tally
    answer = await load.callers[agency_of(sent.header.from_)].post("/v1/envelopes", sent.raw, MEDIA_TYPE)
    if sent.id not in claims.accepted:
        claims.accepted[sent.id] = answer.json.get("acceptance", "")
        tally.hold("an envelope of which nobody knew could not be sent again", answer.status in {200, 201}, answer.body)
        return
    same = answer.status == 200 and answer.json["acceptance"] == claims.accepted[sent.id]
    tally.hold("a repeated envelope got another answer", same, answer.body[:300])
    if turn == 0 and load.tally.chance.random() < 0.05:
        other = load.house.county.seal("minutes.full/1", sent.header.from_, sent.header.to, id=sent.id)
        answer = await load.callers[agency_of(sent.header.from_)].send(other)
        tally.hold("other bytes under a used id were not refused by 409", answer.status == 409, answer.status)


async def hold_feeds(load: Load) -> None:
    """Read every feed: numbers without gap, each delivery and receipt once, each body whole."""
    claims, tally = load.claims, load.tally
    delivered, heard = Counter[tuple[str, str]](), Counter[str]()
    for box in BOXES:
        caller = load.callers[agency_of(box)]
        entries = await read_feed(caller, box)
        numbers = [entry["seq"] for entry in entries]
        tally.hold("a mailbox's numbers have a gap", numbers == list(range(1, len(numbers) + 1)), box)
        for entry in entries:
            if entry["kind"] == "delivery":
                delivered[entry["envelope"], box] += 1
                whole = is_whole(await body_of(caller, entry), claims.sent[entry["envelope"]].raw)
                tally.hold("a body has another digest", whole, entry["envelope"])
            elif entry["kind"] == "receipt":
                heard[_id_of(entry["jws"])] += 1
    for sent in claims.sent.values():
        for box in sent.header.to:
            tally.hold("a delivery is missing or doubled", delivered[sent.id, box] == 1, (sent.id, box))
    for name in claims.signed:
        tally.hold("a receipt is missing or doubled in its sender's feed", heard[name] == 1, name)


async def kill(folder: Path, tally: Tally, n: int) -> None:
    """Kill a hub *n* times, then hold it to every word that it said."""
    house = House(folder / "hub", County(now=now_ms()))
    await house.found()
    load, ready = Load(house, Claims(), tally), list[float]()
    try:
        ready += [await kill_once(load) for _ in range(n)]
        answered = len(load.claims.accepted) + len(load.claims.taken)
        # And while it starts, when it repairs what the last kill left.
        for _ in range(max(1, n // 10)):
            house.spawn()
            await asyncio.sleep(tally.chance.uniform(0.2, 1.0))
            house.kill()
        ready.append(await house.start())
        async with house.caller() as api:
            load.callers = {}
            await hold_to_its_word(load, api)
            await hold_feeds(load)
            await house.covered(api)
        said = await house.audit(folder / "export")
        tally.hold("the log does not verify", said["verified"], said["problems"])
        await house.stop()
        await house.check_store()
    finally:
        house.kill()
    tally.figures |= {
        "kills": n,
        "answered 201 before a kill": answered,
        "requests cut in the middle": load.claims.interrupted,
        "leaves": said["size"],
        "ready after a kill, median s": round(statistics.median(ready[1:]), 2),
        "ready after a kill, longest s (promised: 5)": round(max(ready[1:]), 2),
    }


if __name__ == "__main__":
    run("hub_kills", TITLE, kill, 1000)
