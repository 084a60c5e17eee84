"""What only the shared database has to withstand: several processes, lost connections."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import psycopg
import pytest

from hub import ledger
from hub.core.events import Event
from hub.store.base import Store, StoreBusyError, StoreError, StoreUnknownError, open_store
from hub.store.postgres import PostgresEngine
from hub.store.transaction import Transaction
from tests.postgres import Server
from tests.store.support import BOB, NOW, new_id, put_envelope

pytestmark = pytest.mark.needs_postgres


@pytest.fixture
def store_url(postgres: Server, postgres_template: str) -> object:
    """Give a fresh database on PostgreSQL only."""
    with postgres.database(postgres_template) as url:
        yield url


def _backend(tx: Transaction) -> int:
    pid: int = tx.connection.raw.info.backend_pid  # type: ignore[attr-defined]
    return pid


def _end(url: str, pid: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


async def test_two_hubs_on_one_database_count_without_gaps(store: Store, store_url: str) -> None:
    """Stores of several processes append to one log and number one feed, with no index lost or given twice."""
    others = [open_store(store_url) for _ in range(2)]
    stores = [store, *others]

    async def put(number: int) -> int:
        return await stores[number % 3].write(lambda tx: put_envelope(tx, new_id()).index)

    indices = await asyncio.gather(*(put(number) for number in range(150)))
    assert sorted(indices) == list(range(150))
    assert [await one.read(lambda tx: tx.feed_size(BOB)) for one in stores] == [150] * 3
    for other in others:
        await other.close()


async def test_a_connection_lost_in_a_work_is_made_again(store: Store, store_url: str) -> None:
    """The work runs once more on a new connection, and its caller doesn't notice."""
    runs: list[int] = []

    def work(tx: Transaction) -> int:
        runs.append(_backend(tx))
        if len(runs) == 1:
            _end(store_url, runs[0])
        return ledger.append(tx, Event(event="key-published"), NOW)

    assert await store.write(work) == 0
    assert len(set(runs)) == 2
    assert await store.read(lambda tx: tx.log_head().size) == 1


async def test_a_reader_survives_a_lost_connection(store: Store, store_url: str) -> None:
    """A read whose connection was lost before or during it is asked again."""
    runs: list[int] = []

    def look(tx: Transaction) -> int:
        runs.append(_backend(tx))
        if len(runs) == 1:
            _end(store_url, runs[0])
        return tx.log_head().size

    assert await store.read(look) == 0
    assert len(set(runs)) == 2


def test_a_commit_whose_answer_is_lost_is_not_repeated(store_url: str) -> None:
    """It may have been kept, so nobody says that it wasn't, and nobody does it twice."""
    engine = PostgresEngine(store_url, writes=True)
    tx = engine.begin()
    tx.use_jti("one", 5)
    _end(store_url, _backend(tx))
    with pytest.raises(StoreUnknownError) as caught:
        engine.commit()
    assert "ask again" in caught.value.hint
    engine.rollback()
    assert engine.begin().use_jti("one", 5)
    engine.rollback()
    engine.close()


async def test_a_work_that_swallows_an_error_is_not_said_to_be_done(store: Store) -> None:
    """A COMMIT after a failed statement would undo everything and say nothing."""

    def work(tx: Transaction) -> None:
        tx.use_jti("one", 5)
        with contextlib.suppress(psycopg.Error):
            tx.connection.run("add_node", {"level": 1, "ix": None, "hash": b""})

    with pytest.raises(RuntimeError, match="after its transaction had failed"):
        await store.write(work)
    assert await store.write(lambda tx: tx.use_jti("one", 5))


async def test_reads_are_limited_in_time(store: Store) -> None:
    """A statement of more than two seconds is given up."""

    def sleep(tx: Transaction) -> None:
        engine = tx.connection
        engine.execute("SELECT pg_sleep(30)")  # type: ignore[attr-defined]

    with pytest.raises(StoreBusyError, match="longer than it may"):
        await store.read(sleep)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """Opening says that it can't be reached."""
    with pytest.raises(StoreBusyError):
        open_store(f"postgresql:///none?host={tmp_path}")


async def test_the_backup_is_the_servers_own(store: Store, tmp_path: Path) -> None:
    """The error names the tool."""
    with pytest.raises(StoreError, match="PostgreSQL") as caught:
        await store.backup(tmp_path / "copy")
    assert "pg_dump" in caught.value.hint
