"""Safety numbers and fingerprints: the same on both sides, another for another key."""

from __future__ import annotations

import re

from keys.safety import safety_number, side_of, spell, spell_payload

HEALTH = side_of("northmere-health", ["k" * 43])
OFFICERS = side_of("exampleshire-partnership", ["a" * 43, "b" * 43, "c" * 43], 2)


def test_both_sides_read_the_same_number() -> None:
    """Whoever is named first, and in whatever order the officers stand."""
    number = safety_number(HEALTH, OFFICERS)
    assert number == safety_number(OFFICERS._replace(keys=frozenset(sorted(OFFICERS.keys, reverse=True))), HEALTH)
    assert re.fullmatch(r"\d{5}( \d{5}){11}", number)


def test_the_number_never_changes_by_itself() -> None:
    """Numbers that were compared and kept in a safe stay good: the construction is frozen."""
    assert safety_number(HEALTH, OFFICERS) == (
        "41309 76510 32615 06399 73131 98176 94704 16566 69636 18349 27365 22395"
    )


def test_any_other_key_name_or_threshold_gives_another_number() -> None:
    """One character is enough, on either side."""
    numbers = {
        safety_number(HEALTH, OFFICERS),
        safety_number(HEALTH._replace(keys=frozenset(["j" * 43])), OFFICERS),
        safety_number(HEALTH._replace(name="northmere-healths"), OFFICERS),
        safety_number(HEALTH, OFFICERS._replace(threshold=1)),
        safety_number(HEALTH, OFFICERS._replace(keys=OFFICERS.keys | {"d" * 43})),
    }
    assert len(numbers) == 5


def test_a_fingerprint_is_read_in_groups_of_four() -> None:
    """Hexadecimal, because each of its letters is heard apart from the others."""
    assert spell(bytes(range(6))) == "0001 0203 0405"
    assert spell_payload(b"") == ("e3b0 c442 98fc 1c14 9afb f4c8 996f b924 27ae 41e4 649b 934c a495 991b 7852 b855")
