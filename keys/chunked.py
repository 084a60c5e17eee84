"""C2SP chunked encryption v1 with AES-256-GCM and SHA-512: what a sealed body is, whole or as a stream.

``salt (24) ‖ commitment (32) ‖ chunks``; each chunk holds 16 KiB of plaintext and a tag of 16 bytes, the last one
always less (perhaps nothing), so that a cut shows.  The commitment ties the bytes to one key: two recipients can't
be given two keys that open one body differently.

Source: c2sp.org/chunked-encryption@v1; protocol 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from keys.digests import Buffer, random_bytes, same
from keys.errors import KeysError

CHUNK: Final = 16 * 1024
TAG: Final = 16
SALT: Final = 24
PREFIX: Final = SALT + 32
# Far above our 64 MiB, and the lowest limit that the specification lets an implementation set.
MAX_CHUNKS: Final = 2**32

_LABEL: Final = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"


class _Derived(NamedTuple):
    cipher: AESGCM
    base_nonce: int
    commitment: bytes

    def nonce(self, number: int) -> bytes:
        return (self.base_nonce ^ number).to_bytes(12, "big")


def _derive(key: bytes, salt: bytes, context: bytes) -> _Derived:
    if len(key) != 32 or len(salt) != SALT:
        raise KeysError("seal-key", "a content key has 32 bytes and a salt 24", "take the key from its wrap")
    made = HKDFExpand(SHA512(), 32 + 12 + 32, _LABEL + salt + context).derive(key)
    return _Derived(AESGCM(made[:32]), int.from_bytes(made[32:44], "big"), made[44:])


def sealed_length(length: int) -> int:
    """Return how many bytes a plaintext of *length* bytes has once it is encrypted."""
    return PREFIX + length + TAG * (length // CHUNK + 1)


def encrypt(plaintext: Buffer, key: bytes, context: bytes, *, salt: bytes | None = None) -> bytes:
    """Return *plaintext* encrypted under *key*, 32 random bytes used for this one message.

    *salt* is for frozen vectors; otherwise it is drawn afresh.
    """
    salt = random_bytes(SALT) if salt is None else salt
    derived = _derive(key, salt, context)
    sealed = bytearray(sealed_length(len(plaintext)))
    sealed[:SALT], sealed[SALT:PREFIX] = salt, derived.commitment
    source, target = memoryview(plaintext), memoryview(sealed)[PREFIX:]
    for number in range(len(plaintext) // CHUNK + 1):
        chunk = source[number * CHUNK : (number + 1) * CHUNK]
        start = number * (CHUNK + TAG)
        derived.cipher.encrypt_into(derived.nonce(number), chunk, None, target[start : start + len(chunk) + TAG])
    return bytes(sealed)


def decrypt(sealed: Buffer, key: bytes, context: bytes) -> bytes:
    """Return the plaintext of *sealed*, all of it or nothing.

    Raises:
        KeysError: ``seal-truncated``, ``seal-commitment`` or ``seal-chunk``.
    """
    source = memoryview(sealed)
    derived = _open_prefix(source[:PREFIX], key, context)
    source = source[PREFIX:]
    whole, rest = divmod(len(source), CHUNK + TAG)
    if rest < TAG:
        raise _truncated()
    plaintext = bytearray(len(source) - TAG * (whole + 1))
    target = memoryview(plaintext)
    for number in range(whole + 1):
        chunk = source[number * (CHUNK + TAG) : (number + 1) * (CHUNK + TAG)]
        start = number * CHUNK
        try:
            derived.cipher.decrypt_into(derived.nonce(number), chunk, None, target[start : start + len(chunk) - TAG])
        except InvalidTag as error:
            raise _altered() from error
    return bytes(plaintext)


def encrypt_stream(
    parts: Iterable[Buffer], key: bytes, context: bytes, *, salt: bytes | None = None
) -> Iterator[bytes]:
    """Yield the encryption of the concatenated *parts*, holding one chunk at a time."""
    salt = random_bytes(SALT) if salt is None else salt
    derived = _derive(key, salt, context)
    yield salt + derived.commitment
    for number, chunk in enumerate(_blocks(parts, CHUNK)):
        yield derived.cipher.encrypt(derived.nonce(number), chunk, None)


def decrypt_stream(parts: Iterable[Buffer], key: bytes, context: bytes) -> Iterator[bytes]:
    """Yield the plaintext of the concatenated *parts*, chunk by chunk, each verified.

    Only when the iterator ends without an error is what it gave the whole: until then, act on nothing.

    Raises:
        KeysError: ``seal-truncated``, ``seal-commitment`` or ``seal-chunk``.
    """
    blocks = _blocks(parts, CHUNK + TAG, first=PREFIX)
    derived = _open_prefix(next(blocks), key, context)
    for number, chunk in enumerate(blocks):
        if len(chunk) < TAG:
            raise _truncated()
        try:
            yield derived.cipher.decrypt(derived.nonce(number), chunk, None)
        except InvalidTag as error:
            raise _altered() from error


def _open_prefix(prefix: Buffer, key: bytes, context: bytes) -> _Derived:
    if len(prefix) < PREFIX:
        raise _truncated()
    derived = _derive(key, bytes(prefix[:SALT]), context)
    if not same(derived.commitment, prefix[SALT:]):
        raise KeysError(
            "seal-commitment", "a sealed body was not made with this key for this envelope", "ask for it again"
        )
    return derived


def _blocks(parts: Iterable[Buffer], size: int, *, first: int = 0) -> Iterator[bytes]:
    """Yield a block of *first* bytes where asked, then blocks of *size*; the last is always shorter, perhaps empty."""
    held, want = bytearray(), first or size
    for part in parts:
        held += part
        start = 0
        while len(held) - start >= want:
            yield bytes(held[start : start + want])
            start, want = start + want, size
        del held[:start]
    yield bytes(held)


def _truncated() -> KeysError:
    return KeysError("seal-truncated", "a sealed body is cut short", "fetch it again")


def _altered() -> KeysError:
    return KeysError("seal-chunk", "a chunk of a sealed body was altered, moved or added", "fetch it again")
