"""How far what was sent has got with each recipient: what only the sender's agency may see.

Source: protocol 4; design 2 (5).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from adapters.gateway.inbox.context import Inbox
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.watch import header_of
from schemas.identifiers import Code, EnvelopeId, MailboxId, Moment
from schemas.receipt import Level

# What says most, last: a person's word over a machine's, taking receipt over refusing it.
_RANKS: Final[tuple[Level, ...]] = ("rejected", "collected", "filed", "opened", "declined", "acknowledged")
REFUSED: Final = frozenset({"rejected", "declined"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What one recipient said of one envelope.

    ``levels``: each with the moment when it was first heard and its code; ``due``: by when they still owe receipt;
    ``witnessed``: the levels whose receipt is in the witnessed part of the log: the others are the hub's word so far.
    """

    mailbox: MailboxId
    levels: Mapping[Level, tuple[Moment, Code | None]] = field(default_factory=dict)
    due: Moment | None = None
    is_overdue: bool = False
    witnessed: frozenset[Level] = frozenset()

    @property
    def furthest(self) -> Level | None:
        """Return the level that says most; ``None``: nothing was heard."""
        return max(self.levels, key=_RANKS.index, default=None)

    @property
    def at(self) -> Moment | None:
        """Return when the furthest level was heard."""
        return self.levels[self.furthest][0] if self.furthest else None

    @property
    def code(self) -> Code | None:
        """Return why it was refused, if that is what was said last."""
        return self.levels[self.furthest][1] if self.furthest in REFUSED else None

    @property
    def is_missing(self) -> bool:
        """Answer whether a receipt is owed and not here."""
        return self.due is not None


async def find_reached(inbox: Inbox, tx: Transaction, rows: Iterable[Row]) -> dict[EnvelopeId, tuple[Reached, ...]]:
    """Return for each of *rows* of the outbox how far it got with each recipient; nothing for what isn't sealed."""
    sealed = [row for row in rows if row["header"] is not None]
    envelopes, threads = [row["envelope"] for row in sealed], sorted({row["thread"] for row in sealed})
    levels: dict[tuple[str, str], dict[Level, tuple[Moment, Code | None]]] = {}
    witnessed: dict[tuple[str, str], set[Level]] = {}
    for row in await tx.all("heard_among", envelopes=json.dumps(envelopes)):
        key = row["envelope"], row["mailbox"]
        levels.setdefault(key, {}).setdefault(row["level"], (row["at"], row["code"]))
        if row["ix"] is not None and inbox.gateway.quorum.state.covers(row["ix"]):
            witnessed.setdefault(key, set()).add(row["level"])
    dues: dict[tuple[str, str], Moment] = {}
    boxes = json.dumps(sorted({row["mailbox"] for row in sealed}))
    for row in await tx.all("receipts_owed_among", threads=json.dumps(threads), mailboxes=boxes):
        dues.setdefault((row["envelope"], row["debtor"]), row["due"])
    now, found = inbox.now(), {}
    for row in sealed:
        reached = []
        for box in header_of(row).to:
            due = dues.get((row["envelope"], box))
            late = due is not None and due < now
            key = row["envelope"], box
            reached.append(
                Reached(
                    mailbox=box, levels=levels.get(key, {}), due=due, is_overdue=late,
                    witnessed=frozenset(witnessed.get(key, ())),
                )
            )  # fmt: skip
        found[row["envelope"]] = tuple(reached)
    return found
