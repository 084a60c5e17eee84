"""What two people read to each other by telephone: safety numbers, and fingerprints in groups of four.

A safety number is made from what each side believes of both: who they are, and by which keys they are known.  Where
a hub shows one of them another's key, the two numbers differ.

Source: protocol 7; the construction of numeric fingerprints in Signal (an iterated hash of each side, the halves sorted).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple

from keys.digests import sha256

# Each guess at a key whose number looks alike costs as many hashes.
ROUNDS: Final = 5200
_PREFIX: Final = b"hub-safety/1\n"
_GROUPS: Final = 6


class Side(NamedTuple):
    """One of the two: ``name`` its id, ``keys`` its kids in any order, ``threshold`` how many of them must sign."""

    name: str
    keys: frozenset[str]
    threshold: int = 1


def safety_number(one: Side, other: Side) -> str:
    """Return the 60 digits for *one* and *other*, in twelve groups of five; the same whichever is named first."""
    return " ".join(group for half in sorted((_half(one), _half(other))) for group in half)


def _half(side: Side) -> list[str]:
    said = _PREFIX + "\n".join([side.name, str(side.threshold), *sorted(side.keys)]).encode()
    digest = b""
    for _ in range(ROUNDS):
        digest = hashlib.sha512(digest + said).digest()
    parts = (digest[start : start + 5] for start in range(0, 5 * _GROUPS, 5))
    return [f"{int.from_bytes(part, 'big') % 100_000:05d}" for part in parts]


def spell(digest: bytes) -> str:
    """Return *digest* as hexadecimal in groups of four, to be read aloud."""
    text = digest.hex()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def spell_payload(payload: bytes) -> str:
    """Return the SHA-256 of *payload*, spelled: two people who read the same are speaking of the same bytes."""
    return spell(sha256(payload))


def side_of(name: str, kids: Iterable[str], threshold: int = 1) -> Side:
    """Return the side *name*, known by *kids*."""
    return Side(name, frozenset(kids), threshold)
