"""Sealing: who can open an envelope, and what the hub can't.

The body is encrypted once under a content key; the content key is wrapped for each recipient by HPKE with a hybrid of
ML-KEM-768 and X25519, so that what is recorded today stays secret when X25519 no longer does.

Source: protocol 3; RFC 9180; X-Wing (key expansion and sizes); C2SP chunked encryption.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from keys import chunked
from keys.digests import Buffer, b64u, from_b64u, random_bytes
from keys.errors import KeysError
from keys.jws import thumbprint

FORMAT: Final = "C2SP-CE1-A256GCM"
ALGORITHM: Final = "MLKEM768-X25519"
MIN_PADDED: Final = 4096

_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.SHAKE256, AEAD.AES_256_GCM)
_KEM_PUBLIC: Final = 1184
_PUBLIC: Final = _KEM_PUBLIC + 32
_EK: Final = 1120
_WK: Final = 48
_CONTEXT: Final = b"hub-envelope/1\x00"
# A fixed private key, to see whether a public one gives the all-zero secret that small-order points give.
_PROBE: Final = X25519PrivateKey.from_private_bytes(b"\x01" * 32)


class Rest(NamedTuple):
    """Documents and padding of an opened body, still one piece: what :func:`split_documents` takes."""

    data: memoryview
    before: int


class SealingKey:
    """The public half of a hybrid key: what others seal to."""

    __slots__ = ("_public", "kid", "raw")

    def __init__(self, raw: bytes) -> None:
        """Take the 1,216 bytes ``ML-KEM-768 key ‖ X25519 key``.

        Raises:
            KeysError: ``key-kind`` (another length), ``key-weak`` (not a key that can keep a secret).
        """
        if len(raw) != _PUBLIC:
            raise KeysError("key-kind", "a sealing key is not a hybrid key of 1,216 bytes", f"make a {ALGORITHM} key")
        try:
            post_quantum = MLKEM768PublicKey.from_public_bytes(raw[:_KEM_PUBLIC])
            classic = X25519PublicKey.from_public_bytes(raw[_KEM_PUBLIC:])
            _PROBE.exchange(classic)
        except ValueError as error:
            raise KeysError("key-weak", "a sealing key is not one that can keep a secret", "make a new key") from error
        if int.from_bytes(raw[_KEM_PUBLIC:], "little") >= 2**255 - 19:
            raise KeysError("key-weak", "the X25519 part of a sealing key is not canonical", "make a new key")
        self._public = MLKEM768X25519PublicKey(post_quantum, classic)
        self.raw = raw
        self.kid = thumbprint(self.jwk)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> SealingKey:
        """Return the key of ``{"kty":"AKP","alg":"MLKEM768-X25519","pub":…}``; no other member may stand there.

        Raises:
            KeysError: ``key-kind``, ``key-weak`` or ``b64u``.
        """
        members = {name: value for name, value in jwk.items() if value is not None}
        pub = members.pop("pub", None)
        if members != {"kty": "AKP", "alg": ALGORITHM} or not isinstance(pub, str):
            raise KeysError(
                "key-kind", "a key is not exactly a hybrid sealing key", f"give kty AKP, alg {ALGORITHM}, pub"
            )
        return cls(from_b64u(pub))

    @property
    def jwk(self) -> dict[str, str]:
        """Return the public key as a JWK."""
        return {"kty": "AKP", "alg": ALGORITHM, "pub": b64u(self.raw)}

    def encapsulate(self, secret: bytes, info: bytes) -> tuple[bytes, bytes]:
        """Return ``(encapsulation, ciphertext)`` of *secret* for this key and this *info*."""
        made = _SUITE.encrypt(secret, self._public, info)
        return made[:_EK], made[_EK:]

    def __repr__(self) -> str:
        return f"SealingKey({self.kid})"


class OpeningKey:
    """The private half: opens what was sealed to it.  Its text form shows the public half only."""

    __slots__ = ("_private", "_seed", "kid", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise KeysError("key-kind", "the seed of a sealing key has 32 bytes", "restore the key from its file")
        expanded = hashlib.shake_256(seed).digest(96)
        post_quantum = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        classic = X25519PrivateKey.from_private_bytes(expanded[64:])
        self._seed = seed
        self._private = MLKEM768X25519PrivateKey(post_quantum, classic)
        self.public = SealingKey(post_quantum.public_key().public_bytes_raw() + classic.public_key().public_bytes_raw())
        self.kid = self.public.kid

    @classmethod
    def generate(cls) -> OpeningKey:
        """Return a new key."""
        return cls(random_bytes(32))

    @classmethod
    def from_seed(cls, seed: bytes) -> OpeningKey:
        """Return the key of a 32-byte X-Wing *seed*.

        Raises:
            KeysError: ``key-kind``.
        """
        return cls(seed)

    def seed(self) -> bytes:
        """Return the 32 secret bytes, for an encrypted file only."""
        return self._seed

    def decapsulate(self, encapsulation: bytes, ciphertext: bytes, info: bytes) -> bytes:
        """Return the secret that :meth:`SealingKey.encapsulate` was given.

        Raises:
            KeysError: ``wrap-open``.
        """
        if len(encapsulation) == _EK:
            try:
                return _SUITE.decrypt(encapsulation + ciphertext, self._private, info)
            except (InvalidTag, ValueError):
                pass
        raise KeysError(
            "wrap-open", "a wrap does not open for this key, mailbox and envelope", "ask the sender to seal again"
        )

    def __repr__(self) -> str:
        return f"OpeningKey({self.kid})"


def new_content_key() -> bytes:
    """Return 32 random bytes, for one envelope only."""
    return random_bytes(32)


def padded_length(length: int) -> int:
    """Return the Padmé length for *length* bytes, at least 4 KiB: it tells little of the size, for at most 12% more.

    Source: protocol 3; Nikitin and others, "Reducing metadata leakage from encrypted files" (2019), 4.
    """
    if length <= MIN_PADDED:
        return MIN_PADDED
    exponent = length.bit_length() - 1
    mask = (1 << exponent - exponent.bit_length()) - 1
    return (length + mask) & ~mask


def seal(
    manifest_jws: bytes, documents: Sequence[Buffer], content_key: bytes, envelope_id: str, *, salt: bytes | None = None
) -> bytes:
    """Return the sealed body that holds the manifest and, in its order, the documents.

    *salt* is for frozen vectors; otherwise it is drawn afresh.
    """
    used = 4 + len(manifest_jws) + sum(len(document) for document in documents)
    parts = (len(manifest_jws).to_bytes(4, "big"), manifest_jws, *documents, bytes(padded_length(used) - used))
    return chunked.encrypt(b"".join(parts), content_key, _CONTEXT + envelope_id.encode(), salt=salt)


def open_sealed(body: Buffer, content_key: bytes, envelope_id: str) -> tuple[bytes, Rest]:
    """Return the manifest JWS of a sealed body, and the rest for :func:`split_documents`.

    Raises:
        KeysError: ``seal-truncated``, ``seal-commitment``, ``seal-chunk``, or ``seal-layout`` (no manifest in it).
    """
    plaintext = memoryview(chunked.decrypt(body, content_key, _CONTEXT + envelope_id.encode()))
    before = 4 + int.from_bytes(plaintext[:4], "big")
    if not 4 < before <= len(plaintext):
        raise KeysError(
            "seal-layout", "a sealed body does not begin with a manifest", "ask the sender to send it again"
        )
    return bytes(plaintext[4:before]), Rest(plaintext[before:], before)


def split_documents(rest: Rest, lengths: Sequence[int]) -> list[bytes]:
    """Return the documents whose *lengths* the manifest lists.

    Raises:
        KeysError: ``seal-padding``; the lengths don't fit, or what follows isn't the zeros that padding calls for.
    """
    used = sum(lengths)
    right = min(lengths, default=0) >= 0 and used <= len(rest.data)
    if (
        not right
        or len(rest.data) + rest.before != padded_length(used + rest.before)
        or rest.data[used:].tobytes().strip(b"\0")
    ):
        raise KeysError(
            "seal-padding", "the documents and padding are not as the manifest says", "ask the sender to send again"
        )
    documents, start = [], 0
    for length in lengths:
        documents.append(bytes(rest.data[start : start + length]))
        start += length
    return documents


def wrap_info(*, envelope_id: str, sender: str, mailbox: str, kid: str) -> bytes:
    """Return what HPKE binds a wrap to: this envelope, from this sender, for this mailbox's key.

    Source: protocol 3; the JOSE-HPKE key-encryption construction.
    """
    bound = f"hub-envelope/1\x00{envelope_id}\x00{sender}\x00{mailbox}\x00{kid}"
    return b"\xff".join((b"JOSE-HPKE rcpt", FORMAT.encode(), bound.encode()))


def wrap(content_key: bytes, to: SealingKey, *, envelope_id: str, sender: str, mailbox: str) -> tuple[str, str]:
    """Return ``(ek, wk)`` in b64u: the content key for one recipient, good for this envelope and mailbox only."""
    info = wrap_info(envelope_id=envelope_id, sender=sender, mailbox=mailbox, kid=to.kid)
    encapsulation, ciphertext = to.encapsulate(content_key, info)
    return b64u(encapsulation), b64u(ciphertext)


def unwrap(ek: str, wk: str, key: OpeningKey, *, envelope_id: str, sender: str, mailbox: str) -> bytes:
    """Return the 32-byte content key of a wrap.

    Raises:
        KeysError: ``wrap-open`` (made for another key, envelope, sender or mailbox, or altered) or ``b64u``.
    """
    encapsulation, ciphertext = from_b64u(ek), from_b64u(wk)
    if len(ciphertext) != _WK:
        raise KeysError("wrap-open", "a wrap is not of a content key's size", "ask the sender to seal again")
    info = wrap_info(envelope_id=envelope_id, sender=sender, mailbox=mailbox, kid=key.kid)
    return key.decapsulate(encapsulation, ciphertext, info)
