"""An agreement made ready: which duties does this envelope open?

The one engine for hub, gateway watch, simulator and offline verifier.  Rules are found by the envelope's type, so
that an agreement of hundreds costs no more than the few that concern it.

Source: protocol 5; design 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from schemas.agreement import Agreement, Clock, ReceiptRule, Retention, Rule, SendRule, When
from schemas.directory import DirectoryIndex
from schemas.envelope import Header, Item
from schemas.identifiers import MailboxId, Moment, family_of
from schemas.rules import clocks
from schemas.rules.duty import Duty, DutyParts, Step
from schemas.rules.selectors import ITEM_OWNER, resolve

BOTH = ("debtor", "creditor")


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeRules:
    """What is agreed about one type.  ``senders`` and ``recipients`` are roles, mailboxes by id, or ``*``: everyone."""

    family: str
    senders: frozenset[str]
    recipients: frozenset[str]
    basis_classes: frozenset[str]
    retention: frozenset[str]
    opens: tuple[SendRule, ...]
    receipts: tuple[ReceiptRule, ...]

    def may_send(self, mailbox: MailboxId, index: DirectoryIndex) -> bool:
        """Answer whether *mailbox* may send this type, by its id or by a role that it or its agency has."""
        return _is_named(mailbox, self.senders, index)

    def may_receive(self, mailbox: MailboxId, index: DirectoryIndex) -> bool:
        """Answer whether this type may be sent to *mailbox*."""
        return _is_named(mailbox, self.recipients, index)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timing:
    moment: Moment
    due: Moment
    beyond_calendar: bool
    calendar: str
    steps: tuple[Step, ...]


class Rules:
    """One :class:`Agreement`, indexed by type, its calendars ready."""

    def __init__(self, agreement: Agreement) -> None:
        self.agreement = agreement
        self.version = agreement.version
        self._calendars = {name: clocks.OpenDays(calendar) for name, calendar in agreement.calendars.items()}
        self._types: Mapping[str, TypeRules] = {
            family: TypeRules(
                family=family,
                senders=frozenset(terms.senders),
                recipients=frozenset(terms.recipients),
                basis_classes=frozenset(terms.basis_classes),
                retention=frozenset(terms.retention),
                opens=terms.opens,
                receipts=terms.receipts,
            )
            for family, terms in agreement.types.items()
        }

    def find_type(self, family: str) -> TypeRules | None:
        """Return what is agreed about *family* (``minutes.full``), or ``None``: it may not be sent at all."""
        return self._types.get(family_of(family))

    def retention(self, label: str) -> Retention:
        """Return how long bodies with *label* are kept.

        Raises:
            KeyError: the agreement has no such label.
        """
        return self.agreement.retention[label]

    def open_duties(self, header: Header, index: DirectoryIndex, accepted_at: Moment) -> tuple[Duty, ...]:
        """Return every duty that accepting *header* at *accepted_at* opens, each once, in the agreement's order.

        A duty that was opened before has the same parts; whoever keeps them keeps the first.
        """
        terms = self.find_type(header.type)
        if terms is None:
            return ()
        found: dict[DutyParts, Duty] = {}
        for rule in terms.opens:
            if _applies(rule.when, header, index):
                for duty in self._send_duties(rule, header, index, accepted_at):
                    found.setdefault(duty.parts, duty)
        for receipt_rule in terms.receipts:
            if _applies(receipt_rule.when, header, index):
                for duty in self._receipt_duties(receipt_rule, terms.family, header, accepted_at):
                    found.setdefault(duty.parts, duty)
        return tuple(found.values())

    def _send_duties(self, rule: SendRule, header: Header, index: DirectoryIndex, now: Moment) -> Iterator[Duty]:
        for item in header.items if is_per_item(rule) else (None,):
            timing = self._timing(rule, header, item, now)
            about = item.ref if item else {"thread": "", "envelope": header.id, "re": header.re or ""}[rule.per]
            creditors = [box for selector in rule.to for box in resolve(selector, header, item, index, now)]
            for debtor in resolve(rule.by, header, item, index, now):
                for creditor in creditors:
                    if debtor == creditor:
                        continue
                    known = {"debtor": debtor, "creditor": creditor}
                    yield Duty(
                        rule=rule.name,
                        thread=header.thread,
                        debtor=debtor,
                        creditor=creditor,
                        item=about,
                        kind="send",
                        types=rule.types,
                        variants=rule.variants,
                        envelope=header.id,
                        moment=timing.moment,
                        due=timing.due,
                        lapses=rule.lapses,
                        steps=timing.steps,
                        # The sender just said so itself.
                        tell=tuple(who for who in rule.tell if known.get(who) != header.from_),
                        agreement=self.version,
                        calendar=timing.calendar,
                        beyond_calendar=timing.beyond_calendar,
                    )

    def _receipt_duties(self, rule: ReceiptRule, family: str, header: Header, now: Moment) -> Iterator[Duty]:
        timing = self._timing(rule, header, None, now)
        for recipient in header.to:
            if recipient != header.from_:
                yield Duty(
                    rule=rule.name,
                    thread=header.thread,
                    debtor=recipient,
                    creditor=header.from_,
                    item=header.id,
                    kind="receipt",
                    types=(family,),
                    levels=rule.levels,
                    envelope=header.id,
                    moment=timing.moment,
                    due=timing.due,
                    steps=timing.steps,
                    tell=tuple(who for who in rule.tell if who != "creditor"),
                    agreement=self.version,
                    calendar=timing.calendar,
                    beyond_calendar=timing.beyond_calendar,
                )

    def _timing(self, rule: Rule, header: Header, item: Item | None, now: Moment) -> _Timing:
        word, _, code = rule.since.partition(":")
        start = now if word == "accepted" else header.moments.get(code, header.at)
        clock, fixed = rule.within, None
        if clock.kind == "item" and item is not None:
            fixed = item.due
        elif clock.kind == "moment" and clock.code is not None:
            fixed = header.moments.get(clock.code)
            if fixed is None and rule.otherwise is not None:
                clock = rule.otherwise
        # A moment that the envelope lacks has amount 0: due at once, so that the lack can't hide the duty.
        counted = clocks.due(clock, self._calendar(clock), start)
        end = counted if fixed is None else clocks.Due(fixed, False)
        return _Timing(
            moment=start,
            due=end.at,
            beyond_calendar=end.beyond_calendar,
            calendar=f"{clock.calendar}@{self._calendars[clock.calendar].version}" if clock.calendar else "",
            steps=self._steps(rule, end.at, now),
        )

    def _steps(self, rule: Rule, due: Moment, now: Moment) -> tuple[Step, ...]:
        """Warnings that still lie ahead, then what happens once it is late, which stays however late it is opened."""
        warnings = [
            Step(at=at, notice="due-soon", to=rung.to)
            for rung in rule.warn
            if now < (at := clocks.shift(rung.span, self._calendar(rung.span), due, way=-1)) < due
        ]
        # What comes at the due moment itself is in time, so nobody is late before the next millisecond.
        late = [
            Step(
                at=max(due + 1, clocks.shift(rung.span, self._calendar(rung.span), due, way=1)),
                notice="overdue",
                to=rung.to,
            )
            for rung in rule.ladder
        ]
        if not late and not (isinstance(rule, SendRule) and rule.lapses):
            late = [Step(at=due + 1, notice="overdue", to=BOTH)]
        return tuple(sorted(warnings + late, key=lambda step: step.at))

    def _calendar(self, clock: Clock) -> clocks.OpenDays | None:
        return self._calendars[clock.calendar] if clock.calendar else None


def is_per_item(rule: SendRule) -> bool:
    """Answer whether *rule* opens a duty for each of the header's items."""
    return rule.within.kind == "item" or rule.by == ITEM_OWNER or ITEM_OWNER in rule.to


def _is_named(mailbox: MailboxId, names: frozenset[str], index: DirectoryIndex) -> bool:
    return "*" in names or mailbox in names or not names.isdisjoint(index.roles_of(mailbox))


def _applies(when: When | None, header: Header, index: DirectoryIndex) -> bool:
    if when is None:
        return True
    return (
        when.urgent in (None, header.urgent)
        and all(header.facts.get(fact) in codes for fact, codes in when.facts.items())
        and (not when.sender or not index.roles_of(header.from_).isdisjoint(when.sender))
    )
