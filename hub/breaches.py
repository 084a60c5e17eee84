"""Records of breaches: opened by what agencies signed, decided by two people of the partnership.

The hub can't tell what was in the mail.  It knows that a sender took back what somebody had, or that a named person said
that it was not for them; both sides' signed words are the record, and nothing that anybody typed.

Source: protocol 4 and 6; domain 9.6; UK GDPR, article 33.
"""

from __future__ import annotations

from typing import NamedTuple

from hub import ledger
from hub.core.breaching import Cause, Decide, judge_decision
from hub.core.events import Event
from hub.errors import HubError
from hub.store.people_rows import ProposalRow
from hub.store.rows import BreachRow, BreachStepRow, EnvelopeRow, ReceiptRow, WithdrawalRow
from hub.store.transaction import Transaction
from keys import jws
from schemas.identifiers import EnvelopeId, MailboxId, Moment, agency_of
from schemas.receipt import parse_receipt


class Record(NamedTuple):
    """One record with both sides' words.

    ``asked``: the sender's withdrawals; ``answered``: receipts that say that it was for somebody else, or was destroyed;
    ``have``: mailboxes that had it and have not said that it is destroyed.
    """

    breach: BreachRow
    envelope: EnvelopeRow
    asked: list[WithdrawalRow]
    answered: list[ReceiptRow]
    have: tuple[MailboxId, ...]
    steps: list[BreachStepRow]


def open_record(tx: Transaction, row: EnvelopeRow, cause: Cause, by: EnvelopeId, at: Moment) -> None:
    """Open a record about *row*, unless it has one; *by* is the withdrawal or the receipt that says so.

    Its leaf comes after what the same statement settles and opens: those belong together in the log.
    """
    if tx.find_breach(row.id) is not None:
        return
    event = Event(
        event="breach-opened",
        agency=agency_of(row.sender),
        mailbox=row.sender,
        envelope=row.id,
        thread=row.thread,
        by=by,
        outcome=cause,
    )
    index = ledger.append(tx, event, at)
    tx.add_breach(BreachRow(row.id, row.thread, cause, "open", at, index))


def check_decision(tx: Transaction, about: Decide, at: Moment) -> None:
    """Raise where the record can't be decided so at *at*.

    Raises:
        HubError: ``breach-unknown``, ``breach-order``, ``breach-moment``.
    """
    breach = _get(tx, about.envelope)
    if refusal := judge_decision(breach.state, about, breach.at, at):
        raise HubError(refusal.code, refusal.message, refusal.hint)


def _get(tx: Transaction, envelope: EnvelopeId) -> BreachRow:
    breach = tx.find_breach(envelope)
    if breach is None:
        raise HubError(
            "breach-unknown", "there is no record of a breach about this envelope", "see the list of records"
        )
    return breach


def decide(tx: Transaction, about: Decide, row: ProposalRow, at: Moment) -> None:
    """Record what two people decided; the leaves of their act say why and by whom."""
    at, breach = ledger.moment(tx, at), _get(tx, about.envelope)
    event = Event(
        event="breach-decided",
        envelope=breach.envelope,
        thread=breach.thread,
        by=row.id,
        outcome=about.decision,
        met_at=about.told_at,
    )
    index = ledger.append(tx, event, at)
    tx.add_breach_step(breach.envelope, BreachStepRow(about.decision, at, index, row.id, about.told_at))


def find_record(tx: Transaction, envelope: EnvelopeId) -> Record | None:
    """Return the record about *envelope* with both sides' signed words, or ``None``."""
    breach, row = tx.find_breach(envelope), tx.find_envelope(envelope)
    if breach is None or row is None:
        return None
    answered = [one for one in tx.receipts_of(envelope) if one.level == "declined" or _is_destruction(one)]
    have = tuple(one.mailbox for one in tx.deliveries_of(envelope) if one.state not in {"owed", "rejected", "gone"})
    return Record(breach, row, tx.withdrawals_of(envelope), answered, have, tx.breach_steps(envelope))


def _is_destruction(row: ReceiptRow) -> bool:
    return row.level == "filed" and parse_receipt(jws.parse(row.jws, jws.RECEIPT).payload).mode == "destroyed"
