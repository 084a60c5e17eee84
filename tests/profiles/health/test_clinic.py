"""The clinic: whoever comes is checked inside, the clinician's own screen says what is known, and nobody else hears of it."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import pytest

from adapters.gateway.agent import Agent
from adapters.gateway.matching import attending
from tests.county import EXPLOITATION, HOUR, POLICE
from tests.gateway.atrisk_support import ISSUER, SLOT, codes, headers_sent, kinds, listed, received, room_of
from tests.gateway.support import Town, settle
from tests.gateway.test_atrisk_systems import Unit
from tests.hl7.hospital import Hospital, registration
from tests.profiles.health.test_record import hub_saw
from tests.profiles.health.trust import ALEX, BLAKE, Trust, open_clinic, plug, port_of

KNOWN = f"known risk, contact {EXPLOITATION}"
SEEN = {"V-77", "V-78", "V-79", ALEX, BLAKE, "Zebulon", "2011-03-09", "20110309", "L-V-77"}


@dataclass
class Morning:
    """Police with their list in a system of their own, and the clinic with its registrations."""

    town: Town
    police: Agent
    unit: Unit
    clinic: Trust
    hospital: Hospital

    async def come(self, visit: str, number: str, born: str = "20110309") -> None:
        """Let somebody be registered."""
        at = datetime.fromtimestamp(self.town.county.now / 1000, UTC).strftime("%Y%m%d%H%M%S+0000")
        lines = registration(visit, number, born, name="Sample^Zebulon", at=at)
        assert await self.hospital.register(port_of(self.clinic), *lines) == "AA"

    async def settle(self, rounds: int = 2) -> None:
        """Let both do everything."""
        self.clinic.agent.gateway.pacer._failures.clear()
        await settle(self.clinic.agent, self.police, rounds=rounds)

    async def pass_slot(self) -> None:
        """Let the next slot come and be answered."""
        await self.town.tick(SLOT)
        await self.settle(3)


@asynccontextmanager
async def open_morning(town: Town, hospital: Hospital, *, served: bool = False) -> AsyncIterator[Morning]:
    """Open both, with a list of one child released and loaded."""
    async with town.agent(POLICE, atrisk=ISSUER) as police, open_clinic(town, hospital, served=served) as clinic:
        unit = Unit()
        unit.release("2026-07", listed(ALEX))
        plug(police, "unit", unit)
        morning = Morning(town, police, unit, clinic, hospital)
        await morning.settle(3)
        yield morning


async def test_the_clinicians_screen_says_known_risk_and_nothing_says_who_came(
    town: Town, hospital: Hospital, caplog: pytest.LogCaptureFixture
) -> None:
    """A child on police's list, one who isn't, and an adult: one observation; no message, log, notice or byte of the hub's."""
    caplog.set_level(logging.DEBUG, "gateway")
    async with open_morning(town, hospital) as morning:
        await morning.pass_slot()
        before = await headers_sent(morning.clinic.agent)
        await morning.come("V-77", ALEX)
        await morning.come("V-78", BLAKE)
        await morning.come("V-79", BLAKE, born="19800309")
        await morning.settle(1)
        await morning.pass_slot()
        assert hospital.see("V-77") == [KNOWN]
        assert hospital.see("V-78") == hospital.see("V-79") == []
        room = room_of(morning.clinic.agent)
        assert [(await attending.tell(room, visit))["answer"] for visit in ("V-77", "V-78")] == [
            KNOWN,
            "not on the list",
        ]
        (month,) = await attending.count(room)
        assert (month["attendances"], month["checked"]) == (2, 2)

        sent = await headers_sent(morning.clinic.agent)
        assert set(kinds(sent)) == {"risklist.ack/1", "risklist.query/1"}
        # One query a slot, whoever came: as many as before anybody did.
        assert len(sent) - len(before) == 1
        queries = await received(morning.police, "risklist.query/1")
        assert {len(one.message["points"]) for one in queries} == {4}
        opened = json.dumps([msgspec.to_builtins(one) for one in queries])
        notices = await morning.police.gateway.spool.all("list_notices")
        theirs = await morning.clinic.agent.gateway.spool.all("list_notices")
        told = "".join(bytes(row["details"]).decode() for row in (*notices, *theirs))
        kept = await hub_saw(town)
        assert EXPLOITATION in kept
        for where in (opened, told, kept, caplog.text, *map(str, sent)):
            assert not [word for word in SEEN if word in where]
        assert await codes(morning.clinic.agent) == ["atrisk-match"]
        assert ALEX.encode() not in b"".join(
            path.read_bytes() for path in (morning.clinic.home / "hl7").rglob("*") if path.is_file()
        )


async def test_a_screen_that_is_off_shows_it_when_it_is_on_again(town: Town, hospital: Hospital) -> None:
    """Cut off, busy, answered with something else, an answer lost: shown once in the end, counted once, nobody forgotten."""
    async with open_morning(town, hospital) as morning:
        await morning.come("V-77", ALEX)
        await morning.settle(1)
        hospital.answers = ["hang-up", "AR/207", "garbage", "later-hang-up"]
        await morning.pass_slot()
        for _ in range(4):
            await morning.settle(1)
        assert hospital.answers == []
        assert hospital.see("V-77") == [KNOWN]
        heard = hospital.heard
        await morning.settle(2)
        assert hospital.heard == heard
        # Registered again, as systems do: one attendance, one line on the screen.
        await morning.come("V-77", ALEX)
        await morning.settle(2)
        assert hospital.see("V-77") == [KNOWN]
        assert (await attending.count(room_of(morning.clinic.agent)))[0]["attendances"] == 1


async def test_who_came_while_police_or_the_hub_were_away_is_answered_late(town: Town, hospital: Hospital) -> None:
    """It waits inside, encrypted; the answer comes when it can, and counts as late."""
    async with open_morning(town, hospital) as morning:
        await morning.come("V-77", ALEX)
        await settle(morning.clinic.agent, rounds=1)
        for _ in range(3):
            await town.tick(SLOT)
            await settle(morning.clinic.agent, rounds=1)
        assert hospital.see("V-77") == []
        await morning.settle(3)
        assert hospital.see("V-77") == [KNOWN]
        assert (await attending.count(room_of(morning.clinic.agent)))[0]["late"] == 1


async def test_what_police_release_and_take_back_reaches_the_screen(town: Town, hospital: Hospital) -> None:
    """The list comes from police's own system: another release, and a match that doesn't stand any more says so."""
    async with open_morning(town, hospital) as morning:
        await morning.come("V-77", ALEX)
        await morning.settle(1)
        await morning.pass_slot()
        morning.unit.release("2026-08", listed(BLAKE))
        await town.tick(HOUR)
        await morning.settle(3)
        assert hospital.see("V-77") == [KNOWN, "no longer on the list since version 2"]
        await morning.come("V-78", BLAKE)
        await morning.settle(1)
        await morning.pass_slot()
        assert hospital.see("V-78") == [KNOWN]
