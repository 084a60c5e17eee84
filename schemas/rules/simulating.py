"""What if: events in words are run through an agreement, and what would be owed when is told; nothing is sent.

The same engine as hub and gateway use, so that what is shown here is what would happen there.

Source: design 6; protocol 5 and 6.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from schemas.agreement import Agreement
from schemas.directory import DirectoryIndex
from schemas.envelope import Header, Item, Sealed
from schemas.identifiers import MailboxId, Moment
from schemas.receipt import Level, Receipt
from schemas.rules.checking import Shape
from schemas.rules.clocks import DAY, OpenDays
from schemas.rules.compiled import Rules
from schemas.rules.duty import Duty, DutyParts, State
from schemas.rules.planning import MOST_DUTIES, Owed, Sent, opens_too_many, plan_envelope, plan_receipt
from schemas.rules.recurring import open_recurring
from schemas.rules.stepping import has_lapsed, resolve_targets
from schemas.strict_json import MalformedError

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  (local moments are counted from it, then moved by the calendar)
_FAR: Final = 2**53 - 1
_NOTHING: Final = "A" * 43


class _ItemText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ref: str
    owner: str
    due: datetime


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that happens: an envelope of ``type``, or a ``receipt`` of the envelope ``of`` that name.

    ``at`` is when it happened and ``accepted`` when the hub took it, ``at`` unless given.
    """

    name: str
    at: datetime
    from_: str = msgspec.field(name="from")
    type: str = ""
    to: tuple[str, ...] = ()
    accepted: datetime | None = None
    thread: str = "thread"
    re: str | None = None
    supersedes: str | None = None
    facts: Mapping[str, str] = {}
    moments: Mapping[str, datetime] = {}
    urgent: bool = False
    parties: tuple[str, ...] = ()
    items: tuple[_ItemText, ...] = ()
    receipt: Level | None = None
    of: str = ""


class _Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    events: tuple[Event, ...]
    agencies: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One notice of the ladder: ``due-soon`` or ``overdue``, when, and to which mailboxes."""

    at: Moment
    notice: str
    to: tuple[MailboxId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One duty and what became of it.  ``opened_by`` and ``settled_by`` are names of events; ``late``: still owed."""

    rule: str
    kind: str
    thread: str
    debtor: MailboxId
    creditor: MailboxId
    awaits: tuple[str, ...]
    opened_by: str
    opened_at: Moment
    due: Moment
    beyond_calendar: bool
    state: str
    settled_at: Moment | None
    settled_by: str | None
    told: tuple[Told, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An event that the agreement doesn't allow, and why; it opens and settles nothing."""

    event: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What would be owed, in the order in which it is opened, and what would be refused."""

    lines: tuple[Line, ...]
    refused: tuple[Refused, ...]


def parse_events(toml_text: str) -> tuple[Event, ...]:
    """Return the ``[[events]]`` of *toml_text*; its ``[[agencies]]`` are for ``places.parse_places``.

    Raises:
        MalformedError: ``simulation-text`` (no TOML; a key unknown, missing or ill-typed) or ``simulation-name`` (a
            name twice, or one that is referred to and isn't there).
    """
    try:
        events = msgspec.convert(tomllib.loads(toml_text), _Text).events
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise MalformedError("simulation-text", f"events: {error}", "see docs/agreement.md") from error
    names = {event.name for event in events if event.type}
    if len({event.name for event in events}) != len(events):
        raise MalformedError("simulation-name", "two events have one name", "give each its own")
    for event in events:
        if bool(event.type) == (event.receipt is not None):
            raise MalformedError(
                "simulation-text",
                f"event `{event.name}` is no envelope and no receipt",
                "give it a `type` or `receipt`",
            )
        if not {name for name in (event.re, event.supersedes, event.of) if name} <= names or (
            event.receipt and not event.of
        ):
            raise MalformedError(
                "simulation-name",
                f"event `{event.name}` is about an envelope that isn't there",
                "name one of the events",
            )
    return events


def simulate(
    agreement: Agreement,
    index: DirectoryIndex,
    events: tuple[Event, ...],
    shapes: Mapping[str, Shape],
    *,
    until: Moment = _FAR,
) -> Simulation:
    """Return what *events*, in the order in which the hub takes them, make owed and settle up to the moment *until*.

    *shapes* say which facts and moments each type can have; a family that they don't have is taken as it is.
    Without *until* everything that the clock would do is told, but for periods that begin after the last event.
    """
    run = _Run(agreement, index, shapes)
    taken = [event for event in sorted(events, key=run.accepted) if run.accepted(event) <= until]
    if taken:
        run.recurred = run.accepted(taken[0])
    for event in taken:
        run.take(event)
    if until < _FAR:
        run.recur(until)
    return Simulation(lines=tuple(run.lines(until)), refused=tuple(run.refused))


@dataclass(slots=True)
class _Row:
    duty: Duty
    opened_by: str
    opened_at: Moment
    state: State = "open"
    settled_at: Moment | None = None
    settled_by: str | None = None
    step: int = 0


@dataclass(slots=True)
class _Run:
    agreement: Agreement
    index: DirectoryIndex
    shapes: Mapping[str, Shape]
    rules: Rules = field(init=False)
    rows: dict[str, _Row] = field(default_factory=dict)
    known: dict[DutyParts, str] = field(default_factory=dict)
    sent: dict[str, Sent] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    recurred: Moment = 0

    def __post_init__(self) -> None:
        self.rules = Rules(self.agreement)

    def accepted(self, event: Event) -> Moment:
        return as_moment(event.accepted or event.at, self.agreement)

    def take(self, event: Event) -> None:
        now = self.accepted(event)
        self.pass_time(now)
        self.recur(now)
        reason = self.why_not(event)
        if reason:
            self.refused.append(Refused(event=event.name, reason=reason))
        elif event.receipt:
            self.settle_by_receipt(event, event.receipt, now)
        else:
            self.send(self.header(event, now), now)

    def pass_time(self, now: Moment) -> None:
        for row in self.rows.values():
            if row.state == "open" and has_lapsed(row.duty, now):
                row.state, row.settled_at = "lapsed", row.duty.due + 1

    def why_not(self, event: Event) -> str:
        if event.receipt:
            about = self.sent.get(event.of)
            return "" if about and event.from_ in about.header.to else f"`{event.of}` was not sent to `{event.from_}`"
        family = event.type.partition("/")[0]
        terms = self.rules.find_type(family)
        if terms is None:
            return f"`{family}` is not agreed"
        for box in (event.from_, *event.to, *event.parties, *(item.owner for item in event.items)):
            if not self.index.is_open(box, self.accepted(event)):
                return f"`{box}` is no open mailbox of the directory"
        if not event.to:
            return "it is sent to nobody"
        if not terms.may_send(event.from_, self.index):
            return f"`{event.from_}` may not send `{family}`"
        for box in event.to:
            if not terms.may_receive(box, self.index):
                return f"`{box}` may not receive `{family}`"
        return self.cannot_say(event, family)

    def cannot_say(self, event: Event, family: str) -> str:
        shape = self.shapes.get(family)
        if shape is None:
            return ""
        for fact, code in event.facts.items():
            if code not in shape.facts.get(fact, ()):
                return f"`{family}` can't say that `{fact}` is `{code}`"
        for code in event.moments:
            if code not in shape.moments:
                return f"`{family}` names no moment `{code}`"
        return ""

    def header(self, event: Event, now: Moment) -> Header:
        return Header(
            v=1,
            id=event.name,
            type=event.type if "/" in event.type else f"{event.type}/1",
            from_=event.from_,
            to=event.to,
            thread=event.thread,
            re=event.re,
            supersedes=event.supersedes,
            at=as_moment(event.at, self.agreement),
            moments={code: as_moment(moment, self.agreement) for code, moment in event.moments.items()},
            urgent=event.urgent,
            parties=event.parties,
            items=tuple(
                Item(ref=item.ref, owner=item.owner, due=as_moment(item.due, self.agreement)) for item in event.items
            ),
            facts=event.facts,
            basis_class="safeguarding",
            retention="none",
            sealed=Sealed(format="C2SP-CE1-A256GCM", sha256=_NOTHING, length=4096),
            opening=_NOTHING,
            directory=1,
            agreement=self.agreement.version,
            sent=now,
            keep_until=now,
        )

    def owed(self) -> list[Owed]:
        return [Owed(key, row.duty) for key, row in self.rows.items() if row.state == "open"]

    def send(self, header: Header, now: Moment) -> None:
        earlier = [one for one in self.sent.values() if one.header.thread == header.thread]
        threads = {header.thread, *self.rules.recurring_threads(header.type)}
        owed = [row for row in self.owed() if row.duty.thread in threads]
        plan = plan_envelope(header, self.rules, self.index, owed, lambda: earlier, now)
        if opens_too_many(header, plan):
            reason = f"it would open more than {MOST_DUTIES} obligations, and it is not urgent"
            self.refused.append(Refused(event=header.id, reason=reason))
            return
        for settled in plan.settled:
            row = self.rows[settled.id]
            row.state, row.settled_at, row.settled_by = settled.state, now, header.id
        for opened in plan.opened:
            ended = (opened.state, opened.settled_at, opened.settled_by)
            self.open(_Row(opened.duty, header.id, now, *ended, opened.step))
        self.sent[header.id] = Sent(header, now)

    def open(self, row: _Row) -> None:
        key = self.known.setdefault(row.duty.parts, str(len(self.known)))
        before = self.rows.get(key)
        if before is None or before.state == "superseded":
            self.rows[key] = row

    def recur(self, now: Moment) -> None:
        for duty in open_recurring((self.rules,), self.index, self.recurred, now):
            self.open(_Row(duty, "the calendar", duty.moment))
        self.recurred = max(now, self.recurred)

    def settle_by_receipt(self, event: Event, level: Level, now: Moment) -> None:
        receipt = Receipt(
            v=1,
            id=event.name,
            envelope=event.of,
            sealed_sha256=_NOTHING,
            level=level,
            mailbox=event.from_,
            at=now,
        )
        for settled in plan_receipt(receipt, self.owed(), now):
            row = self.rows[settled.id]
            row.state, row.settled_at, row.settled_by = settled.state, now, event.name

    def lines(self, until: Moment) -> Iterator[Line]:
        self.pass_time(until)
        for row in self.rows.values():
            duty, ended = row.duty, until if row.settled_at is None else row.settled_at - 1
            yield Line(
                rule=duty.rule,
                kind=duty.kind,
                thread=duty.thread,
                debtor=duty.debtor,
                creditor=duty.creditor,
                awaits=duty.levels or duty.types,
                opened_by=row.opened_by,
                opened_at=row.opened_at,
                due=duty.due,
                beyond_calendar=duty.beyond_calendar,
                state="late" if row.state == "open" and duty.due < until else row.state,
                settled_at=row.settled_at,
                settled_by=row.settled_by,
                told=tuple(
                    Told(at=step.at, notice=step.notice, to=resolve_targets(duty, step.to, self.index, step.at))
                    for step in duty.steps[row.step :]
                    if step.at <= ended
                ),
            )


def as_moment(when: datetime, agreement: Agreement) -> Moment:
    """Return the UTC milliseconds of a moment of TOML; without an offset, local in the first calendar's zone."""
    if when.tzinfo is not None:
        return round(when.timestamp() * 1000)
    day, wall = divmod(round((when - _EPOCH).total_seconds() * 1000), DAY)
    calendar = next(iter(agreement.calendars.values()), None)
    return OpenDays(calendar).moment(day, wall) if calendar else day * DAY + wall


def as_local(at: Moment, agreement: Agreement) -> str:
    """Return ``2026-07-06 10:00`` of *at*, local in the first calendar's zone, or UTC where there is none."""
    calendar = next(iter(agreement.calendars.values()), None)
    day, wall = OpenDays(calendar).local(at) if calendar else divmod(at, DAY)
    return f"{_EPOCH + timedelta(days=day, milliseconds=wall):%Y-%m-%d %H:%M}"
