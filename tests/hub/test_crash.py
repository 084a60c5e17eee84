"""The hub killed at any moment under load: what was answered is there, once, and the log verifies.

Real processes and SIGKILL; the moments are seeded, so that a failure can be had again.
"""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hub import ledger
from hub.exchange import Accepted, Taken, accept_envelopes, accept_receipts
from hub.registry import Registry
from hub.store.base import Store, open_store
from tests.county import CAIT, COUNCIL, MASH, POLICE, County, Desk
from tests.hub.crashing import Journey, Work
from tests.hub.support import minutes, note, verify
from tests.invariants import check

ROOT = Path(__file__).parents[2]
KILLS = 20
JOURNEYS = 240
SEED = 20_180_523


def _journey(county: County, number: int) -> Journey:
    held = county.seal("meeting.held/1", MASH, [CAIT], facts={"meeting": "strategy"}, parties=[CAIT])
    if number % 3 == 0:
        return Journey(held.raw, held.id, ())
    documents = (b"{}", bytes(80_000 if number % 7 == 0 else 2_000))
    sent = (minutes if number % 2 else note)(county, held.header.thread, CAIT, documents=documents)
    receipts = tuple(county.receipt(sent, CAIT, level) for level in ("collected", "filed"))
    return Journey(sent.raw, sent.id, receipts)


def _run_until_killed(url: str, work: Work, file: Path, answers: int, seconds: float) -> list[list[str]]:
    """Start a hub on *work*, kill it *seconds* after so many *answers*, and return the lines that it had answered with."""
    file.write_bytes(pickle.dumps(work))
    command = [sys.executable, "-m", "tests.hub.accepting", url, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": "."}) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        # Counted in answers, since how far it comes in a moment is the machine's to say.
        first = b"".join(process.stdout.readline() for _ in range(answers))
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        # A line that was cut short was not answered.
        said = (first + process.stdout.read()).decode().split("\n")[:-1]
    return [line.split(" ") for line in said]


async def _hold_to(store: Store, work: Work, answered: list[list[str]]) -> None:
    """Assert that everything that was answered is there, as it was answered."""
    for kind, number, *rest in answered:
        journey = work.journeys[int(number)]
        if kind == "envelope":
            row = await store.read(lambda tx, name=journey.id: tx.find_envelope(name))  # type: ignore[misc]
            assert row is not None
            assert bytes(row.acceptance).decode() == rest[0]
        else:
            held = await store.read(lambda tx, name=journey.id: tx.receipts_of(name))  # type: ignore[misc]
            found = {row.index: bytes(row.jws) for row in held}
            assert found[int(rest[1])] == journey.receipts[int(rest[0])]


@pytest.mark.slow
async def test_nothing_that_was_answered_is_lost_or_doubled_when_the_hub_is_killed(tmp_path: Path) -> None:
    """Twenty kills at seeded moments; after each, everything answered is there; in the end, everything once."""
    url, chance = f"sqlite:///{tmp_path}/hub.db", random.Random(SEED)
    county = County()
    store = open_store(url)
    await county.found(store)
    await store.close()
    journeys = tuple(_journey(county, number) for number in range(JOURNEYS))
    answered: list[list[str]] = []
    cut_short = 0
    for _ in range(KILLS):
        order = list(range(JOURNEYS))
        chance.shuffle(order)
        work = Work(journeys, tuple(order), county.now, county.hub.signing.seed())
        answers = chance.choice((0, chance.randrange(JOURNEYS)))
        said = _run_until_killed(url, work, tmp_path / "work", answers, chance.uniform(0, 0.1))
        cut_short += ["done"] not in said
        answered += [line for line in said if line != ["done"]]
        store = open_store(url)
        try:
            await _hold_to(store, work, answered)
            await check(store)
        finally:
            await store.close()
    assert cut_short > KILLS / 2
    assert len(answered) > KILLS

    store = open_store(url)
    try:
        desk = Desk(county, store, await Registry.load(store))
        await _send_all_again(desk, journeys)
        await check(store)
        assert len(await desk.leaves("envelope-accepted")) == JOURNEYS
        assert len(await desk.leaves("receipt-accepted")) == sum(len(one.receipts) for one in journeys)
        feed = [row for row in await desk.feed(CAIT) if row.entry.kind == "delivery"]
        assert sorted(row.entry.ref for row in feed) == sorted(one.id for one in journeys)
        assert (await verify(store, county, tmp_path / "export")).problems == []
        assert await store.read(lambda tx: ledger.tile(tx, 0, 0, 256)) is not None
    finally:
        await store.close()


async def _send_all_again(desk: Desk, journeys: tuple[Journey, ...]) -> None:
    hub, now = desk.county.hub.signing, desk.county.now
    raws = [one.raw for one in journeys]
    outcomes = await accept_envelopes(desk.store, desk.registry, COUNCIL, raws, now, hub)
    assert all(isinstance(one, Accepted) for one in outcomes)
    receipts = [receipt for one in journeys for receipt in one.receipts]
    taken = await accept_receipts(desk.store, desk.registry, POLICE, receipts, now, hub)
    assert all(isinstance(one, Taken) for one in taken)
    again = await accept_envelopes(desk.store, desk.registry, COUNCIL, raws, now, hub)
    assert all(isinstance(one, Accepted) and one.repeat for one in again)
