"""Chasing by hand: who owes what is overdue is told once more, with their manager, and the log has who asked.

The notice is signed and is the same `overdue` that the ladder sends; an hour lies between two.

Source: protocol 6; issue of the console (one step to chase).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from hub import ledger, notices
from hub.core.events import Event, PersonId
from hub.errors import HubError
from hub.registry import Snapshot
from hub.store.rows import ObligationRow
from hub.store.transaction import Transaction
from keys import jws
from schemas.identifiers import MailboxId, Moment, ObligationId, agency_of
from schemas.rules.stepping import resolve_targets

PAUSE: Final = 3_600_000
EVENT: Final = "obligation-chased"
_TOLD: Final = ("debtor", "debtor/manager")


class Chased(NamedTuple):
    """Who was told of one overdue obligation, and when."""

    at: Moment
    told: frozenset[MailboxId]


class _At(msgspec.Struct):
    at: Moment


def last_chased(tx: Transaction, row: ObligationRow, now: Moment) -> Moment | None:
    """Return when the obligation was chased within the last hour, or ``None``."""
    # The log itself is asked, from an hour ago on: what isn't in it did not happen.
    found = tx.find_leaves(since=now - PAUSE + 1, event=EVENT, thread=row.duty.thread, obligation=row.id, limit=1)
    return msgspec.json.decode(found[0].body, type=_At).at if found else None


def chase(
    tx: Transaction, snapshot: Snapshot, by: PersonId, name: ObligationId, now: Moment, signer: jws.SigningKey
) -> Chased:
    """Tell who owes the obligation, and their manager, that it is overdue; *by* asked for it.

    Raises:
        HubError: ``obligation-unknown``, ``chase-not-overdue``, ``chase-too-soon``.
    """
    at = ledger.moment(tx, now)
    row = tx.find_obligation(name)
    if row is None:
        raise HubError("obligation-unknown", "there is no such obligation", "see what is missing now")
    duty = row.duty
    if row.state != "open" or duty.due >= at:
        raise HubError("chase-not-overdue", "that isn't overdue", "see what is missing now")
    if last_chased(tx, row, at) is not None:
        raise HubError("chase-too-soon", "who owes it was told less than an hour ago", "wait for the rest of the hour")
    event = Event(
        event=EVENT,
        agency=agency_of(duty.debtor),
        mailbox=duty.debtor,
        obligation=row.id,
        thread=duty.thread,
        outcome="overdue",
        person=by,
    )
    index = ledger.append(tx, event, at)
    targets = resolve_targets(duty, _TOLD, snapshot.directory, at)
    told = notices.tell_duty(tx, "overdue", row.id, duty, targets, index, at, signer)
    return Chased(at, frozenset(told))
