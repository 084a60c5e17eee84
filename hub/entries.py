"""The audit log as its readers may see it: the partnership all of it, an agency what names or concerns it.

What is public anyway (directory, agreement, keys) everybody sees.  Of an envelope, the sender sees every entry and a
recipient what the sender did with it, but no other recipient's receipts.  Of an obligation, both parties see all.

Source: protocol 8 and 9; domain 3 (6).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from hub.core.authenticity import Caller
from hub.core.events import Leaf
from hub.registry import Snapshot
from hub.store.log import Filters
from hub.store.rows import LeafRow
from hub.store.transaction import Transaction
from schemas.directory import DirectoryIndex
from schemas.identifiers import AgencyId, EnvelopeId, MailboxId, Moment, ObligationId, agency_of

PUBLIC: Final = frozenset({"directory-published", "agreement-published", "key-published"})
OF_OBLIGATIONS: Final = frozenset(
    {
        "obligation-opened",
        "obligation-settled",
        "obligation-reopened",
        "step-taken",
        "waiver-recorded",
        "obligation-chased",
    }
)
# One request looks at no more entries than this; where it found fewer than asked for, it says where to go on.
SCAN: Final = 8192
_PAGE: Final = 512
_decode: Final = msgspec.json.Decoder(Leaf).decode


class Found(NamedTuple):
    """Entries that a reader may see, oldest first; ``next``: the index after which there may be more."""

    rows: tuple[LeafRow, ...]
    next: int | None


def may_see(index: DirectoryIndex, caller: Caller, mailbox: MailboxId, now: Moment) -> bool:
    """Answer whether what is *mailbox*'s is *caller*'s to see: its own, or an ended agency's that it succeeds."""
    if caller.mailbox is not None:
        return mailbox == caller.mailbox
    return index.is_same_or_successor(caller.agency, agency_of(mailbox), now)


def is_administrator(index: DirectoryIndex, caller: Caller) -> bool:
    """Answer whether *caller* is the partnership's own agency, which sees everything that the hub does."""
    return caller.mailbox is None and caller.agency == index.directory.partnership


class Reader:
    """Judges entries for one caller within one transaction."""

    def __init__(self, tx: Transaction, snapshot: Snapshot, caller: Caller, now: Moment) -> None:
        self._tx, self._index, self._caller, self._now = tx, snapshot.directory, caller, now
        self._all = is_administrator(snapshot.directory, caller)
        self._envelopes: dict[EnvelopeId, tuple[MailboxId | None, bool]] = {}
        self._obligations: dict[ObligationId, bool] = {}

    def sees(self, row: LeafRow) -> bool:
        """Answer whether the caller may see the entry *row*."""
        if self._all or row.event in PUBLIC:
            return True
        leaf = _decode(row.body)
        if leaf.mailbox is None:
            return leaf.agency is not None and self._is_mine(leaf.agency)
        if self._acts_for(leaf.mailbox) or (leaf.creditor is not None and self._acts_for(leaf.creditor)):
            return True
        if leaf.event.endswith("-refused"):
            # It may name an envelope of somebody else's; what was refused concerns nobody but who tried.
            return False
        if leaf.event in OF_OBLIGATIONS:
            return leaf.obligation is not None and self._is_party(leaf.obligation)
        if leaf.envelope is None:
            return False
        sender, is_recipient = self._parties(leaf.envelope)
        return sender is not None and (self._acts_for(sender) or (is_recipient and leaf.mailbox == sender))

    def _is_mine(self, agency: AgencyId) -> bool:
        return self._caller.mailbox is None and self._index.is_same_or_successor(self._caller.agency, agency, self._now)

    def _acts_for(self, mailbox: MailboxId) -> bool:
        return may_see(self._index, self._caller, mailbox, self._now)

    def _is_party(self, name: ObligationId) -> bool:
        if name not in self._obligations:
            row = self._tx.find_obligation(name)
            self._obligations[name] = row is not None and (
                self._acts_for(row.duty.debtor) or self._acts_for(row.duty.creditor)
            )
        return self._obligations[name]

    def _parties(self, name: EnvelopeId) -> tuple[MailboxId | None, bool]:
        if name not in self._envelopes:
            row = self._tx.find_envelope(name)
            is_recipient = any(self._acts_for(one.mailbox) for one in self._tx.deliveries_of(name))
            self._envelopes[name] = (row.sender if row else None, is_recipient)
        return self._envelopes[name]


def find(
    tx: Transaction,
    snapshot: Snapshot,
    caller: Caller,
    filters: Filters,
    after: int,
    limit: int,
    now: Moment,
) -> Found:
    """Return at most *limit* entries after index *after* that fit *filters* and that *caller* may see."""
    reader = Reader(tx, snapshot, caller, now)
    found: list[LeafRow] = []
    for _ in range(SCAN // _PAGE):
        page = tx.search_leaves(after=after, limit=_PAGE, scan=_PAGE, **filters)
        for row in page.rows:
            if reader.sees(row):
                if len(found) == limit:
                    return Found(tuple(found), found[-1].index)
                found.append(row)
        if page.next is None:
            return Found(tuple(found), None)
        after = page.next
    return Found(tuple(found), after)


def changed_obligations(
    tx: Transaction, snapshot: Snapshot, caller: Caller, after: int, now: Moment
) -> tuple[frozenset[ObligationId], int]:
    """Return the caller's obligations with entries after index *after*, and the last index that there is.

    Only the newest :data:`_PAGE` entries are looked at: these are hints, and a reader that missed some asks.
    """
    size = tx.log_head().size
    reader = Reader(tx, snapshot, caller, now)
    rows = [row for row in tx.leaves(max(after + 1, size - _PAGE), size) if row.event in OF_OBLIGATIONS]
    named = (_decode(row.body).obligation for row in rows if reader.sees(row))
    return frozenset(name for name in named if name is not None), size - 1
