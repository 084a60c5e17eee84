"""A hub on a socket for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.store.base import Store
from tests.web.support import Site, open_site


@pytest.fixture
async def site(sqlite_store: Store, tmp_path: Path) -> AsyncIterator[Site]:
    """Give Exampleshire's hub on SQLite."""
    async with open_site(sqlite_store, tmp_path) as opened:
        yield opened
