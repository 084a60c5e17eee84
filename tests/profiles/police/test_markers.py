"""Flags on the police system, and what a custody record shows before anybody charges."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from adapters.base import ReadsBack
from adapters.gateway.agent import Agent
from tests.county import CAIT, COUNCIL, EXPLOITATION, HOUR, MASH
from tests.gateway.support import Town, draft, drop, settle
from tests.profiles.police.conftest import CHILD
from tests.profiles.police.system import ForceSystem, officer
from tests.profiles.police.test_incidents import came
from tests.schemas import samples
from tests.schemas.samples import an_id


def request(name: str = "flag", **changes: Any) -> dict[str, Any]:
    """Return the draft of a request to flag the child."""
    more: dict[str, Any] = {"flag_id": an_id(name), "system_owner": EXPLOITATION, "review_by": "2026-10-06"} | changes
    return draft("flag.request/1", MASH, message=samples.message("flag.request/1", **more))


async def test_a_flag_is_set_read_back_and_answered_by_the_system(
    town: Town, force: ForceSystem, police: Agent
) -> None:
    """The officer who looks the child up sees it, and the council's duty to wait is over, without anybody copying anything."""
    async with town.agent(COUNCIL) as council:
        drop(town.homes[COUNCIL], "flag", request())
        await settle(council, police, council)
        assert force.markers_of(CHILD) == ["WM-CSE"]
        (answer,) = came(town.homes[COUNCIL], "flag.set")
        assert (answer["answer"], answer["flag_kind"], answer["review_by"]) == ("set", "CSE", "2026-10-06")
        assert (answer["flag_id"], answer["system_owner"]) == (an_id("flag"), EXPLOITATION)
        assert answer["set_at"] == answer["read_back_at"] == "2026-07-06T08:00:00Z"


async def test_a_flag_that_can_not_be_set_is_declined_with_its_reason(
    town: Town, force: ForceSystem, police: Agent
) -> None:
    """Nobody by that number, and a marker that is there already: a reasoned answer, not silence."""
    async with town.agent(COUNCIL) as council:
        stranger = {"local_id": "SC-9", "name": "Sam Nobody", "dob": "2012-01-01"}
        drop(town.homes[COUNCIL], "one", request("one"))
        drop(town.homes[COUNCIL], "stranger", request("stranger", child=stranger))
        await settle(council, police)
        drop(town.homes[COUNCIL], "again", request("again"))
        await settle(council, police, council)
        said = {one["flag_id"]: one.get("declined_reason") for one in came(town.homes[COUNCIL], "flag.set")}
        assert said == {an_id("one"): None, an_id("stranger"): "insufficient", an_id("again"): "duplicate"}
        assert force.markers_of(CHILD) == ["WM-CSE"]


async def test_a_flag_is_reviewed_and_whoever_asked_hears_when_it_is_taken_down(
    town: Town, force: ForceSystem, police: Agent
) -> None:
    """Somebody clears the marker in the records: that goes out by itself, and the record no longer counts when it is read back."""
    async with town.agent(COUNCIL) as council:
        drop(town.homes[COUNCIL], "flag", request())
        await settle(council, police)
        ((reference, _),) = force.markers.items()
        force.review_marker(reference, officer("EXPLOITATION"), "KEEP", "2027-01-06")
        town.county.now += HOUR
        force.clear_marker(reference, officer("EXPLOITATION"), "RISK DOWN")
        await settle(police, council)
        (review,), (cleared,) = came(town.homes[COUNCIL], "flag.review"), came(town.homes[COUNCIL], "flag.cleared")
        assert (review["result"], review["review_by"], review["reviewed_by"]) == ("keep", "2027-01-06", "EX-1234")
        assert (cleared["cleared_reason"], cleared["flag_id"]) == ("risk_reduced", an_id("flag"))
        assert review["_"]["thread"] == cleared["_"]["thread"]
        assert force.markers_of(CHILD) == []
        adapter = police.gateway.adapters["police"]
        assert isinstance(adapter, ReadsBack)
        held = await adapter.read_back(f"warning_marker/{reference}")
        assert held is not None
        assert (held.ended, held.members["/flag_kind"]) == (True, "CSE")


async def test_whoever_decides_about_a_charge_has_seen_that_the_child_may_be_exploited(
    town: Town, force: ForceSystem, police: Agent
) -> None:
    """The marker stands on the custody record at once; charging isn't possible before it was looked at; what was considered goes back."""
    sergeant = officer("CUSTODY")
    force.book_in("CU-1", CHILD)
    async with town.agent(COUNCIL) as council:
        message = samples.message("exploitation.marker/1", decision_due_at="2026-07-06T16:00:00Z", urgent=True)
        drop(town.homes[COUNCIL], "marker", draft("exploitation.marker/1", MASH, message=message, to=[CAIT]))
        await settle(council, police)
        with pytest.raises(PermissionError):
            force.charge("CU-1", sergeant)
        (shown,) = force.look_at("CU-1", officer("RESPONSE"))
        with pytest.raises(PermissionError):
            force.charge("CU-1", sergeant)
        assert (shown["exploitation"], shown["decision_due"]) == (["CRIMINAL", "TRAFFICKING"], "2026-07-06T17:00:00")
        assert shown["what_is_known"].startswith("Found with drugs")
        force.look_at("CU-1", sergeant)
        ((reference, _),) = force.custody_markers.items()
        force.consider_nrm(reference, sergeant, "NOT REF", reason="Referred by the council on 1 July.")
        await settle(police, council)
        (considered,) = came(town.homes[COUNCIL], "nrm.considered")
        assert (considered["decision"], considered["child"]["local_id"]) == ("not_referred", CHILD)
        assert considered["_"]["author_role"] == "custody_sergeant"
        force.charge("CU-1", sergeant)
        assert force.custody["CU-1"]["charged"]


async def test_a_flag_is_set_once_while_the_records_are_down_in_the_middle(
    town: Town, force: ForceSystem, police: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    """Written and not answered, full, half an answer, off: one marker, one answer, and no child in any log or address."""
    caplog.set_level(logging.DEBUG)
    async with town.agent(COUNCIL) as council:
        drop(town.homes[COUNCIL], "flag", request())
        await settle(council, rounds=1)
        force.spoils, force.ways = ("PUT",), ["took-then-hangs-up", "took-then-hangs-up", 507, "half"]
        for _ in range(6):
            await police.run_once()
            town.county.now += HOUR
        await force.close()
        await police.run_once()
        await force.start()
        town.county.now += HOUR
        await settle(police, council)
        assert force.markers_of(CHILD) == ["WM-CSE"]
        assert len(force.markers) == 1
        assert len(came(town.homes[COUNCIL], "flag.set")) == 1
        said = caplog.text + str(force.asked)
        assert all(secret not in said for secret in ("Robin", "9990000018", "Call the exploitation team"))
