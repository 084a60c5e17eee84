"""Who may end an obligation without a message through the hub.

Source: protocol 5; domain 8.
"""

from __future__ import annotations

from hub.errors import Refusal
from schemas.identifiers import Code
from schemas.rules.compiled import Rules
from schemas.rules.duty import Duty, State
from schemas.statements import Waiver


def enders_of(rules: Rules, duty: Duty) -> tuple[Code, ...]:
    """Return the roles that may end *duty* besides its parties: its rule's, or else the agreement's."""
    rule = rules.find_rule(duty.rule)
    return (rule.waived_by if rule else ()) or rules.agreement.waived_by


def reasons_for(rules: Rules, duty: Duty) -> tuple[Code, ...]:
    """Return the codes that may say why *duty* ends without a message: its rule's, or else the agreement's; none: any."""
    rule = rules.find_rule(duty.rule)
    return (rule.waiver_reasons if rule else ()) or rules.agreement.waiver_reasons


def judge_waiver(waiver: Waiver, duty: Duty, state: State, roles: frozenset[str], rules: Rules) -> Refusal | None:
    """Return why *waiver*, signed for a mailbox with *roles*, can't end the obligation, or ``None``.

    Who besides the creditor, and why, is the duty's rule to say, and where it doesn't the agreement's.  That something was
    sent by other means is the debtor's word, confirmed by a named person; giving a duty up is the creditor's, or that of a
    role that the agreement names.  That role may record either, by two people: what it saw for itself.
    """
    by, reasons = enders_of(rules, duty), reasons_for(rules, duty)
    may = duty.debtor if waiver.state == "met_elsewhere" else duty.creditor
    if waiver.mailbox != may and not (waiver.second is not None and roles.intersection(by)):
        return Refusal(
            code="waiver-not-party",
            message="the debtor records what was sent elsewhere, the creditor waives, or a role that the agreement names does either",
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
