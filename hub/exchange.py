"""The life of an envelope, in the order it happens.

Read this file from top to bottom and you know what the hub does: ``accept_envelope``, ``hand_over``,
``accept_receipts``, ``enforce_deadlines``.  Whether something is allowed is decided in ``hub.core``; what is owed,
in ``schemas.rules``.  What a sender changes afterwards (wraps, withdrawal, waiver) is in ``hub.amendments``.

Each function that takes bytes has five beats: 1 parse, 2 whose is it, then in one transaction 3 look, 4 decide,
5 record.  A refusal is a value until after commit: raising inside would roll back the very entry that says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub import breaches, entering, holds, ledger, notices, obligations, retention
from hub.core import delivery
from hub.core.breaching import DECLINED
from hub.core.events import Event
from hub.core.sharing import Before, judge_envelope, judge_plan, judge_superseding
from hub.errors import NotAuthenticError, Refusal, RefusedError
from hub.intake import (
    INPUT_ERRORS,
    Envelope,
    InputError,
    SignedReceipt,
    in_transaction,
    object_to_signers,
    open_envelope,
    open_receipt,
)
from hub.registry import Registry, Snapshot
from hub.store.base import Store
from hub.store.rows import EnvelopeRow, FeedDelivery, ObligationRow
from hub.store.transaction import Transaction
from keys import digests, jws
from schemas import strict_json
from schemas.identifiers import AgencyId, EnvelopeId, MailboxId, Moment, ReceiptId, agency_of
from schemas.receipt import Receipt
from schemas.rules.planning import Owed, Settled, plan_envelope, plan_receipt
from schemas.rules.stepping import has_lapsed, next_moment, resolve_targets
from schemas.rules.versions import lineage_of
from schemas.statements import Acceptance


@dataclass(frozen=True, slots=True)
class Accepted:
    """The hub's signed word that an envelope is durable and owed; ``wake``: mailboxes whose feeds grew."""

    acceptance: bytes
    repeat: bool
    wake: frozenset[MailboxId]


@dataclass(frozen=True, slots=True)
class Taken:
    """A receipt is durable and in the log at ``index`` since ``at``; ``wake``: mailboxes whose feeds grew."""

    id: ReceiptId
    index: int
    at: Moment
    repeat: bool
    wake: frozenset[MailboxId]


@dataclass(frozen=True, slots=True)
class Swept:
    """One round of the clock: how many obligations were opened or looked at, and whose feeds grew."""

    count: int
    wake: frozenset[MailboxId]


async def accept_envelope(
    store: Store, registry: Registry, caller: AgencyId, raw: bytes, now: Moment, signer: jws.SigningKey
) -> Accepted:
    """Take one envelope from *caller* and owe it to every recipient, or refuse it.

    When this returns, the envelope, its deliveries, the obligations it opens and settles and its audit leaf are
    durable together.  Sending the same bytes again returns the same answer.

    Args:
        raw: one envelope exactly as received.
        signer: the hub's key for acceptances and notices.

    Raises:
        MalformedError, KeysError: *raw* is not an envelope.  Nothing is recorded.
        NotAuthenticError: not signed by a current key of *caller*.  Nothing is recorded.
        RefusedError: the rules do not allow it, or the id was used.  The refusal is in the log.

    Source: protocol 2, 5 and 7.
    """
    outcome = (await accept_envelopes(store, registry, caller, [raw], now, signer))[0]
    if isinstance(outcome, Accepted):
        return outcome
    raise outcome


async def accept_envelopes(
    store: Store, registry: Registry, caller: AgencyId, raws: Sequence[bytes], now: Moment, signer: jws.SigningKey
) -> list[Accepted | InputError]:
    """Take several envelopes in one transaction; one outcome each, in order, as :func:`accept_envelope` has it."""
    outcomes: list[Accepted | InputError | None] = [None] * len(raws)
    authentic: list[tuple[int, Envelope]] = []
    for place, raw in enumerate(raws):
        try:
            authentic.append((place, open_envelope(registry.snapshot, caller, raw, now)))
        except INPUT_ERRORS as error:
            outcomes[place] = error
    if authentic:

        def record(tx: Transaction) -> list[Accepted | Refusal | NotAuthenticError]:
            at, snapshot = ledger.moment(tx, now), registry.snapshot
            return [
                object_to_signers(snapshot, caller, one.header.from_, at, one.kid, one.wraps_kid)
                or _record_envelope(tx, snapshot, one, at, signer)
                for _, one in authentic
            ]

        for (place, _), outcome in zip(authentic, await in_transaction(store, registry, record), strict=True):
            # Raised only now: raising inside would have rolled back the very entry that says we refused.
            outcomes[place] = RefusedError(outcome) if isinstance(outcome, Refusal) else outcome
    return [outcome for outcome in outcomes if outcome is not None]


def _record_envelope(
    tx: Transaction, snapshot: Snapshot, envelope: Envelope, at: Moment, signer: jws.SigningKey
) -> Accepted | Refusal:
    header, parts = envelope.header, envelope.parts
    digest = digests.sha256_b64u(parts.header)
    if (stored := tx.find_envelope(header.id)) is not None:
        return _answer_repeat(tx, stored, envelope, digest, at)
    rules = snapshot.rules_at(at)
    refusal = judge_envelope(header, envelope.wraps, snapshot.directory, rules, snapshot.keys, at)
    if header.supersedes and not refusal:
        refusal = judge_superseding(header, _before(tx, header.supersedes), snapshot.directory, at)
    if refusal:
        return entering.refuse_envelope(tx, envelope, digest, refusal, at)

    told: set[MailboxId] = set()
    if rules.recurring_threads(header.type):
        # What it meets must be owed first, however long ago the clock looked.
        told |= obligations.open_recurring(tx, snapshot, at, signer).told
    rows = obligations.owed_for(tx, rules, header)
    for row in rows:
        if has_lapsed(row.duty, at):
            # A window that is over holds no gate, however long ago the clock looked.
            told |= _take_steps(tx, snapshot, row, at, signer)
    owed = [Owed(row.id, row.duty) for row in rows if not has_lapsed(row.duty, at)]
    before = lineage_of(header, lambda name: obligations.find_version(tx, name)).before if header.supersedes else ()
    plan = plan_envelope(
        header,
        rules,
        snapshot.directory,
        owed,
        lambda: obligations.sent_in_thread(tx, header.thread, header.id),
        at,
        before,
    )
    if refusal := judge_plan(header, plan):
        return entering.refuse_envelope(tx, envelope, digest, refusal, at)
    index = ledger.append(tx, entering.envelope_accepted(envelope, digest), at)
    said = Acceptance(v=1, id=header.id, header_sha256=digest, sealed_sha256=header.sealed.sha256, at=at, index=index)
    acceptance = signer.sign(strict_json.dump(said), jws.ACCEPTANCE)
    stored = entering.envelope_row(envelope, digest, acceptance, at, index)
    tx.add_envelope(stored, parts.body)
    tx.add_deliveries(header.id, index, [(wrap.mailbox, wrap.kid) for wrap in envelope.wraps.wraps], at)
    told |= obligations.record_plan(tx, snapshot, plan, at, signer, before)
    if header.supersedes and (older := tx.find_envelope(header.supersedes)):
        tx.mark_superseded(older.id, header.id)
        holders = [row.mailbox for row in tx.deliveries_of(older.id)]
        told |= notices.tell_envelope(tx, "superseded", older, holders, index, at, signer)
    told |= holds.tell_newcomers(tx, stored, header.to, at, signer)
    return Accepted(acceptance, repeat=False, wake=frozenset(told.union(header.to)))


def _answer_repeat(
    tx: Transaction, stored: EnvelopeRow, envelope: Envelope, digest: str, at: Moment
) -> Accepted | Refusal:
    if stored.header_sha256 == digest and stored.sealed_sha256 == envelope.header.sealed.sha256:
        return Accepted(stored.acceptance, repeat=True, wake=frozenset())
    refusal = Refusal(
        "envelope-id-reused",
        "another envelope was accepted under this id",
        "give every envelope an id of its own",
    )
    return entering.refuse_envelope(tx, envelope, digest, refusal, at)


def _before(tx: Transaction, name: EnvelopeId) -> Before | None:
    row = tx.find_envelope(name)
    return Before(row.sender, row.thread, row.type, row.variant, row.superseded_by is not None) if row else None


async def hand_over(
    store: Store, registry: Registry, caller: AgencyId, mailbox: MailboxId, after: int, limit: int, now: Moment
) -> list[FeedDelivery]:
    """Return at most *limit* entries of the feed of *mailbox* after number *after*, oldest first.

    Reading changes nothing: an entry is handed over as often as it is asked for, and what was taken is said by
    a receipt alone.

    Raises:
        RefusedError: ``not-found``; the mailbox is not the caller's, nor of an agency that the caller succeeds.
    """
    index = registry.snapshot.directory
    if index.find_mailbox(mailbox) is None or not index.is_same_or_successor(caller, agency_of(mailbox), now):
        raise RefusedError(Refusal("not-found", "there is no such mailbox of yours", "ask for one of your own"))
    return await store.read(lambda tx: tx.feed_deliveries(mailbox, after, limit))


async def accept_receipts(
    store: Store, registry: Registry, caller: AgencyId, signed: Sequence[bytes], now: Moment, signer: jws.SigningKey
) -> list[Taken | InputError]:
    """Take receipts of *caller*'s mailboxes in one transaction, in order; one outcome each.

    A receipt advances its delivery, reaches the sender's feed, and settles what the rules say.  The same
    receipt again gets the same answer.

    Errors, as outcomes:
        MalformedError, KeysError, NotAuthenticError: nothing is recorded.
        RefusedError: ``receipt-*``; the refusal is in the log.

    Source: protocol 4 and 5.
    """
    outcomes: list[Taken | InputError | None] = [None] * len(signed)
    authentic: list[tuple[int, SignedReceipt]] = []
    for place, compact in enumerate(signed):
        try:
            authentic.append((place, open_receipt(registry.snapshot, caller, compact, now)))
        except INPUT_ERRORS as error:
            outcomes[place] = error
    if authentic:

        def record(tx: Transaction) -> list[Taken | Refusal | NotAuthenticError]:
            at, snapshot = ledger.moment(tx, now), registry.snapshot
            return [
                object_to_signers(snapshot, caller, one.receipt.mailbox, at, one.kid)
                or _record_receipt(tx, snapshot, one, at, signer)
                for _, one in authentic
            ]

        for (place, _), outcome in zip(authentic, await in_transaction(store, registry, record), strict=True):
            outcomes[place] = RefusedError(outcome) if isinstance(outcome, Refusal) else outcome
    return [outcome for outcome in outcomes if outcome is not None]


def _record_receipt(
    tx: Transaction, snapshot: Snapshot, signed: SignedReceipt, at: Moment, signer: jws.SigningKey
) -> Taken | Refusal:
    compact, receipt = signed.compact, signed.receipt
    digest = digests.sha256_b64u(compact)
    if (stored := tx.find_receipt(receipt.id)) is not None:
        if stored.jws == compact:
            return Taken(receipt.id, stored.index, stored.accepted_at, repeat=True, wake=frozenset())
        reused = Refusal("receipt-id-reused", "another receipt has this id", "give every receipt an id of its own")
        return entering.refuse_receipt(tx, receipt, digest, reused, at)
    found = tx.find_delivered(receipt.envelope, receipt.mailbox)
    if found is None:
        return entering.refuse_receipt(tx, receipt, digest, delivery.UNKNOWN, at)
    envelope, before = found
    opening = digests.opening_of(receipt.manifest_sha256) if receipt.manifest_sha256 else None
    known = _earlier_receipts(tx, receipt) if receipt.previous else frozenset()
    withdrawn = envelope.state == "withdrawn"
    delivered = delivery.Delivered(before, envelope.sealed_sha256, envelope.opening, withdrawn)
    after = delivery.judge_receipt(receipt, delivered, opening, known, at)
    if isinstance(after, Refusal):
        return entering.refuse_receipt(tx, receipt, digest, after, at)

    index = ledger.append(tx, entering.receipt_accepted(signed, envelope.thread, digest), at)
    tx.add_receipt(entering.receipt_row(signed, at, index))
    if after != before:
        tx.set_delivery_state(receipt.envelope, receipt.mailbox, after)
        if after in delivery.TAKEN and before not in delivery.TAKEN:
            retention.when_cleared(tx, snapshot, envelope, at)
    tx.add_feed(envelope.sender, "receipt", receipt.id, at, compact)
    told = {envelope.sender}
    if after == "gone":
        told |= obligations.take_back(tx, snapshot, envelope, frozenset({receipt.mailbox}), at, signer)
    else:
        owed = [Owed(row.id, row.duty) for row in tx.receipts_owed(envelope.thread, receipt.mailbox)]
        obligations.settle(tx, plan_receipt(receipt, owed, at), at)
    if receipt.level in {"declined", "rejected"}:
        told |= notices.tell_envelope(tx, "returned", envelope, [envelope.sender], index, at, signer)
    if (receipt.level, receipt.code) == ("declined", DECLINED):
        breaches.open_record(tx, envelope, "wrong_recipient", receipt.id, at)
    return Taken(receipt.id, index, at, repeat=False, wake=frozenset(told))


def _earlier_receipts(tx: Transaction, receipt: Receipt) -> frozenset[str]:
    rows = tx.receipts_of(receipt.envelope)
    return frozenset(digests.sha256_b64u(row.jws) for row in rows if row.mailbox == receipt.mailbox)


async def enforce_deadlines(store: Store, registry: Registry, now: Moment, signer: jws.SigningKey, limit: int) -> Swept:
    """Open what is owed by the calendar alone, then take the steps that are due at *now*, the longest due first.

    Each step is a leaf and a notice to whom it names.  Steps that passed while the hub was down are all taken,
    in order; an objection window that ended is recorded as lapsed.  Once *limit* obligations were opened or looked at,
    the rest is for the next round, but for what begins at one moment, which is opened together.

    Source: protocol 5 and 6.
    """

    def record(tx: Transaction) -> Swept:
        at = ledger.moment(tx, now)
        opened, told = obligations.open_recurring(tx, registry.snapshot, at, signer, limit)
        rows = tx.due_obligations(at, limit - opened) if opened < limit else []
        for row in rows:
            told |= _take_steps(tx, registry.snapshot, row, at, signer)
        return Swept(opened + len(rows), frozenset(told))

    return await in_transaction(store, registry, record)


def _take_steps(
    tx: Transaction, snapshot: Snapshot, row: ObligationRow, at: Moment, signer: jws.SigningKey
) -> set[MailboxId]:
    duty, number = row.duty, row.step
    told: set[MailboxId] = set()
    while number < len(duty.steps) and duty.steps[number].at <= at:
        step = duty.steps[number]
        index = ledger.append(
            tx,
            Event(
                event="step-taken",
                agency=agency_of(duty.debtor),
                mailbox=duty.debtor,
                obligation=row.id,
                thread=duty.thread,
                step=number,
                outcome=step.notice,
            ),
            at,
        )
        targets = resolve_targets(duty, step.to, snapshot.directory, at)
        told |= notices.tell_duty(tx, step.notice, row.id, duty, targets, index, at, signer, number)
        number += 1
    if has_lapsed(duty, at):
        obligations.settle(tx, [Settled(row.id, duty, "lapsed", None)], at)
    else:
        tx.advance_obligation(row.id, number, next_moment(duty, number))
    return told
