"""What becomes of a record of a breach, as a table.

A record is opened by what agencies signed: a withdrawal of what somebody had collected, or ``declined: wrong_recipient``.
What people then decide is a code; a missing pair is refused.

Source: protocol 4 and 6; UK GDPR, articles 33 and 34.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from hub.errors import Refusal
from schemas.envelope import DAY, Struct
from schemas.identifiers import EnvelopeId, Moment

Cause = Literal["withdrawn_after_collection", "wrong_recipient"]
State = Literal["open", "to_tell", "told", "not_notifiable", "no_breach"]
Decision = Literal["to_tell", "told", "not_notifiable", "no_breach"]

# UK GDPR, article 33: the regulator is told within 72 hours of becoming aware, unless a risk is unlikely.
TELL_WITHIN: Final = 3 * DAY
DECLINED: Final = "wrong_recipient"

EXITS: Final[Mapping[State, frozenset[Decision]]] = {
    "open": frozenset({"to_tell", "not_notifiable", "no_breach"}),
    "to_tell": frozenset({"told", "not_notifiable"}),
    # What comes to light later can make it more serious, never undo that it was told.
    "not_notifiable": frozenset({"to_tell"}),
    "no_breach": frozenset({"to_tell", "not_notifiable"}),
    "told": frozenset(),
}
REASONS: Final = (
    "risk_likely",
    "risk_unlikely",
    "destroyed_unread",
    "same_agency",
    "entitled_after_all",
    "regulator_told",
)


class Decide(Struct, frozen=True, kw_only=True):
    """What two people decide about the record of *envelope*; ``told_at``: when the regulator was told."""

    envelope: EnvelopeId
    decision: Decision
    told_at: Moment | None = None


def judge_decision(state: State, about: Decide, opened_at: Moment, now: Moment) -> Refusal | None:
    """Return why a record in *state* that was opened at *opened_at* can't be decided so, or ``None``."""
    if about.decision not in EXITS[state]:
        return Refusal(
            "breach-order",
            f"a record that is {state.replace('_', ' ')} can't become {about.decision.replace('_', ' ')}",
            "look at what was decided before",
        )
    if (about.decision == "told") != (about.told_at is not None):
        return Refusal("breach-moment", "that the regulator was told, and that alone, has a moment", "give the moment")
    if about.told_at is not None and not opened_at <= about.told_at <= now:
        return Refusal(
            "breach-moment",
            "the regulator was told after the record was opened, and not in the future",
            "give the moment",
        )
    return None
