"""Who should have a message, and why: from the agreement, the thread and the message itself; nothing is guessed.

Pure.  The writer sees each with its reason before anything is sealed, may leave out whom nothing requires, and may add anybody whom
the agreement lets have it.

Source: domain 2 (obligation to send), 3; protocol 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from schemas.directory import DirectoryIndex
from schemas.envelope import MAX_RECIPIENTS
from schemas.identifiers import MailboxId, Moment, agency_of, family_of
from schemas.rules.compiled import Rules, TypeRules
from schemas.rules.duty import Duty

Why = Literal["owed", "answered", "party", "role", "had", "added"]
# The strongest reason is shown first.
ORDER: Final[tuple[Why, ...]] = ("owed", "answered", "party", "role", "had", "added")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """One mailbox with the reasons why it should have the message.

    ``owed``: duties that sending it to them meets.  ``required``: leaving them out would leave something owed.
    """

    mailbox: MailboxId
    why: tuple[Why, ...]
    owed: tuple[Duty, ...] = ()

    @property
    def required(self) -> bool:
        """Answer whether leaving them out would leave something owed."""
        return bool(self.owed)


@dataclass(slots=True)
class _Gathering:
    """Mailboxes with their reasons, resolved to who answers for them today and kept to what the agreement allows."""

    sender: MailboxId
    allowed: TypeRules
    index: DirectoryIndex
    now: Moment
    found: dict[MailboxId, set[Why]] = field(default_factory=dict)
    owed: dict[MailboxId, list[Duty]] = field(default_factory=dict)

    def add(self, mailbox: MailboxId, why: Why, duty: Duty | None = None) -> None:
        for heir in self.index.open_heirs(mailbox, self.now):
            if heir == self.sender or not self.allowed.may_receive(heir, self.index):
                continue
            self.found.setdefault(heir, set()).add(why)
            if duty is not None:
                self.owed.setdefault(heir, []).append(duty)


def propose(
    kind: str, *, sender: MailboxId, rules: Rules, index: DirectoryIndex, now: Moment, parties: Iterable[MailboxId] = (),
    duties: Sequence[Duty] = (), answered: MailboxId | None = None, had: Iterable[MailboxId] = (),
    facts: Mapping[str, str] | None = None,
) -> list[Proposed]:  # fmt: skip
    """Return who should have a message of *kind* that *sender* writes, the most pressing first.

    Args:
        parties: who the message names.
        duties: what is open in its thread.
        answered: who sent what it answers.
        had: who had the version before this one.
        facts: what the message says of itself; a duty that wants other facts isn't met by it.
    """
    allowed = rules.find_type(family_of(kind))
    if allowed is None:
        return []
    gathering = _Gathering(sender, allowed, index, now)
    for duty in duties:
        if duty.kind == "send" and agency_of(duty.debtor) == agency_of(sender) and _meets(duty, family_of(kind), facts):
            gathering.add(duty.creditor, "owed", duty)
    if answered is not None:
        gathering.add(answered, "answered")
    for mailbox in parties:
        gathering.add(mailbox, "party")
    for mailbox in had:
        gathering.add(mailbox, "had")
    terms = rules.agreement.types[family_of(kind)]
    if "*" not in terms.recipients and not gathering.found:
        # The agreement names who such a message is for: police intelligence, the safeguarding partnership.
        named = {box for name in terms.recipients for box in index.mailboxes_with(name, now)}
        for mailbox in sorted(named | {name for name in terms.recipients if "/" in name}):
            gathering.add(mailbox, "role")
    proposed = [
        Proposed(
            mailbox=box, why=tuple(one for one in ORDER if one in why), owed=tuple(gathering.owed.get(box, ()))
        )
        for box, why in gathering.found.items()
    ]  # fmt: skip
    return sorted(proposed, key=lambda one: (ORDER.index(one.why[0]), one.mailbox))[:MAX_RECIPIENTS]


def _meets(duty: Duty, family: str, facts: Mapping[str, str] | None) -> bool:
    return any(
        answer.by == "debtor"
        and family in answer.types
        and (facts is None or all(facts.get(code) in codes for code, codes in answer.facts.items()))
        for answer in duty.answers
    )


def may_have(kind: str, sender: MailboxId, rules: Rules, index: DirectoryIndex, now: Moment) -> list[MailboxId]:
    """Return every open mailbox that the agreement lets have a message of *kind*, but *sender*."""
    allowed = rules.find_type(family_of(kind))
    if allowed is None:
        return []
    return [box for box in index.open_mailboxes(now) if box != sender and allowed.may_receive(box, index)]


def may_write(senders: Iterable[MailboxId], rules: Rules, index: DirectoryIndex) -> dict[str, list[MailboxId]]:
    """Return for each family that one of *senders* may send, which of them may, families in order."""
    boxes = sorted(senders)
    found = {
        family: [box for box in boxes if (terms := rules.find_type(family)) is not None and terms.may_send(box, index)]
        for family in sorted(rules.agreement.types)
    }
    return {family: able for family, able in found.items() if able}
