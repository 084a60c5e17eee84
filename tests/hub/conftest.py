"""A county at work on either database; when a test is over, an outsider verifies the whole log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.store.base import Store
from tests.county import County, Desk
from tests.hub.support import verify


@pytest.fixture
async def desk(store: Store, tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a founded county; afterwards the log must verify from its first leaf without trusting the hub."""
    county = County()
    made = Desk(county, store, await county.found(store))
    yield made
    verdict = await verify(store, county, tmp_path / "export")
    assert verdict.problems == []
