"""Offline verification of an exported log: hashes, signatures, and the whole of it.

    python -m tests.bench.verify --n 2000

Source: promises 4.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from hub import export, ledger, tree
from hub.demo.processes import find_command
from hub.store.base import open_store
from keys import digests, jws
from schemas.strict_json import dump
from tests.bench.figures import Cell, Figures, Goal, machine, median, run
from tests.bench.stand import folder_of
from tests.county import CAIT, MASH, NURSES, ORIGIN, County, Desk

HASHED: Final = 1_000_000
TOGETHER: Final = 100


async def make_export(folder: Path, count: int) -> Path:
    """Return an export of *count* envelopes to two mailboxes, each of which was collected and filed by both."""
    county, store = County(), open_store(f"sqlite:///{folder}/hub.db")
    try:
        desk = Desk(county, store, await county.found(store))
        for first in range(0, count, TOGETHER):
            await asyncio.gather(*(_live(desk) for _ in range(min(TOGETHER, count - first))))
            county.now += 60_000
        await ledger.sign_checkpoint(store, ORIGIN, county.note_signers, county.now)
        await export.write_folder(await export.open_export(store, county.now), folder / "export")
    finally:
        await store.close()
    (folder / "trust.json").write_bytes(dump({"officers": county.roots, "hub_url": "http://127.0.0.1"}))
    return folder / "export"


async def _live(desk: Desk) -> None:
    sent = desk.county.seal("minutes.full/1", MASH, [CAIT, NURSES], facts={"variant": "full"})
    await desk.send(sent)
    for mailbox in (CAIT, NURSES):
        await desk.receive(sent, mailbox, "collected", "filed")


def lines_of(path: Path, count: int) -> Iterator[bytes]:
    """Yield *count* lines of the file, again from its beginning where it ends."""
    while count > 0:
        with path.open("rb") as lines:
            for line in islice(lines, count):
                yield line
                count -= 1


def signatures_of(path: Path) -> list[tuple[jws.VerifyingKey, bytes]]:
    """Return every signed object of an export, with any key: what it costs to refuse is what it costs to accept."""
    key = jws.SigningKey.from_seed(bytes(32)).public
    return [(key, json.loads(line).encode()) for line in path.read_bytes().splitlines()]


def check_signatures(signed: list[tuple[jws.VerifyingKey, bytes]]) -> None:
    """Check the signature of each compact JWS."""
    for key, compact in signed:
        message, _, signature = compact.rpartition(b".")
        try:
            key.verify_raw(digests.from_b64u(signature), message)
        except Exception:  # noqa: BLE001, S112 - another key's, and as long to tell
            continue


def cpu(work: Callable[[], Any], rounds: int) -> float:
    """Return how many seconds of processor time *work* takes: the median of *rounds*."""
    found = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return median(found)


def run_command(folder: Path) -> tuple[dict[str, Any], float, float]:
    """Return what ``hub audit verify`` says, its seconds of processor time, and the most memory it held, in megabytes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [find_command("hub"), "audit", "verify", "export", "--trust", "trust.json", "--json"]
    said = json.loads(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return said, spent, after.ru_maxrss * 1024 / 1e6


def measure(args: argparse.Namespace) -> Figures:
    """Return the figures of an export of ``--n`` envelopes."""
    with folder_of(args.folder) as folder:
        made = asyncio.run(make_export(folder, args.n))
        hashed = min(HASHED, args.n * 500)
        hashes = cpu(lambda: tree.grow(lines_of(made / "leaves.jsonl", hashed)), args.rounds)
        signed = signatures_of(made / "evidence.jsonl")
        signatures = cpu(lambda: check_signatures(signed), args.rounds)
        said, whole, memory = run_command(folder)
    rows: list[dict[str, Cell]] = [
        _row("leaves hashed into the tree", hashed, hashes),
        _row("Ed25519 signatures", len(signed), signatures),
        _row("leaves, all of it", said["size"], whole),
    ]
    return Figures(
        program="verify",
        title="Offline verification of an exported log",
        machine=machine(),
        rows=rows,
        goals=[Goal(name="hashing one leaf", limit=1e6 / 300_000, measured=hashes / hashed * 1e6, unit="µs of CPU")],
        notes=[
            "On one core, reading the file included.  A leaf is one hash of its own and nearly one of its tree.",
            f"All of it is `hub audit verify`: {said['signatures']:,} signatures, {said['numbers']:,} numbers of feeds and",
            f"every rule again, with at most {memory:.0f} MB of memory.",
        ],
    )


def _row(name: str, count: int, seconds: float) -> dict[str, Cell]:
    return {
        "what": name,
        "count": count,
        "CPU, s": seconds,
        "each, µs": seconds / count * 1e6,
        "a second": count / seconds,
    }


if __name__ == "__main__":
    run(__doc__.partition("\n")[0], 2_000, measure)
