"""What one accepted envelope or receipt does to the obligations of its thread.

The rules are ``schemas.rules``; here they meet the rows that the store holds.

Source: protocol 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from schemas.directory import DirectoryIndex
from schemas.envelope import Header
from schemas.identifiers import AgencyId, EnvelopeId, MailboxId, Moment, ObligationId, ReceiptId
from schemas.receipt import Receipt
from schemas.rules.compiled import Rules
from schemas.rules.duty import Duty, State
from schemas.rules.settling import next_step, settled_state, settles_by_envelope, settles_by_receipt, superseded_by


class Owed(NamedTuple):
    """An obligation of the thread as the store holds it: its id and duty, all of them open."""

    id: ObligationId
    duty: Duty


class Sent(NamedTuple):
    """An envelope that the thread had before: its header and when the hub accepted it."""

    header: Header
    accepted_at: Moment


class Opened(NamedTuple):
    """A duty that begins, or that had been met before anybody knew that it was owed."""

    duty: Duty
    state: State
    settled_at: Moment | None
    settled_by: EnvelopeId | None


class Settled(NamedTuple):
    """An open obligation that ends."""

    id: ObligationId
    duty: Duty
    state: State
    by: EnvelopeId | ReceiptId


class Plan(NamedTuple):
    """What to record of the duties of one envelope."""

    opened: tuple[Opened, ...]
    settled: tuple[Settled, ...]


SameAgency = Callable[[AgencyId, AgencyId], bool]


def plan_envelope(
    header: Header,
    rules: Rules,
    index: DirectoryIndex,
    owed: Iterable[Owed],
    sent_before: Callable[[], Sequence[Sent]],
    now: Moment,
) -> Plan:
    """Return what *header*, accepted at *now*, opens and settles.

    *owed* are the thread's open obligations.  *sent_before* is asked only where a duty to send begins: minutes may
    come before the meeting is registered, and the duty is then met as it opens.
    """
    same = _same_agency(index)
    settled = tuple(
        Settled(row.id, row.duty, settled_state(row.duty, now) if met else "superseded", header.id)
        for row in owed
        if (met := settles_by_envelope(row.duty, header, same)) or superseded_by(row.duty, header)
    )
    opened = rules.open_duties(header, index, now)
    earlier = sent_before() if any(duty.kind == "send" for duty in opened) else ()
    return Plan(tuple(_open(duty, earlier, same) for duty in opened), settled)


def _open(duty: Duty, earlier: Sequence[Sent], same: SameAgency) -> Opened:
    if duty.kind == "send":
        for sent in earlier:
            if settles_by_envelope(duty, sent.header, same):
                return Opened(duty, settled_state(duty, sent.accepted_at), sent.accepted_at, sent.header.id)
    return Opened(duty, "open", None, None)


def plan_receipt(receipt: Receipt, owed: Iterable[Owed], now: Moment) -> tuple[Settled, ...]:
    """Return the open obligations that *receipt*, accepted at *now*, settles."""
    return tuple(
        Settled(row.id, row.duty, settled_state(row.duty, now), receipt.id)
        for row in owed
        if settles_by_receipt(row.duty, receipt)
    )


def plan_withdrawal(
    header: Header, gone: frozenset[MailboxId], owed: Iterable[Owed], met_by_it: Iterable[Owed]
) -> tuple[tuple[Settled, ...], tuple[Owed, ...]]:
    """Return the receipts no longer owed, and the duties to send that are open again, once *gone* can't have *header*.

    What was sent and taken back was not sent: whoever should have had it is owed it as before.
    """
    ended = tuple(
        Settled(row.id, row.duty, "superseded", header.id)
        for row in owed
        if row.duty.kind == "receipt" and row.duty.envelope == header.id and row.duty.debtor in gone
    )
    again = tuple(row for row in met_by_it if row.duty.kind == "send" and row.duty.creditor in gone)
    return ended, again


def next_moment(duty: Duty, step: int) -> Moment | None:
    """Return when the clock next has to look at *duty*, its steps below *step* taken; ``None`` when never."""
    moments = [duty.steps[step].at] if step < len(duty.steps) else []
    return min([*moments, duty.due]) if duty.lapses else min(moments, default=None)


def first_step(duty: Duty, now: Moment) -> int:
    """Return the first step of *duty* that is not past at *now*, for a duty that is opened again."""
    return next_step(duty.steps, now)


def resolve_targets(duty: Duty, targets: Iterable[str], index: DirectoryIndex, now: Moment) -> tuple[MailboxId, ...]:
    """Return, sorted, the open mailboxes that *targets* mean at *now* (see :class:`schemas.rules.duty.Step`).

    A person's post that is vacant falls back to the mailbox itself, so that nothing is told to nobody.
    """
    boxes: set[MailboxId] = set()
    for target in targets:
        who, _, post = target.partition("/")
        if who in {"debtor", "creditor"}:
            mailbox = duty.debtor if who == "debtor" else duty.creditor
            boxes.add(_post(mailbox, post, index) if post else mailbox)
        elif target.startswith("role:"):
            boxes.update(index.mailboxes_with(target.removeprefix("role:"), now))
        else:
            boxes.add(target.removeprefix("mailbox:"))
    return tuple(sorted(heir for box in boxes for heir in index.open_heirs(box, now)))


def _post(mailbox: MailboxId, post: str, index: DirectoryIndex) -> MailboxId:
    entry = index.find_mailbox(mailbox)
    named = {"manager": entry.manager, "deputy": entry.deputy} if entry else {}
    return named.get(post) or mailbox


def _same_agency(index: DirectoryIndex) -> SameAgency:
    return lambda debtor, sender: debtor == sender or index.is_same_or_successor(sender, debtor)
