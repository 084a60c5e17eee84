"""Hashes, random bytes, ids, and the one spelling of base64url.

Source: protocol, preamble (``b64u``, ids), 2 (``opening``) and 5 (obligation ids).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from typing import Final

from keys.errors import KeysError

Buffer = bytes | bytearray | memoryview

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING: Final = (b"", b"===", b"==", b"=")
# The characters whose spare bits are zero, by how many characters are in the last group.
_LAST: Final = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")


def sha256(data: Buffer) -> bytes:
    """Return the 32 bytes of SHA-256."""
    return hashlib.sha256(data).digest()


def sha256_b64u(data: Buffer) -> str:
    """Return SHA-256 as 43 characters of base64url."""
    return b64u(hashlib.sha256(data).digest())


def b64u(data: Buffer) -> str:
    """Return *data* as base64url without padding."""
    return b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def from_b64u(text: str | bytes) -> bytes:
    """Return the bytes that *text* spells, if it is the one spelling that :func:`b64u` would give.

    Raises:
        KeysError: ``b64u``; padding, foreign characters, white space or spare bits that aren't zero.
    """
    try:
        raw = text.encode("ascii") if isinstance(text, str) else text
        left = len(raw) & 3
        data = a2b_base64(raw.translate(_FROM_URL) + _PADDING[left])
    except (UnicodeEncodeError, Base64Error) as error:
        raise _not_canonical() from error
    # The decoder skips what it doesn't know, and is then short of bytes; it ignores spare bits, so the last
    # character decides about them.  Both together cost half of encoding again.
    if left == 1 or len(data) != len(raw) * 3 // 4 or (left and raw[-1] not in _LAST[left]):
        raise _not_canonical()
    return data


def _not_canonical() -> KeysError:
    return KeysError("b64u", "a value is not canonical base64url", "encode without padding, spaces or spare bits")


def chained(before: str, line: Buffer) -> str:
    """Return the digest (b64u) over *line* and, by their digest *before*, over all lines before it; "" before the first."""
    return b64u(hashlib.sha256(from_b64u(before) + line).digest())


def random_bytes(count: int) -> bytes:
    """Return *count* unpredictable bytes."""
    return secrets.token_bytes(count)


def same(a: Buffer, b: Buffer) -> bool:
    """Answer whether *a* equals *b*, in a time that doesn't tell where they differ."""
    return hmac.compare_digest(a, b)


def new_id(now: int) -> str:
    """Return a fresh id: 22 characters of base64url that hold a UUIDv7 of the millisecond *now*.

    Source: RFC 9562, 5.7.
    """
    spare = int.from_bytes(secrets.token_bytes(10), "big")
    value = (now & 0xFFFFFFFFFFFF) << 80 | 0x7 << 76 | (spare >> 68) << 64 | 0b10 << 62 | spare & (1 << 62) - 1
    return b64u(value.to_bytes(16, "big"))


def obligation_id(parts: Sequence[str]) -> str:
    """Return the id of the duty with these *parts*, in their order: the same duty found twice is one obligation.

    Each part goes in as its length (4 bytes, big-endian) and its UTF-8, so that no two lists of parts run together.
    """
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return b64u(digest.digest())


def opening(manifest_jws: Buffer) -> str:
    """Return the header's ``opening`` for a manifest: the digest of its digest, b64u."""
    return b64u(sha256(sha256(manifest_jws)))


def opening_of(manifest_sha256: str) -> str:
    """Return the ``opening`` that a receipt's ``manifest_sha256`` must match: what only an opener can know.

    Raises:
        KeysError: ``b64u``.
    """
    return b64u(sha256(from_b64u(manifest_sha256)))


def keyed_digest(key: bytes, text: str) -> str:
    """Return a pseudonym (HMAC-SHA256, b64u) that only the holder of *key* can link to *text*."""
    return b64u(hmac.digest(key, text.encode(), "sha256"))


def derived_key(key: bytes, label: str) -> bytes:
    """Return the 32 bytes of another key for *label*: no :func:`keyed_digest` of any text is ever the same.

    The first byte is one that no UTF-8 begins with, so that whoever chooses a text, or reads pseudonyms, learns no key.
    """
    return hmac.digest(key, b"\xff" + label.encode(), "sha256")


def derived_id(key: bytes, text: str) -> str:
    """Return the id, shaped as :func:`new_id` makes them, that *text* has under *key*: always the same, and linked to it by nobody else.

    Its first 48 bits are no time.
    """
    value = int.from_bytes(hmac.digest(key, b"\xfe" + text.encode(), "sha256")[:16], "big")
    value = value & ~(0xF << 76 | 0b11 << 62) | 0x7 << 76 | 0b10 << 62
    return b64u(value.to_bytes(16, "big"))
