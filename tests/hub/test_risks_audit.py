"""Nothing that somebody typed can stand in the audit log: its schema has no place for a sentence (risk 28)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hub.core.events import MAX_LEAF, Leaf
from schemas.strict_json import MalformedError, dump, parse_as
from tests.schemas import samples

PROSE = "Mother asked us to leave it."
EMPTY: dict[str, Any] = {"v": 1, "at": 1, "event": "waiver-recorded"}
NAMES = sorted(set(Leaf.__struct_encode_fields__) - {"v", "at"})
NUMBERS = {"due", "met_at", "step", "version", "given"}
SAID: dict[str, str] = {
    "event": "step-taken", "agency": samples.HEALTH.partition("/")[0], "mailbox": samples.HEALTH,
    "creditor": samples.POLICE, "type": "minutes.full/1", "kind": "send", "rule": "full-minutes", "level": "filed",
    "outcome": "waiver-reason", "item": "2026-07-06",
    **dict.fromkeys(("envelope", "receipt", "thread", "by", "person", "about"), samples.an_id("one")),
    **dict.fromkeys(("kid", "obligation", "digest", "sealed"), samples.a_digest("one")),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_leaf_has_no_place_for_prose(name: str) -> None:
    """Every member of a leaf is a code, a reference, a digest or a number: a sentence in it is no leaf."""
    fine: str | int = 7 if name in NUMBERS else SAID[name]
    assert getattr(parse_as(dump(EMPTY | {name: fine}), Leaf, max_bytes=MAX_LEAF), name) == fine
    for bad in (PROSE, PROSE.partition(" ")[0] + "\u00a0asked", "", "a b"):
        with pytest.raises(MalformedError):
            parse_as(dump(EMPTY | {name: bad}), Leaf, max_bytes=MAX_LEAF)


def test_a_leaf_has_no_member_of_its_own_making() -> None:
    """A note beside the members is no leaf either."""
    with pytest.raises(MalformedError):
        parse_as(dump(EMPTY | {"note": PROSE}), Leaf, max_bytes=MAX_LEAF)
    assert msgspec.to_builtins(parse_as(dump(EMPTY), Leaf, max_bytes=MAX_LEAF)) == EMPTY
