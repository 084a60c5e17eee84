"""The county that the letter is about, for each scenario anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from hub.store.base import Store
from tests.county import County
from tests.gateway.support import open_town
from tests.journeys.letter.support import COUNTY, Letter


@pytest.fixture
async def letter(sqlite_store: Store, tmp_path: Path) -> AsyncIterator[Letter]:
    """Give the hub and the agencies of the letter; the store is checked afterwards."""
    async with (
        open_town(sqlite_store, tmp_path, County(agencies=COUNTY, whole=True)) as town,
        AsyncExitStack() as stack,
    ):
        yield Letter(town, stack)
