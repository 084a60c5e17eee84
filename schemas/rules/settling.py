"""What meets a duty, what replaces it, and what its clock does next.

Source: protocol 5; domain 8 (what clears, and what doesn't).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from schemas.agreement import Answer
from schemas.directory import DirectoryIndex
from schemas.envelope import Header
from schemas.identifiers import AgencyId, EnvelopeId, MailboxId, Moment, agency_of, family_of
from schemas.receipt import Receipt
from schemas.rules.conditions import says
from schemas.rules.duty import Duty, State, Step


class Standing(NamedTuple):
    """Who may speak for whom, and who stands in for a mailbox that has ended, at one moment."""

    directory: DirectoryIndex
    at: Moment
    # Rule and creditor of what is open in the thread: who is owed something like it itself.
    owed: Collection[tuple[str, MailboxId]] = ()

    def speaks_for(self, agency: AgencyId, other: AgencyId) -> bool:
        """Answer whether *agency* is *other*, or took over from it once that had ended."""
        return agency == other or self.directory.is_same_or_successor(agency, other, self.at)

    def acts_as(self, mailbox: MailboxId, other: MailboxId) -> bool:
        """Answer whether *mailbox* is *other*, or of an agency that took over from that one's once that had ended."""
        if agency_of(mailbox) == agency_of(other):
            return mailbox == other
        return self.speaks_for(agency_of(mailbox), agency_of(other))

    def reaches(self, mailbox: MailboxId, header: Header, rule: str) -> bool:
        """Answer whether *header* goes to *mailbox*, or where it ended to one that answers for it.

        Where several took over, one that is owed the same by *rule* itself has it for itself alone: it doesn't count.
        """
        if mailbox in header.to or self.directory.is_open(mailbox, self.at):
            return mailbox in header.to
        heirs = self.directory.open_heirs(mailbox, self.at)
        return any(heir in header.to and (len(heirs) == 1 or (rule, heir) not in self.owed) for heir in heirs)

    def is_among(self, mailbox: MailboxId, gone: Collection[MailboxId]) -> bool:
        """Answer whether *mailbox*, or where it ended one that answers for it, is among *gone*."""
        return mailbox in gone or any(heir in gone for heir in self.directory.open_heirs(mailbox, self.at))


def answers_by_envelope(
    duty: Duty, answer: Answer, header: Header, standing: Standing, is_owed: Callable[[str], bool]
) -> bool:
    """Answer whether *header* is what *answer* of a send duty waits for.

    Thread, family and facts must match, and it must go from the one party's agency, or its successor, to the other's
    mailbox, so that nobody else's message passes for the one owed.  A duty about one item or envelope is met by what
    names that item, answers that envelope, or supersedes it; a recurring one by what happened in its period.
    *is_owed* says of a rule whether a duty of it is open in the thread.
    """
    return _is_of(duty, header) and _fits(duty, answer, header, standing, is_owed)


def _fits(duty: Duty, answer: Answer, header: Header, standing: Standing, is_owed: Callable[[str], bool]) -> bool:
    if family_of(header.type) not in answer.types or not says(header, answer.facts):
        return False
    giver, taker = (duty.debtor, duty.creditor) if answer.by == "debtor" else (duty.creditor, duty.debtor)
    return (
        standing.speaks_for(agency_of(header.from_), agency_of(giver))
        and standing.reaches(taker, header, duty.rule)
        and not any(map(is_owed, answer.unless_owed))
    )


def _is_of(duty: Duty, header: Header) -> bool:
    if duty.period_end is not None:
        return duty.moment <= header.at < duty.period_end
    return duty.thread == header.thread and (not duty.item or is_about(header, duty.item))


def is_about(header: Header, item: str) -> bool:
    """Answer whether *header* answers, replaces or names *item*, an envelope's id or an item's reference."""
    return item in (header.re, header.supersedes) or any(one.ref == item for one in header.items)


def settles_by_envelope(
    duty: Duty,
    header: Header,
    standing: Standing,
    is_owed: Callable[[str], bool],
    earlier: Callable[[], Iterable[Header]],
) -> bool:
    """Answer whether accepting *header* meets the send duty.

    Where every answer is needed, it must be the last of them; *earlier* gives what the thread had before, for that alone.
    """
    if duty.kind != "send" or not _is_of(duty, header):
        return False

    fitting = [answer for answer in duty.answers if _fits(duty, answer, header, standing, is_owed)]
    if not fitting or not duty.every:
        return bool(fitting)
    missing = [answer for answer in duty.answers if answer not in fitting]
    before = list(earlier()) if missing else []
    return all(any(answers_by_envelope(duty, answer, one, standing, is_owed) for one in before) for answer in missing)


def settles_by_receipt(duty: Duty, receipt: Receipt) -> bool:
    """Answer whether *receipt* is what the receipt duty waits for: its envelope, its debtor, one of its levels.

    Filing by destroying (the answer to a withdrawal) takes receipt of nothing.
    """
    return (
        duty.kind == "receipt"
        and duty.envelope == receipt.envelope
        and duty.debtor == receipt.mailbox
        and receipt.level in duty.levels
        and receipt.mode != "destroyed"
    )


def superseded_by(duty: Duty, header: Header, standing: Standing, before: Collection[EnvelopeId] = ()) -> bool:
    """Answer whether *header* is a newer version of what *duty* is about.

    Of a receipt duty, for the same debtor.  Of a duty to answer, by whoever asked: the question as it is put now has a
    duty of its own, with its own clock; nobody gets rid of what they owe by replacing a message themselves.  What is about
    an item, or about another envelope than the one that opened it, stays: whoever replaces that has not asked.
    *before*: older versions that *header* replaces besides the one it names, since that was withdrawn.
    """
    if duty.thread != header.thread or duty.envelope not in (header.supersedes, *before):
        return False
    if duty.kind == "receipt":
        return standing.reaches(duty.debtor, header, duty.rule)
    return duty.item == duty.envelope and not standing.acts_as(header.from_, duty.debtor)


def settled_state(duty: Duty, at: Moment) -> State:
    """Return ``met`` where *at* is at or before the due moment, else ``met_late``."""
    return "met" if at <= duty.due else "met_late"


def next_step(steps: Sequence[Step], at: Moment) -> int:
    """Return the index of the first step after *at*; ``len(steps)`` where none is left."""
    return bisect_right(steps, at, key=lambda step: step.at)
