"""Whose is it: who may speak for which mailbox, with which key, when."""

from __future__ import annotations

from typing import Any

import pytest

from hub.core.authenticity import is_usable, judge_signer
from tests.county import CAIT, COUNCIL, HEALTH, NURSES, PAEDIATRICS, POLICE
from tests.hub.support import as_caller, facts, key_fact

NOW = 1_000


def test_an_agency_key_speaks_for_every_mailbox_of_its_agency() -> None:
    """A key without a mailbox is the whole agency's; one with a mailbox is that mailbox's."""
    assert judge_signer(key_fact("k", HEALTH), HEALTH, NURSES, facts().directory, NOW) is None
    assert judge_signer(key_fact("k", HEALTH, mailbox=NURSES), HEALTH, NURSES, facts().directory, NOW) is None


@pytest.mark.parametrize(
    ("code", "agency", "changes", "caller", "mailbox"),
    [
        ("sender-not-caller", HEALTH, {}, POLICE, NURSES),
        ("sender-not-caller", HEALTH, {}, POLICE, CAIT),
        ("sender-not-caller", COUNCIL, {}, HEALTH, NURSES),
        ("sender-not-caller", HEALTH, {"mailbox": PAEDIATRICS}, HEALTH, NURSES),
        ("key-not-active", HEALTH, {"state": "revoked"}, HEALTH, NURSES),
        ("key-not-active", HEALTH, {"state": "retired"}, HEALTH, NURSES),
        ("key-not-active", HEALTH, {"use": "witness"}, HEALTH, NURSES),
        ("key-not-active", HEALTH, {"expires": NOW}, HEALTH, NURSES),
        ("key-not-active", HEALTH, {"not_before": NOW + 1}, HEALTH, NURSES),
        ("key-not-active", HEALTH, {"usable_from": NOW + 1}, HEALTH, NURSES),
    ],
)
def test_any_other_key_is_refused(code: str, agency: str, changes: dict[str, Any], caller: str, mailbox: str) -> None:
    """Another agency's, another mailbox's, and any that is not active now."""
    refusal = judge_signer(key_fact("k", agency, **changes), caller, mailbox, facts().directory, NOW)
    assert refusal is not None
    assert refusal.code == code


def test_an_unknown_key_is_refused() -> None:
    """A key that nobody published speaks for nobody."""
    refusal = judge_signer(None, HEALTH, NURSES, facts().directory, NOW)
    assert refusal is not None
    assert refusal.code == "key-unknown"


def test_a_key_is_usable_from_its_first_moment_until_before_its_last() -> None:
    """The later of its own date and its cool-off begins it; its expiry ends it."""
    key = key_fact("k", HEALTH, not_before=5, usable_from=10, expires=20)
    assert [is_usable(key, "sign", now) for now in (9, 10, 19, 20)] == [False, True, True, False]


def test_a_caller_speaks_for_its_agency_or_for_one_mailbox_alone() -> None:
    """A token of a mailbox's own key is that mailbox's, also within the agency."""
    whole, one = as_caller(HEALTH), as_caller(HEALTH, NURSES)
    assert [whole.speaks_for(box) for box in (NURSES, PAEDIATRICS, CAIT)] == [True, True, False]
    assert [one.speaks_for(box) for box in (NURSES, PAEDIATRICS, CAIT)] == [True, False, False]
