"""Who may end an obligation without a message through the hub."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hub.core.amending import judge_waiver
from schemas.agreement import parse_agreement
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
    types=("minutes.full",),
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
WAIVED = msgspec.structs.replace(ELSEWHERE, state="waived", confirmed_by=None, second=second(), mailbox=CAIT)


def _replace(waiver: Waiver, **changes: Any) -> Waiver:
    return msgspec.structs.replace(waiver, **changes)


@pytest.mark.parametrize(
    ("waiver", "roles"),
    [(ELSEWHERE, set()), (WAIVED, set()), (_replace(WAIVED, mailbox=UNIT), {"partnership"})],
)
def test_who_may_end_it(waiver: Waiver, roles: set[str]) -> None:
    """The debtor says what was sent elsewhere; the creditor or the partnership gives a duty up."""
    assert judge_waiver(waiver, DUTY, "open", frozenset(roles), AGREEMENT) is None


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
    refusal = judge_waiver(waiver, DUTY, "open", frozenset(roles), AGREEMENT)
    assert refusal is not None
    assert refusal.code == "waiver-not-party"


@pytest.mark.parametrize("state", ["met", "met_late", "met_elsewhere", "waived", "lapsed", "superseded"])
def test_only_what_is_open_can_be_ended(state: State) -> None:
    """An obligation ends once."""
    refusal = judge_waiver(ELSEWHERE, DUTY, state, frozenset(), AGREEMENT)
    assert refusal is not None
    assert refusal.code == "waiver-not-open"


def test_a_reason_must_be_agreed() -> None:
    """Where the agreement lists reasons, no other is taken; where it lists none, any code is."""
    odd = _replace(ELSEWHERE, reason="because")
    refusal = judge_waiver(odd, DUTY, "open", frozenset(), AGREEMENT)
    assert refusal is not None
    assert refusal.code == "waiver-reason"
    free = msgspec.structs.replace(AGREEMENT, waiver_reasons=())
    assert judge_waiver(odd, DUTY, "open", frozenset(), free) is None
