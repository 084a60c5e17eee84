"""An agency's evidence is read strictly."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.evidence import parse_evidence
from schemas.strict_json import MalformedError, dump

ENTRY: dict[str, Any] = {"note": "A" * 43, "index": 1, "proof": []}


def _file(**entry: Any) -> bytes:
    return dump({"v": 1, "agency": "northmere-health", "at": 1, "entries": [ENTRY | entry]})


def test_an_entry_is_a_leaf_or_its_hash() -> None:
    """One of the two, never both and never neither."""
    assert parse_evidence(_file(leaf="{}")).entries[0].leaf == "{}"
    for entry in ({}, {"leaf": "{}", "hash": "A" * 43}):
        with pytest.raises(MalformedError, match="a leaf or the hash of one"):
            parse_evidence(_file(**entry))
