"""A county at work on either database; when a test is over, an outsider verifies the whole log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hub.store.base import Store
from tests.county import County, Desk
from tests.hub import adding
from tests.hub.support import verify


@asynccontextmanager
async def _at_work(store: Store, folder: Path) -> AsyncIterator[Desk]:
    county = County()
    desk = Desk(county, store, await county.found(store))
    yield desk
    await adding.follow(store, desk.registry.snapshot, county.now, 1)
    await adding.check(store, desk.registry.snapshot, county.now)
    verdict = await verify(store, county, folder / "export")
    assert verdict.problems == []


@pytest.fixture
async def desk(store: Store, tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a founded county; afterwards the log must verify from its first leaf without trusting the hub."""
    async with _at_work(store, tmp_path) as made:
        yield made


@pytest.fixture
async def quick_desk(sqlite_store: Store, tmp_path: Path) -> AsyncIterator[Desk]:
    """Give ``desk`` on SQLite alone, for what the database has no part in."""
    async with _at_work(sqlite_store, tmp_path) as made:
        yield made
