"""What two shares open together, what one says alone, and what nobody gets by writing files."""

from __future__ import annotations

import pytest

from keys import recovery
from keys.digests import b64u, sha256
from keys.errors import KeysError
from keys.keyring import DAY, Keyring
from keys.sealing import OpeningKey
from tests.keys.support import MAILBOX, NOW, OPENING

AGENCY = "northmere-health"
# Magic, public key, voucher, seal, encapsulation, wrap: where each part of a copy begins.
STARTS = (0, 15, 1231, 1263, 1295, 2415, 2463)


def refused(function: object, *arguments: object) -> tuple[str, str]:
    """Return code and sentence with which a call is refused."""
    with pytest.raises(KeysError) as caught:
        function(*arguments)  # type: ignore[operator]
    return caught.value.code, caught.value.message


def forge(share: str, /, **changes: str) -> str:
    """Return *share* with other lines, and the check that fits them: what a slip of the pen can't make."""
    rows = dict(line.partition(" ")[::2] for line in share.splitlines()) | changes
    said = [rows[name].replace(" ", "") for name in ("agency", "key", "share", "secret")]
    rows["check"] = sha256("\n".join((recovery.SHARE, *said)).encode())[:4].hex()
    return "\n".join(f"{name} {text}" for name, text in rows.items())


def test_two_shares_make_the_key_again() -> None:
    """In either order, typed in capitals, with other spaces and empty lines."""
    first, second = recovery.make_shares(OPENING, AGENCY)
    assert recovery.join_shares(first, second).seed() == OPENING.seed()
    assert recovery.join_shares(second, first).kid == OPENING.kid
    typed = first.upper().replace(" ", "   ").replace("\n", "\r\n\r\n")
    assert recovery.join_shares(typed, second).kid == OPENING.kid


def test_a_share_alone_says_nothing_of_the_key() -> None:
    """Neither holds any of the seed; each time they are others, so that one share fits any key."""
    pairs = [recovery.make_shares(OPENING, AGENCY) for _ in range(2)]
    texts = [share.replace(" ", "") for pair in pairs for share in pair]
    assert len(set(texts)) == 4
    assert all(OPENING.seed().hex()[at : at + 8] not in text for text in texts for at in range(0, 64, 8))
    assert all(f"agency{AGENCY}\n" in text and recovery.recovery_id(OPENING.public) in text for text in texts)


def test_a_mistyped_share_is_named() -> None:
    """Each single character that is wrong is found, and which share it is in is said."""
    first, second = recovery.make_shares(OPENING, AGENCY)
    for at, character in enumerate(second):
        if character.isalnum():
            typed = second[:at] + ("1" if character != "1" else "2") + second[at + 1 :]
            code, says = refused(recovery.join_shares, first, typed)
            assert (code, "the second share" in says) == ("recovery-share", True)
    assert (
        "the first share is mistyped" in refused(recovery.join_shares, first.replace("share 1", "share 3"), second)[1]
    )


@pytest.mark.parametrize("text", ["", "hub-recovery-share/1\n", "junk\nagency a", "\n".join(["secret 00"] * 6)])
def test_what_is_no_share_is_refused(text: str) -> None:
    """An empty file, half a share and something else are told from a slip."""
    first, second = recovery.make_shares(OPENING, AGENCY)
    assert refused(recovery.join_shares, text, second) == ("recovery-share", "the first share is not a recovery share")
    cut = "\n".join(first.splitlines()[:-1])
    assert refused(recovery.join_shares, cut, second)[1] == "the first share is not a recovery share"


def test_a_secret_that_is_no_secret_is_refused() -> None:
    """Also where somebody has made the check fit."""
    first, second = recovery.make_shares(OPENING, AGENCY)
    assert recovery.join_shares(forge(first), second).kid == OPENING.kid
    for secret in ("00", "g" * 64, ""):
        assert refused(recovery.join_shares, forge(first, secret=secret), second)[0] == "recovery-share"


def test_shares_that_do_not_belong_together_are_refused() -> None:
    """The same twice, of two keys, and of two makings of one key."""
    first, second = recovery.make_shares(OPENING, AGENCY)
    _, strange = recovery.make_shares(OpeningKey.generate(), AGENCY)
    _, again = recovery.make_shares(OPENING, AGENCY)
    for pair, says in (
        ((first, first), "the same share was given twice"),
        ((first, strange), "the two shares are of two recovery keys"),
        ((first, again), "the two shares don't make the key that they name"),
        ((first, forge(first, share="2")), "the two shares don't make the key that they name"),
    ):
        assert refused(recovery.join_shares, *pair) == ("recovery-pair", says)
    assert recovery.join_shares(first, second).kid == OPENING.kid


def test_a_copy_gives_the_whole_key_ring() -> None:
    """Every key comes back; nothing of them stands in the copy in clear."""
    keyring = Keyring.create(AGENCY, NOW)
    keyring.add_opening_key(MAILBOX, NOW)
    data = recovery.seal_copy(keyring, OPENING.public)
    again = recovery.open_copy(data, OPENING)
    assert (list(again.kids()), again.record_key) == (list(keyring.kids()), keyring.record_key)
    assert recovery.is_current(data, keyring)
    for secret in (keyring.signing.seed(), keyring.record_key, AGENCY.encode()):
        assert secret not in data
        assert b64u(secret).encode() not in data


def test_a_copy_is_renewed_without_a_share() -> None:
    """New keys are in it, destroyed ones are not, and the old copy is known to be old."""
    keyring = Keyring.create(AGENCY, NOW)
    old = recovery.seal_copy(keyring, OPENING.public)
    (gone,) = keyring.opening_keys
    (made,) = keyring.rotate(NOW + 30 * DAY)
    assert not recovery.is_current(old, keyring)
    keyring.destroy(NOW + 44 * DAY)
    fresh = recovery.renew_copy(old, keyring)
    assert recovery.is_current(fresh, keyring)
    held = set(recovery.open_copy(fresh, OPENING).opening_keys)
    assert (held, gone in held) == ({made.key.kid}, False)


def test_nothing_is_sealed_to_a_key_that_the_ring_has_not_vouched_for() -> None:
    """Who can write files, and no more, plants a copy of their own in vain."""
    keyring, thief = Keyring.create(AGENCY, NOW), OpeningKey.generate()
    planted = recovery.seal_copy(Keyring.create(AGENCY, NOW), thief.public)
    code, says = refused(recovery.renew_copy, planted, keyring)
    assert (code, "not vouched for" in says) == ("recovery-copy", True)
    ours = recovery.seal_copy(keyring, OPENING.public)
    swapped = ours[: STARTS[1]] + thief.public.raw + ours[STARTS[2] :]
    assert refused(recovery.renew_copy, swapped, keyring)[0] == "recovery-copy"
    assert not recovery.is_current(planted, keyring)
    assert not recovery.is_current(swapped, keyring)


def test_another_recovery_key_does_not_open_it() -> None:
    """That the shares are of another key is said, not that something is damaged."""
    data = recovery.seal_copy(Keyring.create(AGENCY, NOW), OPENING.public)
    assert refused(recovery.open_copy, data, OpeningKey.generate()) == (
        "recovery-pair",
        "the two shares are of another recovery key than the copy",
    )


@pytest.mark.parametrize("at", [*STARTS, -1])
def test_an_altered_copy_is_refused(at: int) -> None:
    """One byte in any part, or an end that is cut off, is found with shares and without."""
    keyring = Keyring.create(AGENCY, NOW)
    data = bytearray(recovery.seal_copy(keyring, OPENING.public))
    data[at] ^= 1
    code, _ = refused(recovery.open_copy, bytes(data), OPENING)
    # With another public key in it, it is another key's copy.
    assert code == ("recovery-pair" if at == STARTS[1] else "recovery-copy")
    assert not recovery.is_current(bytes(data), keyring)
    assert refused(recovery.open_copy, bytes(data[: STARTS[-1]]), OPENING)[0] == "recovery-copy"


def test_parts_of_two_copies_do_not_go_together() -> None:
    """Each whole, but not of one making: the ciphertext of before under the seal of now is noticed."""
    keyring = Keyring.create(AGENCY, NOW)
    one, other = (recovery.seal_copy(keyring, OPENING.public) for _ in range(2))
    mixed = one[: STARTS[4]] + other[STARTS[4] :]
    assert refused(recovery.open_copy, mixed, OPENING) == ("recovery-copy", "the recovery copy was altered")
