"""Opening, settling and sweeping one obligation among many: each must cost O(log n) of those that are open.

    python -m tests.bench.growth --n 1000000

Source: promises 4.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from hub import obligations
from hub.registry import Registry
from hub.store.base import Store, open_store
from hub.store.rows import ObligationRow
from hub.store.transaction import Transaction
from schemas.rules.planning import Opened, Plan, Settled
from tests.bench.figures import Cell, Figures, Goal, machine, median, run
from tests.bench.stand import folder_of
from tests.bench.sweep import LATER, fill, make_rows, sweep
from tests.county import START, County

AT_ONCE: Final = 100
DUE: Final = 2_000


async def _timed(store: Store, work: Callable[[Transaction], Any], count: int) -> float:
    """Return the processor time of *work* in one durable transaction, in microseconds for each of *count*."""
    started = time.process_time()
    await store.write(work)
    return (time.process_time() - started) / count * 1e6


async def measure_size(folder: Path, size: int, rounds: int) -> dict[str, Cell]:
    """Return what an obligation costs among *size* open ones: opened, found and settled, swept when due."""
    store = open_store(f"sqlite:///{folder}/growth-{size}.db")
    chance = random.Random(size)
    try:
        county = County()
        registry = await county.found(store)
        rows = list(make_rows(registry, county, size, min(DUE, size // 2)))
        await fill(store, iter(rows))
        await sweep(store, registry, county, START)
        opened = [await _open(store, registry, county) for _ in range(rounds * 5)]
        later = [row for row in rows if row.next_at != LATER - 1]
        chosen = chance.sample(later, min(len(later), rounds * 5 * AT_ONCE))
        settled = [await _settle(store, chosen[place :: rounds * 5][:AT_ONCE]) for place in range(rounds * 5)]
        count, _, cpu = await sweep(store, registry, county, LATER)
    finally:
        await store.close()
    return {
        "open obligations": size,
        "opening one, µs": median(opened),
        "settling one, µs": median(settled),
        "sweeping one due, µs": cpu / count * 1e6,
    }


async def _open(store: Store, registry: Registry, county: County) -> float:
    fresh = [Opened(row.duty, "open", None, None) for row in make_rows(registry, county, AT_ONCE, 0)]
    snapshot, signer = registry.snapshot, county.hub.signing
    return await _timed(
        store, lambda tx: obligations.record_plan(tx, snapshot, Plan(tuple(fresh), ()), START, signer), AT_ONCE
    )


async def _settle(store: Store, rows: list[ObligationRow]) -> float:
    def settle(tx: Transaction) -> None:
        for row in rows:
            owed = tx.thread_obligations(row.duty.thread, only_open=True)
            obligations.settle(tx, [Settled(one.id, one.duty, "waived", None) for one in owed], START)

    return await _timed(store, settle, max(1, len(rows)))


def measure(args: argparse.Namespace) -> Figures:
    """Return the figures at a hundredth, a tenth and the whole of ``--n``, and how far they grew."""
    with folder_of(args.folder) as folder:
        rows = [asyncio.run(measure_size(folder, max(10, args.n // part), args.rounds)) for part in (100, 10, 1)]
    names = [name for name in rows[0] if name != "open obligations"]
    return Figures(
        program="growth",
        title="One obligation among many",
        machine=machine(),
        rows=rows,
        goals=[
            Goal(
                name=f"{name.removesuffix(', µs')}, among a hundred times as many",
                limit=2,
                measured=float(rows[-1][name]) / float(rows[0][name]),
                unit="times the cost",
            )
            for name in names
        ],
        notes=[
            (
                f"Processor time in durable transactions of {AT_ONCE} (sweeping: of 500), each obligation in a thread of "
                "its own, with its leaves in the log and, when due, its two signed notices.  A logarithm grows 1.5-fold "
                "from 10^4 to 10^6."
            )
        ],
    )


if __name__ == "__main__":
    run(__doc__.partition("\n")[0], 1_000_000, measure)
