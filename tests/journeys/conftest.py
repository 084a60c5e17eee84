"""A hub that runs, for journeys through it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.store.base import Store
from tests.gateway.support import Town, open_town


@pytest.fixture
async def town(sqlite_store: Store, tmp_path: Path) -> AsyncIterator[Town]:
    """Give a running hub; its store is checked afterwards."""
    async with open_town(sqlite_store, tmp_path) as opened:
        yield opened
