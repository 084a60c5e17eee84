"""A town whose council calls discussions and whose probation has its own case management."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapters.gateway.agent import Agent
from adapters.profiles.probation import ProbationAdapter
from tests.county import MASH, OFFICERS, PROBATION
from tests.gateway.support import Town
from tests.profiles.probation.system import CaseSystem, Officer, Person
from tests.profiles.support import http_options, open_profile

PAT = Officer("PO-17", "Pat Sample", "PO")
# Whom the council asks about: one is known, one isn't.
ALEX, KIM = {"name": "Alex Sample", "dob": "1985-01-02"}, {"name": "Kim Placeholder", "dob": "1990-03-04"}
PEOPLE = (
    Person(
        "X900001", "Sample, Alex", "1985-01-02", pnc="2099/0000001A", other_names=("Lex Sample",), since="2025-11-01",
        officer="PO-17", rosh="H", restrictions="Not to have contact with anybody under 16.", children="Y",
    ),
    Person("X900002", "Alexandra Example", "1985-01-02", since="2019-02-01", ended="2020-02-01"),
    Person("X900003", "Jo Specimen", "1979-12-31", since="2024-06-01", officer="PO-21", rosh="L"),
)  # fmt: skip


def make_system(town: Town) -> CaseSystem:
    """Return probation's system, by the town's clock as it hangs on the wall."""
    zone = ZoneInfo("Europe/London")

    def now() -> str:
        moment = datetime.fromtimestamp(town.county.now / 1000, UTC)
        return moment.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")

    return CaseSystem(now, PEOPLE)


@asynccontextmanager
async def open_probation(town: Town, **changes: Any) -> AsyncIterator[tuple[Agent, CaseSystem]]:
    """Give probation's gateway and the system behind it."""
    system = make_system(town)
    await system.start()
    options = http_options(
        system, OFFICERS, "probation_officer",
        to={"check.child.request": [MASH], "referral": [MASH]}, constants={"home_la": "X99000001"},
    )  # fmt: skip
    try:
        async with open_profile(town, PROBATION, "probation", ProbationAdapter, options, **changes) as agent:
            yield agent, system
    finally:
        await system.close()
