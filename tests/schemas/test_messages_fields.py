"""Every field of the domain's lists is there, is asked for where it must be, and is refused where it is missing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from schemas.catalogue import Catalogue
from schemas.strict_json import MalformedError
from tests.schemas.samples import MESSAGES, message

CATALOGUE = Catalogue.load()
TYPES = CATALOGUE.types()

# Domain 7.4: required fields end in `!`; the others may be left out in some case.
FIELDS: Mapping[str, str] = {
    "referral": "child! adults contact_source! concern! abuse_categories immediate_danger! threshold_level "
    "child_seen_at parents_aware! parents_aware_reason services_involved origin!",
    "referral.outcome": "outcome! decided_at! decided_by! rationale! next_step",
    **{
        f"check.{kind}.request": "check_kind! person! reason_code! linked_event! needed_by!"
        for kind in ("adult", "service", "child")
    },
    **{
        f"check.{kind}.response": "result! since supervising_contact risk_level restrictions children_in_household "
        "will_attend cannot_answer_reason delete_after"
        for kind in ("adult", "service", "child")
    },
    **{
        f"missing.{verb}": "episode_id! child! missing_type! last_seen_at! last_seen_place! reported_at! risk_grade! "
        "placement circumstances! exploitation_marker!"
        for verb in ("report", "update", "return")
    },
    **{f"rhi.{verb}": "episode_id! due_at! provider! provider_reason!" for verb in ("assign", "offer", "result")},
    **{
        f"risk.{verb}": "child! scheme_id! scheme_version! items! score band! override_reason proposed_by!"
        for verb in ("proposed", "assessment", "agreed")
    },
    **{
        f"flag.{verb}": "child! flag_kind! system_owner! source_risk!"
        for verb in ("request", "set", "review", "cleared")
    },
    "risklist.publish": "list_id! version! issued_at! expires_at! entries! withdrawals! previous_version "
    "purpose_limit!",
    "risklist.ack": "version! loaded_at! loaded_by!",
    "closure.intent": "child! reason! sub_reason! risk_band! open_actions! open_rhis! missing_minutes! "
    "child_last_seen! engagement_attempts second_approver receiving_lead window_ends!",
    "closure.objection": "objector! grounds! detail! proposed_step!",
    "closure.confirmed": "decided_by! decided_at! objections_answered!",
    **{
        f"action.{verb}": "action_id! source_record! description! owner_role! owner_person due_at! state! "
        "state_reason evidence"
        for verb in ("assign", "accept", "decline", "progress", "complete", "impossible")
    },
    "escalation.raise": "subject! ground! stage! raised_by! respond_by! not_seen_days history!",
    "escalation.resolve": "resolution! accepted_by_raiser!",
    "status.notice": "child! status_kind! change! effective_on! lead_worker! la_contact! category content_ceiling!",
    "chronology.request": "child! period_from! period_to! reason_code! needed_by! topics",
    "chronology.response": "nil_return! rows",
    "share.declined": "requested_by requested_what! reason_code! reasoning! less_intrusive_option decided_by! "
    "decided_at! second_opinion review_by!",
    **dict.fromkeys(
        ("incident.notice", "school.notice"), "child! incident_ref! occurred_at! child_part! grade! summary!"
    ),
}
MORE: Mapping[str, str] = {
    "missing.return": "returned_at! found_by return_place",
    "rhi.offer": "offered_at! accepted attempts",
    "rhi.result": "offered_at accepted outcome! attempts held_at interviewer independent push_pull_reasons where "
    "with_whom travel harm_or_threats who_helped carer_information plan_part",
    "rhi.intel": "episode_id! due_at! provider! provider_reason! intel_part!",
    "risk.agreed": "agreed_by! agreed_at! dissent review_by!",
    "flag.set": "set_at review_by declined_reason",
    "flag.review": "set_at! review_by",
    "flag.cleared": "cleared_at! cleared_reason!",
    "action.impossible": "accepted_by_chair!",
    "school.notice": "school! child_location! child_voice who_present police_action!",
}
# Domain 2 names each of these; the hub's own notices and receipts are no messages.
_NAMED = """
meeting.convened meeting.held meeting.claimed minutes.decisions minutes.full minutes.correction minutes.dispute
info.report info.report.ack info.report.query info.report.outcome info.report.identity
intel.item intel.digest intel.requirement intel.action
check.adult.request check.adult.response check.service.request check.service.response
check.child.request check.child.response closure.intent closure.objection closure.confirmed
action.assign action.accept action.decline action.progress action.complete action.impossible agenda.generated
rhi.assign rhi.offer rhi.result rhi.intel risk.proposed risk.assessment risk.agreed
flag.request flag.set flag.review flag.cleared risklist.publish risklist.ack risklist.withdraw
incident.notice incident.reconciliation missing.report missing.update missing.return
referral referral.ack referral.outcome status.notice capability.statement
escalation.raise escalation.respond escalation.resolve child.not_seen case.home_notice case.transferred
handover.offer handover.accept handover.decline exploitation.marker nrm.considered basis.record
chronology.request chronology.response education.alert school.notice report.published contribution.none
detention.notice plan.delayed plan.action share.declined
"""
NAMED = _NAMED.split()


def test_every_type_that_the_domain_names_is_there() -> None:
    """No more and no fewer."""
    assert sorted(f"{family}/1" for family in NAMED) == list(TYPES)


@pytest.mark.parametrize(("family", "fields"), [*FIELDS.items(), *MORE.items()])
def test_every_field_of_the_domain_is_there(family: str, fields: str) -> None:
    """What the domain requires is required; what it allows may be left out."""
    schema = CATALOGUE.schema(f"{family}/1")
    for field in fields.split():
        name = field.removesuffix("!")
        assert name in schema["properties"], name
        if field.endswith("!"):
            assert name in schema["required"], name


@pytest.mark.parametrize("family", NAMED)
def test_members_of_every_message_are_there(family: str) -> None:
    """What the domain's sealed envelope says of any message can be said in each (domain 7.1)."""
    common = {"recorded_at", "subject_ref", "do_not_disclose_to", "embargo_until", "attachments"}
    assert common <= set(CATALOGUE.schema(f"{family}/1")["properties"])


def _groups(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        yield path
        for name, member in value.items():
            yield from _groups(member, (*path, name))
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from _groups(member, (*path, number))


def _required(message_type: str, path: tuple[str | int, ...]) -> list[str]:
    pointer = "".join("/*" if isinstance(step, int) else f"/{step}" for step in path)
    schema = CATALOGUE._field(CATALOGUE.schema(message_type), pointer)
    names: list[str] = schema["required"]
    return names


def _missing() -> Iterator[tuple[str, tuple[str | int, ...], str]]:
    for message_type in TYPES:
        for path in _groups(message(message_type)):
            for name in _required(message_type, path):
                yield message_type, path, name


@pytest.mark.parametrize("message_type", TYPES)
def test_a_required_field_that_is_missing_is_named(message_type: str) -> None:
    """At any depth of the sample, leaving out what is required is refused, and the field is named."""
    cases = [(path, name) for kind, path, name in _missing() if kind == message_type]
    assert cases
    for path, name in cases:
        broken = message(message_type)
        group = broken
        for step in path:
            group = group[step]
        del group[name]
        with pytest.raises(MalformedError) as caught:
            CATALOGUE.validate(message_type, broken)
        assert f"`{name}`" in caught.value.message or "has fewer than" in caught.value.message


def test_each_part_is_in_some_sample() -> None:
    """Every group of fields of the newer types stands in a sample, so that the tests over samples reach it."""
    reached = {
        CATALOGUE._field(CATALOGUE.schema(kind), "".join("/*" if isinstance(s, int) else f"/{s}" for s in path))[
            "title"
        ]
        for kind in MESSAGES
        for path in _groups(message(kind))
    }
    shared = CATALOGUE._registry.contents("https://safeguarding-hub.example/messages/shared/1")["$defs"]
    parts = {part["title"] for part in shared.values() if part.get("type") == "object"}
    # Of minutes and reports; test_catalogue holds them.
    assert parts - reached <= {"Missing agency", "Dissent", "Attached document", "Agency", "Redaction"}


def test_no_answer_to_the_at_risk_list_tells_who_came() -> None:
    """Young people are not deterred: attendance at a clinic has no field to flow back in (domain 11, risk 21)."""
    answer = set(CATALOGUE.schema("risklist.ack/1")["properties"])
    common = {"recorded_at", "subject_ref", "do_not_disclose_to", "embargo_until", "attachments"}
    assert answer - common == {"list_id", "version", "loaded_at", "loaded_by"}


def test_the_intelligence_part_of_an_interview_has_no_place_in_its_result() -> None:
    """Plan and intelligence go two ways: what is for police can't be filed with the plan by mistake."""
    result, intel = (set(CATALOGUE.schema(f"rhi.{verb}/1")["properties"]) for verb in ("result", "intel"))
    assert "intel_part" in intel - result
    assert "plan_part" in result - intel


def test_the_largest_messages_are_checked_in_good_time() -> None:
    """A full list and a full chronology, every entry valid, take well under two seconds each."""
    entry = message("risklist.publish/1")["entries"][0]
    entries = [entry | {"match_key": f"{number:043d}"} for number in range(2000)]
    withdrawals = [f"{number:043d}" for number in range(2000, 4000)]
    rows = message("chronology.response/1")["rows"] * 1000
    for message_type, changes in (
        ("risklist.publish/1", {"entries": entries, "withdrawals": withdrawals}),
        ("chronology.response/1", {"rows": rows}),
    ):
        started = time.perf_counter()
        CATALOGUE.validate(message_type, message(message_type, **changes))
        assert time.perf_counter() - started < 2
