"""A practice at work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.store.base import Store
from tests.gateway.guests.support import Practice, practice_over


@pytest.fixture
async def practice(sqlite_store: Store, tmp_path: Path) -> AsyncIterator[Practice]:
    """Give a practice without a gateway, over a running hub."""
    async with practice_over(sqlite_store, tmp_path) as opened:
        yield opened
