"""Keys that sign notes: Ed25519 (0x01), cosigning Ed25519 (0x04) and ML-DSA-44 (0x06), with their C2SP text form.

A verifier key's text is ``name+key id (8 hex digits)+base64(type ‖ public key)``.

Source: c2sp.org/signed-note (key ids, types), c2sp.org/tlog-cosignature (0x04 and 0x06).
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from keys.digests import random_bytes
from keys.errors import KeysError
from keys.jws import SigningKey, VerifyingKey

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
ML_DSA_44: Final = 0x06

_ML_DSA_PUBLIC: Final = 1312


def decode64(text: str) -> bytes:
    """Return the bytes of standard base64, if *text* is their one spelling.

    Raises:
        KeysError: ``note-base64``.
    """
    try:
        data = b64decode(text, validate=True)
    except (Base64Error, ValueError) as error:
        raise KeysError("note-base64", "a value in a note is not base64", "fetch the note again") from error
    if b64encode(data).decode() != text:
        raise KeysError("note-base64", "a value in a note is not canonical base64", "fetch the note again")
    return data


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """Return the 4 bytes by which a signature line names its key."""
    return hashlib.sha256(b"%b\n%c%b" % (name.encode(), kind, public)).digest()[:4]


def check_name(name: str) -> str:
    """Return *name* if it may stand in a signature line.

    Raises:
        KeysError: ``note-name``.
    """
    if not name or len(name.encode()) > 255 or "+" in name or not name.isprintable() or len(name.split()) != 1:
        raise KeysError(
            "note-name", "a note key's name is empty or has a space, plus or control character", "rename it"
        )
    return name


class MlDsaKey:
    """An ML-DSA-44 key pair, for signatures that outlive Ed25519.  Its text form shows nothing.

    Source: FIPS 204.
    """

    __slots__ = ("_private", "_seed", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise KeysError("key-kind", "an ML-DSA-44 seed has 32 bytes", "restore the key from its file")
        self._seed = seed
        self._private = MLDSA44PrivateKey.from_seed_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> MlDsaKey:
        """Return a new key."""
        return cls(random_bytes(32))

    @classmethod
    def from_seed(cls, seed: bytes) -> MlDsaKey:
        """Return the key of a 32-byte *seed*.

        Raises:
            KeysError: ``key-kind``.
        """
        return cls(seed)

    def seed(self) -> bytes:
        """Return the 32 secret bytes, for an encrypted file only."""
        return self._seed

    def sign_raw(self, data: bytes) -> bytes:
        """Return the 2,420-byte signature over *data*, context empty."""
        return self._private.sign(data)

    def __repr__(self) -> str:
        return "MlDsaKey()"


class NoteVerifier(NamedTuple):
    """A verifier key read: who it belongs to, what kind it is, and its public bytes."""

    name: str
    kind: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """Return the 4 bytes by which a signature line names this key."""
        return key_id(self.name, self.kind, self.public)

    def check(self, signature: bytes, message: bytes) -> None:
        """Return if *signature* (without key id and time) over *message* is this key's.

        Raises:
            KeysError: ``note-signature``.
        """
        try:
            if self.kind == ML_DSA_44:
                MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)
            else:
                VerifyingKey(self.public).verify_raw(signature, message)
        except (InvalidSignature, KeysError) as error:
            raise KeysError("note-signature", "a note's signature does not verify", "fetch the note again") from error


@lru_cache(maxsize=256)
def parse_verifier(text: str) -> NoteVerifier:
    """Return the verifier key that *text* spells.

    Raises:
        KeysError: ``note-key``, ``note-name`` or ``key-weak``.
    """
    name, _, rest = text.partition("+")
    digits, _, encoded = rest.partition("+")
    data = decode64(encoded)
    kind, public = data[:1], data[1:]
    sizes = {ED25519: 32, COSIGNATURE: 32, ML_DSA_44: _ML_DSA_PUBLIC}
    if not kind or sizes.get(kind[0]) != len(public):
        raise KeysError("note-key", "a verifier key is of no kind that we check", "use Ed25519 or ML-DSA-44")
    verifier = NoteVerifier(check_name(name), kind[0], public)
    if verifier.key_id.hex() != digits:
        raise KeysError("note-key", "a verifier key's id is not of its name and key", "copy the whole line again")
    if kind[0] != ML_DSA_44:
        VerifyingKey(public)
    return verifier


def verifier_text(name: str, kind: int, public: bytes) -> str:
    """Return the text form of a verifier key."""
    encoded = b64encode(bytes([kind]) + public).decode()
    return f"{check_name(name)}+{key_id(name, kind, public).hex()}+{encoded}"


def witness_verifier(name: str, key: VerifyingKey) -> str:
    """Return the text form by which a gateway's or witness's cosignatures are checked."""
    return verifier_text(name, COSIGNATURE, key.raw)


class NoteSigner:
    """A name and a key that sign notes: Ed25519 as the note standard has it, ML-DSA-44 as a cosignature."""

    __slots__ = ("key", "kind", "name", "verifier_key")

    def __init__(self, name: str, key: SigningKey | MlDsaKey) -> None:
        """Take a *name* without spaces or plus.

        Raises:
            KeysError: ``note-name``.
        """
        self.name = check_name(name)
        self.key = key
        is_ed25519 = isinstance(key, SigningKey)
        self.kind = ED25519 if is_ed25519 else ML_DSA_44
        public = key.public.raw if isinstance(key, SigningKey) else key.public
        self.verifier_key = verifier_text(name, self.kind, public)

    def line(self, signature: bytes) -> str:
        """Return the signature line, with its line feed, for *signature*."""
        return signature_line(parse_verifier(self.verifier_key), signature)


def signature_line(verifier: NoteVerifier, signature: bytes) -> str:
    """Return ``— name base64(key id ‖ signature) LF``."""
    return f"\u2014 {verifier.name} {b64encode(verifier.key_id + signature).decode()}\n"
