"""What can happen to one delivery, as a table.

Every change of state is an entry in ``TRANSITIONS``; a missing pair is refused, so that adding a state means
deciding all of its exits here.  Being overdue is no state: it belongs to the obligation, and late is not lost.

Source: protocol 4 (levels and what they may follow).
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final, Literal, NamedTuple

from hub.errors import Refusal
from schemas.envelope import MAX_AHEAD
from schemas.identifiers import Moment, Sha256
from schemas.receipt import Receipt

State = Literal[
    "owed",
    "held",
    "opened",
    "filed",
    "filed_opened",
    "acknowledged",
    "filed_acknowledged",
    "declined",
    "rejected",
    "gone",
]
Happening = Literal[
    "collected", "filed", "opened", "acknowledged", "declined", "rejected", "withdrawn", "destroyed", "resealed"
]

_EXITS: Final[Mapping[State, Mapping[Happening, State]]] = {
    "owed": {"collected": "held", "rejected": "rejected", "withdrawn": "gone", "resealed": "owed"},
    # Repeats of a level are harmless: the first answer may have been lost, or a second person did the same.
    "held": {"collected": "held", "filed": "filed", "opened": "opened", "declined": "declined"},
    "opened": {
        "collected": "opened",
        "opened": "opened",
        "filed": "filed_opened",
        "acknowledged": "acknowledged",
        "declined": "declined",
    },
    "filed": {"collected": "filed", "filed": "filed", "opened": "filed_opened", "declined": "declined"},
    "filed_opened": {
        "collected": "filed_opened",
        "filed": "filed_opened",
        "opened": "filed_opened",
        "acknowledged": "filed_acknowledged",
        "declined": "declined",
    },
    "acknowledged": {
        "collected": "acknowledged",
        "opened": "acknowledged",
        "acknowledged": "acknowledged",
        "filed": "filed_acknowledged",
        # A second person's refusal is on record and told to the sender; it does not undo the first one's word.
        "declined": "acknowledged",
    },
    "filed_acknowledged": {
        "collected": "filed_acknowledged",
        "filed": "filed_acknowledged",
        "opened": "filed_acknowledged",
        "acknowledged": "filed_acknowledged",
        "declined": "filed_acknowledged",
    },
    # Returned is not the end: a colleague for whom it is may still take it, or new wraps may open.
    "declined": {"collected": "declined", "filed": "filed", "opened": "opened", "declined": "declined"},
    "rejected": {"collected": "held", "rejected": "rejected", "withdrawn": "gone", "resealed": "owed"},
    "gone": {},
}
_HELD: Final[tuple[State, ...]] = (
    "held",
    "opened",
    "filed",
    "filed_opened",
    "acknowledged",
    "filed_acknowledged",
)

TRANSITIONS: Final[Mapping[tuple[State, Happening], State]] = {
    **{(state, happening): after for state, exits in _EXITS.items() for happening, after in exits.items()},
    **{(state, "destroyed"): "gone" for state in (*_HELD, "declined")},
}
# Receipt has been taken as far as it can be owed: in the record, or in a named person's hands.
TAKEN: Final = frozenset({"filed", "filed_opened", "acknowledged", "filed_acknowledged", "gone"})


def advance(state: State, happening: Happening) -> State | Refusal:
    """Return the state after *happening*, or why it can't happen now (``receipt-out-of-order``)."""
    after = TRANSITIONS.get((state, happening))
    if after is None:
        return Refusal(
            code="receipt-out-of-order",
            message=f"a delivery that is {state.replace('_', ' and ')} can't be {happening}",
            hint="send the levels in the order of protocol 4",
        )
    return after


class Delivered(NamedTuple):
    """What a receipt is held against: the delivery's state, its envelope's digests, and whether that was withdrawn."""

    state: State
    sealed_sha256: Sha256
    opening: Sha256
    withdrawn: bool = False


UNKNOWN: Final = Refusal(
    code="receipt-unknown-envelope",
    message="there is no such delivery to this mailbox",
    hint="check envelope and mailbox",
)


def judge_receipt(
    receipt: Receipt, delivered: Delivered, opening: Sha256 | None, known: Container[Sha256], at: Moment
) -> State | Refusal:
    """Return the delivery's state after *receipt*, taken at *at*, or why it is refused.

    Args:
        opening: what the receipt's ``manifest_sha256`` digests to; ``None`` in a ``rejected``.
        known: digests of this mailbox's earlier receipts for the envelope.
    """
    if receipt.at > at + MAX_AHEAD:
        return Refusal(
            code="receipt-in-future",
            message="`at` is more than 5 minutes ahead of the hub's clock",
            hint="set the gateway's clock",
        )
    if receipt.sealed_sha256 != delivered.sealed_sha256:
        return Refusal(
            code="receipt-digest", message="the receipt names another body", hint="sign over what was delivered"
        )
    if opening is not None and opening != delivered.opening:
        return Refusal(
            code="receipt-opening",
            message="the receipt does not show that the body was opened",
            hint="open the body, then sign over its manifest's digest",
        )
    if receipt.previous is not None and receipt.previous not in known:
        return Refusal(
            code="receipt-previous",
            message="`previous` is no receipt of this mailbox for this envelope",
            hint="send the earlier one first",
        )
    if receipt.mode != "destroyed":
        return advance(delivered.state, receipt.level)
    if not delivered.withdrawn:
        return Refusal(
            code="receipt-out-of-order",
            message="only what its sender has withdrawn can be filed as destroyed",
            hint="decline it, or have the sender withdraw it",
        )
    return advance(delivered.state, "destroyed")
