"""The council of the county with its case system: its gateway, and what a test looks at afterwards."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from adapters.gateway.agent import Agent
from adapters.profiles.social_care import SocialCareAdapter
from tests.county import CAIT, COUNCIL, MASH, NURSES
from tests.gateway.support import Town
from tests.profiles.interface import Interface
from tests.profiles.social_care.system import CaseSystem
from tests.profiles.support import open_profile

CHILD = "P-1001"
NAME = "Zebulon Sample"
NHS_NUMBER = "9990000018"
INVITED = {MASH: "Morgan Sample", CAIT: "Pat Specimen", NURSES: "Sam Specimen"}


@asynccontextmanager
async def open_council(town: Town, cases: CaseSystem, **options: Any) -> AsyncIterator[Agent]:
    """Open the council's gateway over its case system."""
    interface = cases.interface
    where = {"database": interface.url} if interface.is_postgres else {
        "path": str(interface.path.parent), "file": interface.path.name,
    }  # fmt: skip
    settings = {
        "from": MASH, "role": "social_worker", "ids": "ids", "gateway": "sampleton-1", "seconds": 1.0,
        "to": {"status.notice": [NURSES]}, **where, **options,
    }  # fmt: skip
    async with open_profile(town, COUNCIL, "social_care", SocialCareAdapter, settings) as council:
        yield council


def new_cases(interface: Interface) -> CaseSystem:
    """Return a fresh case system with one child in it."""
    cases = CaseSystem(interface, INVITED)
    cases.install()
    cases.add_child(CHILD, NAME, "9990000018", address="1 Example Street\nSampleton\nZZ1 1AA")
    return cases


def refused(cases: CaseSystem) -> list[tuple[str, str, str]]:
    """Return what was refused, with the reason."""
    rows = cases.interface.outbox()
    return [(key, row["code"], row["message"]) for key, row in rows.items() if row["state"] == "refused"]


def states(cases: CaseSystem) -> set[str]:
    """Return the states of all rows of the outbox."""
    return {row["state"] for row in cases.interface.outbox().values()}


def filed(town: Town, agency: str, kind: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return what of *kind* is filed in the folder of *agency*: how it came, and the message, in order."""
    found = []
    for path in (town.homes[agency] / "in").glob("*/envelope.json"):
        note = json.loads(path.read_bytes())
        if note["type"] == kind:
            found.append((note, json.loads(path.with_name("message.json").read_bytes())))
    return sorted(found, key=lambda one: one[0]["accepted_at"])
