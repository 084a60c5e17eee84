"""What the exchange enters for an envelope or a receipt: its row, its leaf, and the leaf of its refusal.

Source: protocol 8.
"""

from __future__ import annotations

from hub import ledger, retention
from hub.core.events import Event
from hub.errors import Refusal
from hub.intake import Envelope, SignedReceipt
from hub.store.rows import EnvelopeRow, ReceiptRow
from hub.store.transaction import Transaction
from schemas.identifiers import Moment, ThreadId, agency_of
from schemas.receipt import Receipt


def envelope_accepted(envelope: Envelope, digest: str) -> Event:
    """Return the leaf of an accepted envelope; *digest* is its header's."""
    header = envelope.header
    return Event(
        event="envelope-accepted",
        agency=agency_of(header.from_),
        mailbox=header.from_,
        kid=envelope.kid,
        envelope=header.id,
        thread=header.thread,
        type=header.type,
        digest=digest,
        sealed=header.sealed.sha256,
    )


def envelope_row(envelope: Envelope, digest: str, acceptance: bytes, at: Moment, index: int) -> EnvelopeRow:
    """Return the row of an accepted envelope; *index* is its leaf's."""
    header = envelope.header
    return EnvelopeRow(
        id=header.id,
        thread=header.thread,
        type=header.type,
        sender=header.from_,
        header=envelope.parts.header,
        wraps=envelope.parts.wraps,
        acceptance=acceptance,
        header_sha256=digest,
        sealed_sha256=header.sealed.sha256,
        length=header.sealed.length,
        opening=header.opening,
        variant=header.facts.get("variant", ""),
        at=header.at,
        accepted_at=at,
        index=index,
        keep_until=header.keep_until,
        supersedes=header.supersedes,
        superseded_by=None,
        state="present",
        expire_at=retention.first_look(at, header.keep_until),
    )


def refuse_envelope(tx: Transaction, envelope: Envelope, digest: str, refusal: Refusal, at: Moment) -> Refusal:
    """Record that an authentic envelope was refused, and return why."""
    # The id stays unused: the same id, made again by the rules in force, may still be accepted.
    ledger.append(
        tx,
        Event(
            event="envelope-refused",
            agency=agency_of(envelope.header.from_),
            mailbox=envelope.header.from_,
            kid=envelope.kid,
            envelope=envelope.header.id,
            thread=envelope.header.thread,
            digest=digest,
            outcome=refusal.code,
        ),
        at,
    )
    return refusal


def receipt_accepted(signed: SignedReceipt, thread: ThreadId, digest: str) -> Event:
    """Return the leaf of an accepted receipt about an envelope of *thread*."""
    receipt = signed.receipt
    return Event(
        event="receipt-accepted",
        agency=agency_of(receipt.mailbox),
        mailbox=receipt.mailbox,
        kid=signed.kid,
        envelope=receipt.envelope,
        receipt=receipt.id,
        thread=thread,
        level=receipt.level,
        digest=digest,
        outcome=receipt.code,
    )


def receipt_row(signed: SignedReceipt, at: Moment, index: int) -> ReceiptRow:
    """Return the row of an accepted receipt; *index* is its leaf's."""
    receipt = signed.receipt
    return ReceiptRow(
        id=receipt.id,
        envelope=receipt.envelope,
        mailbox=receipt.mailbox,
        level=receipt.level,
        code=receipt.code,
        actor=receipt.actor,
        at=receipt.at,
        accepted_at=at,
        jws=signed.compact,
        index=index,
    )


def refuse_receipt(tx: Transaction, receipt: Receipt, digest: str, refusal: Refusal, at: Moment) -> Refusal:
    """Record that an authentic receipt was refused, and return why."""
    ledger.append(
        tx,
        Event(
            event="receipt-refused",
            agency=agency_of(receipt.mailbox),
            mailbox=receipt.mailbox,
            receipt=receipt.id,
            level=receipt.level,
            digest=digest,
            outcome=refusal.code,
        ),
        at,
    )
    return refusal
