"""The health trust: minutes and notices go into the child's record and onto the right practitioner's list."""

from __future__ import annotations

import logging
from itertools import count
from typing import Any

import pytest

from adapters.base import Outgoing, parse_draft
from adapters.gateway import outgoing
from adapters.gateway.agent import Agent
from schemas.strict_json import dump
from tests.county import COUNCIL, DAY, MASH, NURSES, PAEDIATRICS
from tests.fhir.server import FhirServer
from tests.fhir.support import read_message
from tests.gateway.support import Town, draft, meeting_held, minutes_full, settle
from tests.profiles.health.trust import ALEX, BLAKE, Trust, add_child, open_northmere
from tests.schemas import samples

PLANTED = "Zebulon"
_NUMBERS = count()
CHILD = {
    "local_id": "SC-7",
    "name": f"{PLANTED} Sample",
    "dob": "2011-05-06",
    "nhs_number": ALEX,
    "nhs_number_status": "traced",
}


async def send(council: Agent, kind: str, message: dict[str, Any], **more: Any) -> outgoing.Spooled:
    """Have the council's MASH send a message."""
    value, key = draft(kind, MASH, message=message, **more), f"sent {next(_NUMBERS)}"
    return await outgoing.take_now(council.gateway, "test", Outgoing(key=key, draft=parse_draft(dump(value))))


async def send_minutes(council: Agent, *teams: str, child: dict[str, Any] | None = None) -> outgoing.Spooled:
    """Have a discussion be held with *teams*, and its minutes sent."""
    parties = [MASH, *(teams or (NURSES,))]
    held = await send(council, "meeting.held/1", meeting_held(parties))
    whole = samples.message("minutes.full/1")["child"] | (child or CHILD)
    return await send(council, "minutes.full/1", minutes_full(parties, child=whole), thread=held.thread)


async def states(trust: Trust) -> list[tuple[str, str, str | None]]:
    """Return each delivery's type, state and code at the trust."""
    rows = await trust.agent.gateway.spool.all("list_incoming")
    return [(row["type"], row["state"], row["code"]) for row in rows]


def minutes_in(record: FhirServer) -> list[dict[str, Any]]:
    """Return the full minutes that the record holds."""
    return [one for one in record.of("DocumentReference") if read_message(one).get("variant") == "full"]


async def levels(agent: Agent, envelope: str) -> list[str]:
    """Return the levels that the sender has heard of."""
    return [row["level"] for row in await agent.gateway.spool.all("heard_of", envelope=envelope)]


async def test_minutes_go_into_the_record_and_onto_the_health_visitors_list(
    town: Town, record: FhirServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Filed by the machine after reading back, opened and acknowledged by the person whom the record names, and by nobody else."""
    caplog.set_level(logging.DEBUG, "gateway")
    patient = add_child(record, ALEX, "h.visitor", "doctor.elsewhere")
    async with town.agent(COUNCIL) as council, open_northmere(town, record) as trust:
        visitor, colleague = await trust.person("h.visitor"), await trust.person("another")
        await settle(council, trust.agent)
        minutes = await send_minutes(council)
        await settle(council, trust.agent)
        (held,) = minutes_in(record)
        assert held["subject"]["reference"] == patient
        assert read_message(held)["child"]["name"] == f"{PLANTED} Sample"
        assert await levels(council, minutes.envelope) == ["collected", "filed"]
        assert minutes.envelope in (await visitor.get("/")).text
        assert minutes.envelope not in (await colleague.get("/")).text
        page = await visitor.post(f"/messages/{minutes.envelope}/open")
        assert PLANTED in page.words
        await visitor.post(f"/messages/{minutes.envelope}/acknowledge")
        await settle(council, trust.agent)
        assert await levels(council, minutes.envelope) == ["collected", "filed", "opened", "acknowledged"]
        kept = await hub_saw(town)
        assert NURSES in kept
        seen = "".join([*record.heard, page.path, *(await told(trust)), kept])
        assert not [word for word in (PLANTED, ALEX, "h.visitor") if word in seen or word in caplog.text]


async def told(trust: Trust) -> list[str]:
    """Return the details of every notice at the trust."""
    return [bytes(row["details"]).decode() for row in await trust.agent.gateway.spool.all("list_notices")]


async def hub_saw(town: Town) -> str:
    """Return every byte of the hub's database, as text."""
    return "".join(path.read_bytes().decode("latin-1") for path in sorted(town.tmp.rglob("hub*.db*")))


async def test_two_teams_of_the_trust_have_each_their_own_practitioner(town: Town, record: FhirServer) -> None:
    """The health visitor's list and the doctor's: one discussion, one record, two people."""
    add_child(record, ALEX, "h.visitor", "a.doctor")
    async with town.agent(COUNCIL) as council, open_northmere(town, record) as trust:
        visitor, doctor = (
            await trust.person("h.visitor"),
            await trust.person("a.doctor", team=PAEDIATRICS, role="doctor"),
        )
        await settle(council, trust.agent)
        minutes = await send_minutes(council, NURSES, PAEDIATRICS)
        await settle(council, trust.agent)
        for who, name in ((visitor, "H.Visitor"), (doctor, "A.Doctor")):
            assert f"{name} holds it" in (await who.get(f"/threads/{minutes.thread}")).words


async def test_a_record_that_is_away_in_the_middle_loses_and_doubles_nothing(town: Town, record: FhirServer) -> None:
    """Written and the answer lost, forgotten, full: asked again, written once, and on the same list."""
    add_child(record, ALEX, "h.visitor")
    async with town.agent(COUNCIL) as council, open_northmere(town, record) as trust:
        visitor = await trust.person("h.visitor")
        await settle(council, trust.agent)
        for number, way in enumerate(("lost", "forgets", "507/no-store"), start=1):
            record.answers = [way, way]
            minutes = await send_minutes(council)
            for _ in range(4):
                trust.agent.gateway.pacer._failures.clear()
                await settle(council, trust.agent, rounds=1)
            filed = [state for kind, state, _ in await states(trust) if kind == "minutes.full/1"]
            assert filed == ["filed"] * number, way
            assert len(minutes_in(record)) == number, way
            assert minutes.envelope in (await visitor.get("/")).text
            assert await levels(council, minutes.envelope) == ["collected", "filed"]


async def test_a_status_notice_is_on_the_school_nurses_list_within_its_ceiling(town: Town, record: FhirServer) -> None:
    """In the record, and read in the inbox: what is told and by whom to ask; no more than the ceiling allows is there."""
    add_child(record, ALEX, "s.nurse")
    async with town.agent(COUNCIL) as council, open_northmere(town, record) as trust:
        nurse = await trust.person("s.nurse", role="school_nurse")
        await settle(council, trust.agent)
        message = samples.message("status.notice/1") | {
            "child": CHILD,
            "la_contact": MASH,
            "decided_at": "2026-07-06T08:00:00Z",
        }
        del message["summary"]
        notice = await send(council, "status.notice/1", message | {"content_ceiling": "status"}, to=[NURSES])
        await settle(council, trust.agent)
        assert notice.envelope in (await nurse.get("/")).text
        page = await nurse.post(f"/messages/{notice.envelope}/open")
        assert "Status of a child" in page.words
        assert "Most that is told The status" in page.words
        assert "Contact Sampleton Childrens Services, mash" in page.words
        await nurse.post(f"/messages/{notice.envelope}/acknowledge")
        await settle(council, trust.agent)
        assert await levels(council, notice.envelope) == ["collected", "filed", "opened", "acknowledged"]


async def test_whose_record_is_not_surely_the_childs_waits_for_a_person(town: Town, record: FhirServer) -> None:
    """No patient of that number: nothing is written, the team finds it in the inbox, and the duty stays open."""
    add_child(record, BLAKE, "h.visitor")
    async with town.agent(COUNCIL) as council, open_northmere(town, record) as trust:
        visitor, colleague = await trust.person("h.visitor"), await trust.person("another")
        await settle(council, trust.agent)
        minutes = await send_minutes(council)
        await settle(council, trust.agent)
        assert ("minutes.full/1", "waiting-person", "fhir-no-patient") in await states(trust)
        assert minutes_in(record) == []
        for who in (visitor, colleague):
            assert minutes.envelope in (await who.get("/")).text
        await town.tick(6 * DAY)
        duties = await town.site.desk.duties(minutes.thread)
        assert any(
            state in {"open", "overdue"}
            for (name, *_), state in duties.items()
            if "received" in name or "taken" in name
        )
