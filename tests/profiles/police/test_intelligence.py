"""Intelligence from partners into the force's own system, graded there and nowhere else, and back as a digest that shows no source."""

from __future__ import annotations

import pytest

from adapters.gateway.agent import Agent
from tests.county import COUNCIL, EXPLOITATION, HEALTH, MASH, NURSES, SOURCES
from tests.gateway.support import Town, draft, drop, settle
from tests.profiles.police.system import ForceSystem, officer
from tests.profiles.police.test_incidents import came
from tests.schemas import samples

INTEL, DESK = officer("INTEL"), officer("DESK")


def report(home_agency: str = NURSES, **changes: object) -> dict[str, object]:
    """Return the draft of an information sharing report."""
    return draft("info.report/1", home_agency, message=samples.message("info.report/1", **changes), to=[EXPLOITATION])


async def test_a_report_becomes_an_ungraded_submission_and_its_sender_hears_what_became_of_it(
    town: Town, force: ForceSystem, police: Agent
) -> None:
    """Received at once, without anybody's doing; graded by the intelligence unit only; the outcome a code without detail."""
    async with town.agent(HEALTH) as health:
        drop(town.homes[HEALTH], "report", report())
        await settle(health, police)
        ((reference, submission),) = force.intelligence.items()
        fields = force.records[reference]["fields"]
        assert (submission["grade"], fields["keywords"], fields["source_type"]) == (None, ["CSE", "MISSING"], "CHILD")
        assert (fields["text"][:12], fields["may_name_agency"], fields["risk_to_child"]) == ("A man known ", "N", "9")
        (ack,) = came(town.homes[HEALTH], "info.report.ack")
        assert (ack["_"]["sender"], ack["_"]["author_role"]) == (EXPLOITATION, "intelligence_officer")
        with pytest.raises(PermissionError):
            force.grade(reference, DESK, "2C", "P")
        with pytest.raises(PermissionError):
            force.decide(reference, INTEL, "LOG")
        force.decide(reference, INTEL, "MORE")
        force.grade(reference, INTEL, "2C", "P")
        force.decide(reference, INTEL, "LOG")
        await settle(police, health)
        outcomes = came(town.homes[HEALTH], "info.report.outcome")
        assert [(one["variant"], one["outcome"]) for one in outcomes] == [
            ("interim", "more_information_needed"), ("final", "intel_log_created"),
        ]  # fmt: skip
        assert {one["_"]["re"] for one in outcomes} == {ack["_"]["re"]}
        assert all(len(one) <= 6 for one in outcomes)


async def test_an_item_is_shared_as_its_grading_allows_and_each_step_is_told(
    town: Town, force: ForceSystem, police: Agent
) -> None:
    """Collected, graded, shared in a digest with its handling conditions, acted on: whoever gave it hears of each step."""
    item = samples.message("intel.item/1", police_part=None)
    async with town.agent(HEALTH) as health, town.agent(COUNCIL) as council:
        drop(town.homes[HEALTH], "item", draft("intel.item/1", NURSES, message=item, to=[EXPLOITATION]))
        await settle(health, police)
        ((reference, submission),) = force.intelligence.items()
        assert submission["grade"] is None
        with pytest.raises(PermissionError):
            force.make_digest("DG-1", INTEL, {reference: "A blue car."}, [MASH])
        force.grade(reference, INTEL, "2C", "C", ["A1"])
        force.make_digest("DG-1", INTEL, {reference: "A blue car is used near schools."}, [MASH])
        await settle(police, council)
        (digest,) = came(town.homes[COUNCIL], "intel.digest")
        (shared,) = digest["items"]
        assert digest["_"]["sender"] == EXPLOITATION
        assert shared["sanitised_text"] == "A blue car is used near schools."
        assert (shared["grade"], shared["handling_code"], shared["handling_conditions"]) == ("2C", "C", ["A1"])
        force.decide(reference, INTEL, "SHARED", digest="DG-1")
        force.decide(reference, INTEL, "NONE", why_none="UNCORROBORATED")
        await settle(police, health)
        steps = came(town.homes[HEALTH], "intel.action")
        assert [one["stage"] for one in steps] == ["shared", "no_action"]
        assert steps[0]["digest_id"] == digest["digest_id"]
        assert steps[1]["no_action_reason"] == "not_corroborated"


async def test_a_digest_that_shows_a_source_does_not_leave(town: Town, force: ForceSystem, police: Agent) -> None:
    """Who sent a report is at the gateway, not in the records; the digest that names them is refused, and the record says why."""
    async with town.agent(HEALTH) as health, town.agent(COUNCIL) as council:
        drop(town.homes[HEALTH], "report", report())
        identity = draft("info.report.identity/1", NURSES, to=[SOURCES])
        del identity["retention"]  # a label of its own
        drop(town.homes[HEALTH], "identity", identity)
        await settle(health, police)
        ((reference, _),) = force.intelligence.items()
        assert "Placeholder" not in str(force.records)
        force.grade(reference, INTEL, "2C", "P")
        force.make_digest("DG-1", INTEL, {reference: "Kim Placeholder saw a blue car."}, [MASH])
        force.make_digest("DG-2", INTEL, {reference: "A blue car is used near schools."}, [MASH])
        await settle(police, council)
        refused = [said for said in force.answers.values() if not said["sent"]]
        assert [one["code"] for one in refused] == ["source-named"]
        assert "Placeholder" not in str(refused)
        (digest,) = came(town.homes[COUNCIL], "intel.digest")
        assert "Placeholder" not in str(digest)


async def test_a_grade_that_somebody_else_gives_never_reaches_the_records(
    town: Town, force: ForceSystem, police: Agent
) -> None:
    """A partner's draft with a police part is refused at the partner; without it the submission comes, ungraded."""
    graded = samples.message("intel.item/1")
    async with town.agent(HEALTH) as health:
        drop(town.homes[HEALTH], "graded", draft("intel.item/1", NURSES, message=graded, to=[EXPLOITATION]))
        await settle(health, police)
        assert force.intelligence == {}
        reason = (town.homes[HEALTH] / "refused/graded/reason.json").read_text()
        assert "only police set" in reason


async def test_a_theme_that_the_records_have_no_word_for_waits_for_a_person(
    town: Town, force: ForceSystem, police: Agent
) -> None:
    """With a mapping that lacks one: nothing is dropped, nothing is guessed, and people are told."""
    adapter = police.gateway.adapters["police"]
    rule = next(one for one in adapter.mapping.file if one.type == "info.report/1")  # type: ignore[attr-defined]
    del rule.fields["keywords"].codes["missing"]
    async with town.agent(HEALTH) as health:
        drop(town.homes[HEALTH], "report", report())
        await settle(health, police)
        assert force.intelligence == {}
        (told,) = [one for one in force.filed("notice") if one["notice"] == "needs-person"]
        assert (told["reason"], told["type"]) == ("record-code", "info.report/1")
