"""What police tell the council of a child, from the force's own records: incidents, the month's count, missing episodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapters.gateway.agent import Agent
from schemas.identifiers import is_id
from tests.county import COUNCIL, DAY, HOUR, PARTNERSHIP
from tests.gateway.support import Town, settle
from tests.profiles.police.conftest import CHILD, OTHER
from tests.profiles.police.system import ForceSystem, officer


def came(home: Path, kind: str) -> list[dict[str, Any]]:
    """Return the messages of *kind* in the folder pair at *home*, oldest first."""
    found = []
    for path in (home / "in").glob("*/envelope.json"):
        note = json.loads(path.read_bytes())
        if note["type"] == f"{kind}/1":
            found.append(
                (note["at"], note["seq"], json.loads((path.parent / "message.json").read_bytes()) | {"_": note})
            )
    return [one for _, _, one in sorted(found, key=lambda one: one[:2])]


async def test_each_incident_about_a_child_becomes_a_notice_with_its_grade(
    town: Town, force: ForceSystem, police: Agent
) -> None:
    """By child, in the council's words, and a new grade replaces the notice that had the old one."""
    async with town.agent(COUNCIL) as council:
        force.log_incident("EX-1", CHILD, "R", keywords=["COUNTY LINES"])
        force.log_incident("EX-2", OTHER, "G", involvement="PRE")
        await settle(police, council)
        first, second = sorted(came(town.homes[COUNCIL], "incident.notice"), key=lambda one: one["incident_ref"])
        assert (first["grade"], first["child_part"], first["themes"]) == ("red", "victim", ["CCE_county_lines"])
        assert first["child"]["name"] == "Robin Sample"
        assert first["occurred_at"] == "2026-07-06T06:00:00Z"
        assert (second["grade"], second["child"]["legal_status"]) == ("green", "s20")
        force.regrade("EX-2", "A", officer("DETECTIVE"))
        await settle(police, council)
        third = next(one for one in came(town.homes[COUNCIL], "incident.notice") if one["grade"] == "amber")
        assert third["_"]["supersedes"] == second["_"]["envelope"]
        assert third["_"]["author_role"] == "detective"


async def test_a_month_is_counted_against_what_was_sent(town: Town, force: ForceSystem, police: Agent) -> None:
    """What occurred, what was sent, and of each that wasn't why: the force can't count itself complete."""
    async with town.agent(COUNCIL) as council, town.agent(PARTNERSHIP) as unit:
        for number in range(4):
            force.log_incident(f"EX-{number}", CHILD, "G", share=number != 2)
        await settle(police, council)
        force.reconcile("01/06/2026", "30/06/2026", {"EX-2": "NO LINK"}, officer("DESK"))
        await settle(police, council, unit)
        for agency in (COUNCIL, PARTNERSHIP):
            (count,) = came(town.homes[agency], "incident.reconciliation")
            assert (count["occurred"], count["sent"]) == (4, 3)
            assert count["unsent"] == [{"incident_ref": "EX-2", "reason": "not_linked"}]
            assert (count["period_from"], count["period_to"]) == ("2026-06-01", "2026-06-30")
        assert len(came(town.homes[COUNCIL], "incident.notice")) == 3


async def test_each_missing_episode_is_told_from_report_to_return(
    town: Town, force: ForceSystem, police: Agent
) -> None:
    """Opened, updated before the report had even gone, returned: one episode, one thread, in order."""
    async with town.agent(COUNCIL) as council:
        force.open_missing("MP-1", CHILD, "MISSING FROM HOME", "HIGH")
        force.update_missing("MP-1", "INFO", detail="Seen in town.")
        await settle(police, council)
        town.county.now += HOUR
        force.return_missing("MP-1", found_by="FAM")
        await settle(police, council)
        home = town.homes[COUNCIL]
        (report,), (update,), (back,) = (came(home, f"missing.{kind}") for kind in ("report", "update", "return"))
        assert report["urgent"] is True
        assert report["_"]["urgent"] is True
        assert is_id(report["episode_id"])
        assert len({one["episode_id"] for one in (report, update, back)}) == 1
        assert len({one["_"]["thread"] for one in (report, update, back)}) == 1
        assert (update["detail"], back["found_by"]) == ("Seen in town.", "family")
        assert force.episodes["MP-1"]["ids"] == {"episode": report["episode_id"]}


async def test_a_change_between_missing_and_absent_makes_two_episodes(
    town: Town, force: ForceSystem, police: Agent
) -> None:
    """The first ends where the second begins, without a return: no interview is owed for it."""
    async with town.agent(COUNCIL) as council:
        force.open_missing("MP-1", OTHER, "ABSENT FROM PLACEMENT", "LOW")
        await settle(police, council)
        town.county.now += HOUR
        force.reclassify("MP-1", "MISSING FROM CARE", "MP-2")
        await settle(police, council)
        home = town.homes[COUNCIL]
        first, second = came(home, "missing.report")
        (changed,) = came(home, "missing.update")
        assert (first["missing_type"], second["missing_type"]) == ("A", "M")
        assert (changed["change"], changed["episode_id"]) == ("kind_changed", first["episode_id"])
        assert changed["next_episode_id"] == second["episode_id"] != first["episode_id"]
        assert second["last_seen_at"] == "2026-07-06T09:00:00Z"
        assert came(home, "missing.return") == []


async def test_what_an_officer_got_wrong_comes_back_with_the_field_and_goes_when_it_is_corrected(
    town: Town, force: ForceSystem, police: Agent
) -> None:
    """A code that nobody knows, and a placement that isn't said: the record's own screen shows why."""
    async with town.agent(COUNCIL) as council:
        force.log_incident("EX-1", CHILD, "PURPLE")
        force.open_missing("MP-1", OTHER, "MISSING FROM CARE", placement=None)
        await settle(police, council)
        wrong, lacking = force.answers["incident-EX-1-1"], force.answers["MP-1-opened"]
        assert (wrong["code"], "`rag`" in wrong["message"]) == ("record-code", True)
        assert (lacking["code"], "placement" in lacking["message"]) == ("message-schema", True)
        force.regrade("EX-1", "R", officer("RESPONSE"))
        await settle(police, council)
        assert len(came(town.homes[COUNCIL], "incident.notice")) == 1


async def test_nothing_is_lost_and_nothing_goes_twice_while_the_records_come_and_go(
    town: Town, force: ForceSystem, police: Agent
) -> None:
    """Answers that the system didn't hear, a system that is off for a day, and a gateway that asks again: each notice once."""
    async with town.agent(COUNCIL) as council:
        force.spoils, force.ways = ("POST",), [503, "hangs-up"]
        for number in range(3):
            force.log_incident(f"EX-{number}", CHILD, "A")
        for _ in range(3):
            await police.run_once()
        await force.close()
        force.log_incident("EX-3", CHILD, "A")
        await settle(police, council)
        town.county.now += DAY
        await force.start()
        await settle(police, council)
        notices = came(town.homes[COUNCIL], "incident.notice")
        assert sorted(one["incident_ref"] for one in notices) == ["EX-0", "EX-1", "EX-2", "EX-3"]
        assert force.outbox == {}
