"""Who may end an obligation without a message through the hub."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hub.core.amending import judge_waiver
from schemas.agreement import Answer, parse_agreement
from schemas.rules.compiled import Rules
from schemas.rules.duty import Duty, State
from schemas.statements import Waiver
from tests.county import CAIT, MASH, UNIT, County, second

SHA = "A" * 43
DUTY = Duty(
    rule="full-minutes",
    thread="A" * 22,
    debtor=MASH,
    creditor=CAIT,
    kind="send",
    answers=(Answer(types=("minutes.full",)),),
    envelope="A" * 22,
    moment=1,
    due=2,
    agreement=1,
)
ELSEWHERE = Waiver(
    v=1,
    id="A" * 22,
    obligation=SHA,
    state="met_elsewhere",
    reason="handed_over",
    confirmed_by=SHA,
    by=SHA,
    role="chair",
    at=1,
    mailbox=MASH,
)
AGREEMENT = parse_agreement(County().agreement())
RULES = Rules(AGREEMENT)
WAIVED = msgspec.structs.replace(ELSEWHERE, state="waived", confirmed_by=None, second=second(), mailbox=CAIT)


def _replace(waiver: Waiver, **changes: Any) -> Waiver:
    return msgspec.structs.replace(waiver, **changes)


@pytest.mark.parametrize(
    ("waiver", "roles"),
    [(ELSEWHERE, set()), (WAIVED, set()), (_replace(WAIVED, mailbox=UNIT), {"partnership"})],
)
def test_who_may_end_it(waiver: Waiver, roles: set[str]) -> None:
    """The debtor says what was sent elsewhere; the creditor or the partnership gives a duty up."""
    assert judge_waiver(waiver, DUTY, "open", frozenset(roles), RULES) is None


@pytest.mark.parametrize(
    ("waiver", "roles"),
    [
        (_replace(ELSEWHERE, mailbox=CAIT), set()),
        (_replace(ELSEWHERE, mailbox=UNIT), {"partnership"}),
        (_replace(WAIVED, mailbox=MASH), set()),
        (_replace(WAIVED, mailbox=UNIT), {"police"}),
    ],
)
def test_who_may_not(waiver: Waiver, roles: set[str]) -> None:
    """A debtor can't excuse itself, and nobody can say for it that it has sent something."""
    refusal = judge_waiver(waiver, DUTY, "open", frozenset(roles), RULES)
    assert refusal is not None
    assert refusal.code == "waiver-not-party"


@pytest.mark.parametrize("state", ["met", "met_late", "met_elsewhere", "waived", "lapsed", "superseded"])
def test_only_what_is_open_can_be_ended(state: State) -> None:
    """An obligation ends once."""
    refusal = judge_waiver(ELSEWHERE, DUTY, state, frozenset(), RULES)
    assert refusal is not None
    assert refusal.code == "waiver-not-open"


def test_a_reason_must_be_agreed() -> None:
    """Where the agreement lists reasons, no other is taken; where it lists none, any code is."""
    odd = _replace(ELSEWHERE, reason="because")
    refusal = judge_waiver(odd, DUTY, "open", frozenset(), RULES)
    assert refusal is not None
    assert refusal.code == "waiver-reason"
    free = msgspec.structs.replace(AGREEMENT, waiver_reasons=())
    assert judge_waiver(odd, DUTY, "open", frozenset(), Rules(free)) is None


def test_a_rule_may_say_who_waives_it_and_why() -> None:
    """What one rule says of its waivers stands in place of what the agreement says of all."""
    terms = AGREEMENT.types["meeting.held"]
    own = tuple(
        msgspec.structs.replace(rule, waived_by=("police",), waiver_reasons=("duplicate",))
        if rule.name == DUTY.rule
        else rule
        for rule in terms.opens
    )
    types = {**AGREEMENT.types, "meeting.held": msgspec.structs.replace(terms, opens=own)}
    types = {family: one for family, one in types.items() if family != "meeting.claimed"}
    rules = Rules(msgspec.structs.replace(AGREEMENT, types=types))
    by_police = _replace(WAIVED, mailbox=UNIT, reason="duplicate")
    assert judge_waiver(by_police, DUTY, "open", frozenset({"police"}), rules) is None
    for roles, waiver, code in (
        ({"partnership"}, by_police, "waiver-not-party"),
        ({"police"}, _replace(by_police, reason="handed_over"), "waiver-reason"),
    ):
        refusal = judge_waiver(waiver, DUTY, "open", frozenset(roles), rules)
        assert refusal is not None
        assert refusal.code == code
