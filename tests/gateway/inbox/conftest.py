"""An office at work: a hub, two gateways with their inboxes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.gateway.inbox.support import Office, open_office
from tests.gateway.support import Town


@pytest.fixture
async def office(town: Town) -> AsyncIterator[Office]:
    """Give two gateways with inboxes over a running hub."""
    async with open_office(town) as opened:
        yield opened
