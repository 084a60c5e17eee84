"""Codes that somebody is given and types: four groups of four characters, 80 random bits, hard to mistake."""

from __future__ import annotations

from typing import Final

from keys.digests import random_bytes

# Without letters that are taken for digits; what is taken for them is read as them.
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS: Final = str.maketrans("OIL", "011", " -")


def make_code() -> str:
    """Return a new code, in groups."""
    value = int.from_bytes(random_bytes(10), "big")
    text = "".join(ALPHABET[value >> shift & 31] for shift in range(75, -1, -5))
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))


def read_code(typed: str) -> str:
    """Return the code that somebody typed, however they spaced and wrote it."""
    return "".join(typed.split()).upper().translate(_READ_AS)
