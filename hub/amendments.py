"""What a party changes after the fact: wraps replaced, an envelope taken back, a duty given up or met elsewhere.

The same beats as the exchange.  Nothing here is silent: each is a leaf, and whoever it concerns is told.

Source: protocol 2 (wraps), 5 (waiver) and 6 (withdrawal).
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeVar

from hub import acts, breaches, holds, ledger, notices, obligations, waiving
from hub.core import delivery
from hub.core.amending import judge_waiver
from hub.core.events import Event, EventName
from hub.core.sharing import judge_wraps
from hub.errors import Refusal, RefusedError
from hub.intake import authenticate, in_transaction
from hub.registry import Registry, Snapshot
from hub.store.base import Store
from hub.store.rows import EnvelopeRow, ObligationRow
from hub.store.transaction import Transaction
from keys import digests, jws
from schemas.envelope import Wraps, parse_wraps
from schemas.identifiers import AgencyId, EnvelopeId, MailboxId, Moment, ObligationId, agency_of
from schemas.rules.planning import Settled
from schemas.statements import Waiver, Withdrawal, parse_waiver, parse_withdrawal

T = TypeVar("T")


class Replaced(NamedTuple):
    """New wraps are durable; ``wake``: the mailboxes that have the delivery again."""

    wake: frozenset[MailboxId]


class Withdrawn(NamedTuple):
    """``withdrawn``: nobody had collected it; ``destruction-asked``: somebody had, and is asked to destroy it."""

    state: Literal["withdrawn", "destruction-asked"]
    wake: frozenset[MailboxId]


class Waived(NamedTuple):
    """The obligation has ended; ``wake``: both its parties."""

    state: str
    wake: frozenset[MailboxId]


async def replace_wraps(
    store: Store,
    registry: Registry,
    caller: AgencyId,
    name: EnvelopeId,
    raw: bytes,
    now: Moment,
) -> Replaced:
    """Take new wraps from the sender, for the same mailboxes, and deliver again to who has not opened it yet.

    Raises:
        MalformedError, KeysError, NotAuthenticError: nothing is recorded.
        RefusedError: ``not-found``, ``recipient-key``, ``wraps-not-needed``.
    """
    signed = jws.parse(raw, jws.WRAPS)

    def record(tx: Transaction) -> Replaced | Refusal:
        at = ledger.moment(tx, now)
        stored = _own_envelope(tx, registry.snapshot, caller, name, at)
        if isinstance(stored, Refusal):
            return stored
        wraps = parse_wraps(signed.payload, obligations.header_of(stored))
        authenticate(registry.snapshot, signed, caller, stored.sender, at)
        if stored.wraps == raw:
            return Replaced(frozenset())
        outcome = _record_wraps(tx, registry.snapshot, stored, wraps, raw, at)
        return _logged(tx, outcome, "wraps-refused", stored.sender, raw, at)

    return _value(await in_transaction(store, registry, record))


def _record_wraps(
    tx: Transaction, snapshot: Snapshot, stored: EnvelopeRow, wraps: Wraps, raw: bytes, at: Moment
) -> Replaced | Refusal:
    rows, before = tx.deliveries_of(stored.id), _wraps_of(stored)
    again = {row.mailbox for row in rows if not isinstance(delivery.advance(row.state, "resealed"), Refusal)}
    if not again or stored.state != "present":
        return Refusal(
            "wraps-not-needed", "every recipient has opened it, or it is gone", "nothing is left to seal again"
        )
    # Who has opened it may have ended since, and have no key any more; nor may an heir that nobody has chosen yet.
    # That keeps it from nobody else: a wrap that stays as it was is neither judged nor delivered again.
    needed = tuple(wrap for wrap in wraps.wraps if wrap.mailbox in again and wrap not in before.wraps)
    if not needed:
        return Refusal("wraps-not-needed", "nobody's wrap is another one", "nothing is left to seal again")
    if refusal := judge_wraps(needed, snapshot.directory, snapshot.keys, at):
        return refusal
    ledger.append(
        tx,
        Event(
            event="wraps-replaced",
            agency=agency_of(stored.sender),
            mailbox=stored.sender,
            envelope=stored.id,
            thread=stored.thread,
            digest=digests.sha256_b64u(raw),
        ),
        at,
    )
    tx.replace_wraps(stored.id, raw)
    for wrap in needed:
        tx.redeliver(stored.id, wrap.mailbox, wrap.kid, at)
    return Replaced(frozenset(wrap.mailbox for wrap in needed))


def _wraps_of(stored: EnvelopeRow) -> Wraps:
    return parse_wraps(jws.parse(stored.wraps, jws.WRAPS).payload, obligations.header_of(stored))


async def withdraw_envelope(
    store: Store,
    registry: Registry,
    caller: AgencyId,
    name: EnvelopeId,
    raw: bytes,
    now: Moment,
    signer: jws.SigningKey,
) -> Withdrawn:
    """Take an envelope back: gone where nobody had collected it, its destruction asked for where somebody had.

    The body is deleted at once, but where a hold covers it: then it stays as evidence that nobody can fetch, and nobody is
    asked to destroy what they have before the hold is released.  Duties that it had met towards those who never got it are
    open again.  That somebody had it opens a record of a breach.

    Raises:
        MalformedError, KeysError, NotAuthenticError: nothing is recorded.
        RefusedError: ``not-found``, ``withdrawal-mismatch``, ``withdrawal-id-reused``.
    """
    signed = jws.parse(raw, jws.WITHDRAWAL)
    said = parse_withdrawal(signed.payload)

    def record(tx: Transaction) -> Withdrawn | Refusal:
        at = ledger.moment(tx, now)
        stored = _own_envelope(tx, registry.snapshot, caller, name, at)
        if isinstance(stored, Refusal):
            return stored
        authenticate(registry.snapshot, signed, caller, said.mailbox, at)
        refusal = _judge_withdrawal(tx, stored, said, raw)
        outcome = refusal or _record_withdrawal(tx, registry.snapshot, stored, said, raw, at, signer)
        return _logged(tx, outcome, "withdrawal-refused", said.mailbox, raw, at)

    return _value(await in_transaction(store, registry, record))


def _judge_withdrawal(tx: Transaction, stored: EnvelopeRow, said: Withdrawal, raw: bytes) -> Refusal | None:
    if (said.envelope, said.mailbox) != (stored.id, stored.sender):
        return Refusal("withdrawal-mismatch", "the withdrawal names another envelope", "sign it for this one")
    if (before := tx.find_withdrawal(said.id)) is not None and before.jws != raw:
        return Refusal(
            "withdrawal-id-reused", "another withdrawal has this id", "give every withdrawal an id of its own"
        )
    return None


def _record_withdrawal(
    tx: Transaction,
    snapshot: Snapshot,
    stored: EnvelopeRow,
    said: Withdrawal,
    raw: bytes,
    at: Moment,
    signer: jws.SigningKey,
) -> Withdrawn:
    if stored.state == "withdrawn":
        opened = any(receipt.level != "rejected" for receipt in tx.receipts_of(stored.id))
        return Withdrawn("destruction-asked" if opened else "withdrawn", frozenset())
    deliveries = tx.deliveries_of(stored.id)
    had = frozenset(row.mailbox for row in deliveries if isinstance(delivery.advance(row.state, "withdrawn"), Refusal))
    gone = frozenset(row.mailbox for row in deliveries) - had
    index = ledger.append(
        tx,
        Event(
            event="withdrawal-recorded",
            agency=agency_of(stored.sender),
            mailbox=stored.sender,
            envelope=stored.id,
            thread=stored.thread,
            digest=digests.sha256_b64u(raw),
            outcome=said.reason,
        ),
        at,
    )
    tx.add_withdrawal(said.id, stored.id, raw, at, index)
    tx.set_envelope_state(stored.id, "withdrawn")
    held = holds.is_held(tx, stored)
    if not held:
        tx.drop_body(stored.id)
    for row in deliveries:
        if row.mailbox in gone:
            tx.set_delivery_state(stored.id, row.mailbox, "gone")
            tx.tombstone(row.mailbox, row.seq)
    told = obligations.take_back(tx, snapshot, stored, gone, at, signer)
    asked = sorted(had) if said.ask and not held else []
    told |= notices.tell_envelope(tx, "withdrawn", stored, asked, index, at, signer)
    if had:
        breaches.open_record(tx, stored, "withdrawn_after_collection", said.id, at)
    return Withdrawn("destruction-asked" if had else "withdrawn", frozenset(told | gone))


async def record_waiver(
    store: Store,
    registry: Registry,
    caller: AgencyId,
    name: ObligationId,
    raw: bytes,
    now: Moment,
) -> Waived:
    """End an obligation by a signed statement: waived by two people, or met by other means and confirmed.

    Raises:
        MalformedError, KeysError, NotAuthenticError: nothing is recorded.
        RefusedError: ``not-found``, ``waiver-not-party``, ``waiver-not-open``, ``waiver-id-reused``.
    """
    signed = jws.parse(raw, jws.WAIVER)
    said = parse_waiver(signed.payload)

    def record(tx: Transaction) -> Waived | Refusal:
        at = ledger.moment(tx, now)
        authenticate(registry.snapshot, signed, caller, said.mailbox, at)
        row = tx.find_obligation(name)
        if row is None or said.obligation != row.id:
            return Refusal("not-found", "there is no such obligation of yours", "check its id")
        if (before := tx.find_waiver(said.id)) is not None and before.jws == raw:
            return Waived(row.state, frozenset())
        outcome = _record_waiver(tx, registry.snapshot, row, said, raw, at)
        _end_act(tx, said, outcome, at)
        return _logged(tx, outcome, "waiver-refused", said.mailbox, raw, at)

    return _value(await in_transaction(store, registry, record))


def _record_waiver(
    tx: Transaction, snapshot: Snapshot, row: ObligationRow, said: Waiver, raw: bytes, at: Moment
) -> Waived | Refusal:
    if tx.find_waiver(said.id) is not None:
        return Refusal("waiver-id-reused", "another waiver has this id", "give every waiver an id of its own")
    roles = snapshot.directory.roles_of(said.mailbox)
    if refusal := judge_waiver(said, row.duty, row.state, roles, snapshot.rules_at(at)):
        return refusal
    index = ledger.append(
        tx,
        Event(
            event="waiver-recorded",
            agency=agency_of(said.mailbox),
            mailbox=said.mailbox,
            obligation=row.id,
            thread=row.duty.thread,
            digest=digests.sha256_b64u(raw),
            outcome=said.reason,
        ),
        at,
    )
    tx.add_waiver(said.id, row.id, raw, at, index)
    obligations.settle(tx, [Settled(row.id, row.duty, said.state, said.id)], at)
    parties = {row.duty.debtor, row.duty.creditor}
    for mailbox in sorted(parties):
        tx.add_feed(mailbox, "waiver", said.id, at, raw)
    return Waived(said.state, frozenset(parties))


def _end_act(tx: Transaction, said: Waiver, outcome: Waived | Refusal, at: Moment) -> None:
    """Note what became of what two people agreed on: a waiver that is signed for them has their proposal's id."""
    proposal = tx.find_proposal(said.id)
    if proposal is None or proposal.state != "approved" or waiving.STATES.get(proposal.act) != said.state:
        return
    about = acts.about_of(proposal)
    if not isinstance(about, waiving.Ending) or about.obligation != said.obligation:
        return
    if isinstance(outcome, Waived):
        acts.finish(tx, proposal.id, at)
    elif outcome.code == "waiver-not-open":
        acts.give_up(tx, proposal.id, at)


def _own_envelope(
    tx: Transaction, snapshot: Snapshot, caller: AgencyId, name: EnvelopeId, at: Moment
) -> EnvelopeRow | Refusal:
    stored = tx.find_envelope(name)
    if stored is None or not snapshot.directory.is_same_or_successor(caller, agency_of(stored.sender), at):
        return Refusal("not-found", "there is no such envelope of yours", "check its id")
    return stored


def _logged(
    tx: Transaction, outcome: T | Refusal, name: EventName, mailbox: MailboxId, raw: bytes, at: Moment
) -> T | Refusal:
    """Return *outcome*; a refusal is in the log first."""
    if isinstance(outcome, Refusal):
        digest = digests.sha256_b64u(raw)
        event = Event(event=name, agency=agency_of(mailbox), mailbox=mailbox, digest=digest, outcome=outcome.code)
        ledger.append(tx, event, at)
    return outcome


def _value(outcome: T | Refusal) -> T:
    if isinstance(outcome, Refusal):
        raise RefusedError(outcome)
    return outcome
