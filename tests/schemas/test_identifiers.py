"""Names have one spelling."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import identifiers
from schemas.nhs_number import is_nhs_number, is_test_number
from tests.schemas.samples import a_digest, an_id


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("northmere-health/looked-after-children", True),
        ("a/b", True),
        ("a" * 40 + "/" + "b" * 40, True),
        ("a" * 41 + "/b", False),
        ("a", False),
        ("a/", False),
        ("/b", False),
        ("a/b/c", False),
        ("-a/b", False),
        ("a-/b", False),
        ("A/b", False),
        ("a/b\n", False),
        ("é/b", False),
    ],
)
def test_a_mailbox_is_agency_and_team(text: str, good: bool) -> None:
    """Lower case, digits and inner hyphens, at most 40 characters on each side."""
    assert identifiers.is_mailbox(text) is good


@pytest.mark.parametrize(
    ("text", "good"), [("a1", True), ("a" * 40, True), ("a" * 41, False), ("a/b", False), ("a\n", False)]
)
def test_an_agency_is_one_word(text: str, good: bool) -> None:
    """The left side of a mailbox."""
    assert identifiers.is_agency(text) is good


@given(st.binary(min_size=16, max_size=16))
def test_an_id_is_a_uuid_of_version_seven(raw: bytes) -> None:
    """Exactly the base64url texts of 16 bytes with version 7 and the right variant are ids."""
    text = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    assert identifiers.is_id(text) == (raw[6] >> 4 == 7 and raw[8] >> 6 == 2)


def test_an_id_has_one_spelling() -> None:
    """Spare bits are zero, and nothing follows."""
    text = an_id("one")
    assert identifiers.is_id(text)
    assert not any(identifiers.is_id(text[:-1] + last) for last in "BCDxyz-_0")
    assert not identifiers.is_id(text + "\n")


def test_a_digest_has_one_spelling() -> None:
    """43 characters whose spare bits are zero."""
    text = a_digest("one")
    assert identifiers.is_sha256(text)
    assert (
        sum(
            identifiers.is_sha256(text[:-1] + last)
            for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        )
        == 16
    )
    assert not identifiers.is_sha256(text + "\n")


def test_parts_of_names() -> None:
    """An agency is read from a mailbox, a family from a type."""
    assert identifiers.agency_of("exampleshire-health/safeguarding") == "exampleshire-health"
    assert identifiers.family_of("minutes.full/1") == identifiers.family_of("minutes.full") == "minutes.full"


@pytest.mark.parametrize(
    "number", ["9990000018", "9990000026", "9990000034", "9990000042", "9990000107", "9990000115", "0000000000"]
)
def test_a_right_check_digit_passes(number: str) -> None:
    """The published test numbers, and one whose check digit is 11 written as 0."""
    assert is_nhs_number(number)
    assert is_test_number(number) == number.startswith("999")


@pytest.mark.parametrize(
    "number", ["9991234560", "999000001", "99900000181", "999 000 0018", "\uff19990000018", "9990000018\n", ""]
)
def test_a_wrong_number_does_not_pass(number: str) -> None:
    """A public example with a wrong digit, wrong lengths, spaces, digits of other scripts."""
    assert not is_nhs_number(number)
    assert not is_test_number(number)


@pytest.mark.parametrize("base", ["999000000", "999000014", "999123456"])
def test_a_base_whose_check_would_be_ten_has_no_number(base: str) -> None:
    """No ending makes it right."""
    assert not any(is_nhs_number(f"{base}{digit}") for digit in range(10))


@given(st.integers(0, 999_999_999))
def test_at_most_one_ending_is_right(base: int) -> None:
    """A check digit that let two endings pass would check nothing."""
    assert sum(is_nhs_number(f"{base:09}{digit}") for digit in range(10)) <= 1
