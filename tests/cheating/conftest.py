"""A county whose hub is honest until a test puts a cheat before it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.store.base import Store
from tests.cheating.support import Case
from tests.gateway.support import open_town


@pytest.fixture
async def case(sqlite_store: Store, tmp_path: Path) -> AsyncIterator[Case]:
    """Give a running hub, and a cheat that changes nothing yet."""
    async with open_town(sqlite_store, tmp_path) as town:
        case = Case(town)
        async with case.cheat.serve():
            yield case
