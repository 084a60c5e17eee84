"""What each type tells the hub, held against a list: nothing becomes clear unless somebody writes it here too."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from schemas.catalogue import Catalogue, Clear
from schemas.envelope import Item
from schemas.strict_json import MalformedError
from tests.schemas.samples import HEALTH, NOW, POLICE, SOCIAL_CARE, an_id, message

CATALOGUE = Catalogue.load()
HOUR = 3_600_000

FACTS: Mapping[str, set[str]] = {
    "meeting.convened": {"meeting", "adults"},
    "meeting.held": {"meeting"},
    "meeting.claimed": {"meeting"},
    "minutes.decisions": {"variant", "urgency", "s47", "conference"},
    "minutes.full": {"variant", "urgency", "s47", "conference"},
    "minutes.correction": {"variant"},
    "minutes.dispute": {"variant"},
    "info.report.outcome": {"variant"},
    "referral": {"origin"},
    "referral.outcome": {"outcome"},
    "missing.report": {"missing_type"},
    "missing.return": {"missing_type"},
    "status.notice": {"status", "change"},
    "case.transferred": {"kind"},
    "handover.offer": {"band", "direction"},
    "share.declined": {"reason"},
    "incident.reconciliation": {"unsent"},
    "action.progress": {"state", "variant"},
    "action.impossible": {"accepted", "variant"},
    "agenda.generated": {"meeting"},
    "rhi.result": {"outcome", "variant"},
    "risk.agreed": {"band"},
    "flag.request": {"flag_kind"},
    "flag.set": {"flag_kind", "answer", "variant"},
    "flag.review": {"flag_kind"},
    "flag.cleared": {"flag_kind"},
    "closure.intent": {"band", "sub_reason", "open_work", "approved", "handed_over"},
    "closure.objection": {"grounds"},
    "closure.confirmed": {"decision", "variant"},
    "incident.notice": {"grade"},
    "school.notice": {"grade"},
    "escalation.raise": {"ground", "stage"},
    "escalation.respond": {"stage"},
    "escalation.resolve": {"accepted", "variant"},
    "intel.action": {"stage", "variant"},
    "plan.action": {"state", "variant"},
}
MOMENTS: Mapping[str, set[str]] = {
    "meeting.convened": {"starts"},
    "meeting.held": {"starts"},
    "minutes.full": {"next_discussion"},
    "info.report.query": {"needed_by"},
    **{f"check.{kind}.request": {"needed_by"} for kind in ("adult", "service", "child")},
    "agenda.generated": {"starts"},
    "rhi.assign": {"returned"},
    "rhi.result": {"held"},
    "risklist.publish": {"list_expires"},
    "risk.agreed": {"review_by"},
    **{f"flag.{verb}": {"review_by"} for verb in ("request", "set", "review")},
    "closure.intent": {"window_ends"},
    "closure.confirmed": {"next_review"},
    "escalation.raise": {"respond_by"},
    "case.home_notice": {"respond_by"},
    "case.transferred": {"written_notice"},
    "handover.offer": {"respond_by"},
    "exploitation.marker": {"needed_by"},
    "intel.requirement": {"needed_by"},
    "chronology.request": {"needed_by"},
}
PARTIES: Mapping[str, set[str]] = {
    "meeting.convened": {"/participants/*/org"},
    "meeting.held": {"/participants/*/org", "/distribution/*/inbox"},
    "meeting.claimed": {"/convened_by"},
    "minutes.decisions": {"/participants/*/org", "/distribution/*/inbox"},
    "minutes.full": {"/participants/*/org", "/distribution/*/inbox"},
    "minutes.correction": {"/distribution/*/inbox"},
    "minutes.dispute": {"/addressed_to"},
    "referral": {"/referred_to", "/home_la_inbox"},
    "referral.outcome": {"/home_la_inbox"},
    "action.assign": {"/owner_role"},
    "rhi.assign": {"/provider", "/social_worker_inbox"},
    "flag.request": {"/system_owner"},
    "case.transferred": {"/from_team", "/to_team"},
    "handover.offer": {"/receiving_team"},
    "plan.action": {"/owner_role"},
}
WITH_ITEMS = {
    "minutes.decisions",
    "minutes.full",
    "case.transferred",
    "plan.action",
    *(f"action.{verb}" for verb in ("assign", "accept", "decline", "progress", "complete", "impossible")),
    *(f"rhi.{verb}" for verb in ("assign", "offer", "result", "intel")),
}


@pytest.mark.parametrize("message_type", CATALOGUE.types())
def test_nothing_is_clear_that_is_not_listed_here(message_type: str) -> None:
    """Metadata is sensitive: a fact, moment, party or item more is a decision, and this test is where it is seen."""
    clear = CATALOGUE.schema(message_type)["x-clear"]
    family = message_type.removesuffix("/1")
    assert set(clear["facts"]) == FACTS.get(family, set())
    assert set(clear["moments"]) == MOMENTS.get(family, set())
    assert set(clear["parties"]) == PARTIES.get(family, set())
    assert ("items" in clear) == (family in WITH_ITEMS)


@pytest.mark.parametrize("message_type", CATALOGUE.types())
def test_every_value_of_a_fact_is_of_a_short_closed_list(message_type: str) -> None:
    """A fact has at least two values and at most twenty, each a code; free text can't get out through it."""
    for fact, values in CATALOGUE.fact_values(message_type).items():
        assert len(set(values)) == len(values) <= 20
        assert len(values) > 1 or fact == "variant"
        assert all(value.replace("_", "").isalnum() for value in values)


@pytest.mark.parametrize(
    "message_type",
    [f"check.{kind}.{part}/1" for kind in ("adult", "service", "child") for part in ("request", "response")],
)
def test_whether_somebody_is_known_to_a_service_stays_sealed(message_type: str) -> None:
    """Every answer settles the check, so the hub need not learn which one it was."""
    assert CATALOGUE.fact_values(message_type) == {}


def test_what_a_check_says_in_clear() -> None:
    """Until when the answer is needed, and that it is urgent."""
    clear = CATALOGUE.clear("check.adult.request/1", message("check.adult.request/1"))
    assert clear == Clear(
        at=NOW - 18 * HOUR - HOUR // 2, moments={"needed_by": NOW}, urgent=True, parties=(), items=(), facts={}
    )


def test_immediate_danger_makes_a_referral_urgent() -> None:
    """Nobody has to say it twice."""
    assert not CATALOGUE.clear("referral/1", message("referral/1")).urgent
    assert CATALOGUE.clear("referral/1", message("referral/1", immediate_danger=True)).urgent


def test_a_child_from_another_area_makes_the_home_authority_a_party() -> None:
    """The host decides and the home authority is told; who sends names both."""
    sample = message("referral/1", home_la_inbox="elsewhere-social-care/mash")
    assert CATALOGUE.clear("referral/1", sample).parties == ("elsewhere-social-care/mash", SOCIAL_CARE)


@pytest.mark.parametrize("verb", ["assign", "accept", "decline", "progress", "complete", "impossible"])
def test_an_action_is_the_one_item_of_every_message_about_it(verb: str) -> None:
    """So that a rule about that action finds it by its identifier, whatever is said of it."""
    sample = message(f"action.{verb}/1")
    (item,) = CATALOGUE.clear(f"action.{verb}/1", sample).items
    assert (item.ref, item.owner) == (an_id("action"), HEALTH)


def test_an_interview_is_owed_by_its_provider_72_hours_after_the_return() -> None:
    """Saturday noon, summer time, to Tuesday eleven, winter time: elapsed hours, as the domain's table has it."""
    clear = CATALOGUE.clear("rhi.assign/1", message("rhi.assign/1"))
    (item,) = clear.items
    assert item == Item(ref=an_id("episode"), owner=HEALTH, due=clear.moments["returned"] + 72 * HOUR)
    assert clear.parties == tuple(sorted([HEALTH, SOCIAL_CARE]))


def test_yes_and_no_become_codes() -> None:
    """Rules ask for codes: what the chair or the raiser says can settle a duty, or not."""
    for family, field in (("action.impossible", "accepted_by_chair"), ("escalation.resolve", "accepted_by_raiser")):
        for value, code in ((True, "yes"), (False, "no")):
            facts = CATALOGUE.clear(f"{family}/1", message(f"{family}/1", **{field: value})).facts
            assert facts == {"accepted": code, "variant": code}
        assert CATALOGUE.fact_values(f"{family}/1")["accepted"] == ("no", "yes")


def test_a_stage_becomes_a_code() -> None:
    """Each stage has a time limit of its own, so the rules must know it."""
    assert CATALOGUE.clear("escalation.raise/1", message("escalation.raise/1")).facts["stage"] == "2"
    assert CATALOGUE.fact_values("escalation.raise/1")["stage"] == tuple("123456789")


def test_a_transfer_names_who_has_each_open_item_from_now_on() -> None:
    """Open items move with the case."""
    clear = CATALOGUE.clear("case.transferred/1", message("case.transferred/1"))
    assert [item.owner for item in clear.items] == ["sampleton-social-care/area-team"]
    assert SOCIAL_CARE in clear.parties


def test_an_at_risk_list_says_when_it_ends_and_nothing_of_whom_it_lists() -> None:
    """How many children are on it shows in no member; the contact is no party."""
    clear = CATALOGUE.clear("risklist.publish/1", message("risklist.publish/1"))
    assert set(clear.moments) == {"list_expires"}
    assert (clear.parties, clear.items, clear.facts) == ((), (), {})


def test_a_closure_says_band_and_sub_reason() -> None:
    """An unknown risk counts as open, and not engaging is no ground by itself: the rules see both."""
    clear = CATALOGUE.clear("closure.intent/1", message("closure.intent/1"))
    assert clear.facts["band"] == "unknown"
    assert clear.facts["sub_reason"] == "child_not_engaging"
    assert set(clear.moments) == {"window_ends"}


@pytest.mark.parametrize(
    "given", [[], ["open_actions"], ["open_rhis"], ["missing_minutes"], ["open_rhis", "open_actions"]]
)
def test_a_closure_says_whether_work_is_open(given: list[str]) -> None:
    """One open entry in any of three lists is enough; how many there are, and of what, stays sealed."""
    lists = {name: ["X-1"] if name in given else [] for name in ("open_actions", "open_rhis", "missing_minutes")}
    facts = CATALOGUE.clear("closure.intent/1", message("closure.intent/1", **lists)).facts
    assert facts["open_work"] == ("yes" if given else "no")
    assert CATALOGUE.fact_values("closure.intent/1")["open_work"] == ("no", "yes")


def test_a_closure_says_whether_somebody_approved_or_takes_over() -> None:
    """That there is such a person, never who."""
    nobody = {"second_approver": None, "receiving_lead": None}
    for changes, code in (({"second_approver": "M-1", "receiving_lead": "L-1"}, "yes"), (nobody, "no")):
        facts = CATALOGUE.clear("closure.intent/1", message("closure.intent/1", **changes)).facts
        assert (facts["approved"], facts["handed_over"]) == (code, code)


def test_a_meeting_says_whether_adults_are_to_be_checked() -> None:
    """Named adults make a check due; an absent or empty list does not, and no name gets out."""
    for adults, code in ((None, "no"), ([], "no"), ([message("check.adult.request/1")["person"]], "yes")):
        clear = CATALOGUE.clear("meeting.convened/1", message("meeting.convened/1", adults=adults))
        assert clear.facts == {"meeting": "strategy", "adults": code}


def test_an_adult_to_be_checked_is_written_as_the_check_needs_it() -> None:
    """What stands in the meeting's list can be copied into the check as it is."""
    assert CATALOGUE._field(CATALOGUE.schema("meeting.convened/1"), "/adults/*") == CATALOGUE._field(
        CATALOGUE.schema("check.adult.request/1"), "/person"
    )


def test_minutes_say_whether_an_enquiry_and_a_conference_follow() -> None:
    """Both start clocks; a record that holds only a reference says neither."""
    for family in ("minutes.decisions", "minutes.full"):
        facts = CATALOGUE.clear(f"{family}/1", message(f"{family}/1", icpc_needed=False)).facts
        assert (facts["s47"], facts["conference"]) == ("yes", "no")
    bare = message("minutes.full/1", variant="reference_only", s47_decision=None, icpc_needed=None)
    assert {"s47", "conference"}.isdisjoint(CATALOGUE.clear("minutes.full/1", bare).facts)


def test_a_day_is_over_when_it_ends() -> None:
    """A review by the 14th of July is on time until the last millisecond of that day, in UTC."""
    clear = CATALOGUE.clear("risk.agreed/1", message("risk.agreed/1", review_by="2026-07-14"))
    assert clear.moments == {"review_by": 1_784_073_599_999}
    earliest = message("flag.request/1", review_by="1970-01-01")
    CATALOGUE.validate("flag.request/1", earliest)
    assert CATALOGUE.clear("flag.request/1", earliest).moments == {"review_by": 24 * HOUR - 1}
    with pytest.raises(MalformedError):
        CATALOGUE.validate("flag.request/1", message("flag.request/1", review_by="1969-12-31"))


def test_a_flag_is_asked_of_whoever_owns_the_system() -> None:
    """The owner of the system is the one who owes the answer."""
    assert CATALOGUE.clear("flag.request/1", message("flag.request/1")).parties == (POLICE,)
