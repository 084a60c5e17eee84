"""A hub that runs in a county with a clinic, and the sample systems."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.store.base import Store
from tests.fhir.server import FhirServer
from tests.gateway.support import Town, open_town
from tests.hl7.hospital import Hospital


@pytest.fixture
async def town(sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    """Give a running hub whose county has a clinic; its store is checked afterwards."""
    pytest.importorskip("private_set_intersection", reason="NOT TESTED: openmined-psi has no wheel for this machine")
    from tests.gateway.atrisk_support import add_clinic

    add_clinic(monkeypatch)
    async with open_town(sqlite_store, tmp_path) as opened:
        yield opened


@pytest.fixture
async def record() -> AsyncIterator[FhirServer]:
    """Give the trust's record, empty."""
    one = FhirServer()
    await one.start()
    yield one
    await one.close()


@pytest.fixture
async def hospital() -> AsyncIterator[Hospital]:
    """Give the clinic's own system."""
    one = Hospital()
    await one.start()
    yield one
    await one.close()
