"""Who may end an obligation without a message through the hub.

Source: protocol 5; domain 8.
"""

from __future__ import annotations

from typing import Final

from hub.errors import Refusal
from schemas.rules.duty import Duty, State
from schemas.statements import Waiver

# The partnership's own gateway stands above both parties; what its mailbox may do is in the directory as a role.
OVERSIGHT: Final = "partnership"


def judge_waiver(waiver: Waiver, duty: Duty, state: State, roles: frozenset[str]) -> Refusal | None:
    """Return why *waiver*, signed for a mailbox with *roles*, can't end the obligation, or ``None``.

    That something was sent by other means is the debtor's word, confirmed by a named person; giving a duty up is the
    creditor's, or the partnership's, by two people.
    """
    may = duty.debtor if waiver.state == "met_elsewhere" else duty.creditor
    if waiver.mailbox != may and not (waiver.state == "waived" and OVERSIGHT in roles):
        return Refusal(
            code="waiver-not-party",
            message="the debtor records what was sent elsewhere; the creditor or the partnership waives",
            hint="have that mailbox sign it",
        )
    if state != "open":
        return Refusal(
            code="waiver-not-open",
            message=f"the obligation is {state.replace('_', ' ')} already",
            hint="nothing is left to end",
        )
    return None
