"""What the hub forgets, and how it says so first.

A body goes when everybody it was owed to has taken it and the label's grace is over, or at ``keep_until``, never
without a signed notice a day or more before to whoever has not taken it, and never while a hold covers it.  What happened
stays in the log.

Source: protocol 2 (``keep_until``), 3 (``reseal-needed``) and 6; domain 9.6.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from hub import holds, ledger, notices
from hub.core.authenticity import KeyFact, is_usable
from hub.core.delivery import TAKEN
from hub.intake import in_transaction
from hub.registry import Registry, Snapshot
from hub.store.base import Store
from hub.store.rows import EnvelopeRow
from hub.store.transaction import Transaction
from keys import jws
from schemas.directory import DirectoryIndex
from schemas.envelope import DAY
from schemas.identifiers import KeyId, MailboxId, Moment, agency_of
from schemas.statements import NoticeCode

LIMIT: Final = 200
NEAR: Final = 7 * DAY
NOTICE: Final = 1 * DAY
LOOK_AGAIN: Final = 1 * DAY
# Once there is another key to seal to.  A gateway that lets a key expire only when it destroys it is left a week.
RESEAL_BEFORE: Final = 7 * DAY

KEPT: Final = 0
WARNED: Final = 1
CLEARED: Final = 2


class _Labelled(msgspec.Struct):
    retention: str


_labelled: Final = msgspec.json.Decoder(_Labelled).decode


def first_look(accepted_at: Moment, keep_until: Moment) -> Moment:
    """Return when retention first looks at an envelope that nobody has cleared."""
    return max(accepted_at, keep_until - NEAR)


def when_cleared(tx: Transaction, snapshot: Snapshot, row: EnvelopeRow, at: Moment) -> None:
    """Let the grace of a body begin if every delivery has now been taken as far as it is owed."""
    if all(one.state in TAKEN for one in tx.deliveries_of(row.id)):
        # The header was checked when it was accepted; of it, only the label is needed.
        label = _labelled(jws.parse(row.header, jws.ENVELOPE).payload).retention
        grace = snapshot.rules_at(at).agreement.retention.get(label)
        days = grace.days_after_cleared if grace else 0
        tx.set_expiry(row.id, min(row.keep_until, at + days * DAY), CLEARED)


async def expire(store: Store, registry: Registry, now: Moment, signer: jws.SigningKey) -> frozenset[MailboxId]:
    """Warn of what is about to go and delete what may go, at most :data:`LIMIT` bodies; return who was told."""

    def record(tx: Transaction) -> frozenset[MailboxId]:
        at = ledger.moment(tx, now)
        told = holds.tell_due(tx, at, signer)
        for row, stage in tx.envelopes_to_expire(at, LIMIT):
            if holds.is_held(tx, row):
                # Looked at each day: so no hold needs to know what comes into its thread, nor what is due when it ends.
                tx.set_expiry(row.id, at + LOOK_AGAIN, KEPT if stage == WARNED else stage)
                continue
            waiting = [one.mailbox for one in tx.deliveries_of(row.id) if one.state not in TAKEN]
            if waiting and stage != WARNED:
                told |= _warn(tx, row, waiting, at, signer)
            else:
                _delete(tx, row, at)
        tx.forget_jtis(at)
        return frozenset(told)

    return await in_transaction(store, registry, record)


def _warn(
    tx: Transaction, row: EnvelopeRow, waiting: list[MailboxId], at: Moment, signer: jws.SigningKey
) -> set[MailboxId]:
    tx.set_expiry(row.id, max(row.keep_until, at + NOTICE), WARNED)
    return notices.tell_envelope(tx, "keep-until-near", row, [row.sender, *waiting], row.index, at, signer)


def _delete(tx: Transaction, row: EnvelopeRow, at: Moment) -> None:
    holds.record_deletion(tx, row, at)
    tx.set_envelope_state(row.id, "deleted")
    for one in tx.deliveries_of(row.id):
        tx.tombstone(one.mailbox, one.seq)


async def ask_to_reseal(
    store: Store, registry: Registry, asked: set[KeyId], now: Moment, signer: jws.SigningKey
) -> frozenset[MailboxId]:
    """Ask senders to seal again what lies uncollected under a key that is about to be destroyed, or whose agency ended.

    A revoked key is destroyed, or shall be.  An ended agency collects nothing more: its heir opens with another key,
    and without an heir the delivery is returned to its sender.  *asked* holds the keys that are done with: nothing new
    is sealed to one that has a successor, has expired or was revoked, or whose agency has ended.
    """
    index = registry.snapshot.directory
    seals = [key for key in registry.snapshot.keys.values() if key.use == "seal"]
    ending = [key.kid for key in seals if index.has_agency_ended(key.agency, now) or _is_ending(key, seals, now)]
    # An end may be put off by the next directory: its keys are sealed to again, and asked about again.
    asked.intersection_update(ending)
    told: set[MailboxId] = set()
    for kid in [kid for kid in ending if kid not in asked][:LIMIT]:

        def record(tx: Transaction, kid: KeyId = kid) -> tuple[int, set[MailboxId]]:
            at = ledger.moment(tx, now)
            rows = tx.uncollected_by_key(kid, LIMIT)
            told = set[MailboxId]()
            for one in rows:
                # Without its key's name the delivery is not found again: one notice for each.
                tx.set_delivery_key(one.envelope, one.mailbox, None)
                if (envelope := tx.find_envelope(one.envelope)) is not None and envelope.state == "present":
                    code: NoticeCode = "reseal-needed" if _is_answered(one.mailbox, index, at) else "returned"
                    told |= notices.tell_envelope(tx, code, envelope, [envelope.sender], envelope.index, at, signer)
            return len(rows), told

        count, senders = await store.write(record)
        told |= senders
        if count < LIMIT:
            asked.add(kid)
    return frozenset(told)


def _is_answered(mailbox: MailboxId, index: DirectoryIndex, now: Moment) -> bool:
    return not index.has_agency_ended(agency_of(mailbox), now) or bool(index.open_heirs(mailbox, now))


def _is_ending(key: KeyFact, seals: Iterable[KeyFact], now: Moment) -> bool:
    if key.state == "revoked" or key.expires <= now:
        return True
    # Without a successor there is nothing to seal to instead: asking now would only wrap to the same key again.
    return key.expires - RESEAL_BEFORE <= now and any(
        one.expires > key.expires
        and (one.agency, one.mailbox) == (key.agency, key.mailbox)
        and is_usable(one, "seal", now)
        for one in seals
    )
