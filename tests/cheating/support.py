"""A case: a town, a cheat before its hub, what each gateway met with, and what a third party makes of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import GatewayError
from adapters.gateway import evidence
from adapters.gateway.agent import Agent
from adapters.gateway.proving import Proving
from adapters.gateway.sightings import Sightings
from hub.convicting.judging import convict
from keys.digests import from_b64u
from keys.errors import KeysError
from schemas.strict_json import dump
from tests.cheating.hub import CheatingHub, Fork
from tests.county import COUNCIL, MASH, NURSES
from tests.gateway.support import Town, draft, drop, meeting_held, minutes_full

# What "within a minute" is made of: a gateway looks every ten seconds, and waits at most this long for what should come.
LOOK_SECONDS = 10.0


@dataclass
class Case:
    """One hub on trial."""

    town: Town
    cheat: CheatingHub = field(init=False)

    def __post_init__(self) -> None:
        self.cheat = CheatingHub(self.town.site.port)

    @asynccontextmanager
    async def cheated(self, agency: str, **changes: Any) -> AsyncIterator[Agent]:
        """Open *agency*'s gateway, which the cheat stands before."""
        async with self.town.agent(agency, hub=self.cheat.base, **changes) as agent:
            yield agent

    async def leaves(self) -> list[bytes]:
        """Return the real log's leaves."""
        store = self.town.site.hub.store
        size = await store.read(lambda tx: tx.log_head().size)
        return [bytes(row.body) for row in await store.read(lambda tx: tx.leaves(0, size))]

    async def fork(self, change: Callable[[int, dict[str, Any]], dict[str, Any] | None], *more: bytes) -> Fork:
        """Return a log whose leaves are the real one's but where *change* says otherwise, and *more* after them."""
        leaves = []
        for index, body in enumerate(await self.leaves()):
            changed = change(index, json.loads(body))
            leaves.append(body if changed is None else dump(changed))
        return Fork(self.town.county, [*leaves, *more])

    def show(self, fork: Fork) -> None:
        """Have the cheat show *fork* from now on."""
        self.cheat.answers[:] = [answer for answer in self.cheat.answers if not _is_log(answer)]
        self.cheat.answers.insert(0, fork.answer)

    def judge(self, *agents_files: Path) -> dict[str, Any]:
        """Return what a third party finds, with the officers' keys alone."""
        trust = self.town.tmp / "trust.json"
        trust.write_bytes(dump({"officers": self.town.county.roots, "hub_url": "https://hub.example.org"}))
        return convict(agents_files, trust)

    async def export(self, agent: Agent) -> Path:
        """Write what *agent*'s gateway keeps into a file."""
        gateway = agent.gateway
        found = await evidence.collect(gateway.spool, gateway.config.agency, gateway.clock())
        path = self.town.tmp / f"{gateway.config.agency}.evidence"
        path.write_bytes(dump(found))
        return path

    async def verdict(self, *agents: Agent) -> Mapping[str, bool]:
        """Return by its code whether each finding in the evidence of *agents*, laid together, is proved."""
        found = self.judge(*[await self.export(agent) for agent in agents])
        return {one["code"]: one["proved"] for one in found["findings"]}

    def minutes(self, name: str, *to: str, **changes: Any) -> None:
        """Have the council send minutes to *to*."""
        value = draft("minutes.full/1", MASH, message=minutes_full([MASH, *to]), **changes)
        drop(self.town.homes[COUNCIL], name, value)

    def meeting(self, *parties: str) -> None:
        """Have the council register a strategy discussion with *parties*."""
        drop(self.town.homes[COUNCIL], "held", draft("meeting.held/1", MASH, message=meeting_held([MASH, *parties])))

    async def deliver(self, council: Agent, health: Agent, *names: str) -> None:
        """Send minutes under each of *names* to the nurses, who take them, and let the council hear of it."""
        for name in names:
            self.minutes(name, NURSES)
        for _ in range(3):
            # A pass that finds the hub out fails, which is not the test's to complain of.
            for agent in (council, health):
                await agent.run_once()
        await self.town.tick()


def _is_log(answer: Any) -> bool:
    return isinstance(getattr(answer, "__self__", None), Fork)


async def alarms(agent: Agent) -> set[str]:
    """Return for which reasons the gateway of *agent* has told its staff that the hub cheats."""
    rows = await agent.gateway.spool.all("list_notices")
    mine = [row for row in rows if row["code"] in {"hub-contradicted", "log-inconsistent"}]
    return {json.loads(bytes(row["details"]))["reason"] for row in mine}


async def met_with(agent: Agent) -> set[str]:
    """Return what the gateway of *agent* has kept its own word of."""
    gateway = agent.gateway
    found = await evidence.collect(gateway.spool, gateway.config.agency, gateway.clock())
    return {one.reason for one in found.said}


async def look(agent: Agent) -> str | None:
    """Let the gateway look at documents and log once, as it does every ten seconds; return the code of what is wrong."""
    try:
        await agent.refresh_pass()
    except (GatewayError, KeysError) as error:
        return error.code
    return None


async def look_for_a_minute(agent: Agent) -> None:
    """Let a minute pass for *agent* as its patience counts it, with a look every ten seconds."""
    seconds = [0.0]
    agent._proving = Proving(agent.gateway, lambda: seconds[0])
    agent._sightings = Sightings(agent.gateway, lambda: seconds[0])
    while seconds[0] <= 60.0:
        await look(agent)
        seconds[0] += LOOK_SECONDS


def payload(compact: str) -> Any:
    """Return the payload of a compact JWS, unchecked."""
    return json.loads(from_b64u(compact.split(".")[1]))


__all__ = ["Case", "alarms", "look", "look_for_a_minute", "met_with", "payload", "pytest"]
