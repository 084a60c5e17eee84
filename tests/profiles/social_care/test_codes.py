"""Every code of the standard safeguarding dataset and the national returns, out to a message and back into a record."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from adapters.base import Draft, NeedsPerson
from adapters.conformance import sample_incoming
from adapters.profiles.checking import list_uncovered, parse_mapping
from adapters.profiles.drafting import Drafted, Settings, draft_record
from adapters.profiles.placing import hold, place
from adapters.profiles.records import Placed, Record, Standing
from schemas.catalogue import Catalogue
from tests.county import MASH
from tests.schemas import samples

CATALOGUE = Catalogue.load()
MAPPING = parse_mapping(files("adapters.profiles.social_care").joinpath("mapping.json").read_bytes(), CATALOGUE)
ZONE = ZoneInfo("Europe/London")
SETTINGS = Settings(sender=MASH, role="social_worker", zone=ZONE, name_it=lambda _, number: samples.an_id(number))
SHARED = cast("dict[str, Any]", CATALOGUE.shared)["$defs"]
# By domain 6.1 to 6.3: what the dataset calls the outcome's flag, and the code of the list.
S47 = {
    "CP_CONFERENCE_FLAG": "CP_CONFERENCE",
    "MONITOR_FLAG": "MONITOR",
    "NFA_CONTINUE_SINGLE_FLAG": "NFA_CONTINUE_SINGLE",
    "LEGAL_ACTION_FLAG": "LEGAL_ACTION",
    "PROV_OF_SERVICES_FLAG": "PROV_OF_SERVICES",
    "PROV_OF_SB_CARE_FLAG": "PROV_OF_SB_CARE",
    "NFA_FLAG": "NFA",
    "OTHER_OUTCOMES_EXIST_FLAG": "OTHER",
}
CONFERENCE = {
    "NFA_FLAG": "NFA",
    "REFERRAL_TO_OTHER_AGENCY_FLAG": "REFERRAL_TO_OTHER_AGENCY",
    "SINGLE_ASSESSMENT_FLAG": "SINGLE_ASSESSMENT",
    "PROV_OF_SERVICES_FLAG": "PROV_OF_SERVICES",
    "CP_FLAG": "CP",
    "OTHER_OUTCOMES_EXIST_FLAG": "OTHER",
}
REFERRAL = {
    "SINGLE_ASSESSMENT_FLAG": "assessment_required",
    "NFA_FLAG": "nfa",
    "STRATEGY_DISCUSSION_FLAG": "strategy_discussion_s47",
    "CLA_REQUEST_FLAG": "other",
    "NON_AGENCY_ADOPTION_FLAG": "other",
    "PRIVATE_FOSTERING_FLAG": "other",
    "CP_TRANSFER_IN_FLAG": "other",
    "CP_CONFERENCE_FLAG": "other",
    "CARE_LEAVER_FLAG": "other",
    "OTHER_OUTCOMES_EXIST_FLAG": "other",
}
CATEGORIES = {"NEG": "neglect", "PHY": "physical", "SAB": "sexual", "EMO": "emotional"}


def codes_of(part: str) -> list[str]:
    """Return the codes of one vocabulary of the message types."""
    found = SHARED[part]
    return list(found["enum"] if "enum" in found else found["x-labels"])


def sent(kind: str, **fields: Any) -> dict[str, Any]:
    """Return the message that a record of *kind* becomes, with what *fields* say (``__`` is a dot)."""
    record: dict[str, Any] = {"author": "Jordan Example"}
    for name, value in fields.items():
        where = record
        *above, last = name.split("__")
        for part in above:
            where = where.setdefault(part, {})
        where[last] = value
    drafted = draft_record(Record(key="k", kind=kind, fields=record), MAPPING, SETTINGS)
    assert isinstance(drafted, Drafted), drafted
    draft: Draft = drafted.draft
    return draft.message


def put(kind: str, message: dict[str, Any]) -> Placed:
    """Return the record that *message* becomes."""
    placed = place(sample_incoming(type=kind, message=message), MAPPING, ZONE)
    assert isinstance(placed, Placed), placed
    return placed


def back(placed: Placed) -> dict[str, Any]:
    """Return what the record says of the message, as a gateway reads it back."""
    held = hold(f"{placed.kind}/x", Standing(fields=placed.fields), MAPPING)
    return dict(held.members)


def test_every_code_of_every_type_that_is_filed_has_one_of_the_systems() -> None:
    """Nothing that another agency may say waits for a person only because nobody mapped its code."""
    assert list_uncovered(MAPPING, CATALOGUE) == []


@pytest.mark.parametrize(("flag", "code"), S47.items())
def test_each_outcome_of_an_enquiry_is_sent(flag: str, code: str) -> None:
    """Domain 6.1: the dataset's flag is the code, and what isn't flagged isn't sent."""
    flags = dict.fromkeys(S47, "N") | {flag: "Y"}
    message = sent("minutes", enquiry__s47e_s47_outcome_json=flags)
    assert message["outcome_of_enquiry"] == [code]


@pytest.mark.parametrize(("flag", "code"), CONFERENCE.items())
def test_each_outcome_of_a_conference_is_sent(flag: str, code: str) -> None:
    """Domain 6.2: the same."""
    message = sent("minutes", conference__icpc_icpc_outcome_json=dict.fromkeys(CONFERENCE, "") | {flag: "Y"})
    assert message["outcome_of_conference"] == [code]


def test_several_outcomes_may_be_true() -> None:
    """Domain 6.1 and 6.2: several, each once; and the flags are all that the lists have."""
    message = sent(
        "minutes",
        enquiry__s47e_s47_outcome_json=dict.fromkeys(S47, "Y"),
        conference__icpc_icpc_outcome_json=dict.fromkeys(CONFERENCE, "Y"),
    )
    assert message["outcome_of_enquiry"] == codes_of("S47Outcome") == list(S47.values())
    assert message["outcome_of_conference"] == codes_of("ConferenceOutcome") == list(CONFERENCE.values())
    assert "outcome_of_enquiry" not in sent("minutes", enquiry__s47e_s47_outcome_json={})


@pytest.mark.parametrize("code", codes_of("ReferralOutcome"))
def test_each_outcome_of_a_referral_is_sent(code: str) -> None:
    """Domain 6.3: a system that keeps the codes of the list."""
    assert sent("referral_decided", decision__outcome=code)["outcome"] == code


@pytest.mark.parametrize(("flag", "code"), REFERRAL.items())
def test_each_flag_of_a_referral_is_an_outcome(flag: str, code: str) -> None:
    """Domain 6.3: a system that exports flags; what is `other` says in words which."""
    message = sent("referral_decided_by_flags", referral__cine_referral_outcome_json={flag: "Y"})
    assert message["outcome"] == code
    assert ("next_step" in message) == (code == "other")


def test_no_further_action_by_its_own_column_is_one_too() -> None:
    """Domain 6.3: newer extracts have it beside the flags; any other outcome stands before it."""
    assert sent("referral_decided_by_flags", referral__cine_referral_nfa="Y")["outcome"] == "nfa"
    flags = {"SINGLE_ASSESSMENT_FLAG": "Y"}
    both = sent(
        "referral_decided_by_flags", referral__cine_referral_nfa="Y", referral__cine_referral_outcome_json=flags
    )
    assert both["outcome"] == "assessment_required"
    assert "outcome" not in sent("referral_decided_by_flags", referral__cine_referral_nfa="N")


@pytest.mark.parametrize("code", codes_of("ContactSource"))
def test_each_source_of_a_contact_goes_both_ways(code: str) -> None:
    """Domain 6.4: out by the dataset's column, in to it, and read back as it came; probation keeps its local sub-code."""
    message = sent("referral_sent", contact__cont_contact_source_code=code, contact__source_local="probation")
    assert (message["contact_source"], message["contact_source_local"]) == (code, "probation")
    placed = put("referral/1", samples.message("referral/1", contact_source=code, contact_source_local="probation"))
    assert (placed.fields["cont_contact_source_code"], placed.fields["source_local"]) == (code, "probation")
    assert back(placed)["/contact_source"] == code


@pytest.mark.parametrize(("ours", "code"), CATEGORIES.items())
def test_each_category_of_abuse_goes_both_ways(ours: str, code: str) -> None:
    """Domain 6.5: the return's three letters, in a set."""
    assert sent("minutes", discussion__categories=[ours])["abuse_categories"] == [code]
    assert sent("status_changed", status__categories=[ours])["category"] == [code]
    placed = put("referral/1", samples.message("referral/1", abuse_categories=[code]))
    assert placed.fields["categories"] == [ours]
    assert back(placed)["/abuse_categories"] == [code]
    assert sorted(CATEGORIES.values()) == sorted(codes_of("AbuseCategory"))


@pytest.mark.parametrize("code", codes_of("Factor"))
def test_each_factor_is_sent(code: str) -> None:
    """Domain 6.5: the list of the dataset's assessment factors as it stands there."""
    assert sent("minutes", assessment__cinf_assessment_factors_json=[code])["factors"] == [code]


@pytest.mark.parametrize("code", codes_of("MissingType"))
def test_each_kind_of_absence_goes_both_ways(code: str) -> None:
    """Domain 6.6: the dataset's two for looked-after children, and ours for all others."""
    assert sent("return_interview", missing__miss_missing_episode_type=code)["missing_type"] == code
    for kind in ("report", "update", "return"):
        placed = put(f"missing.{kind}/1", samples.message(f"missing.{kind}/1", missing_type=code))
        assert placed.fields["miss_missing_episode_type"] == code
        assert back(placed)["/missing_type"] == code


@pytest.mark.parametrize(
    ("outcome", "changes", "columns"),
    [
        ("conducted", {"accepted": True}, ("Y", "Y")),
        ("declined", {"accepted": False}, ("Y", "N")),
        ("not_possible", {"accepted": None}, ("Y", None)),
        ("not_possible", {"accepted": None, "offered_at": None}, ("N", None)),
        ("not_offered", {"accepted": None, "offered_at": None}, ("N", None)),
    ],
)
def test_what_came_of_an_interview_is_the_datasets_two_columns(
    outcome: str, changes: dict[str, Any], columns: tuple[str, str | None]
) -> None:
    """Domain 6.6: offered Y or N; accepted Y or N, blank if it wasn't offered."""
    message = samples.message("rhi.result/1", outcome=outcome, **{"offered_at": "2026-07-06T09:00:00Z"} | changes)
    fields = put("rhi.result/1", message).fields
    assert (fields["miss_missing_rhi_offered"], fields.get("miss_missing_rhi_accepted")) == columns


@pytest.mark.parametrize("code", codes_of("ClosureReason"))
def test_each_reason_for_closing_is_sent(code: str) -> None:
    """Domain 6.7: the national code of the episode."""
    assert sent("closure_intended", referral__cine_close_reason=code)["reason"] == code


@pytest.mark.parametrize("code", codes_of("ClosureSubReason"))
def test_each_local_reason_for_closing_is_sent(code: str) -> None:
    """Domain 6.7: the guard's triggers among them."""
    assert sent("closure_intended", closure__sub_reason=code)["sub_reason"] == code


@pytest.mark.parametrize("code", codes_of("WorkerChange"))
def test_each_change_of_worker_is_sent(code: str) -> None:
    """Domain 6.7: the dataset's code of the involvement that ended."""
    message = sent("case_transferred", involvement__invo_worker_change_reason=code)
    assert message["change_reason"] == code


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        ("referral_sent", "contact__cont_contact_source_code"),
        ("minutes", "discussion__categories"),
        ("return_interview", "missing__miss_missing_episode_type"),
        ("closure_intended", "referral__cine_close_reason"),
        ("case_transferred", "involvement__invo_worker_change_reason"),
        ("referral_decided", "decision__outcome"),
    ],
)
def test_a_code_of_nobodys_is_never_sent(kind: str, column: str) -> None:
    """What stands in a coded column and is in no table is refused, and its value isn't repeated."""
    *above, last = column.split("__")
    fields: dict[str, Any] = {"author": "Jordan Example", above[0]: {last: "ZEBULON"}}
    refused = draft_record(Record(key="k", kind=kind, fields=fields), MAPPING, SETTINGS)
    assert not isinstance(refused, Drafted)
    assert refused.code == "record-code"
    assert "ZEBULON" not in refused.message + refused.hint


def test_a_code_of_nobodys_is_never_filed() -> None:
    """A list that has grown since waits for a person."""
    placed = place(
        sample_incoming(type="referral/1", message=samples.message("referral/1", contact_source="11")), MAPPING, ZONE
    )
    assert placed == NeedsPerson(code="record-code")
