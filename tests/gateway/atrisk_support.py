"""A county with a sexual-health clinic, and the two gateways of the at-risk list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
import pytest

from adapters.at_risk import Attendance, Listed
from adapters.base import DraftAuthor, Incoming
from adapters.gateway import filing
from adapters.gateway.agent import Agent
from adapters.gateway.matching import attending, issuer
from adapters.gateway.matching.policy import AtRiskConfig
from adapters.gateway.matching.room import Room
from keys import jws
from schemas.envelope import Header, parse_header
from tests.county import AGENCIES, EXPLOITATION, MINUTE, POLICE
from tests.gateway.support import Town, settle

pytest.importorskip("private_set_intersection", reason="NOT TESTED: openmined-psi has no wheel for this machine")

CLINIC_AGENCY = "northmere-sexual-health"
CLINIC = f"{CLINIC_AGENCY}/young-peoples-clinic"
SLOT = 10 * MINUTE
OFFICER = DraftAuthor(name="Robin Sample", role="detective")
ALEX, BLAKE, CASEY = "9990000018", "9990000026", "9990000034"
BORN = date(2011, 3, 9)
ISSUER = AtRiskConfig(issuer=EXPLOITATION, clinics=(CLINIC,))
ASKER = AtRiskConfig(clinic=CLINIC)


def add_clinic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the county of this test have a sexual-health clinic, before it is made."""
    monkeypatch.setitem(AGENCIES, CLINIC_AGENCY, (("health", "sexual_health"), ((CLINIC, (), None),)))  # type: ignore[attr-defined]


def listed(nhs_number: str | None = None, **more: Any) -> Listed:
    """Return a line of the list."""
    values = {"risk_marker": "known_risk", "contact_inbox": EXPLOITATION, "added_on": date(2026, 6, 1)} | more
    return Listed(nhs_number=nhs_number, **values)


def came(reference: str, nhs_number: str | None = None, **more: Any) -> Attendance:
    """Return an attendance."""
    return Attendance(attendance=reference, nhs_number=nhs_number, **({"born": BORN} | more))


@dataclass
class Pair:
    """Police and clinic, running against one hub."""

    town: Town
    police: Agent
    clinic: Agent

    @property
    def issuing(self) -> Room:
        """Return police's room."""
        return room_of(self.police)

    @property
    def asking(self) -> Room:
        """Return the clinic's room."""
        return room_of(self.clinic)

    async def settle(self, rounds: int = 3) -> None:
        """Let both do everything."""
        await settle(self.clinic, self.police, rounds=rounds)

    async def publish(self, *lines: Listed) -> int:
        """Publish a version, and have it loaded and acknowledged."""
        version = await issuer.draft_version(self.issuing, lines, OFFICER)
        await self.settle()
        return version

    async def attend(self, *attendances: Attendance) -> None:
        """Have attendances checked, and answered in the next slot."""
        await attending.attend(self.asking, attendances)
        await self.pass_slot()

    async def pass_slot(self, by: int = SLOT) -> None:
        """Let the next slot come and be answered."""
        await self.town.tick(by)
        await self.settle()

    async def tell(self, reference: str) -> dict[str, Any]:
        """Return what the clinic knows of an attendance."""
        return await attending.tell(self.asking, reference)

    async def answers(self, *references: str) -> list[str]:
        """Return only the answers."""
        return [(await self.tell(one))["answer"] for one in references]


def room_of(agent: Agent) -> Room:
    """Return the room of a gateway's at-risk desk."""
    desk = agent.gateway.atrisk
    assert desk is not None
    return desk.room


@asynccontextmanager
async def open_pair(
    town: Town, *, issuing: Mapping[str, Any] | None = None, asking: Mapping[str, Any] | None = None, **changes: Any
) -> AsyncIterator[Pair]:
    """Open both gateways; *issuing* and *asking* change their settings of the list."""
    issue = msgspec.structs.replace(ISSUER, **(issuing or {}))
    ask = msgspec.structs.replace(ASKER, **(asking or {}))
    async with (
        town.agent(POLICE, atrisk=issue, **changes) as police,
        town.agent(CLINIC_AGENCY, atrisk=ask, **changes) as clinic,
    ):
        pair = Pair(town, police, clinic)
        await pair.settle(1)
        yield pair


async def headers_sent(agent: Agent) -> list[Header]:
    """Return the header of every envelope that ever left a gateway, oldest first."""
    rows = await agent.gateway.spool.all("list_sent")
    return [parse_header(jws.parse(bytes(row["header"]), jws.ENVELOPE).payload) for row in rows if row["header"]]


async def received(agent: Agent, kind: str) -> list[Incoming]:
    """Return the opened messages of one kind that came to a gateway."""
    rows = await agent.gateway.spool.all("list_incoming")
    found = []
    for row in rows:
        if row["type"] == kind:
            whole = await agent.gateway.spool.one("find_incoming", envelope=row["envelope"], mailbox=row["mailbox"])
            assert whole is not None
            found.append(filing.read_content(agent.gateway, whole))
    return found


async def states(agent: Agent, kind: str) -> list[tuple[str, str | None]]:
    """Return state and code of each delivery of one kind at a gateway."""
    rows = await agent.gateway.spool.all("list_incoming")
    return [(row["state"], row["code"]) for row in rows if row["type"] == kind]


async def codes(agent: Agent, prefix: str = "atrisk-") -> list[str]:
    """Return the codes of a gateway's own notices about the list, oldest first."""
    rows = await agent.gateway.spool.all("list_notices")
    return [row["code"] for row in rows if row["code"].startswith(prefix)]


def kinds(headers: Iterable[Header]) -> list[str]:
    """Return the types of *headers*."""
    return [header.type for header in headers]
