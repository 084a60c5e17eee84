"""Each rule of the mapping by itself: a whole record is a message that a gateway takes, and a message a record that reads back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.base import Filed
from adapters.conformance import sample_incoming
from adapters.gateway.filing import _hold_to_record
from adapters.profiles.drafting import Drafted, draft_record
from adapters.profiles.placing import hold, is_kept, place
from adapters.profiles.records import Placed, Record, Standing
from tests.county import CAIT, MASH, NURSES
from tests.profiles.social_care.test_codes import CATALOGUE, MAPPING, SETTINGS, ZONE
from tests.schemas import samples

CHILD = {
    "pers_person_id": "P-1001", "name": "Robin Sample", "pers_dob": "06/05/2011", "pers_common_child_id": "9990000018",
    "nhs_number_traced": "Y", "pers_sex": "U", "pers_ethnicity": "WBRI", "home_la": "X99000001",
    "lega_legal_status": "C1",
}  # fmt: skip
UNBORN = {
    "pers_person_id": "P-1002", "name": "Unborn of Alex Sample", "pers_expected_dob": "2026-11-01 00:00:00",
    "mother_person_id": "P-2002", "home_la": "X99000001", "dob_estimated": "N",
}  # fmt: skip
AT = "2026-07-06T09:00:00"
RECORDS: dict[str, dict[str, Any]] = {
    "action_impossible": {
        "action": {
            "action_id": "A-1", "source_record": "SD-1", "description": "See the child.", "owner": NURSES,
            "due_at": AT, "found_at": AT, "state_reason": "moved_away", "accepted_by_chair": "Y", "decided_by": "TM-1",
        }
    },
    "referral_sent": {
        "child": CHILD,
        "contact": {
            "cont_contact_id": "17", "cont_contact_date": AT, "cont_contact_source_code": "5A", "concern": "Seen alone.",
            "immediate_danger": "N", "parents_aware": "N", "parents_aware_reason": "It would add risk.",
            "categories": ["NEG"],
        },
    },
    "case_transferred": {
        "child": CHILD,
        "involvement": {"invo_involvements_id": "88", "invo_professional_id": "SW-2", "invo_worker_change_reason": "LEFTRL"},
        "transfer": {"kind": "area team", "transferred_at": AT, "from_team": MASH, "to_team": MASH},
        "open_items": [{"item_id": "A-1", "held_by": NURSES, "due_at": AT}],
    },
    "return_interview": {
        "child": CHILD,
        "missing": {"miss_missing_episode_end_date": AT, "miss_missing_episode_type": "H"},
        "episode": {"hub_episode_id": samples.an_id("episode"), "rhi_due_at": "2026-07-09T09:00:00", "provider": NURSES},
    },
    "risk_agreed": {
        "child": CHILD,
        "risk": {
            "assessment_id": "R-1", "scheme_id": "seraf", "scheme_version": "1", "band": "moderate", "score": 12,
            "proposed_by": "SW-1", "agreed_by": ["SW-1", "DC-2"], "agreed_at": AT, "review_by": "2026-10-06",
        },
        "items": [{"item": "missing_overnight", "present": "Y", "evidence_date": "2026-07-01"}],
    },
    "handover_offered": {
        "child": CHILD,
        "handover": {
            "handover_id": "H-1", "direction": "step down", "offered_at": AT, "receiving_team": NURSES,
            "reason": "Needs are met.", "needs": "Support at school.", "current_lead": "SW-1", "respond_by": AT,
        },
    },
    "child_check_answered": {
        "check": {
            "hub_check_id": samples.an_id("check"), "answered_at": AT, "result": "open", "since": "2026-01-05",
            "lead_worker": "SW-1",
        }
    },
    "status_changed": {
        "child": UNBORN,
        "status": {
            "kind": "CP", "change": "start", "effective_on": "2026-07-06", "decided_at": AT, "lead_worker": "SW-1",
            "la_contact": MASH, "categories": ["PHY", "EMO"],
        },
    },
    "closure_intended": {
        "child": UNBORN, "referral": {"cine_close_reason": "RC8"},
        "closure": {
            "closure_id": "C-1", "announced_at": AT, "sub_reason": "needs_met", "risk_band": "not_at_risk",
            "child_last_seen": "2026-07-01", "window_ends": "2026-07-08T09:00:00",
        },
    },
}  # fmt: skip
FILED = sorted({(rule.type, rule.kind) for rule in MAPPING.file})


@pytest.mark.parametrize("kind", RECORDS)
def test_a_whole_record_is_a_message_of_its_type(kind: str) -> None:
    """What a case system has at hand is enough for the schema, days and local times brought into shape."""
    record = Record(key="k", kind=kind, fields=RECORDS[kind] | {"author": "Jordan Example", "to": [NURSES, CAIT]})
    drafted = draft_record(record, MAPPING, SETTINGS)
    assert isinstance(drafted, Drafted), drafted
    CATALOGUE.validate(drafted.draft.type, drafted.draft.message)
    assert drafted.draft.basis
    child = drafted.draft.message.get("child")
    if child is not None and "pers_dob" in RECORDS[kind]["child"]:
        assert child["dob"] == "2011-05-06"
    assert child is None or child.get("address_restricted", True)


@pytest.mark.parametrize(("kind", "record"), FILED)
def test_a_message_is_a_record_that_reads_back_as_it_came(kind: str, record: str) -> None:
    """Each type that has a rule is put with its fields, and a gateway that holds it against the message finds it whole."""
    message = sample_incoming(type=kind, message=samples.message(kind), documents=())
    placed = place(message, MAPPING, ZONE)
    assert isinstance(placed, Placed)
    assert (placed.kind, placed.fields["hub"]["message"]) == (record, message.message)
    standing = Standing(fields=placed.fields)
    assert is_kept(placed, standing)
    filed = Filed(record=f"{record}/1")
    assert _hold_to_record(filed, message, hold(filed.record, standing, MAPPING)) == filed
    # What somebody changed in the case system since isn't what came.
    name = next(name for name in placed.fields if name not in {"hub", "child", "happening", "answer"})
    changed = replace(standing, fields={**placed.fields, name: "otherwise"})
    assert not is_kept(placed, changed)


def test_every_rule_is_tried_somewhere() -> None:
    """A rule that no test sends is one that nobody knows to work."""
    journeys = {
        "meeting_convened", "meeting_held", "decision_note", "minutes", "minutes_correction", "action",
        "contact_received", "referral_decided", "referral_decided_by_flags", "closure_decided",
    }  # fmt: skip
    assert {rule.kind for rule in MAPPING.send} == journeys | RECORDS.keys()
