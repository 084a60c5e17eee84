"""Every code of a list has a code of the system's, and every one of the system's is a code of a list."""

from __future__ import annotations

import pytest

from adapters.profiles.checking import list_uncovered
from adapters.profiles.mapping import field_of
from adapters.profiles.probation import ProbationAdapter
from tests.gateway.support import CATALOGUE

MAPPING = ProbationAdapter._load_mapping(None)
SENT = [
    ("check.adult.response/1", "/result"),
    ("check.adult.response/1", "/risk_level"),
    ("check.adult.response/1", "/children_in_household"),
    ("check.adult.response/1", "/cannot_answer_reason"),
    ("share.declined/1", "/reason_code"),
]


def test_whatever_comes_has_a_code_here() -> None:
    """No message of a type that is filed waits for a person because of a code that no table has."""
    assert list_uncovered(MAPPING, CATALOGUE) == []


@pytest.mark.parametrize(("kind", "pointer"), SENT)
def test_whatever_can_be_said_can_be_said_here(kind: str, pointer: str) -> None:
    """An officer has a code for each thing that the answer may be."""
    (rule,) = [one for one in MAPPING.send if one.type == kind]
    codes = field_of(rule.fields[pointer]).codes or {}
    assert sorted(codes.values()) == sorted(CATALOGUE.field(kind, pointer)["enum"])
    assert len(set(codes)) == len(codes)


def test_adults_and_categories_of_a_referral_can_be_said_here() -> None:
    """Each relationship of an adult to the child, and each category of abuse."""
    (rule,) = [one for one in MAPPING.send if one.type == "referral/1"]
    relations = field_of(field_of(rule.fields["/adults"]).fields["/relationship"]).codes or {}
    assert set(relations.values()) == set(CATALOGUE.field("referral/1", "/adults/*/relationship")["enum"])
    categories = field_of(rule.fields["/abuse_categories"]).codes or {}
    assert set(categories.values()) == set(CATALOGUE.field("referral/1", "/abuse_categories/*")["enum"])
