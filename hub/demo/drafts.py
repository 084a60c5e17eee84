"""What the agencies' case systems would write: drafts as the folder adapter takes them, made from the input.

A draft is the JSON of ``out/<name>/message.json``; ``docs/examples/README.md`` says where each member comes from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from hub.demo.quarter import Discussion, Party, Report
from keys.digests import new_id

QUORUM: Final = ["social_care", "police", "health", "probation"]
BASIS: Final = {"not_invited": "statutory", "attended": "attended"}
# What a decision note and a general practice's summary take from the whole record (domain 7.2 and 9.5).
NOTE_MEMBERS: Final = (
    "record_id",
    "series_id",
    "version",
    "status",
    "urgency",
    "started_at",
    "immediate_safety",
    "s47_decision",
    "enquiry_mode",
    "decision_rationale",
    "family_information_plan",
    "actions",
    "icpc_needed",
    "icpc_target_date",
)
SUMMARY_MEMBERS: Final = (
    "record_id",
    "series_id",
    "version",
    "status",
    "urgency",
    "started_at",
    "ended_at",
    "child",
    "immediate_safety",
    "s47_decision",
    "enquiry_mode",
    "actions",
    "icpc_needed",
    "icpc_target_date",
    "approved_by",
    "approved_at",
)
CHILD_REFERENCE: Final = ("local_id", "name", "dob", "expected_dob", "nhs_number", "nhs_number_status")


def listed(discussion: Discussion) -> tuple[Party, ...]:
    """Return the parties whom the chair's list names; an attendee who claims was left off it."""
    return tuple(party for party in discussion.parties if party.attendance != "claimed")


def held(discussion: Discussion) -> dict[str, Any]:
    """Return the chair's statement that the discussion was held: it opens what is owed to every party."""
    record = discussion.document["record"]
    message = {
        "meeting_id": record.get("meeting_id", new_id(discussion.held_at)),
        "meeting_kind": discussion.kind,
        "child_ref": new_id(discussion.held_at),
        "held_at": instant(discussion.held_at),
        "required_roles": QUORUM,
        **_who(discussion),
    }
    return _draft(discussion, "meeting.held/1", [party.mailbox for party in listed(discussion)], message)


def decision_note(discussion: Discussion, to: Iterable[str]) -> dict[str, Any]:
    """Return the decision note: who took part, safety, decision, actions; no history."""
    record = discussion.document["record"]
    message = {name: record[name] for name in NOTE_MEMBERS if name in record}
    message["child"] = {name: record["child"][name] for name in CHILD_REFERENCE if name in record["child"]}
    return _draft(discussion, "minutes.decisions/1", to, {**message, "variant": "decisions", **_who(discussion)})


def full_minutes(discussion: Discussion, to: Iterable[str], variant: str) -> dict[str, Any]:
    """Return the minutes in *variant*: the whole record with its PDF, or a general practice's summary without it."""
    record = dict(discussion.document["record"])
    if variant == "full":
        draft = _draft(discussion, "minutes.full/1", to, {**record, "variant": variant, **_who(discussion)})
        return {**draft, "attachments": [discussion.minutes.name]}
    message = {name: record[name] for name in SUMMARY_MEMBERS if name in record}
    message |= {"variant": variant, "distribution": _who(discussion)["distribution"]}
    draft = _draft(discussion, "minutes.full/1", to, message)
    return {**draft, "marks": sorted({*draft["marks"], "do_not_show_online"})}


def variant_for(discussion: Discussion, mailbox: str) -> str:
    """Return the variant that the record's distribution has for *mailbox*."""
    rows = discussion.document["record"]["distribution"]
    return next((str(row["variant"]) for row in rows if row["inbox"] == mailbox), "full")


def claimed(discussion: Discussion, mailbox: str, author: Mapping[str, str]) -> dict[str, Any]:
    """Return the statement of an attendee who was left off the list and got nothing."""
    message = {
        "meeting_kind": discussion.kind,
        "held_at": instant(discussion.held_at),
        "convened_by": discussion.chair,
        "own_attendance": "attended",
    }
    draft = _draft(discussion, "meeting.claimed/1", [discussion.chair], message)
    return {**draft, "from": mailbox, "author": dict(author)}


def report(source: Report) -> dict[str, Any]:
    """Return an information sharing report to the police, without its submitter."""
    return _report_draft(
        source, "info.report/1", source.document["from"], [source.document["to"]], source.document["report"]
    )


def identity(source: Report) -> dict[str, Any]:
    """Return who submitted the report: an envelope of its own, to a mailbox of its own."""
    told = source.document["report"]
    message = {
        "report_id": told["report_id"],
        "reported_at": told["reported_at"],
        "submitter": source.document["identity"],
    }
    to = [source.document["identity_to"]]
    return _report_draft(source, "info.report.identity/1", source.document["from"], to, message)


def acknowledgement(source: Report, at: int) -> dict[str, Any]:
    """Return the police's word that they have the report."""
    message = {"report_id": source.document["report"]["report_id"], "acknowledged_at": instant(at)}
    return _answer(source, "info.report.ack/1", message)


def outcome(source: Report, at: int) -> dict[str, Any]:
    """Return what came of the report, without operational detail."""
    message = {
        "report_id": source.document["report"]["report_id"],
        "variant": "final",
        "outcome": source.document["answer"]["outcome"],
        "decided_at": instant(at),
    }
    return _answer(source, "info.report.outcome/1", message)


def instant(at: int) -> str:
    """Return *at* (UTC milliseconds) as messages spell it: ``2026-04-14T09:30:00Z``."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _who(discussion: Discussion) -> dict[str, Any]:
    """Return participants and distribution with the list's attendance in place of the record's."""
    record, parties = discussion.document["record"], {party.mailbox: party for party in listed(discussion)}
    participants = []
    for person in record["participants"]:
        party = parties.get(person["org"])
        if party is not None:
            accepted = {"confidentiality_accepted": True} if party.attendance == "attended" else {}
            participants.append({**accepted, **person, "attendance": party.attendance})
        elif person["org"] == discussion.chair:
            participants.append(person)
    distribution = [
        {
            "inbox": party.mailbox,
            "basis": BASIS.get(party.attendance, "invited"),
            "variant": variant_for(discussion, party.mailbox),
        }
        for party in parties.values()
    ]
    return {"participants": participants, "distribution": distribution}


def _draft(discussion: Discussion, kind: str, to: Iterable[str], message: Mapping[str, Any]) -> dict[str, Any]:
    document = discussion.document
    return {
        "type": kind,
        "from": discussion.chair,
        "to": sorted(to),
        "purpose": document["purpose"],
        "basis": document["basis"],
        "consent": document["consent"],
        "classification": document["classification"],
        "marks": document["marks"],
        "author": document["minute_taker"],
        "message": dict(message),
    }


def _report_draft(source: Report, kind: str, sender: str, to: list[str], message: Mapping[str, Any]) -> dict[str, Any]:
    document = source.document
    return {
        "type": kind,
        "from": sender,
        "to": to,
        "purpose": document["purpose"],
        "basis": document["basis"],
        "consent": document["consent"],
        "classification": document["classification"],
        "marks": document["marks"],
        "author": document["author"],
        "message": dict(message),
    }


def _answer(source: Report, kind: str, message: Mapping[str, Any]) -> dict[str, Any]:
    draft = _report_draft(source, kind, source.document["to"], [source.document["from"]], message)
    return {**draft, "author": {"name": "Intelligence desk", "role": "intelligence_officer"}}
