"""Recovery keys: an agency's key ring, opened by two people together where its passphrase is lost.

The private key is made, split into two shares and forgotten; its public key stands in the copy, so the copy is renewed
without anybody.  A copy is written only for a recovery key that the ring has vouched for: whoever can write files at a
gateway, and knows no passphrase, can't have the keys sealed to a key of their own.

Layout of a copy: ``"hub-recovery/1" LF ‖ public key (1,216) ‖ voucher (32) ‖ seal (32) ‖ encapsulation (1,120) ‖
wrapped content key (48) ‖ key ring``, the last as :meth:`Keyring.encrypt` gives it under the content key.

Source: domain 9.6 (two-person recovery keys); protocol 7; RFC 9180.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from keys.digests import b64u, derived_key, from_b64u, keyed_digest, random_bytes, same, sha256, sha256_b64u
from keys.errors import KeysError
from keys.keyring import Keyring
from keys.sealing import OpeningKey, SealingKey

SHARE: Final = "hub-recovery-share/1"

_MAGIC: Final = b"hub-recovery/1\n"
_SIZES: Final = (1216, 32, 32, 1120, 48)
_LINES: Final = [SHARE, "agency", "key", "share", "secret", "check"]
_SECRET: Final = re.compile(r"[0-9a-f]{64}")


class _Share(NamedTuple):
    agency: str
    key: str
    number: str
    secret: str

    def check(self) -> str:
        # Four bytes of a digest of 32 random ones tell a slip of the pen, and nothing of the secret.
        return sha256("\n".join((SHARE, *self)).encode())[:4].hex()


class _Copy(NamedTuple):
    public: bytes
    voucher: bytes
    seal: bytes
    encapsulation: bytes
    wrapped: bytes
    locked: bytes


def recovery_id(public: SealingKey) -> str:
    """Return the name of a recovery key, as its shares have it: 16 hexadecimal digits."""
    return sha256(public.raw)[:8].hex()


def make_shares(key: OpeningKey, agency: str) -> tuple[str, str]:
    """Return two texts that together are *key*, and of which neither says anything about it; they can be typed again."""
    first = random_bytes(32)
    secrets = (first, _xor(key.seed(), first))
    shares = [_Share(agency, recovery_id(key.public), str(n), secret.hex()) for n, secret in enumerate(secrets, 1)]
    one, other = (_spell(share) for share in shares)
    return one, other


def join_shares(first: str, second: str) -> OpeningKey:
    """Return the recovery key of two shares, in either order.

    Raises:
        KeysError: ``recovery-share`` (says which one is no share, or mistyped); ``recovery-pair`` (not the two shares of
            one key).
    """
    one, other = _read(first, "first"), _read(second, "second")
    if one.key != other.key:
        raise KeysError(
            "recovery-pair", "the two shares are of two recovery keys", "take the two whose lines `key` are equal"
        )
    if one.number == other.number:
        raise KeysError("recovery-pair", "the same share was given twice", "ask for the other person's")
    key = OpeningKey.from_seed(_xor(bytes.fromhex(one.secret), bytes.fromhex(other.secret)))
    if recovery_id(key.public) != one.key:
        raise KeysError(
            "recovery-pair", "the two shares don't make the key that they name", "take them from where they were made"
        )
    return key


def seal_copy(keyring: Keyring, to: SealingKey) -> bytes:
    """Return the copy of *keyring* that the recovery key *to* opens, vouched for by *keyring*."""
    content_key = random_bytes(32)
    encapsulation, wrapped = to.encapsulate(content_key, _MAGIC + to.raw)
    copy = _Copy(to.raw, _vouch(keyring, to.raw), b"", encapsulation, wrapped, keyring.encrypt(content_key))
    return _MAGIC + b"".join(copy._replace(seal=_seal(keyring, copy)))


def renew_copy(data: bytes, keyring: Keyring) -> bytes:
    """Return the copy *data* made anew for what *keyring* is now; nobody's share is needed.

    Raises:
        KeysError: ``recovery-copy``; no copy, or for a recovery key that this key ring has not vouched for.
    """
    copy = _parse(data)
    if not same(copy.voucher, _vouch(keyring, copy.public)):
        raise KeysError(
            "recovery-copy",
            "the recovery copy is for a key that this key ring has not vouched for",
            "make new recovery keys with `gateway recovery make --replace`",
        )
    return seal_copy(keyring, SealingKey(copy.public))


def is_current(data: bytes, keyring: Keyring) -> bool:
    """Answer whether *data* is an unaltered copy of exactly the keys in *keyring*; nobody's share is needed."""
    try:
        copy = _parse(data)
    except KeysError:
        return False
    return same(copy.voucher, _vouch(keyring, copy.public)) and same(copy.seal, _seal(keyring, copy))


def open_copy(data: bytes, key: OpeningKey) -> Keyring:
    """Return the key ring in the copy *data*.

    Raises:
        KeysError: ``recovery-pair`` (*key* is another recovery key); ``recovery-copy`` (no copy, or altered).
    """
    copy = _parse(data)
    if not same(copy.public, key.public.raw):
        raise KeysError(
            "recovery-pair",
            "the two shares are of another recovery key than the copy",
            "take the shares that were made last, or the backup of their time",
        )
    try:
        content_key = key.decapsulate(copy.encapsulation, copy.wrapped, _MAGIC + copy.public)
        keyring = Keyring.decrypt(copy.locked, content_key)
    except KeysError as error:
        raise _altered() from error
    if not is_current(data, keyring):
        raise _altered()
    return keyring


def _vouch(keyring: Keyring, public: bytes) -> bytes:
    return _digest(keyring, f"key {b64u(public)}")


def _digest(keyring: Keyring, text: str) -> bytes:
    # A key of its own: pseudonyms under the record key go out, and nobody may get a voucher by choosing a name.
    return from_b64u(keyed_digest(derived_key(keyring.record_key, "recovery"), text))


def _seal(keyring: Keyring, copy: _Copy) -> bytes:
    """Return what ties the ciphertext to the keys in *keyring*, named by their kids."""
    parts = (copy.public, copy.encapsulation, copy.wrapped, copy.locked)
    return _digest(keyring, " ".join(("copy", *map(sha256_b64u, parts), *keyring.kids())))


def _parse(data: bytes) -> _Copy:
    parts, start = [], len(_MAGIC)
    for size in _SIZES:
        parts.append(data[start : start + size])
        start += size
    if not data.startswith(_MAGIC) or len(data) <= start:
        raise KeysError("recovery-copy", "not a recovery copy, or cut off", "restore the file from its backup")
    return _Copy._make([*parts, data[start:]])


def _altered() -> KeysError:
    return KeysError("recovery-copy", "the recovery copy was altered", "restore the file from its backup")


def _spell(share: _Share) -> str:
    rows = zip(_LINES, ("", *share, share.check()), strict=True)
    return "".join(f"{name} {_group(text, name)}".rstrip() + "\n" for name, text in rows)


def _group(text: str, name: str) -> str:
    if name in {"agency", "share"}:
        return text
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def _read(text: str, which: str) -> _Share:
    rows = [line.split() for line in text.lower().splitlines() if line.strip()]
    if [row[0] for row in rows] != _LINES:
        raise KeysError(
            "recovery-share", f"the {which} share is not a recovery share", f"it has six lines, from {SHARE} to check"
        )
    agency, key, number, secret, check = ("".join(row[1:]) for row in rows[1:])
    share = _Share(agency, key, number, secret)
    if check != share.check() or not _SECRET.fullmatch(secret):
        raise KeysError("recovery-share", f"the {which} share is mistyped", "compare it with where it is written down")
    return share


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
