"""A hub that runs, for gateways to talk to."""

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


@pytest.fixture
async def clinic_town(sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    """Give a running hub whose county has a clinic."""
    pytest.importorskip("private_set_intersection", reason="NOT TESTED: openmined-psi has no wheel for this machine")
    from tests.gateway.atrisk_support import add_clinic

    add_clinic(monkeypatch)
    async with open_town(sqlite_store, tmp_path) as opened:
        yield opened
