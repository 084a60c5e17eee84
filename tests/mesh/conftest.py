"""A hub with a front door for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.store.base import Store
from tests.mesh.support import Post, open_post


@pytest.fixture
async def post(sqlite_store: Store, tmp_path: Path) -> AsyncIterator[Post]:
    """Give Exampleshire's hub with its front door, on SQLite."""
    async with open_post(sqlite_store, tmp_path) as opened:
        yield opened
