"""A hub on a socket for each test, and people at its console."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.store.base import Store
from tests.console.support import play_quarter
from tests.web.support import Site, open_site


@pytest.fixture
async def site(sqlite_store: Store, tmp_path: Path) -> AsyncIterator[Site]:
    """Give Exampleshire's hub on SQLite."""
    async with open_site(sqlite_store, tmp_path) as opened:
        yield opened


@pytest.fixture
async def quarter(site: Site) -> Site:
    """Give the hub after a quarter of discussions."""
    await play_quarter(site.desk)
    return site
