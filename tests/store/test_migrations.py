"""A database gets the form that the program has, or is left alone."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import psycopg
import pytest

from hub.errors import HubError
from hub.store.base import Store, StoreDamagedError, StoreLockedError, open_store
from tests.postgres import Server
from tests.store.support import NOW, make_duty, new_id, put_obligations


def _change(url: str, statement: str) -> None:
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            connection.execute(statement)
        connection.close()
    else:
        with psycopg.connect(url) as connection:
            connection.execute(statement.encode())


async def test_opening_again_changes_nothing(store_url: str) -> None:
    """What was migrated isn't migrated again, and what was kept is still there."""
    first = open_store(store_url)
    await first.write(lambda tx: tx.use_jti("one", 5))
    await first.close()
    again = open_store(store_url)
    assert not await again.write(lambda tx: tx.use_jti("one", 5))
    await again.close()


async def test_what_was_kept_before_has_its_period_afterwards(store_url: str) -> None:
    """A recurring obligation of a database without periods is found by its period once that is migrated."""
    thread, name = new_id(), new_id()
    plain = make_duty(name, thread)
    recurring = msgspec.structs.replace(plain, item="2026-07-06", envelope=None, moment=NOW, period_end=NOW + 7)
    store = open_store(store_url)
    await store.write(lambda tx: put_obligations(tx, plain, recurring))
    await store.close()
    for statement in (
        "DROP INDEX obligation_period",
        "DROP INDEX obligation_met",
        "ALTER TABLE obligation DROP COLUMN period_starts",
        "ALTER TABLE obligation DROP COLUMN period_ends",
        "DELETE FROM migration WHERE number = 3",
    ):
        _change(store_url, statement)
    store = open_store(store_url)
    found = [await store.read(lambda tx, at=at: tx.period_obligations(thread, at)) for at in (NOW - 1, NOW, NOW + 7)]  # type: ignore[misc]
    assert [[row.duty for row in rows] for rows in found] == [[], [recurring], []]
    await store.close()


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE migration SET sha256 = name", "another text"),
        (
            "INSERT INTO migration (number, name, sha256) SELECT max(number) + 1, 'later.sql', max(sha256) FROM migration",
            "newer program",
        ),
    ],
)
async def test_a_foreign_form_is_refused(store_url: str, statement: str, reason: str) -> None:
    """An edited migration or a newer program's database is not touched."""
    await open_store(store_url).close()
    if "UPDATE" in statement:
        statement = "UPDATE migration SET sha256 = (SELECT frontier FROM log_head)"
    _change(store_url, statement)
    with pytest.raises(StoreDamagedError, match=reason):
        open_store(store_url)


@pytest.mark.needs_postgres
async def test_eight_start_at_once_on_postgres(postgres: Server) -> None:
    """Eight processes that find an empty database migrate it once."""
    with postgres.database() as url, ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(open_store, [url] * 8))
        done = await asyncio.gather(*(store.write(lambda tx: tx.use_jti("one", 5)) for store in stores))
        assert sorted(done) == [False] * 7 + [True]
        await asyncio.gather(*(store.close() for store in stores))


async def test_of_eight_that_start_on_sqlite_one_has_it(tmp_path: Path) -> None:
    """The others are told that it is taken; nothing is harmed."""
    url = f"sqlite:///{tmp_path}/hub.db"

    def start(_: int) -> Store | None:
        try:
            return open_store(url)
        except StoreLockedError:
            return None

    with ThreadPoolExecutor(8) as pool:
        stores = [store for store in pool.map(start, range(8)) if store]
    assert len(stores) == 1
    await stores[0].close()


@pytest.mark.parametrize(
    "url", ["", "mysql://host/x", "sqlite:/x", "sqlite:///", "sqlite:///x?mode=ro", "sqlite:///x?max_bytes=many"]
)
def test_an_address_of_another_form_is_refused(url: str) -> None:
    """The error names the forms that there are."""
    with pytest.raises(HubError, match="no known form") as caught:
        open_store(url)
    assert "sqlite:///" in caught.value.hint
