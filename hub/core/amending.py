"""Who may end an obligation without a message through the hub.

Source: protocol 5; domain 8.
"""

from __future__ import annotations

from hub.errors import Refusal
from schemas.rules.compiled import Rules
from schemas.rules.duty import Duty, State
from schemas.statements import Waiver


def judge_waiver(waiver: Waiver, duty: Duty, state: State, roles: frozenset[str], rules: Rules) -> Refusal | None:
    """Return why *waiver*, signed for a mailbox with *roles*, can't end the obligation, or ``None``.

    Who besides the creditor, and why, is the duty's rule to say, and where it doesn't the agreement's.  That something was
    sent by other means is the debtor's word, confirmed by a named person; giving a duty up is the creditor's, or that of a
    role that the agreement names, by two people.
    """
    rule, agreement = rules.find_rule(duty.rule), rules.agreement
    by = (rule.waived_by if rule else ()) or agreement.waived_by
    reasons = (rule.waiver_reasons if rule else ()) or agreement.waiver_reasons
    may = duty.debtor if waiver.state == "met_elsewhere" else duty.creditor
    if waiver.mailbox != may and not (waiver.state == "waived" and roles.intersection(by)):
        return Refusal(
            code="waiver-not-party",
            message="the debtor records what was sent elsewhere; the creditor, or a role that the agreement names, waives",
            hint="have that mailbox sign it",
        )
    if reasons and waiver.reason not in reasons:
        return Refusal(
            code="waiver-reason",
            message="the agreement does not know this reason for this duty",
            hint=f"give one of: {', '.join(reasons)}",
        )
    if state != "open":
        return Refusal(
            code="waiver-not-open",
            message=f"the obligation is {state.replace('_', ' ')} already",
            hint="nothing is left to end",
        )
    return None
