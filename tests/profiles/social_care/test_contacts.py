"""Referrals: filed as contacts with the national source code, acknowledged, and decided on by outcome or by flags."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from tests.county import HEALTH, HOUR, MASH, NURSES
from tests.gateway.support import Town, draft, drop, settle
from tests.profiles.social_care.council import CHILD, NAME, NHS_NUMBER, filed, open_council, refused, states
from tests.profiles.social_care.system import CaseSystem
from tests.schemas import samples


def refer(town: Town, name: str, **changes: Any) -> None:
    """Drop a referral of the nurses' about the child whom the council knows."""
    child = samples.child(name=NAME, nhs_number=NHS_NUMBER)
    given = {
        "child": child,
        "referred_at": "2026-07-06T07:30:00Z",
        "referred_to": None,
        "home_la_inbox": None,
        "recorded_at": None,
        "origin": "electronic",
    }
    message = samples.message(
        "referral/1", **given | {"referral_id": samples.an_id(name), "contact_source": "3B"} | changes
    )
    drop(town.homes[HEALTH], name, draft("referral/1", NURSES, message=message, to=[MASH]))


async def test_a_referral_is_a_contact_of_the_known_child_and_its_decision_reaches_the_referrer(
    town: Town, cases: CaseSystem
) -> None:
    """Filed as the case system's own contact and read back from there; acknowledgement and outcome go back in its thread."""
    async with open_council(town, cases) as council, town.agent(HEALTH) as health:
        refer(town, "one")
        await settle(health, council)
        (contact,) = cases.rows("ssd_contacts")
        (ours,) = cases.rows("own_contact")
        assert (contact["cont_person_id"], contact["cont_contact_source_code"]) == (CHILD, "3B")
        assert (ours["referrer"], ours["immediate_danger"]) == (NURSES, "N")
        (row,) = [one for one in cases.interface.inbox() if one["kind"] == "contact"]
        assert row["reference"] == contact["cont_contact_id"]
        cases.acknowledge(ours["contact_id"], "2026-07-06T09:30:00")
        cases.decide(ours["contact_id"], "2026-07-06T10:00:00", "assessment_required")
        town.county.now += 2 * HOUR
        await settle(council, health)
        assert refused(cases) == []
        assert states(cases) == {"sent"}
        ((_, received),) = filed(town, HEALTH, "referral.ack/1")
        ((note, outcome),) = filed(town, HEALTH, "referral.outcome/1")
        assert received["referral_id"] == outcome["referral_id"] == samples.an_id("one")
        assert (outcome["outcome"], outcome["decided_at"]) == ("assessment_required", "2026-07-06T09:00:00Z")
        assert note["thread"] == ours["hub_thread"]
        await settle(council)
        duties = await town.site.desk.duties(note["thread"])
        assert duties["referral-decided", MASH, NURSES] == "met"


async def test_a_decision_that_a_system_exports_as_flags_is_the_outcome_they_mean(
    town: Town, cases: CaseSystem
) -> None:
    """A strategy discussion stands before an assessment; what has no outcome of its own is `other`, and says which."""
    decided = {
        "both": (["SINGLE_ASSESSMENT_FLAG", "STRATEGY_DISCUSSION_FLAG"], False, "strategy_discussion_s47", None),
        "looked-after": (
            ["CLA_REQUEST_FLAG", "PRIVATE_FOSTERING_FLAG"],
            False,
            "other",
            "A request that the child is looked after.\nPrivate fostering.",
        ),
        "nothing": ([], True, "nfa", None),
    }
    async with open_council(town, cases) as council, town.agent(HEALTH) as health:
        for name in decided:
            refer(town, name)
        await settle(health, council)
        by_id = {row["referral_id"]: row["contact_id"] for row in cases.rows("own_contact")}
        for name, (flags, nfa, _, _) in decided.items():
            cases.decide(by_id[samples.an_id(name)], "2026-07-06T09:00:00", flags=flags, nfa=nfa)
        cases.decide(by_id[samples.an_id("both")], "2026-07-06T09:00:00", "made_up")
        await settle(council, health)
        found = {one["referral_id"]: one for _, one in filed(town, HEALTH, "referral.outcome/1")}
        for name, (_, _, outcome, step) in decided.items():
            said = found[samples.an_id(name)]
            assert (said["outcome"], said.get("next_step")) == (outcome, step)
        # A code of this system's that nobody has mapped goes nowhere, and says which field it is.
        ((key, code, message),) = refused(cases)
        assert (key[:16], code) == ("referral_decided", "record-code")
        assert "decision.outcome" in message
        assert "made_up" not in message


async def test_a_code_that_the_council_has_not_mapped_waits_for_a_person(town: Town, cases: CaseSystem) -> None:
    """A referral whose source code isn't in the council's own table is never filed under another one."""
    table = json.loads(files("adapters.profiles.social_care").joinpath("mapping.json").read_text("utf-8"))
    del table["tables"]["sources"]["3B"]
    own = cases.interface.path.parent / "mapping.json"
    own.write_text(json.dumps(table))
    async with open_council(town, cases, mapping=str(own)) as council, town.agent(HEALTH) as health:
        refer(town, "one")
        await settle(health, council)
        assert cases.rows("ssd_contacts") == []
        notices = [one["fields"] for one in cases.interface.inbox() if one["kind"] == "notice"]
        assert [one["reason"] for one in notices if one["notice"] == "needs-person"] == ["record-code"]
