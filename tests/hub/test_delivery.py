"""The table of a delivery, pair by pair, and what a receipt is held against."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import msgspec
import pytest

from hub.core.delivery import TAKEN, TRANSITIONS, Delivered, Happening, State, advance, judge_receipt
from hub.errors import Refusal
from schemas.envelope import MAX_AHEAD
from schemas.receipt import Receipt

# One line a state, one column a happening; a dot is a pair that must be refused.
TABLE = """
state              collected          filed              opened             acknowledged       declined           rejected withdrawn destroyed resealed
owed               held               .                  .                  .                  .                  rejected gone      .         owed
held               held               filed              opened             .                  declined           .        .         gone      .
opened             opened             filed_opened       opened             acknowledged       declined           .        .         gone      .
filed              filed              filed              filed_opened       .                  declined           .        .         gone      .
filed_opened       filed_opened       filed_opened       filed_opened       filed_acknowledged declined           .        .         gone      .
acknowledged       acknowledged       filed_acknowledged acknowledged       acknowledged       acknowledged       .        .         gone      .
filed_acknowledged filed_acknowledged filed_acknowledged filed_acknowledged filed_acknowledged filed_acknowledged .        .         gone      .
declined           declined           filed              opened             .                  declined           .        .         gone      .
rejected           held               .                  .                  .                  .                  rejected gone      .         owed
gone               .                  .                  .                  .                  .                  .        .         .         .
"""
HEAD, *LINES = (line.split() for line in TABLE.strip().splitlines())
EXPECTED = {(line[0], what): after for line in LINES for what, after in zip(HEAD[1:], line[1:], strict=True)}
PAIRS = sorted(product(get_args(State), get_args(Happening)))
SHA, OTHER = "A" * 43, "E" * 43
NOW = 1_000_000


def test_the_table_names_every_pair() -> None:
    """Every state meets every happening in the table above, and nothing else stands in it."""
    assert sorted(EXPECTED) == PAIRS


@pytest.mark.parametrize(("state", "happening"), PAIRS)
def test_a_pair_does_what_the_table_says(state: State, happening: Happening) -> None:
    """What the table has happens; what it lacks is refused, by code and with the way out."""
    wanted = EXPECTED[state, happening]
    after = advance(state, happening)
    if wanted == ".":
        assert isinstance(after, Refusal)
        assert (state, happening) not in TRANSITIONS
        assert (after.code, bool(after.hint)) == ("receipt-out-of-order", True)
    else:
        assert after == wanted


def test_nothing_leaves_gone() -> None:
    """What was withdrawn or destroyed can't come back."""
    assert not [pair for pair in TRANSITIONS if pair[0] == "gone"]


def test_only_filed_acknowledged_and_gone_count_as_taken() -> None:
    """Collected, opened, declined and rejected leave receipt to be taken."""
    assert set(get_args(State)) - TAKEN == {"owed", "held", "opened", "declined", "rejected"}


def _receipt(**changes: Any) -> Receipt:
    receipt = Receipt(
        v=1,
        id="A" * 22,
        envelope="A" * 22,
        sealed_sha256=SHA,
        manifest_sha256=SHA,
        level="collected",
        mailbox="northmere-health/safeguarding",
        at=NOW,
    )
    return msgspec.structs.replace(receipt, **changes)


OWED = Delivered("owed", SHA, SHA)


def test_a_right_receipt_advances_its_delivery() -> None:
    """Digests that match and a moment that is not ahead: the table decides."""
    assert judge_receipt(_receipt(), OWED, SHA, (), NOW) == "held"
    assert judge_receipt(_receipt(at=NOW + MAX_AHEAD), OWED, SHA, (), NOW) == "held"
    assert judge_receipt(_receipt(previous=OTHER), OWED, SHA, {OTHER}, NOW) == "held"
    assert judge_receipt(_receipt(level="rejected", manifest_sha256=None), OWED, None, (), NOW) == "rejected"


@pytest.mark.parametrize(
    ("code", "changes", "opening"),
    [
        ("receipt-in-future", {"at": NOW + MAX_AHEAD + 1}, SHA),
        ("receipt-digest", {"sealed_sha256": OTHER}, SHA),
        ("receipt-opening", {}, OTHER),
        ("receipt-previous", {"previous": OTHER}, SHA),
        ("receipt-out-of-order", {"level": "acknowledged"}, SHA),
        ("receipt-out-of-order", {"level": "filed", "mode": "destroyed"}, SHA),
    ],
)
def test_a_wrong_receipt_is_refused_by_its_code(code: str, changes: dict[str, Any], opening: str) -> None:
    """Each rule has its own code, and none changes the delivery."""
    refusal = judge_receipt(_receipt(**changes), OWED, opening, {SHA}, NOW)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, bool(refusal.message), bool(refusal.hint)) == (code, True, True)


def test_destroying_answers_a_withdrawal() -> None:
    """What was held and then withdrawn is gone once destroyed; nothing else may be destroyed and called filed."""
    receipt, held = _receipt(level="filed", mode="destroyed"), OWED._replace(state="held")
    assert judge_receipt(receipt, held._replace(withdrawn=True), SHA, (), NOW) == "gone"
    refusal = judge_receipt(receipt, held, SHA, (), NOW)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "receipt-out-of-order"
