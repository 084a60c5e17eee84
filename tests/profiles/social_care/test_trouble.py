"""The case system's database is down, locked, full or half-written in the middle of a case: nothing is lost, nothing twice."""

from __future__ import annotations

import logging
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.gateway.agent import Agent
from tests.county import COUNCIL, HEALTH, HOUR, NURSES, POLICE
from tests.gateway.support import Town, settle
from tests.postgres import Server
from tests.profiles.interface import Interface
from tests.profiles.relay import Relay
from tests.profiles.social_care.council import CHILD, filed, new_cases, open_council, refused, states
from tests.profiles.social_care.system import CaseSystem
from tests.profiles.social_care.test_contacts import refer
from tests.profiles.social_care.test_discussion import OWED, PAPER, SEE
from tests.schemas import samples

SAID = ("meeting.convened/1", "meeting.held/1", "minutes.decisions/1", "action.assign/1", "minutes.full/1")


def discuss(cases: CaseSystem) -> None:
    """Have a discussion from its convening to its minutes."""
    cases.convene("SD-1", CHILD, "2026-07-06T09:00:00")
    cases.hold("SD-1", "2026-07-06T09:00:00")
    cases.note_decisions("SD-1", [SEE])
    cases.write_minutes("SD-1", PAPER, distribution=OWED)


async def tries(town: Town, *agents: Agent, rounds: int = 1) -> None:
    """Let each do what it can, whatever fails, and its pauses after failures pass."""
    for _ in range(rounds):
        for agent in agents:
            await agent.run_once()
        town.county.now += HOUR


def check_once(town: Town, cases: CaseSystem, referrals: int) -> None:
    """Check that each was sent once, and each referral filed once."""
    assert refused(cases) == []
    assert states(cases) <= {"sent"}
    for kind in SAID:
        assert len(filed(town, HEALTH, kind)) == 1, kind
    kept = Counter(row["kind"] for row in cases.interface.inbox() if row["kind"] != "notice")
    assert kept == Counter({"contact": referrals} if referrals else {})
    assert len(cases.rows("own_contact")) == len(cases.rows("ssd_contacts")) == referrals


async def test_a_database_that_goes_and_comes_back_doubles_nothing(town: Town, cases: CaseSystem) -> None:
    """Its file is away before, between and after: rows wait, referrals wait, and all of it happens once."""
    path = cases.interface.path
    away = path.with_name("elsewhere")
    async with open_council(town, cases) as council, town.agent(HEALTH) as health, town.agent(POLICE):
        discuss(cases)
        refer(town, "one")
        path.rename(away)
        await tries(town, council, health, council)
        assert not path.exists()
        away.rename(path)
        assert states(cases) == {"ready"}
        await council.run_once()
        path.rename(away)
        refer(town, "two")
        await tries(town, health, council)
        away.rename(path)
        await tries(town, council, health, rounds=6)
        await settle(council, health, rounds=2)
        check_once(town, cases, 2)


async def test_a_locked_database_is_waited_for(town: Town, cases: CaseSystem) -> None:
    """A night job that holds the file for longer than a gateway waits delays it, and that is all."""
    async with open_council(town, cases, seconds=0.2) as council, town.agent(HEALTH) as health, town.agent(POLICE):
        discuss(cases)
        refer(town, "one")
        await tries(town, health)
        with cases.interface.connect() as night_job:
            night_job.execute("BEGIN IMMEDIATE")
            await tries(town, council)
            assert states(cases) == {"ready"}
        await tries(town, council, health, rounds=6)
        await settle(council, health, rounds=2)
        check_once(town, cases, 1)


async def test_a_gateway_that_is_killed_after_it_took_a_row_sends_it_once(town: Town, cases: CaseSystem) -> None:
    """Whatever it had done when it died, the row's key is the same: spooled and not answered, it is answered, not sent again."""
    async with town.agent(HEALTH) as health, town.agent(POLICE):
        async with open_council(town, cases) as council:
            discuss(cases)
            await council.run_once()
        # As if the answer had never reached the database.
        cases.interface.run(
            "UPDATE hub_outbox SET state = 'ready', envelope = NULL, thread = NULL, ids = NULL, answered_at = NULL"
        )
        async with open_council(town, cases) as council:
            await settle(council, rounds=6)
            await settle(health, rounds=2)
        check_once(town, cases, 0)


async def test_a_second_gateway_on_the_same_tables_doubles_nothing(town: Town, cases: CaseSystem) -> None:
    """Two gateways of the council's, each with a name and a home of its own: each row is one's, each referral filed once."""
    beside = replace(town, tmp=town.tmp / "beside")
    async with (
        open_council(town, cases) as north,
        open_council(beside, cases, gateway="sampleton-2") as south,
        town.agent(HEALTH) as health,
        town.agent(POLICE),
    ):
        discuss(cases)
        refer(town, "one")
        await tries(town, health, south, north, rounds=5)
        await settle(health)
        check_once(town, cases, 1)
        assert {row["taken_by"] for row in cases.interface.outbox().values()} == {"sampleton-1", "sampleton-2"}


async def test_a_row_that_is_written_by_halves_is_sent_whole(town: Town, cases: CaseSystem) -> None:
    """Minutes whose document isn't there yet wait for it, and what follows them waits too."""
    async with open_council(town, cases) as council, town.agent(HEALTH) as health, town.agent(POLICE):
        discuss(cases)
        (paper,) = cases.rows("hub_outbox_document")
        cases.interface.run("DELETE FROM hub_outbox_document")
        await settle(council, rounds=5)
        waiting = [key for key, row in cases.interface.outbox().items() if row["state"] == "ready"]
        assert waiting == ["minutes-SD-1-1"]
        marks = ", ".join("?" * len(paper))
        cases.interface.run(f"INSERT INTO hub_outbox_document VALUES ({marks})", *paper.values())
        await settle(council, rounds=2)
        await settle(health, rounds=2)
        check_once(town, cases, 0)
        ((note, _),) = filed(town, HEALTH, "minutes.full/1")
        assert (town.homes[HEALTH] / "in" / note["envelope"] / PAPER.name).read_bytes() == PAPER.content


async def test_a_referral_that_the_case_systems_rules_refuse_waits_for_a_person(town: Town, cases: CaseSystem) -> None:
    """What a trigger or a constraint says no to is in nobody's record by halves, and staff hear of it."""
    cases.interface.script(
        "CREATE TRIGGER no BEFORE INSERT ON own_contact BEGIN SELECT RAISE(ABORT, 'no child of that name'); END"
    )
    async with open_council(town, cases) as council, town.agent(HEALTH) as health:
        refer(town, "one")
        await settle(health, council)
        assert cases.rows("ssd_contacts") == cases.rows("own_contact") == []
        rows = cases.interface.inbox()
        assert {row["kind"] for row in rows} == {"notice"}
        assert "records-refused" in [row["fields"].get("reason") for row in rows]


async def test_a_childs_name_is_in_no_log_notice_or_key(
    town: Town, cases: CaseSystem, caplog: pytest.LogCaptureFixture
) -> None:
    """Through a discussion, a refusal and an outage the name stands in records and nowhere else."""
    caplog.set_level(logging.DEBUG)
    for quiet in ("aiosqlite", "asyncio", "aiohttp"):
        logging.getLogger(quiet).setLevel(logging.INFO)
    cases.interface.run("UPDATE own_person SET name = 'Xanthippe Marchbanks'")
    async with open_council(town, cases) as council, town.agent(HEALTH) as health, town.agent(POLICE):
        discuss(cases)
        cases.change_status(CHILD, "Xanthippe", "start", at="2026-07-06T09:00:00")
        refer(town, "one", child=samples.child(name="Xanthippe Marchbanks"))
        await settle(council, health, council, rounds=3)
        ((_, code, message),) = refused(cases)
        assert code == "record-code"
        notices = [row["fields"] for row in cases.interface.inbox() if row["kind"] == "notice"]
        columns = [(row["identity"], row["reference"]) for row in cases.interface.inbox()]
        said = [message, str(notices), str(columns), *(one.getMessage() for one in caplog.records)]
        files = [str(path) for home in town.homes.values() for path in home.rglob("*")]
        assert not re.search("xanthippe|marchbanks", "\n".join([*said, *files]), re.IGNORECASE)


@pytest.mark.needs_postgres
async def test_the_whole_case_on_postgresql_with_the_network_gone_in_the_middle(
    town: Town, postgres: Server, tmp_path: Path
) -> None:
    """Refused, silent and broken off at any byte, answers to commits lost: each thing is sent once and filed once."""
    with postgres.database() as url:
        cases = new_cases(Interface(url))
        async with Relay(url) as relay:
            address: dict[str, Any] = relay.address
            through = f"postgresql://{address['user']}@127.0.0.1:{address['port']}/{address['dbname']}"
            async with (
                open_council(town, cases, database=through, seconds=2.0) as council,
                town.agent(HEALTH) as health,
                town.agent(POLICE),
            ):
                discuss(cases)
                refer(town, "one")
                await relay.refuse()
                await tries(town, health, council)
                assert states(cases) == {"ready"}
                await relay.listen()
                for cut in (600, 1200, 2000):
                    relay.cut_after = cut
                    await tries(town, council)
                relay.cut_after = None
                relay.lose_commit = True
                await tries(town, council, rounds=2)
                relay.lose_commit = False
                refer(town, "two")
                await tries(town, council, health, rounds=6)
                await settle(council, health, rounds=2)
                check_once(town, cases, 2)
                await settle(council)
                thread = next(iter(cases.interface.outbox().values()))["thread"]
                duties = await town.site.desk.duties(thread)
                assert {state for (_, debtor, _), state in duties.items() if debtor.startswith(f"{COUNCIL}/")} <= {
                    "met", "met_late", "open", "overdue",
                }  # fmt: skip
                assert duties["full-minutes", f"{COUNCIL}/mash", NURSES].startswith("met")
