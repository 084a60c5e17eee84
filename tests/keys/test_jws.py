"""Signed objects: what verifies, and everything that must not."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import jws
from keys.digests import b64u, from_b64u
from keys.errors import KeysError
from keys.jws import SigningKey, VerifyingKey
from schemas import directory
from tests.keys.support import OPENING, SIGNING

OTHER = SigningKey.from_seed(b"\x07" * 32)
RIGHT = {"alg": "Ed25519", "kid": SIGNING.kid, "typ": jws.ENVELOPE}
# The eight points of small order, and two spellings that are not canonical (RFC 8032, 5.1.3).
WEAK = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]


def forge(header: Any, payload: bytes = b"{}", key: SigningKey = SIGNING) -> bytes:
    """Return a JWS with any header at all, rightly signed."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    signing_input = f"{b64u(raw)}.{b64u(payload)}".encode()
    return signing_input + b"." + b64u(key.sign_raw(signing_input)).encode()


def code_of(compact: bytes, typ: str = jws.ENVELOPE) -> str:
    """Return the code with which *compact* is refused."""
    with pytest.raises(KeysError) as caught:
        jws.verify(compact, SIGNING.public, typ)
    return caught.value.code


@settings(deadline=None)
@given(st.binary(max_size=3000), st.sampled_from(sorted(jws.TYPES)))
def test_what_was_signed_verifies_to_the_same_bytes(payload: bytes, typ: str) -> None:
    """A payload comes back byte for byte, for its own purpose only."""
    compact = SIGNING.sign(payload, typ)
    assert jws.verify(compact, SIGNING.public, typ) == payload
    assert json.loads(from_b64u(compact.split(b".")[0])) == {"alg": "Ed25519", "kid": SIGNING.kid, "typ": typ}
    assert jws.purpose(compact) == typ
    for other in jws.TYPES - {typ}:
        assert code_of(compact, other) == "jws-header"


@pytest.mark.parametrize("header", ["", "AAA", "!", b64u(b"7"), b64u(b"[]"), b64u(b"{}"), b64u(b'{"typ":"JWT"}')])
def test_what_is_no_signed_object_of_ours_has_no_purpose(header: str) -> None:
    """Whatever stands where the header should, the question is answered and nothing breaks."""
    assert jws.purpose(f"{header}.e30.AA".encode()) is None


@settings(deadline=None)
@given(st.data())
def test_a_change_of_any_character_is_refused(data: st.DataObject) -> None:
    """No other text than the one that was signed verifies."""
    compact = SIGNING.sign(b'{"v":1}', jws.ENVELOPE)
    at = data.draw(st.integers(0, len(compact) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != compact[at]))
    assert code_of(compact[:at] + bytes([byte]) + compact[at + 1 :]).startswith("jws-")


@pytest.mark.parametrize(
    "header",
    [
        {**RIGHT, "alg": "none"},
        {**RIGHT, "alg": "EdDSA"},
        {**RIGHT, "alg": "HS256"},
        {**RIGHT, "alg": "ed25519"},
        {**RIGHT, "alg": ["Ed25519"]},
        {**RIGHT, "crit": ["b64"], "b64": False},
        {**RIGHT, "jwk": SIGNING.public.jwk},
        {**RIGHT, "typ": "hub-unknown+jws"},
        {**RIGHT, "typ": "HUB-ENVELOPE+JWS"},
        {**RIGHT, "kid": 5},
        {**RIGHT, "kid": "short"},
        {"alg": "Ed25519", "typ": jws.ENVELOPE},
        {},
        [],
        [["alg", "Ed25519"], ["kid", SIGNING.kid], ["typ", jws.ENVELOPE]],
        "text",
        7,
        None,
        b"{",
        b"\xff",
        json.dumps(RIGHT).encode() + b" {}",
        json.dumps(RIGHT).encode().replace(b"{", b'{"alg":"Ed25519",', 1),
        json.dumps(RIGHT).encode().replace(b'"kid"', b'"alg"'),
        b"[" * 300,
    ],
    ids=repr,
)
def test_any_other_header_is_refused(header: Any) -> None:
    """A header is exactly alg Ed25519, kid and typ; nothing more, nothing twice, nothing else."""
    assert code_of(forge(header)) == "jws-header"


def test_an_array_of_pairs_is_not_an_object() -> None:
    """A header of the right names in the wrong kind of JSON is refused with ``jws-header``, not by accident."""
    assert code_of(forge([[name, value] for name, value in RIGHT.items()])) == "jws-header"


@pytest.mark.parametrize(
    "compact",
    [
        b"",
        b"..",
        b"a.b",
        forge(RIGHT) + b".",
        forge(RIGHT) + b"\n",
        b" " + forge(RIGHT),
        forge(RIGHT)[:-1],
        forge(RIGHT).replace(b".", b".=", 1),
        forge(b"x" * 400),
        forge({**RIGHT, "kid": "!" * 43}),
        forge(RIGHT)[:-2] + b"zz",
    ],
    ids=repr,
)
def test_what_is_not_a_compact_jws_is_refused(compact: bytes) -> None:
    """Three parts of canonical base64url, or nothing."""
    assert code_of(compact) == "jws-syntax"


def test_another_signer_is_refused() -> None:
    """A rightly made JWS of another key, or one that only claims this key, does not verify."""
    assert code_of(OTHER.sign(b"{}", jws.ENVELOPE)) == "jws-signature"
    assert code_of(forge(RIGHT, key=OTHER)) == "jws-signature"


def test_a_signature_is_not_malleable() -> None:
    """Adding the group's order to S gives a second signature that lax verifiers take; we don't."""
    order = 2**252 + 27742317777372353535851937790883648493
    head, _, tail = SIGNING.sign(b"{}", jws.ENVELOPE).rpartition(b".")
    signature = from_b64u(tail)
    larger = (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert code_of(head + b"." + b64u(signature[:32] + larger).encode()) == "jws-signature"


@pytest.mark.parametrize("point", WEAK)
def test_weak_keys_are_refused(point: str) -> None:
    """A key under which one signature fits every message is refused before it can verify anything."""
    with pytest.raises(KeysError) as caught:
        VerifyingKey.from_jwk({"kty": "OKP", "crv": "Ed25519", "x": b64u(bytes.fromhex(point))})
    assert caught.value.code == "key-weak"


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "OKP", "crv": "Ed25519"},
        {"kty": "OKP", "crv": "Ed25519", "x": 5},
        {"kty": "OKP", "crv": "Ed448", "x": SIGNING.public.jwk["x"]},
        {"kty": "OKP", "crv": "X25519", "x": SIGNING.public.jwk["x"]},
        {**SIGNING.public.jwk, "d": SIGNING.public.jwk["x"]},
        {**SIGNING.public.jwk, "x": b64u(bytes(31))},
        OPENING.public.jwk,
    ],
    ids=repr,
)
def test_only_an_ed25519_public_key_verifies(jwk: dict[str, Any]) -> None:
    """Other kinds of key, private members and other lengths are refused."""
    with pytest.raises(KeysError) as caught:
        VerifyingKey.from_jwk(jwk)
    assert caught.value.code == "key-kind"


def test_a_key_from_its_jwk_is_the_same_key() -> None:
    """Public keys compare by value, whatever absent members a mapping spells as ``None``."""
    again = VerifyingKey.from_jwk({**SIGNING.public.jwk, "alg": None})
    assert again == SIGNING.public
    assert hash(again) == hash(SIGNING.public)
    assert again != OTHER.public
    assert again != "key"
    assert SigningKey.generate().kid != SigningKey.generate().kid


def test_keys_never_show_their_secret() -> None:
    """The text form of a key is its public name; its seed makes the same key again."""
    assert repr(SIGNING) == f"SigningKey({SIGNING.kid})"
    assert repr(SIGNING.public) == f"VerifyingKey({SIGNING.kid})"
    assert SigningKey.from_seed(SIGNING.seed()).kid == SIGNING.kid
    with pytest.raises(KeysError, match="32 bytes"):
        SigningKey.from_seed(b"short")


def test_thumbprints_follow_the_example_of_rfc_8037() -> None:
    """The key of RFC 8037, A.3 has the thumbprint that is printed there."""
    key = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert jws.thumbprint(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize(
    "jwk", [{}, {"kty": "EC"}, {"kty": "OKP", "crv": "Ed25519"}, {"kty": "AKP", "alg": 5, "pub": "x"}]
)
def test_a_thumbprint_needs_its_members(jwk: dict[str, Any]) -> None:
    """What is neither a whole OKP nor a whole AKP key has no name."""
    with pytest.raises(KeysError) as caught:
        jws.thumbprint(jwk)
    assert caught.value.code == "key-kind"


def test_a_thumbprint_covers_what_the_schemas_say() -> None:
    """Both packages agree on the members that name a key."""
    for key in (SIGNING.public.jwk, OPENING.public.jwk):
        members = directory.describe_kid(msgspec.convert(key, directory.Jwk))
        assert jws.thumbprint({**members}) == jws.thumbprint(key)


def test_a_key_elsewhere_signs_the_same_bytes() -> None:
    """A device is asked for 64 bytes; what it gives is checked before anybody is given it."""
    assert jws.sign_with(SIGNING.public, SIGNING.sign_raw, b"payload", jws.DIRECTORY) == SIGNING.sign(
        b"payload", jws.DIRECTORY
    )
    with pytest.raises(KeysError) as caught:
        jws.sign_with(SIGNING.public, lambda _: bytes(64), b"payload", jws.DIRECTORY)
    assert caught.value.code == "jws-signature"


def test_possession_is_proved_by_the_key_itself() -> None:
    """A proof is good for one agency, sequence number and key."""
    statement = jws.proof_statement("northmere-health", 3, SIGNING.kid)
    assert statement == b"hub-key-proof/1\nnorthmere-health\n3\n" + SIGNING.kid.encode()
    proof = jws.prove(SIGNING, statement)
    jws.check_proof(SIGNING.public, statement, proof)
    for key, said, shown in [
        (OTHER.public, statement, proof),
        (SIGNING.public, jws.proof_statement("northmere-health", 4, SIGNING.kid), proof),
        (SIGNING.public, statement, proof[:-1]),
        (SIGNING.public, statement, b64u(b"short")),
        (SIGNING.public, b"else", proof),
    ]:
        with pytest.raises(KeysError) as caught:
            jws.check_proof(key, said, shown)
        assert caught.value.code == "key-proof"


def test_a_proof_can_not_be_made_to_sign_something_else() -> None:
    """Nothing but a proof statement is signed as one: a JWS or a checkpoint can't be slipped in."""
    with pytest.raises(KeysError) as caught:
        jws.prove(SIGNING, b"hub.example.org/log\n5\n")
    assert caught.value.code == "key-proof"
