"""The force's records, and its gateway into them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.gateway.agent import Agent
from adapters.gateway.config import MailboxConfig
from adapters.profiles.police import PoliceAdapter
from tests.county import CAIT, EXPLOITATION, MASH, POLICE, SOURCES, UNIT
from tests.gateway.support import Town
from tests.profiles.police.system import ForceSystem
from tests.profiles.support import http_options, open_profile

CHILD, OTHER = "N-1001", "N-1002"


@pytest.fixture
async def force(town: Town) -> AsyncIterator[ForceSystem]:
    """Give the force's records, with two children in them."""
    system = ForceSystem(lambda: town.county.now)
    system.add_nominal(CHILD, "Robin Sample", "06/05/2011", nhs_number="9990000018", address="1 Quiet Lane")
    system.add_nominal(OTHER, "Alex Placeholder", "01/02/2010", nhs_number="9990000026", looked_after_under="S20")
    await system.start()
    yield system
    await system.close()


@pytest.fixture
async def police(town: Town, force: ForceSystem) -> AsyncIterator[Agent]:
    """Give the force's gateway; who a source is goes to people, not into the records."""
    desk = ("incident.notice", "missing.report", "missing.update", "missing.return")
    options = http_options(
        force, CAIT, "police_officer",
        to={**{kind: [MASH] for kind in desk}, "incident.reconciliation": [MASH, UNIT]},
        senders={"intel.digest": EXPLOITATION, "intel.requirement": EXPLOITATION},
    )  # fmt: skip
    boxes = (
        *(MailboxConfig(id=box, adapter="police") for box in (CAIT, EXPLOITATION)),
        MailboxConfig(id=SOURCES, adapter=""),
    )
    async with open_profile(town, POLICE, "police", PoliceAdapter, options, mailboxes=boxes) as agent:
        yield agent
