"""Valid values of every signed object and message, for any test to start from and change.

Builders return fresh plain JSON values (``dict``); keyword arguments replace members, ``None`` leaves one out.
All agencies, people and places are fictional; NHS numbers come from the range that is never issued.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from schemas.strict_json import dump

Json = dict[str, Any]

NOW = 1_776_159_000_000  # 2026-04-14T09:30:00Z
DAY = 86_400_000

SOCIAL_CARE = "exampleshire-social-care/mash"
POLICE = "exampleshire-police/exploitation-team"
HEALTH = "exampleshire-health/safeguarding"
PROBATION = "exampleshire-probation/court-team"
GP = "sampleton-practice/safeguarding-lead"


def b64u(raw: bytes) -> str:
    """Return *raw* as base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def an_id(name: str | int, at: int = NOW) -> str:
    """Return the same UUIDv7 for the same *name*: 22 characters."""
    raw = bytearray(at.to_bytes(6, "big") + hashlib.sha256(str(name).encode()).digest()[:10])
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    return b64u(bytes(raw))


def a_digest(name: str | int) -> str:
    """Return the same digest for the same *name*: 43 characters."""
    return b64u(hashlib.sha256(str(name).encode()).digest())


def with_changes(value: Json, changes: Json) -> Json:
    """Return *value* with members replaced; those given as ``None`` are left out."""
    return {name: member for name, member in {**value, **changes}.items() if member is not None}


# ---- signed objects


def header(**changes: Any) -> Json:
    """Return an envelope header; ``from`` is written ``from_``."""
    if "from_" in changes:
        changes["from"] = changes.pop("from_")
    return with_changes(
        {
            "v": 1,
            "id": an_id("envelope"),
            "type": "minutes.full/1",
            "from": SOCIAL_CARE,
            "to": sorted([HEALTH, POLICE]),
            "thread": an_id("thread"),
            "at": NOW - DAY,
            "moments": {"starts": NOW - DAY},
            "urgent": False,
            "parties": sorted([HEALTH, POLICE, PROBATION]),
            "items": [{"ref": an_id("action"), "owner": HEALTH, "due": NOW + 7 * DAY}],
            "facts": {"variant": "full", "urgency": "planned"},
            "basis_class": "safeguarding",
            "retention": "case",
            "sealed": {"format": "C2SP-CE1-A256GCM", "sha256": a_digest("body"), "length": 4152},
            "opening": a_digest("opening"),
            "directory": 3,
            "agreement": 2,
            "sent": NOW,
            "keep_until": NOW + 90 * DAY,
        },
        changes,
    )


def wraps(of: Json | None = None, **changes: Any) -> Json:
    """Return wraps for the header *of*, with random-looking keys."""
    of = of or header()
    return with_changes(
        {
            "v": 1,
            "id": of["id"],
            "sealed_sha256": of["sealed"]["sha256"],
            "wraps": [
                {"mailbox": box, "kid": a_digest(box), "ek": b64u(b"\x01" * 1120), "wk": b64u(b"\x02" * 48)}
                for box in of["to"]
            ],
        },
        changes,
    )


def manifest(**changes: Any) -> Json:
    """Return the manifest of :func:`header`, with a message and its minutes as PDF."""
    if "from_" in changes:
        changes["from"] = changes.pop("from_")
    return with_changes(
        {
            "v": 1,
            "id": an_id("envelope"),
            "type": "minutes.full/1",
            "from": SOCIAL_CARE,
            "to": sorted([HEALTH, POLICE]),
            "thread": an_id("thread"),
            "author": {"ref": a_digest("chair"), "role": "team_manager"},
            "nonce": a_digest("nonce"),
            "basis": ["CA1989_S47", "UKGDPR_6_1_E"],
            "consent": "not_needed_lawful_basis",
            "purpose": "child_protection",
            "classification": "OFFICIAL-SENSITIVE",
            "marks": ["not_for_family"],
            "message": 0,
            "documents": [
                {"name": "message.json", "type": "application/json", "length": 2, "sha256": a_digest("message")},
                {"name": "minutes.pdf", "type": "application/pdf", "length": 3, "sha256": a_digest("minutes")},
            ],
            "created": NOW,
        },
        changes,
    )


def receipt(level: str = "filed", **changes: Any) -> Json:
    """Return a receipt at *level* with the members that the level must have."""
    person = {"actor": a_digest("nurse"), "role": "named_nurse"}
    by_level: dict[str, Json] = {
        "collected": {},
        "filed": {"mode": "full", "record": a_digest("record")},
        "opened": person,
        "acknowledged": person,
        "declined": {"code": "wrong_recipient", **person},
        "rejected": {"code": "body-digest", "manifest_sha256": None},
    }
    return with_changes(
        {
            "v": 1,
            "id": an_id(f"receipt-{level}"),
            "envelope": an_id("envelope"),
            "sealed_sha256": a_digest("body"),
            "manifest_sha256": a_digest("manifest"),
            "level": level,
            "mailbox": HEALTH,
            "at": NOW + 60_000,
            "previous": a_digest("previous"),
            "checkpoint": {"size": 12, "root": a_digest("root")},
        },
        {**by_level[level], **changes},
    )


def acceptance(**changes: Any) -> Json:
    """Return the hub's acceptance of :func:`header`."""
    return with_changes(
        {
            "v": 1,
            "id": an_id("envelope"),
            "header_sha256": a_digest("header"),
            "sealed_sha256": a_digest("body"),
            "at": NOW,
            "index": 7,
        },
        changes,
    )


def notice(**changes: Any) -> Json:
    """Return an overdue notice about minutes that nobody sent."""
    return with_changes(
        {
            "v": 1,
            "id": an_id("notice"),
            "notice": "overdue",
            "obligation": a_digest("obligation"),
            "thread": an_id("thread"),
            "type": "minutes.full",
            "debtor": SOCIAL_CARE,
            "creditor": HEALTH,
            "due": NOW,
            "step": 1,
            "index": 9,
        },
        changes,
    )


def waiver(state: str = "waived", **changes: Any) -> Json:
    """Return a waiver in *state* with the members that the state must have."""
    by_state: dict[str, Json] = {
        "waived": {"second": {"by": a_digest("second"), "role": "service_manager"}},
        "met_elsewhere": {"confirmed_by": a_digest("confirming")},
    }
    return with_changes(
        {
            "v": 1,
            "id": an_id("waiver"),
            "obligation": a_digest("obligation"),
            "state": state,
            "reason": "not_on_hub",
            "by": a_digest("chair"),
            "role": "team_manager",
            "at": NOW,
            "mailbox": SOCIAL_CARE,
        },
        {**by_state[state], **changes},
    )


def withdrawal(**changes: Any) -> Json:
    """Return the withdrawal of :func:`header`."""
    return with_changes(
        {
            "v": 1,
            "id": an_id("withdrawal"),
            "envelope": an_id("envelope"),
            "mailbox": SOCIAL_CARE,
            "reason": "misdirected",
            "at": NOW,
            "ask": True,
        },
        changes,
    )


def key_approval(**changes: Any) -> Json:
    """Return an officer's approval of a key statement."""
    return with_changes({"v": 1, "statement_sha256": a_digest("statement"), "at": NOW}, changes)


def assertion(**changes: Any) -> Json:
    """Return an agency's sign-in, which lives a minute from :data:`NOW`."""
    return with_changes(
        {
            "v": 1,
            "iss": "exampleshire-health",
            "sub": "exampleshire-health",
            "aud": "hub.example.org",
            "jti": an_id("jti"),
            "iat": NOW // 1000,
            "exp": NOW // 1000 + 60,
        },
        changes,
    )


def jwk(name: str = "key", kind: str = "Ed25519") -> Json:
    """Return a public key in shape; nobody holds its private part."""
    if kind == "Ed25519":
        return {"kty": "OKP", "crv": "Ed25519", "x": a_digest(name)}
    size = {"MLKEM768-X25519": 1216, "ML-DSA-44": 1312}[kind]
    return {"kty": "AKP", "alg": kind, "pub": b64u(hashlib.shake_256(name.encode()).digest(size))}


def key_statement(use: str = "sign", **changes: Any) -> Json:
    """Return a statement of the health agency about a key of the kind that *use* needs."""
    return with_changes(
        {
            "v": 1,
            "agency": "exampleshire-health",
            "sequence": 1,
            "use": use,
            "jwk": jwk(use, "MLKEM768-X25519" if use == "seal" else "Ed25519"),
            "not_before": NOW - DAY,
            "expires": NOW + 29 * DAY,
            "state": "active",
            "issued": NOW - DAY,
            "proof": a_digest("proof"),
        },
        changes,
    )


def mailbox(ident: str, **changes: Any) -> Json:
    """Return a directory entry of one mailbox."""
    return with_changes({"id": ident, "title": ident.partition("/")[2].capitalize(), "roles": []}, changes)


def agency(ident: str, *boxes: Json, roles: tuple[str, ...] = (), **changes: Any) -> Json:
    """Return a directory entry of one agency with its mailboxes."""
    return with_changes(
        {
            "id": ident,
            "name": ident.replace("-", " ").title(),
            "roles": list(roles),
            "codes": {"ods": "XTEST0001"},
            "valid_from": NOW - 400 * DAY,
            "identity": jwk(ident),
            "mailboxes": list(boxes),
        },
        changes,
    )


def directory(**changes: Any) -> Json:
    """Return a small directory: social care, police, health, probation, a practice, and the partnership."""
    return with_changes(
        {
            "v": 1,
            "partnership": "exampleshire-partnership",
            "version": 1,
            "issued": NOW - 30 * DAY,
            "expires": NOW + 335 * DAY,
            "officers": {"threshold": 2, "keys": [jwk("officer-1"), jwk("officer-2"), jwk("officer-3")]},
            "hub": {
                "url": "https://hub.example.org",
                "origin": "hub.example.org/exampleshire",
                "signing": [jwk("hub")],
                "checkpoint": ["hub.example.org/exampleshire+00000000+AQ"],
            },
            "agencies": [
                agency(
                    "exampleshire-social-care",
                    mailbox(SOCIAL_CARE, manager="exampleshire-social-care/managers", roles=["mash"]),
                    mailbox("exampleshire-social-care/managers"),
                    roles=("social_care",),
                ),
                agency("exampleshire-police", mailbox(POLICE, roles=["exploitation_team"]), roles=("police",)),
                agency(
                    "exampleshire-health",
                    mailbox(
                        HEALTH,
                        deputy="exampleshire-health/looked-after-children",
                        out_of_hours={"mailbox": "exampleshire-health/emergency", "hours": "17:00 to 09:00"},
                    ),
                    mailbox("exampleshire-health/looked-after-children"),
                    mailbox("exampleshire-health/emergency"),
                    roles=("health",),
                ),
                agency("exampleshire-probation", mailbox(PROBATION), roles=("probation",)),
                agency("sampleton-practice", mailbox(GP, reads=["minutes.full/1"]), roles=("gp",)),
                agency(
                    "exampleshire-partnership",
                    mailbox("exampleshire-partnership/business-office"),
                    roles=("partnership",),
                ),
            ],
        },
        changes,
    )


# ---- messages


def child(**changes: Any) -> Json:
    """Return a fictional child with every field that a record must have."""
    return with_changes(
        {
            "local_id": "SC-1001",
            "name": "Robin Sample",
            "dob": "2011-05-06",
            "dob_estimated": False,
            "nhs_number": "9990000018",
            "nhs_number_status": "traced",
            "sex": "U",
            "address": "1 Example Street\nSampleton\nZZ1 1AA",
            "address_restricted": False,
            "home_la": "X99000001",
            "legal_status": "none",
        },
        changes,
    )


def child_reference(**changes: Any) -> Json:
    """Return enough of the child to find the record."""
    kept = {name: child()[name] for name in ("local_id", "name", "dob", "nhs_number", "nhs_number_status")}
    return with_changes(kept, changes)


def adult(**changes: Any) -> Json:
    """Return a fictional adult of the household."""
    return with_changes(
        {
            "name": "Alex Sample",
            "relationship": "parent",
            "in_household": True,
            "address_restricted": False,
            "poses_risk": "unknown",
            "check_state": "answered",
        },
        changes,
    )


def participant(org: str = HEALTH, attendance: str = "attended", **changes: Any) -> Json:
    """Return a participant; those who attended have accepted confidentiality."""
    accepted = {"confidentiality_accepted": True} if attendance == "attended" else {}
    return with_changes(
        {
            "name": "Sam Specimen",
            "role": "health_practitioner",
            "org": org,
            "contact": "sam.specimen@example.org",
            "attendance": attendance,
            **accepted,
        },
        changes,
    )


def action(name: str = "action", owner: str = HEALTH, **changes: Any) -> Json:
    """Return an open action of *owner*, due a week after the discussion."""
    return with_changes(
        {
            "action_id": an_id(name),
            "source_record": an_id("record"),
            "description": "Offer an appointment and tell the chair how it went.",
            "owner_role": owner,
            "due_at": "2026-04-21T16:00:00Z",
            "state": "assigned",
        },
        changes,
    )


def owed(inbox: str = HEALTH, basis: str = "attended", variant: str = "full") -> Json:
    """Return one entry of a distribution list."""
    return {"inbox": inbox, "basis": basis, "variant": variant}


def _participants() -> list[Json]:
    return [participant(HEALTH), participant(POLICE, role="police_officer"), participant(PROBATION, "not_invited")]


def meeting_convened(**changes: Any) -> Json:
    """Return the calling of a strategy discussion."""
    return with_changes(
        {
            "meeting_id": an_id("meeting"),
            "meeting_kind": "strategy",
            "child_ref": an_id("child"),
            "convened_at": "2026-04-13T15:00:00Z",
            "starts_at": "2026-04-14T09:30:00Z",
            "required_roles": ["social_care", "police", "health"],
            "participants": [participant(HEALTH, "invited"), participant(POLICE, "invited")],
        },
        changes,
    )


def meeting_held(**changes: Any) -> Json:
    """Return a strategy discussion that was held, to which probation was not invited."""
    return with_changes(
        {
            "meeting_id": an_id("meeting"),
            "meeting_kind": "strategy",
            "child_ref": an_id("child"),
            "held_at": "2026-04-14T09:30:00Z",
            "required_roles": ["social_care", "police", "health"],
            "participants": _participants(),
            "distribution": [owed(GP, "statutory", "gp_summary")],
        },
        changes,
    )


def meeting_claimed(**changes: Any) -> Json:
    """Return the claim of an attendee who got nothing."""
    return with_changes(
        {
            "meeting_kind": "strategy",
            "held_at": "2026-04-14T09:30:00Z",
            "convened_by": SOCIAL_CARE,
            "own_attendance": "attended",
        },
        changes,
    )


def minutes_decisions(**changes: Any) -> Json:
    """Return a decision note with one action."""
    return with_changes(
        {
            "record_id": an_id("record"),
            "version": 1,
            "variant": "decisions",
            "urgency": "planned",
            "child": child_reference(),
            "started_at": "2026-04-14T09:30:00Z",
            "participants": _participants(),
            "immediate_safety": "Stays with a grandparent until the joint visit.",
            "s47_decision": "yes",
            "enquiry_mode": "joint",
            "family_information_plan": [_telling()],
            "actions": [action()],
            "icpc_needed": False,
        },
        changes,
    )


def _telling() -> Json:
    return {
        "who_tells": "SW-1",
        "whom": "Alex Sample",
        "what": "That a visit will take place.",
        "when": "2026-04-14T15:00:00Z",
    }


def minutes_full(**changes: Any) -> Json:
    """Return the full record of a strategy discussion, approved and final."""
    return with_changes(
        {
            "record_id": an_id("record"),
            "series_id": an_id("series"),
            "version": 1,
            "status": "final",
            "variant": "full",
            "child": child(),
            "adults": [adult()],
            "discussion_mode": "virtual",
            "discussion_stage": "initial",
            "urgency": "planned",
            "started_at": "2026-04-14T09:30:00Z",
            "ended_at": "2026-04-14T10:30:00Z",
            "trigger_summary": "Seen with unexplained money and an older associate.",
            "abuse_categories": ["sexual", "neglect"],
            "factors": ["10A", "11A"],
            "chair": "SW-1",
            "minute_taker": "SW-2",
            "participants": _participants(),
            "information_blocks": [
                {
                    "org": HEALTH,
                    "author": "HV-9",
                    "content": "Two missed appointments since January.",
                    "info_kind": "fact",
                    "handling_marks": [],
                }
            ],
            "history": "Known to early help since 2024.",
            "risk_factors": "Goes missing overnight.",
            "protective_factors": "Close to a grandparent.",
            "analysis": "Likely to be exploited unless the pattern is broken.",
            "immediate_safety": "Stays with a grandparent until the joint visit.",
            "crime_suspected": True,
            "evidence_protection": "Telephone kept by police.",
            "s47_decision": "yes",
            "enquiry_mode": "joint",
            "decision_rationale": "Reasonable cause to suspect significant harm.",
            "s47_plan": [{"task": "See the child alone.", "who": "SW-1", "due_at": "2026-04-15T16:00:00Z"}],
            "family_information_plan": [_telling()],
            "actions": [action(), action("second", POLICE, due_at="2026-04-17T16:00:00.500Z")],
            "contingency": "Police protection.",
            "icpc_needed": True,
            "icpc_target_date": "2026-05-06",
            "checks": ["PROB-77"],
            "nrm_considered": "not_referred",
            "nrm_reason": "No indication of trafficking so far.",
            "distribution": [
                owed(HEALTH),
                owed(POLICE),
                owed(PROBATION, "interest"),
                owed(GP, "statutory", "gp_summary"),
            ],
            "approved_by": "SW-1",
            "approved_at": "2026-04-16T12:00:00Z",
        },
        changes,
    )


def minutes_correction(**changes: Any) -> Json:
    """Return the correction of an action that was put down to the wrong agency."""
    return with_changes(
        {
            "record_id": an_id("record"),
            "version": 2,
            "replaces_version": 1,
            "variant": "full",
            "corrected_at": "2026-04-20T09:00:00Z",
            "corrected_by": "SW-1",
            "reason": "dispute",
            "dispute_id": an_id("dispute"),
            "changes": [{"field": "actions", "entry": 1, "was": "Owner: health.", "now": "Owner: police."}],
            "distribution": [owed(HEALTH), owed(POLICE)],
        },
        changes,
    )


def minutes_dispute(**changes: Any) -> Json:
    """Return the dispute that :func:`minutes_correction` answers."""
    return with_changes(
        {
            "dispute_id": an_id("dispute"),
            "record_id": an_id("record"),
            "version": 1,
            "variant": "full",
            "raised_at": "2026-04-17T09:00:00Z",
            "raised_by": "HV-9",
            "addressed_to": SOCIAL_CARE,
            "ground": "wrong_action_owner",
            "action_id": an_id("action"),
            "detail": "We did not take this action on; police did.",
        },
        changes,
    )


def info_report(**changes: Any) -> Json:
    """Return an information sharing report about one man and a vehicle."""
    return with_changes(
        {
            "report_id": an_id("report"),
            "not_urgent_declared": True,
            "reported_at": "2026-04-14T09:30:00Z",
            "obtained_at": "2026-04-13T14:00:00Z",
            "source_kind": "child",
            "how_known": "Told to a teacher in confidence.",
            "source_contactable": "ask_first",
            "risk_to_source": "some",
            "risk_to_child_if_acted": "unknown",
            "believed_false": False,
            "themes": ["CSE", "missing"],
            "subjects": [
                {"ref": "man", "aliases": ["Uncle"], "approx_age": 30, "vehicles": [{"ref": "car", "colour": "blue"}]}
            ],
            "children": [{"name": "Robin Sample", "school_year": "9"}],
            "associations": [{"from_ref": "man", "to_ref": "car", "link": "vehicle"}],
            "narrative": "A man known as Uncle waits outside the school in a blue car on Fridays.",
            "attributable": False,
        },
        changes,
    )


def info_report_ack(**changes: Any) -> Json:
    """Return police's word that the report has come."""
    return with_changes({"report_id": an_id("report"), "acknowledged_at": "2026-04-14T11:00:00Z"}, changes)


def info_report_query(**changes: Any) -> Json:
    """Return a question about the report, with a moment by which an answer helps."""
    return with_changes(
        {
            "report_id": an_id("report"),
            "query_id": an_id("query"),
            "asked_at": "2026-04-14T12:00:00Z",
            "query": "Which gate of the school?",
            "needed_by": "2026-04-16T12:00:00Z",
        },
        changes,
    )


def info_report_outcome(**changes: Any) -> Json:
    """Return the final outcome of the report."""
    return with_changes(
        {
            "report_id": an_id("report"),
            "variant": "final",
            "outcome": "intel_log_created",
            "decided_at": "2026-04-20T12:00:00Z",
        },
        changes,
    )


def info_report_identity(**changes: Any) -> Json:
    """Return who sent the report."""
    return with_changes(
        {
            "report_id": an_id("report"),
            "reported_at": "2026-04-14T09:30:00Z",
            "submitter": {
                "name": "Kim Placeholder",
                "role": "teacher",
                "org": "sampleton-academy",
                "phone": "01632 960001",
                "secure_email": "kim.placeholder@example.org",
            },
        },
        changes,
    )


MESSAGES: dict[str, Callable[..., Json]] = {
    "meeting.convened/1": meeting_convened,
    "meeting.held/1": meeting_held,
    "meeting.claimed/1": meeting_claimed,
    "minutes.decisions/1": minutes_decisions,
    "minutes.full/1": minutes_full,
    "minutes.correction/1": minutes_correction,
    "minutes.dispute/1": minutes_dispute,
    "info.report/1": info_report,
    "info.report.ack/1": info_report_ack,
    "info.report.query/1": info_report_query,
    "info.report.outcome/1": info_report_outcome,
    "info.report.identity/1": info_report_identity,
}


def _of_file(path: Path, **changes: Any) -> Json:
    return with_changes(json.loads(path.read_text()), changes)


# The other types have one sample each, a file that also shows people of other languages what is valid.
MESSAGES |= {
    f"{path.stem}/1": partial(_of_file, path) for path in sorted((Path(__file__).parent / "messages").glob("*.json"))
}


def message(message_type: str, **changes: Any) -> Json:
    """Return a message of *message_type*."""
    return copy.deepcopy(MESSAGES[message_type](**changes))


def payload(value: Json) -> bytes:
    """Return *value* as the bytes that would be signed."""
    return dump(value)
