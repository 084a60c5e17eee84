"""Secrets at rest: bytes encrypted under a key-encryption key, and that key from a passphrase.

Whoever stores them touches the files; here are only bytes.

Layout: ``"hub-vault/1" LF kind LF ‖ salt (16, zeros where no passphrase) ‖ nonce (24) ‖ ciphertext`` by
XChaCha20-Poly1305, all before the nonce being authenticated, so that one kind of file can't stand in for another.

Source: RFC 9106 (argon2id, the second recommended option).
"""

from __future__ import annotations

from typing import Final

from nacl import pwhash
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from keys.digests import random_bytes
from keys.errors import KeysError

SALT: Final = 16
NO_SALT: Final = bytes(SALT)
ARGON2_OPS: Final = 3
ARGON2_MEMORY: Final = 64 * 1024 * 1024

_MAGIC: Final = b"hub-vault/1\n"
_NONCE: Final = 24


def new_salt() -> bytes:
    """Return 16 random bytes for :func:`kek_from_passphrase`."""
    return random_bytes(SALT)


def new_kek() -> bytes:
    """Return a random key-encryption key of 32 bytes, where no passphrase is used."""
    return random_bytes(32)


def kek_from_passphrase(passphrase: str, salt: bytes) -> bytes:
    """Return the 32-byte key-encryption key of *passphrase*, by argon2id; it takes about 0.1 s and 64 MiB."""
    return pwhash.argon2id.kdf(32, passphrase.encode(), salt, opslimit=ARGON2_OPS, memlimit=ARGON2_MEMORY)


def lock(kind: str, secret: bytes, kek: bytes, *, salt: bytes = NO_SALT) -> bytes:
    """Return *secret* encrypted under *kek*.

    *salt* is kept in clear: what a passphrase needs to give *kek* again.
    """
    head = _MAGIC + kind.encode() + b"\n" + salt
    nonce = random_bytes(_NONCE)
    return head + nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(secret, head, nonce, kek)


def unlock(kind: str, data: bytes, kek: bytes) -> bytes:
    """Return the secret in *data*.

    Raises:
        KeysError: ``vault-kind`` (not such a file), ``vault-open`` (wrong passphrase or key, or altered).
    """
    size = _head_size(kind, data)
    try:
        return crypto_aead_xchacha20poly1305_ietf_decrypt(
            data[size + _NONCE :], data[:size], data[size : size + _NONCE], kek
        )
    except CryptoError as error:
        raise KeysError("vault-open", "couldn't open an encrypted key file", "check the passphrase or key") from error


def read_salt(kind: str, data: bytes) -> bytes:
    """Return the salt that stands in clear in *data*.

    Raises:
        KeysError: ``vault-kind``.
    """
    size = _head_size(kind, data)
    return data[size - SALT : size]


def lock_with(kind: str, secret: bytes, passphrase: str) -> bytes:
    """Return *secret* encrypted under *passphrase*, with a salt of its own."""
    salt = new_salt()
    return lock(kind, secret, kek_from_passphrase(passphrase, salt), salt=salt)


def unlock_with(kind: str, data: bytes, passphrase: str) -> bytes:
    """Return the secret that :func:`lock_with` encrypted.

    Raises:
        KeysError: ``vault-kind`` or ``vault-open``.
    """
    return unlock(kind, data, kek_from_passphrase(passphrase, read_salt(kind, data)))


def encrypt_seed(seed: bytes, kek: bytes) -> bytes:
    """Return one signing key's *seed* (an officer's) as an encrypted file's bytes."""
    return lock("seed", seed, kek)


def decrypt_seed(data: bytes, kek: bytes) -> bytes:
    """Return the seed that :func:`encrypt_seed` encrypted.

    Raises:
        KeysError: ``vault-kind`` or ``vault-open``.
    """
    return unlock("seed", data, kek)


def _head_size(kind: str, data: bytes) -> int:
    start = _MAGIC + kind.encode() + b"\n"
    if not data.startswith(start) or len(data) < len(start) + SALT + _NONCE + 16:
        raise KeysError("vault-kind", f"not an encrypted {kind} file", "name the right file, or restore it")
    return len(start) + SALT
