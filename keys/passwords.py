"""Passwords of local accounts: argon2id, in the form that says its own parameters.

Source: RFC 9106 (the second recommended option).
"""

from __future__ import annotations

from nacl import pwhash
from nacl.exceptions import InvalidkeyError

from keys.vault import ARGON2_MEMORY, ARGON2_OPS


def hash_password(password: str) -> str:
    """Return what to store for *password*: ``$argon2id$…``, 64 MiB and three passes."""
    return pwhash.argon2id.str(password.encode(), opslimit=ARGON2_OPS, memlimit=ARGON2_MEMORY).decode("ascii")


def is_password(password: str, stored: str) -> bool:
    """Answer whether *password* is the one that *stored* was made from."""
    try:
        return pwhash.argon2id.verify(stored.encode(), password.encode())
    except InvalidkeyError:
        return False
