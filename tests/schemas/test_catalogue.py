"""Messages are held to their schemas, and say the same to the hub whoever derives it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.catalogue import Catalogue, Clear, clear_of
from schemas.envelope import parse_header
from schemas.strict_json import MalformedError, dump
from tests.schemas import samples
from tests.schemas.samples import GP, HEALTH, MESSAGES, NOW, POLICE, PROBATION, SOCIAL_CARE, an_id, message, payload

CATALOGUE = Catalogue.load()
TYPES = CATALOGUE.types()
FOLDER = Path(__file__).parents[2] / "schemas" / "messages"
FILES = sorted(FOLDER.glob("*.schema.json"))


def test_every_type_of_this_release_is_known_and_has_a_sample() -> None:
    """Each type is in the file of its family."""
    assert set(TYPES) == set(MESSAGES)
    assert {f"{file.name.removesuffix('.schema.json')}/1" for file in FILES} == {*TYPES, "shared/1"}
    for message_type in TYPES:
        assert CATALOGUE.schema(message_type)["$id"].endswith(f"/{message_type}")


@pytest.mark.parametrize("message_type", TYPES)
def test_a_sample_passes_and_its_derived_members_make_a_header(message_type: str) -> None:
    """What a type puts into the clear is what a header may hold, and is found again from the header."""
    sample = message(message_type)
    parsed = CATALOGUE.parse(message_type, payload(sample))
    clear = CATALOGUE.clear(message_type, parsed)
    members = json.loads(dump(clear))
    members["to"] = [HEALTH]
    header = parse_header(payload(samples.header(**{"type": message_type, **members})))
    assert clear_of(header) == clear
    assert set(clear.facts) <= set(CATALOGUE.fact_values(message_type))
    assert all(clear.facts[fact] in CATALOGUE.fact_values(message_type)[fact] for fact in clear.facts)


def test_what_a_held_meeting_says_in_clear() -> None:
    """Everybody who is owed the minutes is a party, also those who were not invited."""
    assert CATALOGUE.clear(
        "meeting.held/1", samples.meeting_held(urgent=True, starts_at="2026-04-14T09:00:00Z")
    ) == Clear(
        at=NOW,
        moments={"starts": NOW - 30 * 60_000},
        urgent=True,
        parties=tuple(sorted([HEALTH, POLICE, PROBATION, GP])),
        items=(),
        facts={"meeting": "strategy"},
    )


def test_what_a_claimed_meeting_says_in_clear() -> None:
    """Whoever called the meeting is the only party."""
    clear = CATALOGUE.clear("meeting.claimed/1", samples.meeting_claimed())
    assert (clear.parties, clear.at, clear.urgent) == ((SOCIAL_CARE,), NOW, False)


def test_open_actions_become_items_sorted_by_reference() -> None:
    """Actions that are done, declined or cancelled wait for nobody."""
    actions = [
        samples.action("b", POLICE),
        samples.action("a", HEALTH, due_at="2026-04-14T09:30:00.250Z"),
        samples.action("c", state="complete"),
        samples.action("d", state="cancelled", state_reason="merged"),
    ]
    items = CATALOGUE.clear("minutes.full/1", samples.minutes_full(actions=actions)).items
    assert [item.ref for item in items] == sorted([an_id("a"), an_id("b")])
    assert {item.owner: item.due for item in items}[HEALTH] == NOW + 250


def test_two_items_with_one_identifier_are_refused() -> None:
    """The header could not tell them apart."""
    with pytest.raises(MalformedError) as caught:
        CATALOGUE.clear("minutes.full/1", samples.minutes_full(actions=[samples.action(), samples.action()]))
    assert caught.value.code == "message-item-twice"


def test_more_parties_than_a_header_holds_are_refused() -> None:
    """Participants and distribution may each be within bounds and yet be too many together."""
    people = [samples.participant(f"agency/p{n}") for n in range(64)]
    full = samples.meeting_held(participants=people, distribution=[])
    assert len(CATALOGUE.clear("meeting.held/1", full).parties) == 64
    with pytest.raises(MalformedError) as caught:
        CATALOGUE.clear("meeting.held/1", samples.meeting_held(participants=people))
    assert caught.value.code == "message-too-many"


def test_a_type_that_is_not_known_is_refused() -> None:
    """A later version is not guessed at."""
    for call in (lambda: CATALOGUE.validate("minutes.full/2", {}), lambda: CATALOGUE.schema("shared/1")):
        with pytest.raises(MalformedError) as caught:
            call()
        assert caught.value.code == "message-type-unknown"


REFERENCE_ONLY = {
    name: samples.minutes_full()[name]
    for name in ("record_id", "version", "status", "started_at", "distribution", "approved_by", "approved_at")
} | {"variant": "reference_only", "record_held_by": SOCIAL_CARE}
SUMMARY = {
    name: samples.minutes_full()[name]
    for name in [
        "record_id",
        "version",
        "started_at",
        "child",
        "immediate_safety",
        "s47_decision",
        "enquiry_mode",
        "actions",
        "icpc_needed",
        "icpc_target_date",
    ]
} | {"variant": "gp_summary", "status": "draft"}
REDACTED = SUMMARY | {
    "variant": "redacted",
    "participants": [samples.participant()],
    "redactions": [{"field": "history", "reason": "third_party"}],
}


@pytest.mark.parametrize("record", [REFERENCE_ONLY, SUMMARY, REDACTED])
def test_a_smaller_variant_needs_less(record: dict[str, Any]) -> None:
    """A practice or a referrer gets what it is owed, and no schema makes the sender tell more."""
    CATALOGUE.validate("minutes.full/1", record)


def _without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: member for name, member in value.items() if name not in names}


full, child, act = samples.minutes_full, samples.child, samples.action
BROKEN: list[tuple[str, Any, str]] = [
    ("minutes.full/1", [], "the message must be a group of fields"),
    ("minutes.full/1", full(record_id=7), "`record_id` must be text"),
    ("minutes.full/1", full(record_id="short"), "`record_id` is shorter than 22 characters"),
    (
        "minutes.full/1",
        full(record_id="-" * 22),
        "`record_id` is not spelled as it must be: A random identifier of 22 characters",
    ),
    ("minutes.full/1", full(version=0), "`version` is less than 1"),
    ("minutes.full/1", full(version=10_000), "`version` is more than 9999"),
    ("minutes.full/1", full(version=True), "`version` must be a whole number"),
    ("minutes.full/1", full(status="secret"), "`status` must be one of: draft, final, superseded"),
    ("minutes.full/1", full(history=None), "the message lacks `history`"),
    ("minutes.full/1", full(surname="Sample"), "the message has a field that this type does not know"),
    ("minutes.full/1", full(approved_by=None), "the message lacks `approved_by`"),
    ("minutes.full/1", full(evidence_protection=None), "the message lacks `evidence_protection`"),
    ("minutes.full/1", full(s47_plan=None), "the message lacks `s47_plan`"),
    ("minutes.full/1", full(enquiry_mode=None), "the message lacks `enquiry_mode`"),
    ("minutes.full/1", full(icpc_target_date=None), "the message lacks `icpc_target_date`"),
    ("minutes.full/1", full(nrm_considered=None), "the message lacks `nrm_considered`"),
    ("minutes.full/1", full(nrm_reason=None), "the message lacks `nrm_reason`"),
    ("minutes.full/1", full(alleged_harmer_is_child=True), "the message lacks `linked_harmer_record`"),
    ("minutes.full/1", full(referral_ref="R-1"), "the message lacks `referral_date`"),
    ("minutes.full/1", full(referral_date="2026-04-13"), "the message lacks `referral_ref`"),
    ("minutes.full/1", full(checks=[]), "`checks` has fewer than 1 entries"),
    ("minutes.full/1", full(checks=["x"] * 33), "`checks` has more than 32 entries"),
    ("minutes.full/1", full(abuse_categories=["neglect"] * 2), "`abuse_categories` names something twice"),
    ("minutes.full/1", full(place="a\nb"), "`place` is not spelled as it must be: One line, up to 200 characters."),
    ("minutes.full/1", full(place="x" * 201), "`place` is longer than 200 characters"),
    ("minutes.full/1", full(place="x\n"), "`place` is not spelled as it must be"),
    ("minutes.full/1", full(chair="a b"), "`chair` is not spelled as it must be"),
    ("minutes.full/1", full(started_at="2026-02-30T09:30:00Z"), "`started_at` must be a moment in UTC"),
    ("minutes.full/1", full(started_at="2026-02-03T09:30:00+00:00"), "`started_at` is longer than 24"),
    ("minutes.full/1", full(started_at="2026-02-03T24:00:00Z"), "`started_at` must be a moment in UTC"),
    ("minutes.full/1", full(started_at="1969-12-31T23:59:59Z"), "`started_at` is not spelled as it must be"),
    ("minutes.full/1", full(icpc_target_date="2026-02-30"), "`icpc_target_date` must be a day of the calendar"),
    ("minutes.full/1", full(crime_suspected="yes"), "`crime_suspected` must be yes or no"),
    ("minutes.full/1", full(adults={}), "`adults` must be a list"),
    (
        "minutes.full/1",
        full(adults=[samples.adult(check_state="not_needed")]),
        "`adults`, entry 1 lacks `check_reason`",
    ),
    ("minutes.full/1", full(child=child(nhs_number="9991234560")), "`child`, `nhs_number` must be an NHS number"),
    ("minutes.full/1", full(child=child(nhs_number=None)), "`child` lacks `nhs_number`"),
    (
        "minutes.full/1",
        full(child=child(expected_dob="2026-09-01", nhs_number=None, nhs_number_status="unknown", mother_ref="M-1")),
        "`child` must have exactly one of `dob` and `expected_dob`",
    ),
    ("minutes.full/1", full(child=child(dob=None)), "`child` must have exactly one of `dob` and `expected_dob`"),
    (
        "minutes.full/1",
        full(child=child(dob=None, expected_dob="2026-09-01", nhs_number=None, nhs_number_status="unknown")),
        "`child` lacks `mother_ref`",
    ),
    (
        "minutes.full/1",
        full(child=child(dob=None, expected_dob="2026-09-01", mother_ref="M-1")),
        "`child` must not have `nhs_number`",
    ),
    (
        "minutes.full/1",
        full(actions=[act(state="impossible", state_reason="moved")]),
        "entry 1 lacks `accepted_by_chair`",
    ),
    ("minutes.full/1", full(actions=[act(), act(state="declined")]), "`actions`, entry 2 lacks `state_reason`"),
    ("minutes.full/1", full(actions=[act(owner_role="health")]), "`actions`, entry 1, `owner_role` is not spelled"),
    (
        "minutes.full/1",
        full(participants=[samples.participant(confidentiality_accepted=None)]),
        "`participants`, entry 1 lacks `confidentiality_accepted`",
    ),
    ("minutes.full/1", REFERENCE_ONLY | {"history": "x"}, "has a field that this variant may not hold"),
    ("minutes.full/1", _without(REDACTED, "redactions"), "the message lacks `redactions`"),
    ("minutes.full/1", _without(SUMMARY, "child"), "the message lacks `child`"),
    (
        "minutes.decisions/1",
        samples.minutes_decisions(child=child()),
        "`child` has a field that this type does not know",
    ),
    ("meeting.held/1", samples.meeting_held(child_ref=None), "the message lacks `child_ref`"),
    ("meeting.held/1", samples.meeting_held(participants=[]), "`participants` has fewer than 1 entries"),
    ("minutes.correction/1", samples.minutes_correction(dispute_id=None), "the message lacks `dispute_id`"),
    ("minutes.dispute/1", samples.minutes_dispute(action_id=None), "the message lacks `action_id`"),
    ("info.report/1", samples.info_report(not_urgent_declared=False), "`not_urgent_declared` must be yes (true): Must"),
    ("info.report/1", samples.info_report(not_urgent_declared=False), "call 999 or send a referral instead"),
    ("info.report/1", samples.info_report(believed_false=True), "the message lacks `believed_false_reason`"),
    ("info.report/1", samples.info_report(submitter={}), "the message has a field that this type does not know"),
    ("info.report/1", samples.info_report(subjects=[{"vehicles": [{}]}]), "says nothing: fill in one field at least"),
    ("info.report/1", samples.info_report(subjects=[{"email": "nobody@here"}]), "`email` is not spelled as it must be"),
    ("info.report/1", samples.info_report(subjects=[{"email": "nobody"}]), "`email` must be an e-mail address"),
    (
        "info.report/1",
        samples.info_report(police_part={"grade_scheme": "3x5x2", "grade": "B3", "handling_code": "P"}),
        "`police_part`, `grade` is not spelled as it must be",
    ),
    (
        "info.report/1",
        samples.info_report(police_part={"grade_scheme": "3x5x2", "grade": "2C", "handling_code": "5"}),
        "`police_part`, `handling_code` must be one of: P, C",
    ),
    (
        "info.report/1",
        samples.info_report(police_part={"grade_scheme": "5x5x5", "grade": "B3", "handling_code": "5"}),
        "`police_part` lacks `handling_conditions`",
    ),
    (
        "info.report.outcome/1",
        samples.info_report_outcome(outcome="more_information_needed"),
        "`outcome` must be one of",
    ),
    ("info.report.outcome/1", samples.info_report_outcome(outcome="duplicate"), "the message lacks `duplicate_of`"),
    (
        "info.report.outcome/1",
        samples.info_report_outcome(variant="interim", outcome="redirected_urgent"),
        "the message lacks `redirected_to`",
    ),
]


@pytest.mark.parametrize(("message_type", "broken", "words"), BROKEN)
def test_a_broken_message_is_refused_in_plain_words(message_type: str, broken: Any, words: str) -> None:
    """The field and the rule are named."""
    with pytest.raises(MalformedError) as caught:
        CATALOGUE.validate(message_type, broken)
    assert caught.value.code == "message-schema"
    assert words in caught.value.message


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, member in inner:
        yield (*path, step)
        yield from _leaves(member, (*path, step))


def _set(value: Any, path: tuple[Any, ...], new: Any) -> None:
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = new


def _complaint(message_type: str, broken: Any) -> str:
    try:
        CATALOGUE.validate(message_type, broken)
    except MalformedError as error:
        return error.message + error.hint
    return ""


@pytest.mark.parametrize("message_type", TYPES)
def test_no_error_repeats_a_value(message_type: str) -> None:
    """Whatever is put into whichever field, and wherever an unknown field appears, the error does not quote it."""
    planted = "Zebedee\nPlantedword"
    for path in _leaves(message(message_type)):
        for new in (planted, [planted], {planted: planted}, None, -7.25):
            broken = message(message_type)
            _set(broken, path, new)
            said = _complaint(message_type, broken)
            assert "Zebedee" not in said
            assert "7.25" not in said
            assert len(said) < 400
