"""Matching against the at-risk list: both sides learn what they should, and nothing more."""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import matching
from keys.errors import KeysError

pytest.importorskip("private_set_intersection", reason="NOT TESTED: openmined-psi has no wheel for this machine")

LISTED = [f"nhs:{number:010d}" for number in range(40)]


def the_list(key: bytes, identifiers: list[str] | None = None) -> Mapping[str, str]:
    """Return the match key of each identifier."""
    listed = LISTED if identifiers is None else identifiers
    return dict(zip(listed, matching.make_match_keys(key, listed), strict=True))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 40])
def test_everybody_on_the_list_is_found_as_the_right_entry(size: int) -> None:
    """Wherever the entry stands in the list, and whatever the list's length."""
    key = matching.new_list_key()
    entries = the_list(key, LISTED[:size])
    for identifier, match_key in entries.items():
        secret, point = matching.blind(identifier)
        (evaluated,) = matching.evaluate(key, [point])
        assert matching.find_match(secret, evaluated, list(entries.values())) == match_key


@pytest.mark.parametrize("size", [0, 1, 40])
def test_nobody_else_is_found(size: int) -> None:
    """An identifier that differs in one digit, a dummy, an empty list: not on it."""
    key = matching.new_list_key()
    match_keys = list(the_list(key, LISTED[:size]).values())
    secret, point = matching.blind("nhs:9990000018")
    (evaluated,) = matching.evaluate(key, [point])
    assert matching.find_match(secret, evaluated, match_keys) is None


@settings(max_examples=30, deadline=None)
@given(listed=st.lists(st.text(max_size=20), max_size=6, unique=True), asked=st.text(max_size=20))
def test_found_is_what_is_listed(listed: list[str], asked: str) -> None:
    """For any texts, the answer is that of a plain look-up."""
    key = matching.new_list_key()
    entries = the_list(key, listed)
    secret, point = matching.blind(asked)
    found = matching.find_match(secret, matching.evaluate(key, [point])[0], list(entries.values()))
    assert found == entries.get(asked)


def test_points_come_back_in_their_order() -> None:
    """A batch is answered place by place, so that the asker's dummies fall away."""
    key = matching.new_list_key()
    entries = the_list(key)
    known, unknown = matching.blind(LISTED[3]), matching.blind("nobody")
    first, second, third = matching.evaluate(key, [unknown.point, matching.blind_nobody(), known.point])
    match_keys = list(entries.values())
    assert matching.find_match(unknown.secret, first, match_keys) is None
    assert matching.find_match(known.secret, second, match_keys) is None
    assert matching.find_match(known.secret, third, match_keys) == entries[LISTED[3]]


def test_a_point_looks_the_same_whoever_it_stands_for() -> None:
    """44 characters of a curve point; the same person blinded twice can't be linked, and a dummy is no different."""
    points = [matching.blind(LISTED[0]).point for _ in range(20)] + [matching.blind_nobody() for _ in range(20)]
    assert len(set(points)) == 40
    for point in points:
        raw = base64.urlsafe_b64decode(point)
        assert (len(point), len(raw), raw[0] in {2, 3}) == (44, 33, True)


def test_without_the_key_the_list_says_nothing_of_a_guess() -> None:
    """Who has the whole list but not its key finds nobody by guessing: not with another key, not with its own secrets."""
    key = matching.new_list_key()
    match_keys = list(the_list(key).values())
    for identifier in LISTED:
        secret, point = matching.blind(identifier)
        for tried in (point, *matching.evaluate(matching.new_list_key(), [point]), *matching.evaluate(secret, [point])):
            assert matching.find_match(secret, tried, match_keys) is None


def test_what_one_version_evaluated_is_worth_nothing_with_the_next() -> None:
    """Each version has its own key, so answers kept from last month can't be tried on this month's list."""
    old, new = matching.new_list_key(), matching.new_list_key()
    assert old != new
    secret, point = matching.blind(LISTED[0])
    (kept,) = matching.evaluate(old, [point])
    assert matching.find_match(secret, kept, list(the_list(new).values())) is None
    assert not {*the_list(old).values()} & {*the_list(new).values()}


def test_another_secret_reads_nothing() -> None:
    """An answer is readable only by who asked."""
    key = matching.new_list_key()
    entries = the_list(key)
    (evaluated,) = matching.evaluate(key, [matching.blind(LISTED[0]).point])
    assert matching.find_match(matching.blind(LISTED[0]).secret, evaluated, list(entries.values())) is None


@pytest.mark.parametrize("point", ["A" * 44, "Ag" + "_" * 42, "BA" + "A" * 42, "Ag" + "A" * 40, ""])
def test_what_is_no_point_is_refused(point: str) -> None:
    """Not on the curve, of another form, too short, nothing: one code, on either side."""
    key = matching.new_list_key()
    with pytest.raises(KeysError) as caught:
        matching.evaluate(key, [point])
    assert caught.value.code == "matching-point"
    with pytest.raises(KeysError) as caught:
        matching.find_match(matching.blind("x").secret, point, list(the_list(key).values()))
    assert caught.value.code == "matching-point"


def test_what_is_not_base64url_is_refused() -> None:
    """Spelling is checked before anything is worked out."""
    with pytest.raises(KeysError) as caught:
        matching.evaluate(matching.new_list_key(), ["Ag=="])
    assert caught.value.code == "b64u"


@pytest.mark.parametrize("key", [b"", bytes(32), b"\xff" * 32])
def test_what_is_no_key_is_refused(key: bytes) -> None:
    """Zero, too large, or nothing."""
    with pytest.raises(KeysError) as caught:
        matching.evaluate(key, [matching.blind("x").point])
    assert caught.value.code == "matching-key"


def test_a_machine_without_the_library_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """One code that names the package and where it works; nothing falls back to something weaker."""
    monkeypatch.setitem(sys.modules, "private_set_intersection", None)
    for call in (matching.check_library, matching.new_list_key, lambda: matching.blind("x"), matching.blind_nobody):
        with pytest.raises(KeysError) as caught:
            call()
        assert caught.value.code == "matching-missing"
        assert "openmined-psi" in caught.value.message
        assert "3.13" in caught.value.hint
