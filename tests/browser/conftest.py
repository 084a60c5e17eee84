"""A Chromium for each test, and an office whose pages it looks at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser as Chromium

from hub.store.base import Store
from tests.browser.support import open_chromium
from tests.gateway.inbox.support import Office, open_office
from tests.gateway.support import open_town


@pytest.fixture
async def chromium() -> AsyncIterator[Chromium]:
    """Give a browser."""
    async with open_chromium() as opened:
        yield opened


@pytest.fixture
async def office(sqlite_store: Store, tmp_path: Path) -> AsyncIterator[Office]:
    """Give two agencies' inboxes over a running hub, under addresses that a browser can open."""
    async with open_town(sqlite_store, tmp_path) as town, open_office(town, served=True) as opened:
        yield opened
