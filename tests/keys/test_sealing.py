"""Sealing: who can open what, and what every alteration meets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import chunked, sealing
from keys.digests import b64u, from_b64u
from keys.errors import KeysError
from keys.sealing import OpeningKey, SealingKey
from tests.keys.support import ENVELOPE_ID, MAILBOX, OPENING, SENDER, SIGNING

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
MANIFEST = b"header.payload.signature"
BOUND: dict[str, str] = {"envelope_id": ENVELOPE_ID, "sender": SENDER, "mailbox": MAILBOX}
OTHER_ID = "AZ85XmAAcACBAgMEBQYHCQ"
CHUNK = chunked.CHUNK + chunked.TAG
CONTEXT = b"hub-envelope/1\x00" + ENVELOPE_ID.encode()


def code_of(body: bytes, key: bytes = KEY, envelope_id: str = ENVELOPE_ID) -> str:
    """Return the code with which a body is refused, whole and as a stream alike."""
    with pytest.raises(KeysError) as caught:
        sealing.open_sealed(body, key, envelope_id)
    if caught.value.code != "seal-layout":
        with pytest.raises(KeysError) as streamed:
            list(chunked.decrypt_stream([body], key, b"hub-envelope/1\x00" + envelope_id.encode()))
        # A stream meets the altered chunk before it can see where the body ends.
        assert streamed.value.code in {caught.value.code, "seal-chunk"}
    return caught.value.code


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 40_000), max_size=5))
def test_what_was_sealed_opens_to_the_same_documents(sizes: list[int]) -> None:
    """Manifest and documents come back byte for byte, and the size tells only the padded length."""
    documents = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    body = sealing.seal(MANIFEST, documents, KEY, ENVELOPE_ID)
    manifest, rest = sealing.open_sealed(body, KEY, ENVELOPE_ID)
    assert manifest == MANIFEST
    assert sealing.split_documents(rest, sizes) == documents
    assert len(body) == chunked.sealed_length(sealing.padded_length(4 + len(MANIFEST) + sum(sizes)))


def test_two_seals_of_one_text_differ() -> None:
    """Each seal draws its own salt."""
    assert sealing.seal(MANIFEST, [], KEY, ENVELOPE_ID) != sealing.seal(MANIFEST, [], KEY, ENVELOPE_ID)
    assert len(sealing.new_content_key()) == 32


@pytest.mark.parametrize("size", [0, 1, 16_383, 16_384, 16_385, 32_768, 100_000])
def test_streams_and_wholes_are_the_same_bytes(size: int) -> None:
    """However the parts are cut, a stream gives what the whole gives."""
    data, salt = bytes(i % 253 for i in range(size)), bytes(24)
    sealed = chunked.encrypt(data, KEY, b"context", salt=salt)
    for step in (7_000, 16_384, 1_000_000):
        parts = [memoryview(data)[at : at + step] for at in range(0, size, step)]
        assert b"".join(chunked.encrypt_stream(parts, KEY, b"context", salt=salt)) == sealed
        cut = [sealed[at : at + step] for at in range(0, len(sealed), step)]
        assert b"".join(chunked.decrypt_stream(cut, KEY, b"context")) == data
    assert b"".join(chunked.decrypt_stream(chunked.encrypt_stream([data], KEY, b"c"), KEY, b"c")) == data


def test_every_truncation_at_a_boundary_is_noticed() -> None:
    """A body cut at a chunk, inside a chunk, or before its first is never a shorter body."""
    body = sealing.seal(MANIFEST, [bytes(60_000)], KEY, ENVELOPE_ID)
    whole = (len(body) - 56) // CHUNK
    for chunks in range(1, whole + 1):
        assert code_of(body[: 56 + chunks * CHUNK]) == "seal-truncated"
        assert code_of(body[: 56 + chunks * CHUNK + 15]) == ("seal-truncated")
        assert code_of(body[: 56 + chunks * CHUNK - 1]) == "seal-chunk"
    for size in (0, 23, 24, 55, 56, 71):
        assert code_of(body[:size]) == "seal-truncated"


def test_chunks_can_not_be_moved_repeated_dropped_or_added() -> None:
    """Chunks stand where they were sealed, and none comes after the last."""
    body = sealing.seal(MANIFEST, [bytes(range(256)) * 200], KEY, ENVELOPE_ID)
    head, chunks = body[:56], [body[at : at + CHUNK] for at in range(56, len(body), CHUNK)]
    assert len(chunks) >= 4
    swapped = [chunks[1], chunks[0], *chunks[2:]]
    for order in (swapped, [chunks[0], *chunks], chunks[1:], [*chunks[:1], *chunks[2:]]):
        assert code_of(head + b"".join(order)) == "seal-chunk"
    assert code_of(body + b"\x00") == "seal-chunk"
    assert code_of(body + bytes(CHUNK - len(chunks[-1]))) in {"seal-chunk", "seal-truncated"}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 8 * (56 + 4096 + 16) - 1))
def test_a_flip_of_any_bit_is_noticed(bit: int) -> None:
    """One bit of salt or commitment fails the commitment; one of a chunk fails the chunk."""
    body = bytearray(sealing.seal(MANIFEST, [b"text"], KEY, ENVELOPE_ID, salt=bytes(24)))
    body[bit // 8] ^= 1 << bit % 8
    assert code_of(bytes(body)) == ("seal-commitment" if bit < 8 * 56 else "seal-chunk")


def test_a_body_is_tied_to_one_key_and_one_envelope() -> None:
    """Another key or envelope id fails at the commitment, before any chunk is tried."""
    body = sealing.seal(MANIFEST, [], KEY, ENVELOPE_ID)
    assert code_of(body, OTHER_KEY) == "seal-commitment"
    assert code_of(body, envelope_id=OTHER_ID) == "seal-commitment"


def test_a_key_and_a_salt_have_their_lengths() -> None:
    """A short content key is refused rather than stretched."""
    with pytest.raises(KeysError) as caught:
        sealing.seal(MANIFEST, [], b"short", ENVELOPE_ID)
    assert caught.value.code == "seal-key"
    with pytest.raises(KeysError):
        sealing.seal(MANIFEST, [], KEY, ENVELOPE_ID, salt=b"short")


@pytest.mark.parametrize(
    "plaintext", [b"", b"\x00\x00", bytes(4096), b"\x00\x00\x10\x00" + bytes(4092), b"\xff" * 4096]
)
def test_a_body_without_a_manifest_is_refused(plaintext: bytes) -> None:
    """No manifest, or one longer than the body, is refused."""
    assert code_of(chunked.encrypt(plaintext, KEY, CONTEXT)) == "seal-layout"


def layout(manifest: bytes, documents: bytes, total: int, *, fill: bytes = b"\x00") -> sealing.Rest:
    """Return what opening a body of any layout gives."""
    plaintext = len(manifest).to_bytes(4, "big") + manifest + documents
    plaintext += fill * (total - len(plaintext))
    return sealing.open_sealed(chunked.encrypt(plaintext, KEY, CONTEXT), KEY, ENVELOPE_ID)[1]


@pytest.mark.parametrize(
    ("rest", "lengths"),
    [
        (layout(b"m", b"abc", 4096), [4]),
        (layout(b"m", b"abc", 4096), [2]),
        (layout(b"m", b"abc", 4096), [5000]),
        (layout(b"m", b"abc", 4096), [-1, 4]),
        (layout(b"m", b"abc", 4095), [3]),
        (layout(b"m", b"abc", 4352), [3]),
        (layout(b"m", b"abc", 4096, fill=b"\x01"), [3]),
        (layout(b"m", b"a" * 5000, 5005), [5000]),
    ],
)
def test_padding_hides_nothing(rest: sealing.Rest, lengths: list[int]) -> None:
    """What follows the documents is zeros to exactly the padded length, so that nothing travels unseen."""
    if lengths == [4]:
        # One zero of the padding claimed as a document: its digest will not fit, but its length does.
        assert sealing.split_documents(rest, lengths) == [b"abc\x00"]
        return
    with pytest.raises(KeysError) as caught:
        sealing.split_documents(rest, lengths)
    assert caught.value.code == "seal-padding"


@settings(deadline=None)
@given(st.integers(0, 2**26))
def test_padding_costs_at_most_an_eighth_and_tells_little(length: int) -> None:
    """Padmé: at least 4 KiB, never less than the length, at most 12% more, and stable when applied again."""
    padded = sealing.padded_length(length)
    assert padded >= max(length, 4096)
    assert padded <= max(4096, length * 1.12)
    assert sealing.padded_length(padded) == padded


def test_a_wrap_opens_for_its_recipient() -> None:
    """The recipient gets the content key; sizes are the protocol's."""
    ek, wk = sealing.wrap(KEY, OPENING.public, **BOUND)
    assert (len(from_b64u(ek)), len(from_b64u(wk))) == (1120, 48)
    assert sealing.unwrap(ek, wk, OPENING, **BOUND) == KEY


@pytest.mark.parametrize("member", ["envelope_id", "sender", "mailbox"])
def test_a_wrap_is_bound_to_its_envelope(member: str) -> None:
    """A wrap moved to another envelope, sender or mailbox doesn't open."""
    ek, wk = sealing.wrap(KEY, OPENING.public, **BOUND)
    with pytest.raises(KeysError) as caught:
        sealing.unwrap(ek, wk, OPENING, **{**BOUND, member: "x"})
    assert caught.value.code == "wrap-open"


def test_a_wrap_can_not_be_spliced() -> None:
    """The halves of two wraps, another key's wrap, and altered or cut ones don't open."""
    one, two = (sealing.wrap(KEY, OPENING.public, **BOUND) for _ in range(2))
    stranger = sealing.wrap(KEY, OpeningKey.from_seed(bytes(32)).public, **BOUND)
    raw = bytearray(from_b64u(one[0]))
    raw[-1] ^= 1
    for ek, wk in [
        (one[0], two[1]),
        stranger,
        (b64u(bytes(raw)), one[1]),
        (b64u(bytes(1120)), one[1]),
        (b64u(bytes(raw[:-1])), one[1]),
        (one[0], one[1][:-4]),
        (one[0], b64u(bytes(48))),
    ]:
        with pytest.raises(KeysError) as caught:
            sealing.unwrap(ek, wk, OPENING, **BOUND)
        assert caught.value.code == "wrap-open"


def test_info_is_the_protocols_text() -> None:
    """The bytes that bind a wrap are spelled as in protocol 3."""
    info = sealing.wrap_info(envelope_id="I", sender="a/b", mailbox="c/d", kid="K")
    assert info == b"JOSE-HPKE rcpt\xffC2SP-CE1-A256GCM\xffhub-envelope/1\x00I\x00a/b\x00c/d\x00K"


@pytest.mark.parametrize(
    ("jwk", "code"),
    [
        ({}, "key-kind"),
        (SIGNING.public.jwk, "key-kind"),
        ({"kty": "OKP", "crv": "X25519", "x": b64u(bytes(32))}, "key-kind"),
        ({"kty": "AKP", "alg": "ML-KEM-768", "pub": b64u(OPENING.public.raw[:1184])}, "key-kind"),
        ({"kty": "AKP", "alg": "MLKEM768-X25519", "pub": b64u(OPENING.public.raw[:-1])}, "key-kind"),
        ({"kty": "AKP", "alg": "MLKEM768-X25519", "pub": b64u(OPENING.public.raw + b"\x00")}, "key-kind"),
        ({"kty": "AKP", "alg": "MLKEM768-X25519"}, "key-kind"),
        ({**OPENING.public.jwk, "priv": "AA"}, "key-kind"),
        ({**OPENING.public.jwk, "pub": b64u(OPENING.public.raw[:1184] + bytes(32))}, "key-weak"),
        ({**OPENING.public.jwk, "pub": b64u(OPENING.public.raw[:1184] + b"\xff" * 32)}, "key-weak"),
        ({**OPENING.public.jwk, "pub": b64u(b"\xff" * 1184 + OPENING.public.raw[1184:])}, "key-weak"),
        ({**OPENING.public.jwk, "pub": OPENING.public.jwk["pub"] + "="}, "b64u"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_only_hybrid_keys_are_sealed_to(jwk: dict[str, Any], code: str) -> None:
    """A key that is not ML-KEM-768 with X25519, or that keeps no secret, can't be a recipient's."""
    with pytest.raises(KeysError) as caught:
        SealingKey.from_jwk(jwk)
    assert caught.value.code == code


def test_keys_never_show_their_secret() -> None:
    """The text form of a key is its public name; its seed makes the same key again."""
    assert repr(OPENING) == f"OpeningKey({OPENING.kid})"
    assert repr(OPENING.public) == f"SealingKey({OPENING.kid})"
    assert OpeningKey.from_seed(OPENING.seed()).kid == OPENING.kid == SealingKey.from_jwk(OPENING.public.jwk).kid
    assert OpeningKey.generate().kid != OPENING.kid
    with pytest.raises(KeysError, match="32 bytes"):
        OpeningKey.from_seed(b"short")
