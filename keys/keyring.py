"""An agency's private keys, and the hub's, as encrypted bytes; whoever stores them touches the files.

Sealing keys are made every 30 days, open for 14 more, then are destroyed: what a thief of a gateway can still open
ends there.  They are published to expire two days after the next one is made, which begins a day later: the hub asks
for what lies uncollected to be sealed again well before the key is gone.

Source: protocol 7 (keys); promises (a stolen sealing key opens at most 45 days).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from keys import vault
from keys.digests import b64u, derived_key, from_b64u, random_bytes
from keys.errors import KeysError
from keys.jws import SigningKey
from keys.note_keys import MlDsaKey, NoteSigner
from keys.sealing import OpeningKey
from keys.token_key import TokenKey
from keys.vault import NO_SALT, decrypt_seed, encrypt_seed, kek_from_passphrase, new_kek, new_salt

__all__ = [
    "HeldKey",
    "HubKeyring",
    "Keyring",
    "OfficerKey",
    "decrypt_seed",
    "encrypt_seed",
    "kek_from_passphrase",
    "new_kek",
    "new_salt",
]

DAY: Final = 86_400_000
ROTATE_AFTER: Final = 30 * DAY
SEALS_FOR: Final = 32 * DAY
OPENS_FOR: Final = 44 * DAY
KEYRING: Final = "keyring"
HUB_KEYRING: Final = "hub-keyring"

# An officer signs directories and agreements with an ordinary signing key, kept by vault.encrypt_seed.
OfficerKey = SigningKey


class HeldKey(NamedTuple):
    """A sealing key: whose mail it opens (``None``: each mailbox without a key of its own), and until when.

    From ``retires`` on nobody should seal to it; at ``destroy_at`` it is destroyed.  Moments in ms.
    """

    key: OpeningKey
    mailbox: str | None
    created: int
    retires: int
    destroy_at: int

    @property
    def expires(self) -> int:
        """Return until when others may seal to it: longer than ``retires``, as the next key begins a day late."""
        return self.created + SEALS_FOR


class Keyring:
    """An agency's keys.  Whoever changes one stores :meth:`encrypt`'s bytes before using what changed.

    ``identity`` signs key statements and may be kept elsewhere (``None`` here), ``next_identity`` once the officers have
    named it; ``signing`` signs envelopes, receipts
    and assertions, ``next_signing`` once its cool-off is over; ``witness`` cosigns checkpoints; ``record_key`` makes
    pseudonyms; ``opening_keys`` by kid; ``former``: kids of identity and signing keys that were replaced.
    """

    def __init__(
        self,
        *,
        agency: str,
        identity: SigningKey | None,
        signing: SigningKey,
        witness: SigningKey,
        record_key: bytes,
        opening_keys: dict[str, HeldKey],
        next_signing: SigningKey | None = None,
        next_identity: SigningKey | None = None,
        former: tuple[str, ...] = (),
    ) -> None:
        self.agency = agency
        self.identity = identity
        self.signing = signing
        self.witness = witness
        self.record_key = record_key
        self.opening_keys = opening_keys
        self.next_signing = next_signing
        self.next_identity = next_identity
        self.former = former

    @classmethod
    def create(cls, agency: str, now: int) -> Keyring:
        """Return new keys for *agency*, with one sealing key for all of its mailboxes."""
        keyring = cls(
            agency=agency,
            identity=SigningKey.generate(),
            signing=SigningKey.generate(),
            witness=SigningKey.generate(),
            record_key=random_bytes(32),
            opening_keys={},
        )
        keyring.add_opening_key(None, now)
        return keyring

    def add_opening_key(self, mailbox: str | None, now: int) -> HeldKey:
        """Return a new sealing key, for a sensitive team's *mailbox* alone or (``None``) for the others."""
        key = OpeningKey.generate()
        held = HeldKey(key, mailbox, now, now + ROTATE_AFTER, now + OPENS_FOR)
        self.opening_keys[key.kid] = held
        return held

    def rotate(self, now: int) -> tuple[HeldKey, ...]:
        """Return the sealing keys made because the newest for their mailbox was 30 days old; mostly none."""
        newest = {held.mailbox: held for held in sorted(self.opening_keys.values(), key=lambda held: held.created)}
        return tuple(self.add_opening_key(held.mailbox, now) for held in newest.values() if held.retires <= now)

    def destroy(self, now: int) -> tuple[str, ...]:
        """Remove the sealing keys whose time to open is over; return their kids.

        Gone only when every stored copy is: write :meth:`encrypt`'s bytes over the old file.
        """
        over = tuple(kid for kid, held in self.opening_keys.items() if held.destroy_at <= now)
        for kid in over:
            del self.opening_keys[kid]
        return over

    def find_opening(self, kid: str) -> OpeningKey | None:
        """Return the private key that opens what was sealed to *kid*, if it is still held."""
        held = self.opening_keys.get(kid)
        return held.key if held else None

    def replace_signing(self) -> SigningKey:
        """Return a new signing key in the old one's place: after a compromise, or at its expiry."""
        self.signing = SigningKey.generate()
        return self.signing

    def prepare_signing(self) -> SigningKey:
        """Return the next signing key, made if there was none: to be published, and used once it may be."""
        self.next_signing = self.next_signing or SigningKey.generate()
        return self.next_signing

    def adopt_signing(self) -> None:
        """Sign with the next signing key from now on, if there is one."""
        if self.next_signing is not None:
            self.former = (*self.former, self.signing.kid)
            self.signing, self.next_signing = self.next_signing, None

    def prepare_identity(self) -> SigningKey:
        """Return the next identity key, made if there was none: for the officers to name, and used once they have."""
        self.next_identity = self.next_identity or SigningKey.generate()
        return self.next_identity

    def adopt_identity(self) -> None:
        """Sign key statements with the next identity key from now on, if there is one."""
        if self.next_identity is not None:
            self.former = (*self.former, *([self.identity.kid] if self.identity else []))
            self.identity, self.next_identity = self.next_identity, None

    def without_identity(self) -> Keyring:
        """Return the same keys less the identity key: what a gateway needs day by day."""
        return Keyring(**{**vars(self), "identity": None, "opening_keys": dict(self.opening_keys)})

    def kids(self) -> Iterator[str]:
        """Yield the kid of every key here: a statement about any other key of this agency is cause for alarm."""
        for key in (self.identity, self.next_identity, self.signing, self.next_signing, self.witness):
            if key is not None:
                yield key.kid
        yield from self.former
        yield from self.opening_keys

    def encrypt(self, kek: bytes, *, salt: bytes = NO_SALT) -> bytes:
        """Return the keyring as the bytes of an encrypted file; *salt* as in :func:`keys.vault.lock`."""
        secret = {
            "v": 1,
            "agency": self.agency,
            "identity": b64u(self.identity.seed()) if self.identity else None,
            "signing": b64u(self.signing.seed()),
            "next_signing": b64u(self.next_signing.seed()) if self.next_signing else None,
            "next_identity": b64u(self.next_identity.seed()) if self.next_identity else None,
            "former": list(self.former),
            "witness": b64u(self.witness.seed()),
            "record_key": b64u(self.record_key),
            "opening_keys": [
                [b64u(held.key.seed()), held.mailbox, held.created, held.retires, held.destroy_at]
                for held in self.opening_keys.values()
            ],
        }
        return vault.lock(KEYRING, json.dumps(secret).encode(), kek, salt=salt)

    @classmethod
    def decrypt(cls, data: bytes, kek: bytes) -> Keyring:
        """Return the keyring that :meth:`encrypt` wrote.

        Raises:
            KeysError: ``vault-kind``, ``vault-open`` or ``vault-version``.
        """
        secret = _read(KEYRING, data, kek)
        held = [HeldKey(OpeningKey(from_b64u(seed)), *rest) for seed, *rest in secret["opening_keys"]]
        return cls(
            agency=secret["agency"],
            identity=_signing(secret["identity"]) if secret["identity"] else None,
            signing=_signing(secret["signing"]),
            witness=_signing(secret["witness"]),
            record_key=from_b64u(secret["record_key"]),
            opening_keys={item.key.kid: item for item in held},
            # Key files of before keys were replaced in step have none of these.
            next_signing=_signing(secret["next_signing"]) if secret.get("next_signing") else None,
            next_identity=_signing(secret["next_identity"]) if secret.get("next_identity") else None,
            former=tuple(secret.get("former", ())),
        )


class HubKeyring:
    """The hub's own keys: it signs what it answers and its log, and issues tokens; it can open nothing.

    ``signing`` signs acceptances and notices; ``checkpoint_ed25519`` and ``checkpoint_mldsa44`` sign checkpoints.
    """

    def __init__(
        self,
        *,
        signing: SigningKey,
        checkpoint_ed25519: SigningKey,
        checkpoint_mldsa44: MlDsaKey,
        token_key: TokenKey,
        created: int,
    ) -> None:
        self.signing = signing
        self.checkpoint_ed25519 = checkpoint_ed25519
        self.checkpoint_mldsa44 = checkpoint_mldsa44
        self.token_key = token_key
        self.created = created

    @classmethod
    def create(cls, now: int) -> HubKeyring:
        """Return new keys for a hub."""
        return cls(
            signing=SigningKey.generate(),
            checkpoint_ed25519=SigningKey.generate(),
            checkpoint_mldsa44=MlDsaKey.generate(),
            token_key=TokenKey.generate(),
            created=now,
        )

    @property
    def secrets_key(self) -> bytes:
        """Return the key under which secrets of people at the console are kept in the database."""
        return derived_key(self.token_key.scalar(), "hub account secrets")

    def note_signers(self, origin: str) -> tuple[NoteSigner, NoteSigner]:
        """Return the two signers of the log *origin*'s checkpoints; their ``verifier_key`` goes into the directory."""
        return NoteSigner(origin, self.checkpoint_ed25519), NoteSigner(origin, self.checkpoint_mldsa44)

    def encrypt(self, kek: bytes, *, salt: bytes = NO_SALT) -> bytes:
        """Return the keyring as the bytes of an encrypted file; *salt* as in :func:`keys.vault.lock`."""
        secret = {
            "v": 1,
            "signing": b64u(self.signing.seed()),
            "checkpoint_ed25519": b64u(self.checkpoint_ed25519.seed()),
            "checkpoint_mldsa44": b64u(self.checkpoint_mldsa44.seed()),
            "token_key": b64u(self.token_key.scalar()),
            "created": self.created,
        }
        return vault.lock(HUB_KEYRING, json.dumps(secret).encode(), kek, salt=salt)

    @classmethod
    def decrypt(cls, data: bytes, kek: bytes) -> HubKeyring:
        """Return the keyring that :meth:`encrypt` wrote.

        Raises:
            KeysError: ``vault-kind``, ``vault-open`` or ``vault-version``.
        """
        secret = _read(HUB_KEYRING, data, kek)
        return cls(
            signing=_signing(secret["signing"]),
            checkpoint_ed25519=_signing(secret["checkpoint_ed25519"]),
            checkpoint_mldsa44=MlDsaKey(from_b64u(secret["checkpoint_mldsa44"])),
            token_key=TokenKey.from_scalar(from_b64u(secret["token_key"])),
            created=secret["created"],
        )


def _read(kind: str, data: bytes, kek: bytes) -> dict[str, Any]:
    secret: dict[str, Any] = json.loads(vault.unlock(kind, data, kek))
    if secret["v"] != 1:
        raise KeysError(
            "vault-version", f"a {kind} file is of a version we don't read", "use the release that wrote it"
        )
    return secret


def _signing(text: str) -> SigningKey:
    return SigningKey(from_b64u(text))
