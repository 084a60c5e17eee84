"""One-time codes of an authenticator app, the second factor of a local account with a password.

Source: RFC 6238 (TOTP), with the values that every app takes: SHA-1, six digits, 30 seconds.
"""

from __future__ import annotations

from base64 import b32encode
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from keys.digests import random_bytes, same

SECRET: Final = 20
DIGITS: Final = 6
STEP: Final = 30
# A phone's clock is not the hub's: the step before and after count too.
SKEW: Final = 1


def new_secret() -> bytes:
    """Return a new secret of 160 bits."""
    return random_bytes(SECRET)


def as_text(secret: bytes) -> str:
    """Return *secret* as it is typed into an app: base32."""
    return b32encode(secret).decode()


def as_link(secret: bytes, issuer: str, login: str) -> str:
    """Return the ``otpauth`` address that an app on the same device opens."""
    return f"otpauth://totp/{quote(issuer)}:{quote(login)}?secret={as_text(secret)}&issuer={quote(issuer)}"


def code_at(secret: bytes, now: int) -> str:
    """Return the code at *now* (UTC milliseconds)."""
    return _generate(secret, now // 1000 // STEP)


def find_step(secret: bytes, code: str, now: int, after: int) -> int | None:
    """Return the step that *code* is of, if that is around *now* and later than step *after*: no code works twice."""
    middle = now // 1000 // STEP
    found = None
    for step in range(middle - SKEW, middle + SKEW + 1):
        if same(_generate(secret, step).encode(), code.encode()) and step > after:
            found = step
    return found


def _generate(secret: bytes, step: int) -> str:
    # Apps take no other digest; HMAC does not rest on collisions.
    return TOTP(secret, DIGITS, SHA1(), STEP).generate(step * STEP).decode()  # noqa: S303
