"""The clock's sweep over open obligations: its cost must grow with what is due, not with what is open.

    python -m tests.bench.sweep --n 1000000

Source: promises 4.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from hub import exchange
from hub.registry import Registry
from hub.store.base import Store, open_store
from hub.store.rows import ObligationRow
from hub.worker import SWEEP_LIMIT
from keys import digests
from schemas.envelope import DAY
from schemas.rules.duty import Duty
from tests.bench.figures import Cell, Figures, Goal, machine, run
from tests.bench.stand import folder_of
from tests.county import MASH, NURSES, START, County

DUE: Final = 10_000
CHUNK: Final = 10_000
LATER: Final = START + 30 * DAY


def make_rows(registry: Registry, county: County, count: int, due: int) -> Iterator[ObligationRow]:
    """Yield *count* open receipt duties as the reference agreement has them, *due* of them due before ``LATER``."""
    header = county.seal("minutes.full/1", MASH, [NURSES]).header
    (duty,) = registry.snapshot.rules_at(START).open_duties(header, registry.snapshot.directory, START)
    step = duty.steps[-1]
    for number in range(count):
        # The due ones lie scattered among the others, as they would.
        at = LATER - 1 if number * due // count != (number + 1) * due // count else LATER + DAY
        mine: Duty = msgspec.structs.replace(
            duty,
            thread=digests.new_id(START + number),
            item=digests.new_id(START + number),
            due=at,
            steps=(msgspec.structs.replace(step, at=at, to=("debtor", "creditor")),),
        )
        yield ObligationRow(
            id=digests.obligation_id(mine.parts), duty=mine, state="open", opened_at=START, step=0, next_at=at
        )


async def fill(store: Store, rows: Iterator[ObligationRow]) -> None:
    """Write *rows*, some at a time."""
    while chunk := [row for _, row in zip(range(CHUNK), rows, strict=False)]:
        await store.write(lambda tx, chunk=chunk: tx.add_obligations(chunk))  # type: ignore[misc]


async def sweep(store: Store, registry: Registry, county: County, now: int) -> tuple[int, float, float]:
    """Take every step due at *now* as the worker does; return how many, and seconds by the clock and of processor."""
    count, clock, cpu = 0, time.perf_counter(), time.process_time()
    while True:
        swept = await exchange.enforce_deadlines(store, registry, now, county.hub.signing, SWEEP_LIMIT)
        count += swept.count
        if swept.count < SWEEP_LIMIT:
            return count, time.perf_counter() - clock, time.process_time() - cpu


async def measure_size(folder: Path, size: int) -> dict[str, Cell]:
    """Return what sweeping *size* open obligations costs, with ``DUE`` of them due, and with none."""
    store = open_store(f"sqlite:///{folder}/{size}.db")
    try:
        county = County()
        registry = await county.found(store)
        await fill(store, make_rows(registry, county, size, min(DUE, size)))
        await sweep(store, registry, county, START)
        idle = [(await sweep(store, registry, county, START))[2] for _ in range(100)]
        count, clock, cpu = await sweep(store, registry, county, LATER)
    finally:
        await store.close()
    return {
        "open obligations": size,
        "due": count,
        "seconds": clock,
        "hub CPU, s": cpu,
        "CPU each due, µs": cpu / count * 1e6,
        "CPU with none due, µs": sorted(idle)[len(idle) // 2] * 1e6,
    }


def measure(args: argparse.Namespace) -> Figures:
    """Return the figures at a hundredth, a tenth and the whole of ``--n``."""
    with folder_of(args.folder) as folder:
        rows = [asyncio.run(measure_size(folder, max(1, args.n // part))) for part in (100, 10, 1)]
    return Figures(
        program="sweep",
        title="The clock's sweep over open obligations",
        machine=machine(),
        rows=rows,
        goals=[
            Goal(
                name=f"sweep of {rows[-1]['due']:,} due",
                limit=1,
                measured=float(rows[-1]["hub CPU, s"]),
                unit="s of CPU",
            )
        ],
        notes=[f"Each step due is a leaf and two signed notices, written durably, {SWEEP_LIMIT} in one transaction."],
    )


if __name__ == "__main__":
    run(__doc__.partition("\n")[0], 1_000_000, measure)
