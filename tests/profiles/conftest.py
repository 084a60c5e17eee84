"""A running hub, and a record system that is open, for each test that asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.store.base import Store
from tests.gateway.support import Town, open_town
from tests.profiles.server import RecordsServer


@pytest.fixture
async def town(sqlite_store: Store, tmp_path: Path) -> AsyncIterator[Town]:
    """Give a running hub; its store is checked afterwards."""
    async with open_town(sqlite_store, tmp_path) as opened:
        yield opened


@pytest.fixture
async def records() -> AsyncIterator[RecordsServer]:
    """Give an empty record system."""
    server = RecordsServer()
    await server.start()
    yield server
    await server.close()
