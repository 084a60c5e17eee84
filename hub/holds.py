"""Legal holds: what is kept although its time is over, or its sender has taken it back.

A hold is on a thread, with what comes into it later, or on one envelope.  Two people place it and two release it.  While
it stands the hub deletes no body that it covers; a withdrawal takes the delivery away but not the evidence, and nobody is
asked to destroy what they have until the last hold is released.  Whoever sent or received something of it is told.

Source: domain 9.6; protocol 6.
"""

from __future__ import annotations

from typing import Final

from hub import ledger, notices
from hub.core.events import Event
from hub.errors import HubError
from hub.store.people_rows import ProposalRow
from hub.store.rows import EnvelopeRow, HoldRow
from hub.store.transaction import Transaction
from keys import jws
from schemas.envelope import Struct
from schemas.identifiers import EnvelopeId, MailboxId, Moment, ThreadId, agency_of
from schemas.statements import NoticeCode, parse_withdrawal

# Holds told in one round; each may be of many mailboxes.
LIMIT: Final = 20
REASONS: Final = (
    "police_investigation",
    "court_order",
    "public_inquiry",
    "practice_review",
    "complaint",
    "subject_access",
)
RELEASE_REASONS: Final = ("matter_closed", "placed_in_error")


class Place(Struct, frozen=True, kw_only=True):
    """What a hold is proposed on: a whole thread, or one envelope of it."""

    thread: ThreadId
    envelope: EnvelopeId | None = None


class Release(Struct, frozen=True, kw_only=True):
    """The hold that is proposed to be released."""

    hold: EnvelopeId


def is_held(tx: Transaction, row: EnvelopeRow) -> bool:
    """Answer whether a hold covers the envelope."""
    return any(covers(hold, row.id) for hold in tx.holds_on(row.thread))


def covers(hold: HoldRow, envelope: EnvelopeId) -> bool:
    """Answer whether *hold*, which is on the envelope's thread, covers it."""
    return hold.envelope in (None, envelope)


def check_place(tx: Transaction, about: Place, _: Moment) -> None:
    """Raise where no hold can be placed so.

    Raises:
        HubError: ``thread-unknown``.
    """
    rows = tx.thread_envelopes(about.thread)
    if not rows or (about.envelope is not None and about.envelope not in {row.id for row in rows}):
        raise HubError("thread-unknown", "the hub has nothing under this reference", "check the references")


def place(tx: Transaction, about: Place, row: ProposalRow, at: Moment) -> None:
    """Place the hold that two people agreed on.  It counts from here; whom it concerns is told by :func:`tell_due`."""
    at = ledger.moment(tx, at)
    event = Event(event="hold-placed", thread=about.thread, envelope=about.envelope, by=row.id, outcome=row.reason)
    index = ledger.append(tx, event, at)
    tx.add_hold(HoldRow(row.id, about.thread, about.envelope, row.reason, at, index))


def check_release(tx: Transaction, about: Release, _: Moment) -> None:
    """Raise where the hold can't be released.

    Raises:
        HubError: ``hold-unknown``, ``hold-released``.
    """
    if _get_hold(tx, about.hold).released_at is not None:
        raise HubError("hold-released", "the hold was released before", "nothing is left to do")


def release(tx: Transaction, about: Release, row: ProposalRow, at: Moment) -> None:
    """Release the hold that two people agreed to release.

    What is past its time is looked at by retention within a day, which warns first whoever has not taken it.
    """
    at, hold = ledger.moment(tx, at), _get_hold(tx, about.hold)
    event = Event(
        event="hold-released", thread=hold.thread, envelope=hold.envelope, item=hold.id, by=row.id, outcome=row.reason
    )
    tx.release_hold(hold.id, at, row.id, ledger.append(tx, event, at))


def _get_hold(tx: Transaction, name: EnvelopeId) -> HoldRow:
    hold = tx.find_hold(name)
    if hold is None:
        raise HubError("hold-unknown", "there is no such hold", "see the list of holds")
    return hold


def tell_due(tx: Transaction, at: Moment, signer: jws.SigningKey) -> set[MailboxId]:
    """Tell of the holds that were placed or released since the last round, and do what a release leaves to be done.

    What was withdrawn meanwhile and is held no more goes now, and is asked back.
    """
    told = set[MailboxId]()
    for hold, index in tx.holds_to_tell(LIMIT):
        tx.set_hold_told(hold.id)
        if any(other.envelope == hold.envelope and other.id != hold.id for other in tx.holds_on(hold.thread)):
            continue  # for whoever has something of it nothing changes
        code: NoticeCode = "hold-placed" if hold.released_at is None else "hold-released"
        parties = sorted(_parties(tx, hold.thread, hold.envelope))
        told |= notices.tell_hold(tx, code, hold.thread, hold.envelope, parties, index, at, signer)
        if hold.released_at is not None:
            for row in tx.thread_envelopes(hold.thread):
                if row.state == "withdrawn" and covers(hold, row.id) and not is_held(tx, row):
                    told |= _let_go(tx, row, at, signer)
    return told


def _parties(tx: Transaction, thread: ThreadId, envelope: EnvelopeId | None) -> set[MailboxId]:
    """Return who sent something that a hold covers, or was owed it."""
    rows = [row for row in tx.thread_envelopes(thread) if envelope in (None, row.id)]
    return {row.sender for row in rows} | {one.mailbox for row in rows for one in tx.deliveries_of(row.id)}


def tell_newcomers(
    tx: Transaction, envelope: EnvelopeRow, to: tuple[MailboxId, ...], at: Moment, signer: jws.SigningKey
) -> set[MailboxId]:
    """Tell the parties of *envelope*, which has just come into its thread, of a hold on that which they don't know yet."""
    held = [hold for hold in tx.holds_on(envelope.thread) if hold.envelope is None]
    if not held:
        return set()
    known = {
        mailbox
        for row in tx.thread_envelopes(envelope.thread)
        if row.id != envelope.id
        for mailbox in (row.sender, *(one.mailbox for one in tx.deliveries_of(row.id)))
    }
    new = sorted({envelope.sender, *to} - known)
    return notices.tell_hold(tx, "hold-placed", envelope.thread, None, new, held[0].index, at, signer)


def record_deletion(tx: Transaction, row: EnvelopeRow, at: Moment) -> None:
    """Delete the body of an envelope, with its leaf.  Whether that may be is asked before."""
    ledger.append(
        tx,
        Event(
            event="body-deleted",
            agency=agency_of(row.sender),
            mailbox=row.sender,
            envelope=row.id,
            thread=row.thread,
            sealed=row.sealed_sha256,
        ),
        at,
    )
    tx.drop_body(row.id)


def _let_go(tx: Transaction, row: EnvelopeRow, at: Moment, signer: jws.SigningKey) -> set[MailboxId]:
    """Do now what the withdrawal of *row* asked for and a hold forbade."""
    if tx.body(row.id) is not None:
        record_deletion(tx, row, at)
    told = set[MailboxId]()
    have = sorted(one.mailbox for one in tx.deliveries_of(row.id) if one.state != "gone")
    for withdrawal in tx.withdrawals_of(row.id):
        if parse_withdrawal(jws.parse(withdrawal.jws, jws.WITHDRAWAL).payload).ask:
            told |= notices.tell_envelope(tx, "withdrawn", row, have, withdrawal.index, at, signer)
    return told
