"""What only the embedded database has to withstand: a full disk, a second process, slow readers, a restore."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.store.base import (
    Store,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    open_store,
)
from hub.store.transaction import Transaction
from tests.invariants import check
from tests.store.support import BOB, new_id, put_envelope

LARGE = 100_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of the database that ``sqlite_store`` has open."""
    return tmp_path / "hub.db"


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Store]:
    """Give a store that may grow to 1.4 MB; checked afterwards."""
    store = open_store(f"sqlite:///{tmp_path}/small.db?max_bytes=1400000")
    yield store
    await check(store)
    await store.close()


async def test_a_full_disk_keeps_what_was_answered(small: Store) -> None:
    """Writing says that the disk is full, and keeps nothing of it; reading goes on; small works may still fit."""
    kept: list[str] = []

    async def put(size: int) -> None:
        name = new_id()
        await small.write(lambda tx: put_envelope(tx, name, body=b"x" * size))
        kept.append(name)

    outcomes = await asyncio.gather(*(put(60_000) for _ in range(40)), return_exceptions=True)
    full = [outcome for outcome in outcomes if outcome is not None]
    assert 5 <= len(kept) < 20
    assert all(isinstance(outcome, StoreFullError) for outcome in full)
    assert await small.read(lambda tx: tx.feed_size(BOB)) == len(kept)
    assert await small.read(lambda tx: all(tx.body(name) for name in kept))

    def free(tx: Transaction) -> None:
        for name in kept[:3]:
            tx.drop_body(name)
            tx.set_envelope_state(name, "withdrawn")

    await small.write(free)
    await put(60_000)


async def test_a_large_body_that_does_not_fit_is_not_half_kept(sqlite_store: Store, path: Path) -> None:
    """Where the file of a body can't be written, neither it nor its envelope is there."""
    name = new_id()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(StoreFullError):
            await sqlite_store.write(lambda tx: put_envelope(tx, name, body=b"x" * 1_500_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert await sqlite_store.read(lambda tx: tx.find_envelope(name)) is None
    assert [file for file in path.with_name("hub.db.bodies").rglob("*") if file.is_file()] == []
    await sqlite_store.write(lambda tx: put_envelope(tx, name, body=b"x" * 1_500_000))


async def test_a_second_process_is_refused(sqlite_store: Store, path: Path) -> None:
    """Another process gets an error that says what to do, whatever it is; this one doesn't notice."""
    program = "import sys; from hub.store.base import open_store; open_store(sys.argv[1])"
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program, f"sqlite:///{path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "StoreLockedError: another process has the database" in done.stderr
    with pytest.raises(StoreLockedError) as caught:
        open_store(f"sqlite:///{path}")
    assert "stop the hub" in caught.value.hint
    await sqlite_store.write(lambda tx: put_envelope(tx, new_id()))


async def test_a_reader_is_stopped_after_two_seconds(sqlite_store: Store) -> None:
    """A read that takes too long is interrupted, and readers that come after it are served."""

    def endless(tx: Transaction) -> None:
        tx.connection._queries["endless"] = (  # type: ignore[attr-defined]
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        )
        tx.connection.rows("endless")

    start = time.monotonic()
    with pytest.raises(StoreBusyError, match="longer than it may"):
        await sqlite_store.read(endless)
    assert time.monotonic() - start < 10
    assert await sqlite_store.read(lambda tx: tx.log_head().size) == 0


async def test_a_file_that_is_taken_up_again_in_the_same_commit_stays(sqlite_store: Store) -> None:
    """One function lets go of the last use of some bytes, the next one of the batch brings them again."""
    old, new, body = new_id(), new_id(), b"y" * 300_000
    await sqlite_store.write(lambda tx: put_envelope(tx, old, body=body))

    def withdraw_and_bring(tx: Transaction) -> None:
        tx.set_envelope_state(old, "withdrawn")
        tx.drop_body(old)
        put_envelope(tx, new, body=body)

    await sqlite_store.write(withdraw_and_bring)
    assert await sqlite_store.read(lambda tx: tx.body(new)) == body


async def test_dropped_bodies_leave_no_files(sqlite_store: Store, path: Path) -> None:
    """The file of a large body goes after the commit that drops it, not before, and not for a work that fails."""
    name, folder = new_id(), path.with_name("hub.db.bodies")

    def files() -> int:
        return sum(file.is_file() for file in folder.rglob("*"))

    def drop(tx: Transaction) -> None:
        tx.drop_body(name)
        tx.set_envelope_state(name, "withdrawn")

    def drop_and_fail(tx: Transaction) -> None:
        drop(tx)
        raise LookupError

    await sqlite_store.write(lambda tx: put_envelope(tx, name, body=b"x" * LARGE))
    assert files() == 1
    with pytest.raises(LookupError):
        await sqlite_store.write(drop_and_fail)
    assert files() == 1
    await sqlite_store.write(drop)
    assert files() == 0


async def test_a_start_removes_what_a_crash_left(tmp_path: Path) -> None:
    """Half-written bodies and bodies without envelope are gone after a start; the others are not."""
    url, name = f"sqlite:///{tmp_path}/hub.db", new_id()
    store = open_store(url)
    await store.write(lambda tx: put_envelope(tx, name, body=b"x" * LARGE))
    await store.close()
    folder = tmp_path / "hub.db.bodies" / "ab"
    folder.mkdir(exist_ok=True)
    for left in ("abcd", "abce.part"):
        (folder / left).write_bytes(b"left")
    again = open_store(url)
    assert list(folder.glob("abc*")) == []
    assert await again.read(lambda tx: len(tx.body(name) or b"")) == LARGE
    await check(again)
    await again.close()


async def test_a_missing_body_is_damage(sqlite_store: Store, path: Path) -> None:
    """A body's file that is gone is said to be missing, never answered as empty."""
    name = new_id()
    await sqlite_store.write(lambda tx: put_envelope(tx, name, body=b"x" * LARGE))
    file = next(file for file in path.with_name("hub.db.bodies").rglob("*") if file.is_file())
    content = file.read_bytes()
    file.unlink()
    with pytest.raises(StoreDamagedError, match="missing"):
        await sqlite_store.read(lambda tx: tx.body(name))
    file.write_bytes(content)


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """The error says that it is damaged, and the lock is free again."""
    (tmp_path / "hub.db").write_bytes(b"not a database at all" * 1000)
    for _ in range(2):
        with pytest.raises(StoreDamagedError):
            open_store(f"sqlite:///{tmp_path}/hub.db")


def test_reading_what_is_not_there(tmp_path: Path) -> None:
    """Opened for reading only, a missing database isn't made."""
    with pytest.raises(StoreBusyError):
        open_store(f"sqlite:///{tmp_path}/hub.db", read_only=True)
    assert list(tmp_path.iterdir()) == []


async def test_a_backup_is_whole_while_the_hub_writes(sqlite_store: Store, tmp_path: Path) -> None:
    """The copy is a database of its own that agrees with itself, large bodies included."""
    large = new_id()
    await sqlite_store.write(lambda tx: put_envelope(tx, large, body=b"x" * LARGE))
    done = asyncio.Event()

    async def go_on() -> None:
        while not done.is_set():
            await sqlite_store.write(lambda tx: put_envelope(tx, new_id()))

    writing = asyncio.ensure_future(go_on())
    await asyncio.sleep(0.05)
    await sqlite_store.backup(tmp_path / "copy.db")
    done.set()
    await writing
    copy = open_store(f"sqlite:///{tmp_path}/copy.db")
    await check(copy)
    assert await copy.read(lambda tx: len(tx.body(large) or b"")) == LARGE
    sizes = [await store.read(lambda tx: tx.log_head().size) for store in (copy, sqlite_store)]
    assert 1 <= sizes[0] <= sizes[1]
    await copy.close()
    with pytest.raises(StoreError, match="exists"):
        await sqlite_store.backup(tmp_path / "copy.db")


async def test_the_write_ahead_log_is_on_the_disk_before_the_answer(sqlite_store: Store) -> None:
    """The writing connection syncs at every commit and is the only one that checkpoints."""

    def settings(tx: Transaction) -> tuple[str, int]:
        raw: sqlite3.Connection = tx.connection.raw  # type: ignore[attr-defined]
        return raw.execute("PRAGMA journal_mode").fetchone()[0], raw.execute("PRAGMA synchronous").fetchone()[0]

    assert await sqlite_store.write(settings) == ("wal", 2)
    health = await sqlite_store.check()
    assert health.ok
    assert health.engine == "sqlite"
