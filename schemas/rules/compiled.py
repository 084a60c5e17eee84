"""An agreement made ready: which duties does this envelope open?

The one engine for hub, gateway watch, simulator and offline verifier.  Rules are found by the envelope's type, so
that an agreement of hundreds costs no more than the few that concern it.

Source: protocol 5; design 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from schemas.agreement import (
    Agreement,
    Alarm,
    Answer,
    Ending,
    ReceiptRule,
    Rehoming,
    Retention,
    Rule,
    SendRule,
)
from schemas.directory import DirectoryIndex
from schemas.envelope import Header
from schemas.identifiers import MailboxId, Moment, ThreadId, family_of
from schemas.rules.conditions import NEW, Thread, applies
from schemas.rules.duty import Duty
from schemas.rules.selectors import ITEM_OWNER, resolve
from schemas.rules.timing import Steps, Timetable


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
    ends: tuple[Ending, ...]
    rehomes: tuple[Rehoming, ...]

    def may_send(self, mailbox: MailboxId, index: DirectoryIndex) -> bool:
        """Answer whether *mailbox* may send this type, by its id or by a role that it or its agency has."""
        return _is_named(mailbox, self.senders, index)

    def may_receive(self, mailbox: MailboxId, index: DirectoryIndex) -> bool:
        """Answer whether this type may be sent to *mailbox*."""
        return _is_named(mailbox, self.recipients, index)


class _Openings(NamedTuple):
    sends: tuple[tuple[SendRule, Steps], ...]
    receipts: tuple[tuple[ReceiptRule, Steps], ...]


class Rules:
    """One :class:`Agreement`, indexed by type, its calendars ready."""

    def __init__(self, agreement: Agreement) -> None:
        self.agreement = agreement
        self.version = agreement.version
        self.timetable = Timetable(agreement.calendars)
        self._types: Mapping[str, TypeRules] = {
            family: TypeRules(
                family=family,
                senders=frozenset(terms.senders),
                recipients=frozenset(terms.recipients),
                basis_classes=frozenset(terms.basis_classes),
                retention=frozenset(terms.retention),
                opens=terms.opens,
                receipts=terms.receipts,
                ends=terms.ends,
                rehomes=terms.rehomes,
            )
            for family, terms in agreement.types.items()
        }
        self._openings = {
            family: _Openings(
                tuple((rule, Steps(rule, self.timetable, lapses=rule.lapses)) for rule in terms.opens),
                tuple((rule, Steps(rule, self.timetable)) for rule in terms.receipts),
            )
            for family, terms in agreement.types.items()
        }
        self._alarms: dict[str, Alarm] = {rule.name: rule for rule in agreement.recurring}
        for terms in agreement.types.values():
            self._alarms.update({rule.name: rule for rule in (*terms.opens, *terms.receipts)})
        self._recurring: dict[str, tuple[ThreadId, ...]] = {}
        for rule in agreement.recurring:
            for family in {name for answer in rule.answers for name in answer.types}:
                self._recurring[family] = (*self._recurring.get(family, ()), rule.thread)

    def find_type(self, family: str) -> TypeRules | None:
        """Return what is agreed about *family* (``minutes.full``), or ``None``: it may not be sent at all."""
        return self._types.get(family_of(family))

    def find_rule(self, name: str) -> Alarm | None:
        """Return a rule of that name, or ``None``: the agreement has it no more."""
        return self._alarms.get(name)

    def recurring_threads(self, family: str) -> tuple[ThreadId, ...]:
        """Return under which threads the recurring duties are kept that a message of *family* may meet."""
        return self._recurring.get(family_of(family), ())

    def retention(self, label: str) -> Retention:
        """Return how long bodies with *label* are kept.

        Raises:
            KeyError: the agreement has no such label.
        """
        return self.agreement.retention[label]

    def open_duties(
        self, header: Header, index: DirectoryIndex, accepted_at: Moment, thread: Thread = NEW
    ) -> tuple[Duty, ...]:
        """Return every duty that accepting *header* at *accepted_at* opens, each once, in the agreement's order.

        A duty that was opened before has the same parts; whoever keeps them keeps the first, unless that was superseded.
        """
        family = family_of(header.type)
        openings = self._openings.get(family)
        if openings is None:
            return ()
        found: list[Duty] = []
        for rule, steps in openings.sends:
            if applies(rule.when, header, index, thread) and _is_effective(rule, header):
                found += self._send_duties(rule, steps, header, index, accepted_at)
        for receipt_rule, steps in openings.receipts:
            if applies(receipt_rule.when, header, index, thread) and _is_effective(receipt_rule, header):
                found += self._receipt_duties(receipt_rule, steps, family, header, accepted_at)
        return tuple(found)

    def _send_duties(
        self, rule: SendRule, steps: Steps, header: Header, index: DirectoryIndex, now: Moment
    ) -> Iterator[Duty]:
        # A duty's name has the rule's, and two rules of one type have two names: so each is new if each pair is.
        for item in header.items if is_per_item(rule) else (None,):
            creditors = dict.fromkeys(
                [box for selector in rule.to for box in resolve(selector, header, item, index, now)]
            )
            if not creditors:
                continue
            heirs = {box: index.open_heirs(box, now) for box in creditors if not index.is_open(box, now)}
            timing = self.timetable.of_rule(rule, header, item, now)
            ahead = steps.of(timing.due, now)
            about = item.ref if item else {"thread": "", "envelope": header.id, "re": header.re or ""}[rule.per]
            for debtor in resolve(rule.by, header, item, index, now):
                told = _without(rule.tell, "debtor" if debtor == header.from_ else "creditor")
                for creditor in creditors:
                    if creditor == debtor or heirs.get(creditor) == (debtor,):
                        continue  # nobody owes themselves, nor what they took over
                    yield Duty(
                        rule=rule.name,
                        thread=header.thread,
                        debtor=debtor,
                        creditor=creditor,
                        item=about,
                        kind="send",
                        answers=rule.answers,
                        every=rule.every,
                        envelope=header.id,
                        moment=timing.moment,
                        due=timing.due,
                        lapses=rule.lapses,
                        steps=ahead,
                        # The sender just said so itself.
                        tell=told if header.from_ in (debtor, creditor) else rule.tell,
                        agreement=self.version,
                        calendar=timing.calendar,
                        beyond_calendar=timing.beyond_calendar,
                    )

    def _receipt_duties(
        self, rule: ReceiptRule, steps: Steps, family: str, header: Header, now: Moment
    ) -> Iterator[Duty]:
        timing = self.timetable.of_rule(rule, header, None, now)
        ahead = steps.of(timing.due, now)
        answers, told = (Answer(types=(family,)),), _without(rule.tell, "creditor")
        for recipient in header.to:
            if recipient != header.from_:
                yield Duty(
                    rule=rule.name,
                    thread=header.thread,
                    debtor=recipient,
                    creditor=header.from_,
                    item=header.id,
                    kind="receipt",
                    answers=answers,
                    levels=rule.levels,
                    envelope=header.id,
                    moment=timing.moment,
                    due=timing.due,
                    steps=ahead,
                    tell=told,
                    agreement=self.version,
                    calendar=timing.calendar,
                    beyond_calendar=timing.beyond_calendar,
                )


def _without(tell: tuple[str, ...], party: str) -> tuple[str, ...]:
    return tuple([who for who in tell if who != party])


def is_per_item(rule: SendRule) -> bool:
    """Answer whether *rule* opens a duty for each of the header's items."""
    return rule.within.kind == "item" or rule.by == ITEM_OWNER or ITEM_OWNER in rule.to


def _is_named(mailbox: MailboxId, names: frozenset[str], index: DirectoryIndex) -> bool:
    return "*" in names or mailbox in names or not names.isdisjoint(index.roles_of(mailbox))


def _is_effective(rule: Rule, header: Header) -> bool:
    return (rule.effective_from is None or rule.effective_from <= header.at) and (
        rule.effective_to is None or header.at < rule.effective_to
    )
