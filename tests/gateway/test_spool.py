"""The spool keeps what it said it kept, through kills, other commands and full disks."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import GatewayError, NotYetError
from adapters.gateway.spool import Spool, Transaction, _load_queries, family_range
from keys.errors import KeysError
from tests.gateway.plans import read_whole

KEY = b"k" * 32
ROOT = Path(__file__).parent.parent.parent


def fact(number: int) -> dict[str, Any]:
    """Return one fact's values."""
    return {"name": f"fact-{number}", "value": b"x"}


async def count(spool: Spool) -> int:
    """Return how many facts there are."""
    found = 0
    while await spool.one("find_fact", name=f"fact-{found}"):
        found += 1
    return found


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    """A write that returned is durable."""
    async with Spool(tmp_path / "spool.db", KEY) as spool:
        await spool.run("set_fact", **fact(0))
    async with Spool(tmp_path / "spool.db", KEY) as spool:
        assert await count(spool) == 1


async def test_a_transaction_is_whole_or_not_at_all(tmp_path: Path) -> None:
    """When its function raises, nothing of it stays, and the next one works."""
    async with Spool(tmp_path / "spool.db", KEY) as spool:

        async def half(tx: Transaction) -> None:
            await tx.run("set_fact", **fact(0))
            raise RuntimeError("halfway")

        with pytest.raises(RuntimeError, match="halfway"):
            await spool.write(half)
        assert await count(spool) == 0
        await spool.run("set_fact", **fact(0))
        assert await count(spool) == 1


async def test_a_cancelled_caller_leaves_nothing_half_done(tmp_path: Path) -> None:
    """What it asked for happens whole, though nobody waits for the answer."""
    async with Spool(tmp_path / "spool.db", KEY) as spool:
        begun = asyncio.Event()

        async def slow(tx: Transaction) -> None:
            await tx.run("set_fact", **fact(0))
            begun.set()
            await asyncio.sleep(0.05)
            await tx.run("set_fact", **fact(1))

        task = asyncio.create_task(spool.write(slow))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await count(spool) == 2


async def test_many_tasks_never_see_each_others_halves(tmp_path: Path) -> None:
    """Fifty tasks that each read and add one count to fifty."""
    async with Spool(tmp_path / "spool.db", KEY) as spool:

        async def add(tx: Transaction) -> None:
            row = await tx.one("find_place", mailbox="a/b")
            await asyncio.sleep(0)
            await tx.run("set_place", mailbox="a/b", seq=(row["seq"] if row else 0) + 1)

        await asyncio.gather(*(spool.write(add) for _ in range(50)))
        row = await spool.one("find_place", mailbox="a/b")
        assert row == {"seq": 50}


async def test_a_command_beside_a_running_gateway_is_waited_for(tmp_path: Path) -> None:
    """Two processes' transactions follow each other."""
    path = tmp_path / "spool.db"
    async with Spool(path, KEY) as one, Spool(path, KEY) as two:
        await asyncio.gather(
            *(spool.run("set_fact", **fact(2 * n + at)) for at, spool in enumerate((one, two)) for n in range(20))
        )
        assert await count(one) == await count(two) == 40


async def test_a_spool_that_stays_locked_is_named(tmp_path: Path) -> None:
    """What waits in vain gets a code and a way out, and works afterwards."""
    path = tmp_path / "spool.db"
    async with Spool(path, KEY) as spool:
        await spool.write(_short_timeout)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(NotYetError) as caught:
            await spool.run("set_fact", **fact(0))
        assert caught.value.code == "spool-busy"
        other.close()
        await spool.run("set_fact", **fact(0))


async def _short_timeout(tx: Transaction) -> None:
    await tx._database.execute("PRAGMA busy_timeout = 50")


async def test_a_full_disk_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    """The spool is still readable, and takes more once there is room."""
    async with Spool(tmp_path / "spool.db", KEY) as spool:
        await spool.run("set_fact", **fact(0))

        async def limit(tx: Transaction, pages: int) -> None:
            await tx._database.execute(f"PRAGMA max_page_count = {pages}")

        await spool.write(lambda tx: limit(tx, 1))
        with pytest.raises(GatewayError) as caught:
            await spool.run("set_fact", name="big", value=bytes(1_000_000))
        assert caught.value.code == "spool-full"
        assert await count(spool) == 1
        await spool.write(lambda tx: limit(tx, 1_000_000))
        await spool.run("set_fact", name="big", value=bytes(1_000_000))


async def test_content_is_locked_under_its_label(tmp_path: Path) -> None:
    """It opens under its own label and key only, and altered not at all."""
    spool, other = Spool(tmp_path / "a", KEY), Spool(tmp_path / "b", b"o" * 32)
    locked = spool.lock(b"Zebulon", "one")
    assert b"Zebulon" not in locked
    assert spool.unlock(locked, "one") == b"Zebulon"
    for attempt in (
        lambda: spool.unlock(locked, "two"),
        lambda: other.unlock(locked, "one"),
        lambda: spool.unlock(locked[:-1] + bytes([locked[-1] ^ 1]), "one"),
    ):
        with pytest.raises(KeysError):
            attempt()


async def test_the_file_is_its_owners_only(tmp_path: Path) -> None:
    """Its permissions are 0600 from the first byte."""
    async with Spool(tmp_path / "spool.db", KEY):
        assert stat.S_IMODE((tmp_path / "spool.db").stat().st_mode) == 0o600


async def test_a_spool_of_another_version_is_left_alone(tmp_path: Path) -> None:
    """A newer gateway's spool is not opened by an older one."""
    async with Spool(tmp_path / "spool.db", KEY):
        pass
    with sqlite3.connect(tmp_path / "spool.db") as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(GatewayError) as caught:
        async with Spool(tmp_path / "spool.db", KEY):
            pass
    assert caught.value.code == "spool-version"


def test_every_query_is_found_by_an_index_or_is_small() -> None:
    """What loops run again and again, and what commands ask, reads no table and no whole index from end to end."""
    often = (
        "drafted sealed to_file waiting_receipts due_obligations open_in_thread untold_notices find_draft find_sent "
        "find_incoming last_receipt last_taken receipts_of heard_of headers_sent headers_received met_by openings_of "
        "received_in_thread headers_of_family content_of_type sweep_inbox due_embargoes due_deletions exports_of"
    )
    queries = _load_queries()
    assert {name: found for name in often.split() if (found := read_whole(queries, name))} == {}


def test_a_table_that_is_read_whole_is_noticed() -> None:
    """With an index over all of it or without one; an index over what waits is not all of it."""
    queries = _load_queries()
    assert read_whole(queries, "list_incoming") == ["SCAN inbox"]
    assert read_whole(queries, "register_again") == ["SCAN inbox USING INDEX sqlite_autoindex_inbox_1"]
    assert read_whole(queries, "waiting_receipts") == []


async def test_a_spool_of_before_gets_the_indexes_of_now(tmp_path: Path) -> None:
    """Opening it is enough; no row changes."""
    async with Spool(tmp_path / "spool.db", KEY) as spool:
        await spool.run("set_fact", **fact(0))
    with sqlite3.connect(tmp_path / "spool.db") as database:
        for name in ("inbox_every_type", "obligation_of_envelope"):
            database.execute(f"DROP INDEX {name}")
    async with Spool(tmp_path / "spool.db", KEY) as spool:
        assert await count(spool) == 1
    with sqlite3.connect(tmp_path / "spool.db") as database:
        found = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    assert {"inbox_every_type", "obligation_of_envelope"} <= found


def test_a_family_is_all_of_its_versions_and_nothing_else() -> None:
    """By a range of types, which an index finds."""
    of = family_range("intel.item")
    assert all(of["first"] <= name < of["last"] for name in ("intel.item/1", "intel.item/2", "intel.item/12"))
    assert not any(of["first"] <= name < of["last"] for name in ("intel.item", "intel.item.more/1", "intel.items/1"))


WRITER = """
import asyncio, sys
from pathlib import Path
from adapters.gateway.spool import Spool
async def main():
    async with Spool(Path(sys.argv[1]), b"k" * 32) as spool:
        row = await spool.one("find_place", mailbox="a/b")
        number = row["seq"] if row else 0
        while True:
            number += 1
            async def work(tx, number=number):
                await tx.run("set_fact", name=f"fact-{number - 1}", value=bytes(3000))
                await tx.run("set_place", mailbox="a/b", seq=number)
            await spool.write(work)
            print(number, flush=True)
asyncio.run(main())
"""


def test_kills_lose_nothing_that_was_answered(tmp_path: Path) -> None:
    """After each `kill -9` every write that was answered is there, and both halves of it."""
    seed = int(os.environ.get("KILL_SEED", "7"))
    chance, path = random.Random(seed), tmp_path / "spool.db"
    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            answered = int(writer.stdout.readline() or 0)
            for _ in range(chance.randrange(1, 60)):
                answered = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            answered = max([answered, *(int(line) for line in writer.stdout if line.strip().isdigit())])
        with sqlite3.connect(path) as database:
            (seq,) = database.execute("SELECT seq FROM place").fetchone()
            (facts,) = database.execute("SELECT count(*) FROM fact").fetchone()
        assert seq >= answered, f"seed {seed}"
        assert facts == seq, f"seed {seed}"
