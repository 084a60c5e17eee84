"""What the hub forgets and when: each label of the agreement, what goes next, what was deleted."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from hub import holds
from hub.core.events import Leaf
from hub.retention import CLEARED, WARNED
from hub.store.rows import EnvelopeRow
from hub.store.transaction import Transaction
from hub.web.console.frame import Console, Visit
from hub.web.console.proposing import PAGE, read_index
from schemas.agreement import Agreement

_leaf = msgspec.json.Decoder(Leaf).decode
_STAGES = {CLEARED: "everybody has it: its grace is running", WARNED: "whoever has not taken it was warned"}


class Going(NamedTuple):
    """A body that goes: when retention looks at it, how far it is, and whether a hold keeps it."""

    envelope: EnvelopeRow
    at: int
    says: str
    held: bool


async def show_retention(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer what is kept how long, the next bodies that go, and the last that went."""
    del visit
    place, before = _place(request), read_index(request)

    def look(tx: Transaction) -> tuple[list[Going], list[Leaf]]:
        rows = tx.envelopes_expiring(place, PAGE + 1)
        gone = [_leaf(row.body) for row in tx.last_leaves("body-deleted", before, PAGE + 1)]
        return [_going(tx, row) for row in rows], gone

    going, gone = await console.hub.store.read(look)
    agreement = console.hub.registry.snapshot.rules_at(console.now()).agreement
    last = going[PAGE - 1] if len(going) > PAGE else None
    context: dict[str, Any] = {
        "labels": _labels(agreement), "agreement": agreement, "going": going[:PAGE], "gone": gone[:PAGE],
        "next": {"at": last.at, "ix": last.envelope.index} if last else None,
    }  # fmt: skip
    return console.show(request, "retention.html", context)


def _place(request: web.Request) -> tuple[int, int]:
    at, index = request.query.get("at", ""), request.query.get("ix", "")
    fine = all(text.isascii() and text.isdigit() and len(text) < 16 for text in (at, index))
    return (int(at), int(index)) if fine else (-1, -1)


def _going(tx: Transaction, row: EnvelopeRow) -> Going:
    held = holds.is_held(tx, row)
    says = "a legal hold keeps it" if held else _STAGES.get(row.expire_stage, "not everybody has taken it")
    return Going(row, row.expire_at or row.keep_until, says, held)


def _labels(agreement: Agreement) -> list[dict[str, Any]]:
    """Return each label with its days and the types that may bear it."""
    return [
        {
            "name": name,
            "grace": kept.days_after_cleared,
            "most": kept.max_days,
            "types": [family for family, terms in agreement.types.items() if name in terms.retention],
        }
        for name, kept in agreement.retention.items()
    ]
