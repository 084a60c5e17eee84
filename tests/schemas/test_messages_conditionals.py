"""What one field makes another one need or forbid: every such rule of the types beyond minutes and reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.catalogue import Catalogue
from schemas.strict_json import MalformedError
from tests.schemas.samples import Json, an_id, message

CATALOGUE = Catalogue.load()
FOLDER = Path(__file__).parents[2] / "schemas" / "messages"
SAMPLES = Path(__file__).parent / "messages"
FILES = [FOLDER / f"{sample.stem}.schema.json" for sample in sorted(SAMPLES.glob("*.json"))]
# Parts that only these types use; the conditions of the others are held by test_catalogue.
PARTS = ("RiskItem", "AgendaItem", "IntelText", "Capability", "Figure")
TIMELY = message("report.published/1")["figures"][0]
QUALITY = message("report.published/1")["figures"][1]
DIGEST = message("intel.digest/1")["items"][0]
OPEN_ACTION = message("agenda.generated/1")["items"][0]
GUARDED = {"sub_reason": "needs_met", "reason": "RC7", "risk_band": "mild", "open_actions": [], "second_approver": None}
UNTRIED = {"engagement_attempts": None}


def _but(value: Json, **changes: Any) -> Json:
    return {name: member for name, member in {**value, **changes}.items() if member is not None}


# (type, what is changed in the sample, what is complained of)
BROKEN: list[tuple[str, Json, str]] = [
    ("referral/1", {"parents_aware_reason": None}, "lacks `parents_aware_reason`"),
    ("referral/1", {"recorded_at": None}, "lacks `recorded_at`"),
    ("check.adult.response/1", {"since": None}, "lacks `since`"),
    ("check.adult.response/1", {"supervising_contact": None}, "lacks `supervising_contact`"),
    ("check.adult.response/1", {"risk_level": None}, "lacks `risk_level`"),
    ("check.adult.response/1", {"restrictions": None}, "lacks `restrictions`"),
    ("check.adult.response/1", {"result": "known_past", "since": None}, "lacks `since`"),
    ("check.adult.response/1", {"result": "cannot_answer"}, "lacks `cannot_answer_reason`"),
    ("check.adult.response/1", {"result": "not_known"}, "lacks `delete_after`"),
    ("check.service.response/1", {"since": None}, "lacks `since`"),
    ("check.service.response/1", {"result": "known_current"}, "lacks `supervising_contact`"),
    ("check.service.response/1", {"result": "cannot_answer"}, "lacks `cannot_answer_reason`"),
    ("check.service.response/1", {"result": "not_known"}, "lacks `delete_after`"),
    ("check.child.response/1", {"result": "known_past"}, "lacks `since`"),
    ("check.child.response/1", {"result": "known_current", "since": "2026-01-01"}, "lacks `supervising_contact`"),
    ("check.child.response/1", {"result": "cannot_answer"}, "lacks `cannot_answer_reason`"),
    ("check.child.response/1", {"delete_after": None}, "lacks `delete_after`"),
    (
        "action.progress/1",
        {"state": "disputed", "state_reason": None, "previous_due_at": None},
        "lacks `state_reason`",
    ),
    ("action.progress/1", {"state_reason": None}, "lacks `state_reason`"),
    ("action.impossible/1", {"decided_by": None}, "lacks `decided_by`"),
    ("agenda.generated/1", {"items": [_but(OPEN_ACTION, due_at=None)]}, "`items`, entry 1 lacks `due_at`"),
    ("agenda.generated/1", {"items": [_but(OPEN_ACTION, carried_reason=None)]}, "entry 1 lacks `carried_reason`"),
    *(
        ("agenda.generated/1", {"items": [_but(OPEN_ACTION, **{name: None})]}, f"entry 1 lacks `{name}`")
        for name in ("action_id", "owner_role", "state")
    ),
    ("rhi.result/1", {"interviewer": None}, "lacks `interviewer`"),
    ("rhi.result/1", {"accepted": None}, "lacks `accepted`"),
    ("rhi.result/1", {"held_at": None}, "lacks `held_at`"),
    ("rhi.result/1", {"independent": None}, "lacks `independent`"),
    ("rhi.result/1", {"accepted": False}, "`accepted` must be yes"),
    ("rhi.result/1", {"outcome": "declined", "offered_at": None, "accepted": False}, "lacks `offered_at`"),
    ("rhi.result/1", {"outcome": "declined"}, "`accepted` must be no"),
    ("rhi.result/1", {"outcome": "not_possible", "attempts": None}, "lacks `attempts`"),
    ("rhi.result/1", {"outcome": "not_offered", "accepted": None}, "lacks `not_offered_reason`"),
    ("rhi.result/1", {"outcome": "not_offered", "not_offered_reason": "too_late"}, "must not have `accepted`"),
    ("risk.proposed/1", {"override_reason": None}, "lacks `override_reason`"),
    ("risk.assessment/1", {"override_reason": None}, "lacks `override_reason`"),
    ("risk.agreed/1", {"override_reason": None}, "lacks `override_reason`"),
    *((f"risk.{verb}/1", {"items": []}, "`items` has fewer than 1") for verb in ("proposed", "assessment", "agreed")),
    ("risk.agreed/1", {"items": [{"item": "missing", "present": True}]}, "entry 1 lacks `evidence_date`"),
    ("flag.set/1", {"set_at": None}, "lacks `set_at`"),
    ("flag.set/1", {"review_by": None}, "lacks `review_by`"),
    ("flag.set/1", {"read_back_at": None}, "lacks `read_back_at`"),
    ("flag.set/1", {"answer": "declined"}, "lacks `declined_reason`"),
    ("flag.review/1", {"review_by": None}, "lacks `review_by`"),
    ("risklist.publish/1", {"previous_version": None}, "lacks `previous_version`"),
    ("risklist.withdraw/1", {"replaced_by": None}, "lacks `replaced_by`"),
    ("risklist.evaluated/1", {"points": None}, "lacks `points`"),
    ("risklist.evaluated/1", {"outcome": "quota_reached"}, "must not have `points`"),
    ("closure.intent/1", {"engagement_attempts": None}, "lacks `engagement_attempts`"),
    (
        "closure.intent/1",
        {**GUARDED, **UNTRIED, "sub_reason": "consent_withdrawn"},
        "lacks `second_approver`",
    ),
    ("closure.intent/1", {**GUARDED, "risk_band": "unknown"}, "lacks `second_approver`"),
    ("closure.intent/1", {**GUARDED, "open_actions": ["A-1"]}, "lacks `second_approver`"),
    ("closure.intent/1", {**GUARDED, "open_rhis": ["E-1"]}, "lacks `second_approver`"),
    ("closure.intent/1", {**GUARDED, "missing_minutes": ["M-1"]}, "lacks `second_approver`"),
    ("closure.intent/1", {"receiving_lead": None}, "lacks `receiving_lead`"),
    (
        "closure.intent/1",
        {"reason": "RC7", "sub_reason": "stepped_down", "receiving_lead": None},
        "lacks `receiving_lead`",
    ),
    ("closure.confirmed/1", {"next_review": None}, "lacks `next_review`"),
    ("missing.report/1", {"placement": None}, "lacks `placement`"),
    ("missing.update/1", {"placement": None}, "lacks `placement`"),
    ("missing.update/1", {"detail": None}, "lacks `detail`"),
    ("missing.update/1", {"change": "kind_changed"}, "lacks `next_episode_id`"),
    ("missing.return/1", {"placement": None}, "lacks `placement`"),
    ("incident.reconciliation/1", {"cause": None}, "lacks `cause`"),
    ("escalation.raise/1", {"not_seen_days": None}, "lacks `not_seen_days`"),
    ("escalation.raise/1", {"history": []}, "`history` has fewer than 1 entries"),
    ("escalation.resolve/1", {"accepted_by": None}, "lacks `accepted_by`"),
    ("case.home_notice/1", {"asked_of_home": None}, "lacks `asked_of_home`"),
    ("case.transferred/1", {"written_notice_at": None}, "lacks `written_notice_at`"),
    ("exploitation.marker/1", {"decision_due_at": None}, "lacks `decision_due_at`"),
    ("nrm.considered/1", {"referred_on": None}, "lacks `referred_on`"),
    ("nrm.considered/1", {"referral_ref": None}, "lacks `referral_ref`"),
    ("nrm.considered/1", {"decision": "not_referred"}, "lacks `reason`"),
    ("intel.digest/1", {"items": [DIGEST | {"handling_code": "5"}]}, "`handling_code` must be one of: P, C"),
    (
        "intel.digest/1",
        {"items": [DIGEST | {"grade_scheme": "5x5x5", "grade": "B3"}]},
        "`handling_code` must be one of: 1, 2, 3, 4, 5",
    ),
    ("intel.digest/1", {"items": [_but(DIGEST, handling_conditions=None)]}, "lacks `handling_conditions`"),
    ("intel.digest/1", {"items": [DIGEST | {"grade": "B3"}]}, "`grade` is not spelled as it must be"),
    (
        "intel.digest/1",
        {"items": [DIGEST | {"grade_scheme": "5x5x5", "handling_code": "1"}]},
        "`grade` is not spelled as it must be",
    ),
    ("intel.action/1", {"digest_id": None}, "lacks `digest_id`"),
    ("intel.action/1", {"stage": "analysed"}, "lacks `finding`"),
    ("intel.action/1", {"stage": "acted_on", "done_by": "exampleshire-police"}, "lacks `done`"),
    ("intel.action/1", {"stage": "acted_on", "done": "A visit."}, "lacks `done_by`"),
    ("intel.action/1", {"stage": "no_action"}, "lacks `no_action_reason`"),
    (
        "capability.statement/1",
        {"capabilities": [{"system": "A system", "flag_kind": "CSE", "ability": "by_hand"}]},
        "entry 1 lacks `task_inbox`",
    ),
    ("status.notice/1", {"category": None}, "lacks `category`"),
    ("status.notice/1", {"content_ceiling": "alert_only", "summary": None}, "must not have `category`"),
    ("status.notice/1", {"content_ceiling": "status"}, "must not have `summary`"),
    ("status.notice/1", {"summary": None}, "lacks `summary`"),
    ("basis.record/1", {"sought_at": None}, "lacks `sought_at`"),
    ("basis.record/1", {"sought_from": None}, "lacks `sought_from`"),
    ("basis.record/1", {"consent_value": "not_sought_unsafe"}, "lacks `reason`"),
    ("basis.record/1", {"consent_value": "directed_not_yet_sought"}, "lacks `directed_by`"),
    ("chronology.response/1", {"rows": None}, "lacks `rows`"),
    ("chronology.response/1", {"nil_return": True}, "must not have `rows`"),
    ("education.alert/1", {"vulnerabilities": None}, "lacks `vulnerabilities`"),
    ("report.published/1", {"figures": [TIMELY]}, "`figures` lacks an entry that it must have"),
    ("report.published/1", {"figures": [TIMELY, QUALITY | {"count": 3}]}, "entry 2 must not have `count`"),
    ("report.published/1", {"figures": [TIMELY, QUALITY | {"of": 3}]}, "entry 2 must not have `of`"),
    ("report.published/1", {"figures": [TIMELY, QUALITY | {"median_minutes": 3}]}, "must not have `median_minutes`"),
    ("report.published/1", {"figures": [_but(TIMELY, count=None), QUALITY]}, "entry 1 lacks `count`"),
    ("contribution.none/1", {"reason": "other"}, "lacks `detail`"),
    ("detention.notice/1", {"power": "other"}, "lacks `power_other`"),
    ("plan.action/1", {"evidence": None}, "lacks `evidence`"),
    ("plan.action/1", {"state": "cancelled"}, "lacks `state_reason`"),
]

# What may be said although, or because, another field changed.
ALLOWED: list[tuple[str, Json]] = [
    ("referral/1", {"parents_aware": True, "parents_aware_reason": None, "origin": "electronic", "recorded_at": None}),
    ("referral/1", {"immediate_danger": True, "parents_aware_reason": None, "recorded_at": None}),
    ("risk.agreed/1", {"band": "unknown", "items": [], "overridden": None}),
    ("check.adult.response/1", {"result": "cannot_match", "since": None, "supervising_contact": None}),
    ("check.adult.response/1", {"risk_level": "not_assessed"}),
    ("action.impossible/1", {"accepted_by_chair": False, "decided_by": None}),
    ("rhi.result/1", {"outcome": "declined", "accepted": False, "held_at": None, "carer_information": "Out again."}),
    ("rhi.result/1", {"outcome": "not_possible", "accepted": None, "held_at": None}),
    (
        "rhi.result/1",
        {"outcome": "not_offered", "not_offered_reason": "moved", "offered_at": None, "accepted": None},
    ),
    ("flag.set/1", {"answer": "declined", "set_at": None, "read_back_at": None, "declined_reason": "system_unable"}),
    ("risklist.publish/1", {"version": 1, "previous_version": None, "entries": [], "withdrawals": []}),
    ("risklist.evaluated/1", {"outcome": "list_replaced", "points": None}),
    ("closure.intent/1", {**GUARDED, **UNTRIED, "receiving_lead": None}),
    ("closure.confirmed/1", {"decision": "closed", "next_review": None, "objections_answered": []}),
    ("missing.report/1", {"missing_type": "H", "placement": None}),
    ("missing.update/1", {"change": "kind_changed", "next_episode_id": an_id("next"), "detail": None}),
    ("escalation.raise/1", {"stage": 1, "history": [], "ground": "no_answer", "not_seen_days": None}),
    ("intel.action/1", {"stage": "no_action", "digest_id": None, "no_action_reason": "already_known"}),
    ("status.notice/1", {"content_ceiling": "alert_only", "category": None, "summary": None}),
    ("basis.record/1", {"consent_value": "not_needed_lawful_basis", "sought_at": None, "sought_from": None}),
    ("chronology.response/1", {"nil_return": True, "rows": None}),
    ("report.published/1", {"figures": [QUALITY]}),
]


def _complaint(catalogue: Catalogue, message_type: str, changes: Json) -> str:
    try:
        catalogue.validate(message_type, message(message_type, **changes))
    except MalformedError as error:
        return error.message
    return ""


@pytest.mark.parametrize(("message_type", "changes", "words"), BROKEN)
def test_what_a_field_makes_another_need_or_forbid(message_type: str, changes: Json, words: str) -> None:
    """The sender's gateway refuses it and names the field."""
    assert words in _complaint(CATALOGUE, message_type, changes)


@pytest.mark.parametrize(("message_type", "changes"), ALLOWED)
def test_nothing_more_is_asked_than_the_case_needs(message_type: str, changes: Json) -> None:
    """A condition that does not hold asks for nothing."""
    assert _complaint(CATALOGUE, message_type, changes) == ""


def _conditions() -> Iterator[tuple[str, tuple[str, ...], int]]:
    for file in FILES:
        schema = json.loads(file.read_text())
        for number in range(len(schema.get("allOf", ()))):
            yield file.name, (), number
    shared = json.loads((FOLDER / "shared.schema.json").read_text())
    for part in PARTS:
        for number in range(len(shared["$defs"][part]["allOf"])):
            yield "shared.schema.json", ("$defs", part), number


def _catalogue_without(file_name: str, path: tuple[str, ...], number: int) -> Catalogue:
    schemas = {}
    for file in FOLDER.glob("*.schema.json"):
        schema = json.loads(file.read_text())
        if file.name == file_name:
            place = schema
            for step in path:
                place = place[step]
            del place["allOf"][number]
            if not place["allOf"]:
                del place["allOf"]
        schemas[schema["$id"]] = schema
    return Catalogue(schemas)


@pytest.mark.parametrize(("file_name", "path", "number"), list(_conditions()))
def test_no_condition_goes_untested(file_name: str, path: tuple[str, ...], number: int) -> None:
    """Were the condition taken out of its file, something that is refused above would pass."""
    without = _catalogue_without(file_name, path, number)
    family = file_name.removesuffix(".schema.json")
    rows = [row for row in BROKEN if path or row[0] == f"{family}/1"]
    assert any(_complaint(without, message_type, changes) == "" for message_type, changes, _ in rows)


@pytest.mark.parametrize(("file_name", "path", "number"), list(_conditions()))
def test_each_field_that_a_condition_needs_is_missed(file_name: str, path: tuple[str, ...], number: int) -> None:
    """A condition that needs three fields is tested with each of the three left out."""
    place = json.loads((FOLDER / file_name).read_text())
    for step in path:
        place = place[step]
    family = file_name.removesuffix(".schema.json")
    said = [words for message_type, _, words in BROKEN if path or message_type == f"{family}/1"]
    for name in place["allOf"][number]["then"].get("required", ()):
        assert any(words.endswith(f"lacks `{name}`") for words in said), name
