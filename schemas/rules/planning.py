"""What one accepted envelope or receipt does to the obligations of its thread.

The same at the hub and in each gateway's own watch; whoever asks gives the rows that it holds.

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
from schemas.rules.settling import settled_state, settles_by_envelope, settles_by_receipt, superseded_by


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
    by: EnvelopeId | ReceiptId | None


class Again(NamedTuple):
    """A duty to send that is open again; ``met_by``: what had been sent besides and meets it still."""

    id: ObligationId
    duty: Duty
    met_by: Sent | None

    @property
    def settled(self) -> tuple[Settled, ...]:
        """Return how it ends at once, if it does."""
        if self.met_by is None:
            return ()
        state = settled_state(self.duty, self.met_by.accepted_at)
        return (Settled(self.id, self.duty, state, self.met_by.header.id),)


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
    same = _same_agency(index, now)
    settled = tuple(
        Settled(row.id, row.duty, settled_state(row.duty, now) if met else "superseded", header.id)
        for row in owed
        if (met := settles_by_envelope(row.duty, header, same)) or superseded_by(row.duty, header)
    )
    opened = rules.open_duties(header, index, now)
    earlier = sent_before() if any(duty.kind == "send" for duty in opened) else ()
    return Plan(tuple(_open(duty, _first_that_meets(duty, earlier, same)) for duty in opened), settled)


def _first_that_meets(duty: Duty, sent: Iterable[Sent], same: SameAgency) -> Sent | None:
    return next((one for one in sent if settles_by_envelope(duty, one.header, same)), None)


def _open(duty: Duty, met_by: Sent | None) -> Opened:
    if met_by is None:
        return Opened(duty, "open", None, None)
    return Opened(duty, settled_state(duty, met_by.accepted_at), met_by.accepted_at, met_by.header.id)


def plan_receipt(receipt: Receipt, owed: Iterable[Owed], now: Moment) -> tuple[Settled, ...]:
    """Return the open obligations that *receipt*, accepted at *now*, settles."""
    return tuple(
        Settled(row.id, row.duty, settled_state(row.duty, now), receipt.id)
        for row in owed
        if settles_by_receipt(row.duty, receipt)
    )


def plan_withdrawal(
    header: Header,
    gone: frozenset[MailboxId],
    owed: Iterable[Owed],
    met_by_it: Iterable[Owed],
    sent_besides: Sequence[Sent],
    index: DirectoryIndex,
    now: Moment,
) -> tuple[tuple[Settled, ...], tuple[Again, ...]]:
    """Return the receipts no longer owed, and the duties to send that are open again, once *gone* can't have *header*.

    What was sent and taken back was not sent: whoever should have had it is owed it as before, unless something of
    *sent_besides*, such as the version that replaced it, meets the duty too.
    """
    same = _same_agency(index, now)
    ended = tuple(
        Settled(row.id, row.duty, "superseded", header.id)
        for row in owed
        if row.duty.kind == "receipt" and row.duty.envelope == header.id and row.duty.debtor in gone
    )
    again = tuple(
        Again(row.id, row.duty, _first_that_meets(row.duty, sent_besides, same))
        for row in met_by_it
        if row.duty.kind == "send" and row.duty.creditor in gone
    )
    return ended, again


def _same_agency(index: DirectoryIndex, now: Moment) -> SameAgency:
    return lambda debtor, sender: debtor == sender or index.is_same_or_successor(sender, debtor, now)
