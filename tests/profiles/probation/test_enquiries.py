"""The council calls a discussion; probation is asked by itself, looks, and answers by one press."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import pytest

from adapters.gateway import filing
from adapters.gateway.agent import Agent
from adapters.gateway.inbox.app import Server, make_inbox
from adapters.gateway.inbox.config import InboxConfig
from schemas.derivation import Derivations
from tests.county import COUNCIL, DAY, HOUR, MASH, MINUTE, OFFICERS, PROBATION
from tests.gateway.inbox.support import ORIGIN, Office
from tests.gateway.support import Town, drop, read_notices, settle
from tests.gateway.test_followups import arrived, convened, thread_of
from tests.profiles.probation.support import ALEX, KIM, PAT, open_probation
from tests.profiles.probation.system import CaseSystem

RESPONSE = "check.adult.response/1"


async def call(town: Town, *agents: Agent) -> str:
    """Have the council call a discussion about two adults; return its thread."""
    drop(town.homes[COUNCIL], "called", convened(ALEX, KIM))
    await settle(*agents)
    return thread_of(town.homes[COUNCIL], "called")


def find(system: CaseSystem, name: str) -> str:
    """Return the enquiry about *name*."""
    (found,) = [one.reference for one in system.enquiries.values() if one.fields["name"] == name]
    return found


async def test_a_discussion_asks_and_one_press_answers(town: Town) -> None:
    """Two enquiries come by themselves, with candidates and no answer; a person says who it is, and that it's nobody."""
    async with town.agent(COUNCIL) as council, open_probation(town) as (probation, system):
        thread = await call(town, council, probation)
        alex, kim = find(system, "Alex Sample"), find(system, "Kim Placeholder")
        assert system.enquiries[alex].candidates == ["X900001"]
        assert system.enquiries[kim].candidates == []
        asked = system.enquiries[kim].fields
        assert (asked["needed_by"], asked["reason"], asked["hub"]["sender"]) == ("2026-07-07T10:00:00", "SD", MASH)
        # Nobody found isn't an answer: it is a person's to give.
        await settle(probation, council)
        assert not system.outbox
        assert not arrived(town.homes[COUNCIL], RESPONSE)
        system.confirm(alex, "X900001", PAT)
        system.press_not_known(kim, PAT)
        system.press_not_known(kim, PAT)
        await settle(probation, council)
        said = {one["message"]["result"]: one for one in arrived(town.homes[COUNCIL], RESPONSE)}
        known = said["known_current"]["message"]
        assert (known["supervising_contact"], known["risk_level"], known["since"]) == ("PO-17", "high", "2025-11-01")
        assert known["restrictions"] == "Not to have contact with anybody under 16."
        assert (known["answered_at"], said["known_current"]["author_role"]) == (
            "2026-07-06T08:00:00Z",
            "probation_officer",
        )
        assert said["not_known"]["message"].keys() == {"check_id", "result", "answered_at", "delete_after", "urgent"}
        assert said["not_known"]["retention"] == "negative"
        assert len(arrived(town.homes[COUNCIL], RESPONSE)) == 2
        duties = await town.site.desk.store.read(lambda tx: tx.thread_obligations(thread))
        states = [row.state for row in duties if row.duty.rule == "adult-check-answered"]
        assert states == ["met", "met"]


async def test_a_reason_not_to_tell_is_an_answer_too(town: Town) -> None:
    """Refused with its reason, the question is answered: nobody waits, and the reason is there to be argued with."""
    async with town.agent(COUNCIL) as council, open_probation(town) as (probation, system):
        thread = await call(town, council, probation)
        system.press_not_known(find(system, "Kim Placeholder"), PAT)
        system.decline(
            find(system, "Alex Sample"), PAT, reason="SRC", reasoning="Telling it now would show who told us.",
            instead="Ask again after Thursday.",
        )  # fmt: skip
        await settle(probation, council)
        (refusal,) = arrived(town.homes[COUNCIL], "share.declined/1")
        assert (refusal["message"]["reason_code"], refusal["message"]["review_by"]) == ("source_at_risk", "2026-10-06")
        duties = await town.site.desk.store.read(lambda tx: tx.thread_obligations(thread))
        assert {row.state for row in duties if row.duty.rule == "adult-check-answered"} == {"met"}


async def test_who_is_not_known_is_gone_from_the_system_when_the_day_is_over(town: Town) -> None:
    """The question and its negative go, from the system and the gateway; the enquiry that found somebody stays."""
    async with town.agent(COUNCIL) as council, open_probation(town) as (probation, system):
        await call(town, council, probation)
        system.confirm(find(system, "Alex Sample"), "X900001", PAT)
        kim = find(system, "Kim Placeholder")
        asked = system.enquiries[kim].fields["hub"]["envelope"]
        system.press_not_known(kim, PAT)
        await settle(probation, council)
        (negative,) = [
            one["message"] for one in arrived(town.homes[COUNCIL], RESPONSE) if one["message"]["result"] == "not_known"
        ]
        town.county.now = Derivations.load().find_end(RESPONSE, negative) or 0
        town.county.now -= MINUTE
        await probation.file_pass()
        assert "Kim Placeholder" in json.dumps(system.records)
        town.county.now += MINUTE
        await probation.file_pass()
        await probation.file_pass()
        assert "Kim Placeholder" not in json.dumps([system.records, system.answers, system.outbox])
        assert [one.fields["name"] for one in system.enquiries.values()] == ["Alex Sample"]
        held = await probation.gateway.spool.one("find_incoming", envelope=asked, mailbox=OFFICERS)
        assert held is not None
        assert held["content"] is None


async def test_who_is_found_after_all_is_told_and_stays(town: Town) -> None:
    """Said too early that nobody is known: the second answer is another message, and the enquiry doesn't go with the first."""
    async with town.agent(COUNCIL) as council, open_probation(town) as (probation, system):
        await call(town, council, probation)
        alex = find(system, "Alex Sample")
        system.press_not_known(alex, PAT)
        await settle(probation, council)
        system.confirm(alex, "X900001", PAT)
        await settle(probation, council)
        said = {one["message"]["result"]: one["message"] for one in arrived(town.homes[COUNCIL], RESPONSE)}
        assert said.keys() == {"not_known", "known_current"}
        town.county.now = Derivations.load().find_end(RESPONSE, said["not_known"]) or 0
        await probation.file_pass()
        assert alex in system.enquiries
        assert [one["envelope"] for one in system.answers.values()] == [
            one["envelope"]
            for one in arrived(town.homes[COUNCIL], RESPONSE)
            if one["message"]["result"] == "known_current"
        ]


async def test_a_system_that_is_away_for_days_doubles_and_loses_nothing(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    """The discussion passes unanswered, and rings at both; when the system is back each is filed and answered once."""
    caplog.set_level(logging.DEBUG)
    async with town.agent(COUNCIL) as council, open_probation(town) as (probation, system):
        await system.close()
        await call(town, council, probation)
        for hours in (21, 5, 24):
            await town.tick(hours * HOUR)
            await settle(probation, council, rounds=1)
        assert not system.enquiries
        rung = {one["notice"] for one in read_notices(town.homes[COUNCIL])}
        assert rung == {"due-soon", "overdue"}
        await system.start()
        system.ways, system.spoils = ["took-then-hangs-up", 503, "took-then-hangs-up"], ("PUT",)
        await settle_until(
            lambda: len(system.enquiries) == 2 and not system.ways and bool(system.filed("notice")), probation, council
        )
        assert len(system.enquiries) == len(system.identities) - len(system.filed("notice")) == 2
        system.confirm(find(system, "Alex Sample"), "X900001", PAT)
        system.press_not_known(find(system, "Kim Placeholder"), PAT)
        system.ways, system.spoils = ["took-then-hangs-up", "half", "hangs-up"], ("GET", "POST")
        await settle(probation, council)
        await system.close()
        await town.tick(2 * DAY)
        await settle(probation, council)
        await system.start()
        await settle_until(lambda: not system.outbox, probation, council)
        await settle(probation, council)
        results = sorted(one["message"]["result"] for one in arrived(town.homes[COUNCIL], RESPONSE))
        assert results == ["known_current", "not_known"]
        assert not system.outbox
        assert {one.state for one in system.enquiries.values()} == {"answered"}
        told = json.dumps([system.filed("notice"), read_notices(town.homes[COUNCIL]), system.asked]) + caplog.text
        for name in ("Alex", "Placeholder", "1985-01-02"):
            assert name not in told
        duties = await town.site.desk.duties(thread_of(town.homes[COUNCIL], "called"))
        assert duties["adult-check-answered", OFFICERS, MASH] == "met_late"


async def test_while_the_system_is_away_the_inbox_answers(town: Town) -> None:
    """The gateway has the check although its system hasn't: one button; back again, the enquiry is filed and goes with its day."""
    config = InboxConfig(origin=ORIGIN)
    async with town.agent(COUNCIL) as council, open_probation(town, inbox=config) as (probation, system):
        await system.close()
        await call(town, council, probation)
        (envelope,) = [
            row["envelope"]
            for row in await probation.gateway.spool.all("list_incoming")
            if (await read(probation, row["envelope"]))["person"] == KIM
        ]
        inbox = make_inbox(probation.gateway, probation.watch, config)
        async with Server(inbox) as server, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            office = Office(town, council, probation, {PROBATION: inbox}, {PROBATION: server.port}, http)
            pat = await office.signed_in(
                "pat@example.org", agency=PROBATION, teams=(OFFICERS,), role="probation_officer"
            )
            await pat.get(f"/messages/{envelope}")
            await pat.post(f"/messages/{envelope}/open")
            await pat.post(f"/messages/{envelope}/answers/check.adult.response")
        await settle(probation, council, rounds=2)
        (said,) = [one["message"] for one in arrived(town.homes[COUNCIL], RESPONSE)]
        assert said["result"] == "not_known"
        await system.start()
        await settle_until(lambda: len(system.enquiries) == 2, probation, council)
        town.county.now = Derivations.load().find_end(RESPONSE, said) or 0
        await probation.file_pass()
        assert [one.fields["name"] for one in system.enquiries.values()] == ["Alex Sample"]


async def settle_until(holds: Callable[[], bool], *agents: Agent) -> None:
    """Let *agents* do what they have to, with the pauses that they make after a failure, until it *holds*.

    Raises:
        TimeoutError: it never did.
    """
    async with asyncio.timeout(20):
        while not holds():
            await settle(*agents, rounds=1)
            await asyncio.sleep(0.02)


async def read(agent: Agent, envelope: str) -> Mapping[str, Any]:
    """Return what the gateway of *agent* holds of a message to the desk."""
    row = await agent.gateway.spool.one("find_incoming", envelope=envelope, mailbox=OFFICERS)
    assert row is not None
    return filing.read_content(agent.gateway, row).message
