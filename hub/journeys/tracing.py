"""What happened to one envelope, as the hub has it: its entries in the log, its receipts, what it opened and settled.

Metadata only.  Nothing here is verified; ``hub.journeys.checking`` does that from signed things alone.

Source: protocol 8; DESIGN 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from hub.core.events import Leaf
from hub.store.rows import DeliveryRow, EnvelopeRow, LeafRow, ObligationRow, ReceiptRow
from hub.store.transaction import Transaction
from schemas.identifiers import EnvelopeId, ThreadId

# A thread is the entries of one meeting or episode.  Beyond these, the log itself is the place to look.
MOST: Final = 4096
_PAGE: Final = 512
_decode: Final = msgspec.json.Decoder(Leaf).decode


class Entry(NamedTuple):
    """One entry of the log: the row as hashed, and what it says."""

    row: LeafRow
    leaf: Leaf


class Journey(NamedTuple):
    """One envelope with everything that the hub knows of it; ``entries`` oldest first, ``cut``: there are more."""

    envelope: EnvelopeRow
    deliveries: tuple[DeliveryRow, ...]
    receipts: tuple[ReceiptRow, ...]
    obligations: tuple[ObligationRow, ...]
    entries: tuple[Entry, ...]
    cut: bool


def trace(tx: Transaction, name: EnvelopeId) -> Journey | None:
    """Return the journey of the envelope *name*, or ``None`` if the hub accepted none of this id."""
    envelope = tx.find_envelope(name)
    if envelope is None:
        return None
    receipts = tuple(sorted(tx.receipts_of(name), key=lambda row: row.index))
    by = {name, *(row.id for row in receipts)}
    obligations = tuple(
        row for row in tx.thread_obligations(envelope.thread) if row.duty.envelope == name or row.settled_by in by
    )
    duties = {row.id for row in obligations}
    entries, cut = _entries_of(tx, envelope.thread)
    mine = tuple(one for one in entries if _concerns(one.leaf, name, by, duties))
    return Journey(envelope, tuple(tx.deliveries_of(name)), receipts, obligations, mine, cut)


def _concerns(leaf: Leaf, name: EnvelopeId, by: set[str], duties: set[str]) -> bool:
    return leaf.envelope == name or leaf.by in by or (leaf.obligation is not None and leaf.obligation in duties)


class Thread(NamedTuple):
    """One thread as the hub knows it: no child, no content; ``entries`` oldest first, ``cut``: there are more."""

    envelopes: tuple[EnvelopeRow, ...]
    obligations: tuple[ObligationRow, ...]
    entries: tuple[Entry, ...]
    cut: bool


def trace_thread(tx: Transaction, thread: ThreadId) -> Thread | None:
    """Return what the hub knows of *thread*, or ``None`` if it knows of none."""
    entries, cut = _entries_of(tx, thread)
    if not entries:
        return None
    envelopes = sorted(tx.thread_envelopes(thread), key=lambda row: row.index)
    obligations = sorted(tx.thread_obligations(thread), key=lambda row: (row.duty.due, row.id))
    return Thread(tuple(envelopes), tuple(obligations), entries, cut)


def trace_obligation(tx: Transaction, row: ObligationRow) -> tuple[Entry, ...]:
    """Return the entries about one obligation, oldest first."""
    return tuple(one for one in _entries_of(tx, row.duty.thread)[0] if one.leaf.obligation == row.id)


def _entries_of(tx: Transaction, thread: ThreadId) -> tuple[tuple[Entry, ...], bool]:
    # Who looked at it is in the log too, but did nothing to it.
    found = tuple(Entry(row, _decode(row.body)) for row in _walk(tx, thread) if row.event != "log-read")
    return found[:MOST], len(found) > MOST


def _walk(tx: Transaction, thread: ThreadId) -> Iterator[LeafRow]:
    after, seen = -1, 0
    while seen <= MOST:
        page = tx.find_leaves(thread=thread, after=after, limit=_PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after, seen = page[-1].index, seen + len(page)
