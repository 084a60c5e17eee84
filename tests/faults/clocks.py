"""A clock that is set back and forward, and a hub that was down for two days: nobody is judged wrongly, nothing rings twice.

    python -m tests.faults.clocks --n 100

Source: promises 1 (P3, P12); design 2 (3).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from hub.store.base import open_store
from keys.digests import from_b64u, obligation_id
from tests.county import COUNCIL, HEALTH, HOUR, MANAGERS, MASH, MINUTE, NURSES, PARTNERSHIP, UNIT, County, Sent
from tests.faults.counts import Tally, run
from tests.faults.house import House, read_feed
from tests.faults.village import open_village, until
from tests.gateway.support import draft, meeting_held
from tests.web.support import Api

TITLE: Final = "Clocks that step, and a hub that was down"
DOWN: Final = 48 * HOUR
BOXES: Final = {MASH: COUNCIL, MANAGERS: COUNCIL, NURSES: HEALTH, UNIT: PARTNERSHIP}
SWEEPS: Final = 20.0
Ring = tuple[str, str, int | None, str]


async def rings(api: Api) -> Counter[Ring]:
    """Return how often each mailbox was told each step of each obligation."""
    told: Counter[Ring] = Counter()
    for box, agency in BOXES.items():
        for entry in await read_feed(await api.sign_in(agency), box):
            if entry["kind"] == "notice":
                said = json.loads(from_b64u(entry["jws"].split(".")[1]))
                if "obligation" in said:
                    told[said["obligation"], said["notice"], said.get("step"), box] += 1
    return told


class Hands:
    """The hands of the training clock; ``county.now`` is what honest agencies have."""

    def __init__(self, path: Path, county: County) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.county = path, county
        self.set(county.now)

    def set(self, now: int) -> None:
        """Set the clock to *now*, at once for everybody who reads it."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(str(now))
        fresh.replace(self.path)


def hold(county: County) -> Sent:
    """Return the registration of a discussion with the nurses."""
    return county.seal("meeting.held/1", MASH, [NURSES], facts={"meeting": "strategy"}, parties=[NURSES])


async def owed(api: Api, thread: str) -> dict[str, dict[str, Any]]:
    """Return the duties to send of *thread*, by rule."""
    answer = await (await api.sign_in(COUNCIL)).get(f"/v1/obligations?thread={thread}")
    return {one["rule"].rpartition("/")[2]: one for one in answer.json["obligations"] if one["kind"] == "send"}


async def _overdue(api: Api, identity: str) -> bool:
    """Wait until the hub has told that an obligation is overdue."""
    end = time.monotonic() + SWEEPS
    while time.monotonic() < end:
        if any(name == identity and notice == "overdue" for name, notice, _, _ in await rings(api)):
            return True
        await asyncio.sleep(0.2)
    return False


async def step(folder: Path, tally: Tally, n: int) -> None:
    """Let *n* discussions go overdue, each with the clock set back an hour before the note is sent at last."""
    county = County()
    hands = Hands(folder / "clock", county)
    house = House(folder / "hub", county, clock=hands.path)
    await house.found()
    async with house.running(), house.caller() as api:
        for number in range(n):
            await _step_once(house, api, hands, tally, restart=number % 2 == 0)
        told = await rings(api)
        doubled = [ring for ring, count in told.items() if count > 1]
        tally.hold_all("an alarm rings twice", len(told), len(doubled), doubled)
        await house.covered(api)
        said = await house.audit(folder / "export")
        tally.hold("the log does not verify", said["verified"], said["problems"])
        await house.stop()
    await house.check_store()


async def _step_once(house: House, api: Api, hands: Hands, tally: Tally, *, restart: bool) -> None:
    county = house.county
    held = hold(county)
    answer = await (await api.sign_in(COUNCIL)).send(held)
    tally.hold("an envelope is not accepted", answer.status == 201, answer.body[:300])
    (note,) = [one for rule, one in (await owed(api, held.header.thread)).items() if "decision" in rule]
    county.now = note["due"] + tally.chance.randrange(1, 50) * MINUTE
    hands.set(county.now)
    tally.hold("an alarm does not ring", await _overdue(api, note["id"]), note["id"])
    back = county.now - HOUR
    if restart:
        house.kill()
        hands.set(back)
        await house.start()
        now, county.now = county.now, back
    else:
        hands.set(back)
        now = county.now
    sent = county.seal("minutes.decisions/1", MASH, [NURSES], thread=held.header.thread, parties=[NURSES])
    answer = await (await api.sign_in(COUNCIL)).send(sent)
    tally.hold("a hub whose clock was set back does not accept", answer.status == 201, answer.body[:300])
    state = (await owed(api, held.header.thread))[note["rule"].rpartition("/")[2]]["state"]
    tally.hold("what came late was called in time", state == "met_late", state)
    # And forward again: an hour and more, past what rang already.
    county.now = now + HOUR
    hands.set(county.now)
    await asyncio.sleep(1.2)


async def be_down(folder: Path, tally: Tally) -> None:
    """Kill the hub for two days of the clock; the gateways ring meanwhile, the hub at once when it is back."""
    async with open_village(folder) as village:
        house = village.house
        value = draft("meeting.held/1", MASH, message=meeting_held([MASH, NURSES]))
        village.council.drop("held", value)
        heard = await until(lambda: bool(village.health.filed()))
        tally.hold("the registration does not arrive", heard, village.health.log.read_text()[-1000:])
        await asyncio.sleep(1.5)
        house.kill()
        before = {place.agency: len(place.notices()) for place in (village.council, village.health)}
        village.pass_time(DOWN)
        for place in (village.council, village.health):
            rang = await until(
                lambda place=place: any(  # type: ignore[misc]
                    one["notice"] == "overdue" and one.get("source") == "gateway" for one in place.notices()
                ),
                SWEEPS,
            )
            tally.hold("a gateway stays silent while the hub is down", rang, (place.agency, before, place.notices()))
        expected = await _expected(house)
        started = time.monotonic()
        await house.start()
        ready = time.monotonic()
        missing = set(expected)
        async with house.caller() as api:
            while missing and time.monotonic() < ready + SWEEPS:
                missing = expected - (await rings(api)).keys()
            seconds = time.monotonic() - ready
            await asyncio.sleep(2.5)
            _hold_rings(tally, await rings(api), expected)
        for place in (village.council, village.health):
            shown = Counter(
                (one["obligation"], one["notice"], one.get("step"), one.get("mailbox"))
                for one in place.notices()
                if one.get("obligation")
            )
            doubled = [ring for ring, count in shown.items() if count > 1]
            tally.hold_all("a gateway shows one alarm twice", len(shown), len(doubled), doubled)
        tally.figures["alarms due after 48 h down"] = len(expected)
        tally.figures["all of them rang, s after ready"] = round(seconds, 2)
        tally.figures["start after 48 h down, s"] = round(ready - started, 2)


async def _expected(house: House) -> set[Ring]:
    """Return what the stored duties alone say must have rung by now, to debtor and creditor."""
    store = await asyncio.to_thread(lambda: open_store(house.url, read_only=True))
    try:
        rows = await store.read(lambda tx: tx.list_obligations(limit=1000))
    finally:
        await store.close()
    found: set[Ring] = set()
    for row in rows:
        duty = row.duty
        for number, one in enumerate(duty.steps):
            if row.state != "open" or one.at > house.county.now:
                continue
            boxes = {"debtor": duty.debtor, "creditor": duty.creditor}
            found |= {(obligation_id(duty.parts), one.notice, number, boxes[to]) for to in one.to if to in boxes}
    return found


async def be_down_with_many(folder: Path, tally: Tally, n: int) -> None:
    """Kill a hub to which *n* discussions were told, for two days of the clock."""
    county = County()
    hands = Hands(folder / "clock", county)
    house = House(folder / "hub", county, clock=hands.path)
    await house.found()
    async with house.running(), house.caller() as api:
        council = await api.sign_in(COUNCIL)
        for _ in range(n):
            answer = await council.send(hold(county))
            tally.hold("an envelope is not accepted", answer.status == 201, answer.body[:300])
        house.kill()
        county.now += DOWN
        hands.set(county.now)
        expected = await _expected(house)
        await house.start()
        ready, missing = time.monotonic(), set(expected)
        while missing and time.monotonic() < ready + SWEEPS:
            missing = expected - (await rings(api)).keys()
        tally.figures["alarms due at a hub of many after 48 h down"] = len(expected)
        tally.figures["all of these rang, s after ready"] = round(time.monotonic() - ready, 2)
        _hold_rings(tally, await rings(api), expected)
        await asyncio.sleep(1.5)
        _hold_rings(tally, await rings(api), expected)


def _hold_rings(tally: Tally, told: Counter[Ring], expected: set[Ring]) -> None:
    missing = expected - told.keys()
    what = "an alarm that fell due while the hub was down does not ring"
    tally.hold_all(what, len(expected), len(missing), sorted(missing, key=str)[:5])
    doubled = [ring for ring, count in told.items() if count > 1]
    tally.hold_all("an alarm rings twice", len(told), len(doubled), doubled)


async def program(folder: Path, tally: Tally, n: int) -> None:
    """Step *n* times; be down once with gateways, and once with 25 discussions for each step."""
    await step(folder / "steps", tally, n)
    await be_down(folder / "village", tally)
    await be_down_with_many(folder / "many", tally, 25 * n)


if __name__ == "__main__":
    run("clocks", TITLE, program, 100)
