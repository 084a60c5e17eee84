"""Keys at rest: what is kept, for how long, and what a thief of the file gets."""

from __future__ import annotations

import json

import pytest

from keys import passwords, sealing, vault
from keys.digests import b64u
from keys.errors import KeysError
from keys.keyring import DAY, HubKeyring, Keyring, OfficerKey, decrypt_seed, encrypt_seed
from keys.token_key import TokenKey
from tests.keys.support import ENVELOPE_ID, MAILBOX, NOW, SENDER, SIGNING

KEK = bytes(range(32))


def code_of(function: object, *arguments: object) -> str:
    """Return the code with which a call is refused."""
    with pytest.raises(KeysError) as caught:
        function(*arguments)  # type: ignore[operator]
    return caught.value.code


def test_an_agencys_keyring_comes_back_whole() -> None:
    """Every key, its mailbox and its dates survive encryption; nothing of them is in the file in clear."""
    keyring = Keyring.create("northmere-health", NOW)
    keyring.add_opening_key(MAILBOX, NOW + 1)
    data = keyring.encrypt(KEK)
    again = Keyring.decrypt(data, KEK)
    assert list(again.kids()) == list(keyring.kids())
    assert (again.agency, again.record_key) == ("northmere-health", keyring.record_key)
    assert [held[1:] for held in again.opening_keys.values()] == [held[1:] for held in keyring.opening_keys.values()]
    for secret in (keyring.signing.seed(), keyring.record_key):
        assert secret not in data
        assert b64u(secret).encode() not in data
    assert b"northmere" not in data


def test_a_gateway_can_do_without_the_identity_key() -> None:
    """The identity key may be kept elsewhere; the rest works the same, and changes apart."""
    keyring = Keyring.create("northmere-health", NOW)
    assert keyring.identity is not None
    daily = Keyring.decrypt(keyring.without_identity().encrypt(KEK), KEK)
    assert daily.identity is None
    assert list(daily.kids()) == list(keyring.kids())[1:]
    assert keyring.identity.kid not in set(daily.kids())
    apart = keyring.without_identity()
    apart.add_opening_key(None, NOW)
    assert len(keyring.opening_keys) == 1


def test_an_identity_key_is_replaced_in_step() -> None:
    """Made, kept beside the old one for as long as the officers need, then used; the old one stays known as one's own."""
    keyring = Keyring.create("northmere-health", NOW)
    keyring.adopt_identity()
    old = keyring.identity
    assert old is not None
    fresh = keyring.prepare_identity()
    assert keyring.prepare_identity() is fresh
    again = Keyring.decrypt(keyring.encrypt(KEK), KEK)
    assert {old.kid, fresh.kid} <= set(again.kids())
    assert again.identity is not None
    assert again.identity.kid == old.kid
    again.adopt_identity()
    assert again.identity.kid == fresh.kid
    assert old.kid in set(Keyring.decrypt(again.encrypt(KEK), KEK).kids())
    lost = Keyring.decrypt(keyring.without_identity().encrypt(KEK), KEK)
    lost.adopt_identity()
    assert lost.identity is not None
    assert (lost.identity.kid, lost.former) == (fresh.kid, ())


def test_sealing_keys_rotate_after_30_days_and_end_after_44() -> None:
    """Each mailbox's newest key is replaced at 30 days; an old one opens until day 44, and then is gone."""
    keyring = Keyring.create("northmere-health", NOW)
    (first,) = keyring.opening_keys.values()
    keyring.add_opening_key(MAILBOX, NOW + 10 * DAY)
    assert keyring.rotate(NOW + 30 * DAY - 1) == ()
    (made,) = keyring.rotate(NOW + 30 * DAY)
    assert (made.mailbox, made.created, made.retires) == (None, NOW + 30 * DAY, NOW + 60 * DAY)
    assert keyring.rotate(NOW + 30 * DAY) == ()
    assert {held.mailbox for held in keyring.rotate(NOW + 40 * DAY)} == {MAILBOX}
    ek, wk = sealing.wrap(KEK, first.key.public, envelope_id=ENVELOPE_ID, sender=SENDER, mailbox=MAILBOX)
    assert keyring.destroy(NOW + 44 * DAY - 1) == ()
    opener = keyring.find_opening(first.key.kid)
    assert opener is not None
    assert sealing.unwrap(ek, wk, opener, envelope_id=ENVELOPE_ID, sender=SENDER, mailbox=MAILBOX) == KEK
    assert keyring.destroy(NOW + 44 * DAY) == (first.key.kid,)
    assert keyring.find_opening(first.key.kid) is None
    assert first.key.kid not in Keyring.decrypt(keyring.encrypt(KEK), KEK).opening_keys


def test_a_signing_key_can_be_replaced() -> None:
    """After a compromise the new key signs, and the old one is no longer the agency's."""
    keyring = Keyring.create("northmere-health", NOW)
    old = keyring.signing.kid
    assert keyring.replace_signing().kid == keyring.signing.kid
    assert old not in set(keyring.kids())


def test_the_hubs_keyring_comes_back_whole() -> None:
    """The hub's four keys survive encryption; its two checkpoint signers have one name and two kinds."""
    hub = HubKeyring.create(NOW)
    again = HubKeyring.decrypt(hub.encrypt(KEK), KEK)
    assert (again.signing.kid, again.created) == (hub.signing.kid, NOW)
    assert again.token_key.scalar() == hub.token_key.scalar()
    ours, theirs = hub.note_signers("hub.example.org/log"), again.note_signers("hub.example.org/log")
    assert [signer.verifier_key for signer in ours] == [signer.verifier_key for signer in theirs]


def test_a_file_of_another_kind_or_key_does_not_open() -> None:
    """A wrong key, an altered byte, another kind of file and another version are told apart and refused."""
    data = Keyring.create("northmere-health", NOW).encrypt(KEK)
    assert code_of(Keyring.decrypt, data, bytes(32)) == "vault-open"
    for at in (len(data) - 1, len(b"hub-vault/1\nkeyring\n") + 3):
        altered = bytearray(data)
        altered[at] ^= 1
        assert code_of(Keyring.decrypt, bytes(altered), KEK) == "vault-open"
    assert code_of(HubKeyring.decrypt, data, KEK) == "vault-kind"
    assert code_of(Keyring.decrypt, data[:40], KEK) == "vault-kind"
    later = vault.lock("keyring", json.dumps({"v": 2}).encode(), KEK)
    assert code_of(Keyring.decrypt, later, KEK) == "vault-version"


def test_an_officers_key_is_kept_as_a_seed() -> None:
    """An officer's key is an ordinary signing key in a file of its own."""
    data = encrypt_seed(SIGNING.seed(), KEK)
    assert OfficerKey.from_seed(decrypt_seed(data, KEK)).kid == SIGNING.kid
    assert code_of(decrypt_seed, data, bytes(32)) == "vault-open"


def test_a_passphrase_opens_what_it_locked() -> None:
    """The salt stands in the file, so the passphrase alone is enough; another passphrase is not."""
    data = vault.lock_with("seed", b"secret", "correct horse")
    assert vault.unlock_with("seed", data, "correct horse") == b"secret"
    salt = vault.read_salt("seed", data)
    assert len(salt) == vault.SALT
    assert vault.unlock("seed", data, vault.kek_from_passphrase("correct horse", salt)) == b"secret"
    assert code_of(vault.unlock_with, "seed", data, "") == "vault-open"
    assert vault.read_salt("seed", vault.lock("seed", b"", vault.new_kek())) == vault.NO_SALT


def test_token_keys_never_show_their_secret() -> None:
    """The text form shows nothing; the scalar makes the same key again; zero is no scalar."""
    key = TokenKey.generate()
    assert repr(key) == "TokenKey()"
    assert TokenKey.from_scalar(key.scalar()).scalar() == key.scalar()
    assert code_of(TokenKey.from_scalar, bytes(32)) == "key-kind"


def test_passwords_are_kept_as_argon2id() -> None:
    """The stored form says its parameters; only the same password fits."""
    stored = passwords.hash_password("correct horse")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert passwords.is_password("correct horse", stored)
    assert not passwords.is_password("Correct horse", stored)
