"""A log of ten million leaves: what a proof costs, and a search that finds little.

    python -m tests.bench.big_log --n 10000000

Source: promises 4.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

from hub import ledger
from hub.store.base import Store, open_store
from hub.store.transaction import Transaction
from keys import merkle
from tests.bench.figures import Cell, Figures, Goal, machine, run
from tests.bench.stand import folder_of
from tests.county import MASH, START

ASKED: Final = 1000
_BLOCK: Final = 1 << 16
_TILE: Final = ledger.TILE_WIDTH


def bodies(first: int, past: int) -> list[bytes]:
    """Return leaves as a busy log has them, each another."""
    start = f'{{"v":1,"at":{START},"event":"obligation-opened","mailbox":"{MASH}","due":'
    return [f"{start}{number}}}".encode() for number in range(first, past)]


def fill(path: Path, count: int) -> bytes:
    """Write *count* leaves with their tree into the database at *path*, without the verbs; return the root."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript("PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF; PRAGMA locking_mode=EXCLUSIVE; BEGIN;")
    frontier, level = merkle.Frontier(), 1
    roots: list[bytes] = []
    for first in range(0, count, _BLOCK):
        made = bodies(first, min(first + _BLOCK, count))
        hashes = merkle.leaf_hashes(made)
        frontier.extend(hashes)
        rows = zip(itertools.count(first), hashes, made, strict=False)
        connection.executemany(
            f"INSERT INTO leaf (ix, at, event, hash, body) VALUES (?, {START}, 'obligation-opened', ?, ?)", rows
        )
        roots += _roots(hashes)
    while roots:
        rows = ((level, place, node) for place, node in enumerate(roots))
        connection.executemany("INSERT INTO node (level, ix, hash) VALUES (?, ?, ?)", rows)
        roots, level = list(_roots(roots)), level + 1
    head = (count, frontier.to_bytes(), START)
    connection.execute("UPDATE log_head SET size = ?, frontier = ?, at = ?", head)
    connection.execute("COMMIT")
    connection.close()
    return frontier.root()


def _roots(hashes: list[bytes]) -> Iterator[bytes]:
    """Yield the root of each complete tile."""
    for place in range(0, len(hashes) - len(hashes) % _TILE, _TILE):
        yield merkle.subtree_root(hashes[place : place + _TILE])


async def spent(store: Store, works: list[Callable[[Transaction], Any]]) -> list[float]:
    """Return, in order of size, the milliseconds of processor time that each of *works* took inside the store."""
    found: list[float] = []

    def timed(work: Callable[[Transaction], Any], tx: Transaction) -> None:
        started = time.thread_time()
        work(tx)
        found.append((time.thread_time() - started) * 1000)

    for work in works:
        await store.read(lambda tx, work=work: timed(work, tx))  # type: ignore[misc]
    return sorted(found)


def works(count: int, root: bytes, chance: Random) -> dict[str, list[Callable[[Transaction], Any]]]:
    """Return what is asked of a log of *count* leaves; each proof is verified when it comes."""

    def prove(index: int) -> Callable[[Transaction], Any]:
        hashed = merkle.leaf_hash(bodies(index, index + 1)[0])
        return lambda tx: merkle.verify_inclusion(hashed, index, count, ledger.inclusion_proof(tx, index, count), root)

    def go_on(old: int) -> Callable[[Transaction], Any]:
        return lambda tx: ledger.consistency_proof(tx, old, count)

    def search(after: int) -> Callable[[Transaction], Any]:
        return lambda tx: tx.search_leaves(after=after, limit=100, scan=8192, type="minutes.full")

    asked = max(1, ASKED // 10)
    return {
        "inclusion": [prove(chance.randrange(count)) for _ in range(ASKED)],
        "consistency": [go_on(chance.randrange(1, count)) for _ in range(ASKED)],
        "a search for what isn't there": [search(chance.randrange(count)) for _ in range(asked)],
    }


async def ask(store: Store, count: int, root: bytes) -> list[dict[str, Cell]]:
    """Return what each question costs of the log of *count* leaves in *store*."""
    rows: list[dict[str, Cell]] = []
    for name, asked in works(count, root, Random(1)).items():
        found = await spent(store, asked)
        rows.append(
            {
                "question": name,
                "leaves": count,
                "asked": len(found),
                "CPU, ms": found[len(found) // 2],
                "of a hundred the costliest, ms": found[len(found) * 99 // 100],
            }
        )
    return rows


async def measure_log(path: Path, count: int) -> list[dict[str, Cell]]:
    """Return what each question costs, with a new database at *path*."""
    await open_store(f"sqlite:///{path}").close()
    root = fill(path, count)
    store = open_store(f"sqlite:///{path}")
    try:
        return await ask(store, count, root)
    finally:
        await store.close()


def measure(args: argparse.Namespace) -> Figures:
    """Return the figures at ``--n`` leaves."""
    with folder_of(args.folder) as folder:
        return figures_of(asyncio.run(measure_log(folder / "hub.db", args.n)))


def figures_of(rows: list[dict[str, Cell]]) -> Figures:
    """Return *rows* with what was promised."""
    goals = [
        Goal(name=f"{row['question']}, of a hundred the costliest", limit=limit, measured=float(cost), unit="ms of CPU")
        for row, limit in zip(rows, (5, 5, 200), strict=True)
        for cost in [row["of a hundred the costliest, ms"]]
    ]
    return Figures(
        program="big_log",
        title="A log of ten million leaves",
        machine=machine(),
        rows=rows,
        goals=goals,
        notes=[
            "Leaves and tree are written straight into the tables; questions go through the hub's own verbs, and each",
            "inclusion proof is verified within its time.  A search looks at no more than 8,192 leaves at once.",
        ],
    )


if __name__ == "__main__":
    run(__doc__.partition("\n")[0], 10_000_000, measure)
