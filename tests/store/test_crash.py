"""What was answered survives ``kill -9`` of the hub, at any moment and under load."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time

import pytest

from hub.store.base import open_store
from tests.invariants import check_transaction
from tests.store import crash

SEED = 20180414
KILLS = 30


@pytest.fixture(scope="module")
def processes() -> multiprocessing.context.ForkServerContext:
    """Give processes that start quickly: forked off one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.store.crash"])
    return context


def _kill_one(processes: multiprocessing.context.ForkServerContext, url: str, after: float) -> list[str]:
    """Let one hub write for *after* seconds from its first answer, kill it, and return the ids it answered."""
    receiving, sending = processes.Pipe(duplex=False)
    process = processes.Process(target=crash.run, args=(url, sending), daemon=True)
    process.start()
    sending.close()
    answered = []
    try:
        assert receiving.poll(30), "the process answered nothing"
        end = time.monotonic() + after
        while time.monotonic() < end:
            if receiving.poll(0.001):
                answered.append(receiving.recv())
    finally:
        process.kill()
        process.join()
    # What it said before it died is still in the pipe.
    while True:
        try:
            answered.append(receiving.recv())
        except EOFError:
            return answered
        except Exception:  # noqa: BLE001 - the last word was cut short
            return answered


async def test_nothing_answered_is_lost_to_kills(
    processes: multiprocessing.context.ForkServerContext, store_url: str
) -> None:
    """After each of many kills every answered envelope is there once, and all of the database agrees."""
    moments = random.Random(SEED)
    answered: set[str] = set()
    kills = KILLS if store_url.startswith("sqlite") else KILLS // 5
    for number in range(kills):
        said = await asyncio.to_thread(_kill_one, processes, store_url, moments.uniform(0, 0.05))
        assert answered.isdisjoint(said)
        answered.update(said)
        store = open_store(store_url)
        missing = await store.read(lambda tx: [name for name in said if tx.body(name) is None])  # noqa: B023
        assert missing == [], f"kill {number} of seed {SEED}"
        if number == kills - 1:
            assert await store.read(lambda tx: all(tx.find_envelope(name) for name in answered))
            await store.read(check_transaction)
        await store.close()
    assert len(answered) > kills
