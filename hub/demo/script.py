"""The quarter as a script: what each case system and each person does, in order of time.  Pure.

Acts of one moment are done in waves, so that what is owed is known before what meets it arrives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.demo import drafts
from hub.demo.quarter import Discussion, Quarter, Report, local


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """A draft put into the folder of the sender's case system.

    ``reference`` is the discussion or report that it belongs to: drafts of one go into one thread, which the first
    begins, but for those with a ``thread_of_its_own``.  ``answers`` is the name of the draft that it is about.
    """

    at: int
    wave: int
    name: str
    reference: str
    draft: dict[str, Any]
    attachments: tuple[Path, ...] = ()
    answers: str | None = None
    thread_of_its_own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """A practitioner opens, or opens and acknowledges, whatever lies in the inbox of ``mailbox`` about ``reference``."""

    at: int
    mailbox: str
    reference: str
    act: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """An agency's gateway goes off or on."""

    at: int
    agency: str
    on: bool


@dataclass(slots=True, kw_only=True)
class Moment:
    """What happens at ``at``: switches first, then drafts wave by wave, then people."""

    at: int
    switches: list[Switch] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    handles: list[Handle] = field(default_factory=list)


def write_script(quarter: Quarter) -> list[Moment]:
    """Return the moments of *quarter*, the earliest first."""
    moments: dict[int, Moment] = {}

    def moment(at: int) -> Moment:
        return moments.setdefault(at, Moment(at=at))

    for discussion in quarter.discussions:
        for send in _chair(discussion):
            moment(send.at).sends.append(send)
        for party in discussion.parties:
            hand = party.by_hand
            if hand is not None and hand.act != "claimed":
                moment(hand.at).handles.append(
                    Handle(at=hand.at, mailbox=party.mailbox, reference=discussion.reference, act=hand.act)
                )
            elif hand is not None:
                moment(hand.at).sends.append(_claim(discussion, party.mailbox, hand.at))
    for report in quarter.reports:
        for send in _report(report):
            moment(send.at).sends.append(send)
    for outage in quarter.outages:
        moment(outage.since).switches.append(Switch(at=outage.since, agency=outage.agency, on=False))
        moment(outage.until).switches.append(Switch(at=outage.until, agency=outage.agency, on=True))
    return [moments[at] for at in sorted(moments)]


def missing_minutes(quarter: Quarter, owed: Iterable[tuple[str, str]], at: int) -> list[Send]:
    """Return the drafts by which the chairs send, at *at*, the minutes that are *owed*: pairs of reference and mailbox."""
    by_reference: dict[str, set[str]] = {}
    for reference, mailbox in owed:
        by_reference.setdefault(reference, set()).add(mailbox)
    return [
        send
        for discussion in quarter.discussions
        for send in _minutes(discussion, at, by_reference.get(discussion.reference, set()), "overdue")
    ]


def _chair(discussion: Discussion) -> Iterator[Send]:
    reference, parties = discussion.reference, drafts.listed(discussion)
    notes: dict[int, list[str]] = {}
    minutes: dict[int, set[str]] = {}
    for party in parties:
        if party.decision_note is not None:
            notes.setdefault(party.decision_note, []).append(party.mailbox)
    for party in discussion.parties:
        if party.full_minutes is not None:
            minutes.setdefault(party.full_minutes, set()).add(party.mailbox)
    recorded = min([*notes, *minutes], default=discussion.held_at + 3_600_000)
    yield Send(at=recorded, wave=1, name=f"{reference}-held", reference=reference, draft=drafts.held(discussion))
    for at, to in sorted(notes.items()):
        name = f"{reference}-note-{at}"
        yield Send(at=at, wave=2, name=name, reference=reference, draft=drafts.decision_note(discussion, to))
    for at, boxes in sorted(minutes.items()):
        yield from _minutes(discussion, at, boxes, "minutes")


def _minutes(discussion: Discussion, at: int, to: set[str], word: str) -> Iterator[Send]:
    for variant in sorted({drafts.variant_for(discussion, mailbox) for mailbox in to}):
        boxes = [mailbox for mailbox in to if drafts.variant_for(discussion, mailbox) == variant]
        yield Send(
            at=at,
            wave=2,
            name=f"{discussion.reference}-{word}-{variant}-{at}",
            reference=discussion.reference,
            draft=drafts.full_minutes(discussion, boxes, variant),
            attachments=(discussion.minutes,) if variant == "full" else (),
        )


def _claim(discussion: Discussion, mailbox: str, at: int) -> Send:
    author = {"name": "Duty practitioner", "role": "practitioner"}
    draft = drafts.claimed(discussion, mailbox, author)
    return Send(at=at, wave=2, name=f"{discussion.reference}-claimed", reference=discussion.reference, draft=draft)


def _report(report: Report) -> Iterator[Send]:
    reference, at, answer = report.reference, report.sent_at, report.document["answer"]
    yield Send(at=at, wave=1, name=reference, reference=reference, draft=drafts.report(report))
    yield Send(
        at=at,
        wave=1,
        name=f"{reference}-identity",
        reference=reference,
        draft=drafts.identity(report),
        thread_of_its_own=True,
    )
    if answer:
        told, decided = local(answer["acknowledged_at"]), local(answer["outcome_at"])
        ack, done = drafts.acknowledgement(report, told), drafts.outcome(report, decided)
        yield Send(at=told, wave=2, name=f"{reference}-ack", reference=reference, draft=ack, answers=reference)
        yield Send(at=decided, wave=2, name=f"{reference}-outcome", reference=reference, draft=done, answers=reference)
