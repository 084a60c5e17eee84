"""Id tokens: the issuer's one algorithm, a key that it publishes, this client and this sign-in; nothing else passes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwk, jws

from keys.digests import b64u, from_b64u
from keys.errors import KeysError
from keys.tokens import IdAlgorithm, verify_id_token
from tests.keys.support import NOW

ISSUER, CLIENT, NONCE = "https://id.example.org", "safeguarding-inbox", "n" * 43
SECONDS = NOW // 1000
RSA_KEY = jwk.RSAKey.import_key(rsa.generate_private_key(65537, 2048), {"kid": "r1"})
EC_KEY = jwk.ECKey.import_key(ec.generate_private_key(ec.SECP256R1()), {"kid": "e1"})
CLAIMS: dict[str, Any] = {
    "iss": ISSUER, "sub": "7f3a", "aud": CLIENT, "nonce": NONCE, "iat": SECONDS, "exp": SECONDS + 3600,
    "email": "robin@example.org",
}  # fmt: skip
JWKS = [{**RSA_KEY.as_dict(private=False), "use": "sig"}, EC_KEY.as_dict(private=False)]


def sign(
    claims: dict[str, Any] | None = None, header: dict[str, Any] | None = None, algorithm: IdAlgorithm = "RS256",
    key: Any = None,
) -> str:  # fmt: skip
    """Return any claims at all, rightly signed by a published key."""
    own = {"RS256": RSA_KEY, "ES256": EC_KEY}[algorithm]
    members = {"alg": algorithm, "kid": own.kid} | (header or {})
    registry = jws.JWSRegistry(strict_check_header=False)
    payload = json.dumps(CLAIMS if claims is None else claims).encode()
    return jws.serialize_compact(members, payload, key or own, algorithms=[algorithm], registry=registry)


def verify(token: str, algorithm: IdAlgorithm = "RS256", now: int = NOW, jwks: Any = JWKS) -> Any:
    """Return what the token says."""
    return verify_id_token(token, jwks, algorithm=algorithm, issuer=ISSUER, client=CLIENT, nonce=NONCE, now=now)


def code_of(token: str, **given: Any) -> str:
    """Return the code with which a token is refused."""
    with pytest.raises(KeysError) as caught:
        verify(token, **given)
    return caught.value.code


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_an_id_token_of_the_issuer_says_who_signed_in(algorithm: IdAlgorithm) -> None:
    """Both algorithms are read; members that readers may ignore are left alone."""
    token = sign({**CLAIMS, "aud": [CLIENT], "azp": CLIENT, "nbf": SECONDS}, {"typ": "JWT"}, algorithm)
    assert verify(token, algorithm)["sub"] == "7f3a"


def test_a_token_does_not_choose_its_algorithm() -> None:
    """What is signed rightly, but otherwise than the issuer is known to sign, is refused."""
    assert code_of(sign(algorithm="ES256")) == "token-header"
    assert code_of(sign(), algorithm="ES256") == "token-header"
    _, claims, _ = sign().split(".")
    for alg in ("none", "HS256", "RS512", 1, None):
        header = b64u(json.dumps({"alg": alg, "kid": "r1"}).encode())
        assert code_of(f"{header}.{claims}.{b64u(bytes(256))}") == "token-header"


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "at+jwt"}, {"jku": "https://evil.example.org"}, {"jwk": {"kty": "RSA"}}, {"x5u": "https://evil.example.org"},
        {"zip": "DEF"}, {"kid": None}, {"kid": 7},
    ],
    ids=repr,
)  # fmt: skip
def test_a_header_that_says_more_is_refused(header: dict[str, Any]) -> None:
    """No embedded keys, no addresses, no other kind of token, nothing critical."""
    _, claims, signature = sign().split(".")
    changed = b64u(json.dumps({"alg": "RS256", "kid": "r1"} | header).encode())
    assert code_of(f"{changed}.{claims}.{signature}") == "token-header"


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://other.example.org"}, {"iss": ISSUER + "/"}, {"aud": "another"}, {"aud": [CLIENT, "another"]},
        {"aud": []}, {"aud": None}, {"azp": "another"}, {"nonce": "m" * 43}, {"nonce": None}, {"nonce": 5}, {"sub": ""},
        {"sub": None}, {"sub": 5}, {"sub": "x" * 256}, {"sub": "é"}, {"iat": None}, {"exp": None}, {"exp": True},
        {"exp": str(SECONDS + 60)}, {"exp": SECONDS}, {"nbf": "1"},
    ],
    ids=repr,
)  # fmt: skip
def test_claims_of_another_sign_in_are_refused_though_rightly_signed(changed: dict[str, Any]) -> None:
    """Issuer, audience, authorised party, nonce, subject and moments are each checked."""
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not None}
    assert code_of(sign(claims)) == "token-claims"


def test_a_token_is_read_only_while_it_is_fresh() -> None:
    """An end, a beginning and an age, with a minute's difference between clocks."""
    assert verify(sign(), now=NOW + 659_000)
    assert code_of(sign(), now=NOW + 661_000) == "token-expired"
    assert verify(sign({**CLAIMS, "exp": SECONDS + 10}), now=NOW + 69_000)
    assert code_of(sign({**CLAIMS, "exp": SECONDS + 10}), now=NOW + 70_000) == "token-expired"
    assert code_of(sign(), now=NOW - 61_000) == "token-expired"
    assert code_of(sign({**CLAIMS, "nbf": SECONDS + 61})) == "token-expired"


def test_a_key_that_the_issuer_does_not_publish_signs_nothing() -> None:
    """Unknown, for encryption, for another algorithm, of another kind, twice, too short or nonsense: not found."""
    published = JWKS[0]
    for jwks in (
        [],
        [{**published, "kid": "r2"}],
        [{**published, "use": "enc"}],
        [{**published, "alg": "RS512"}],
        [{**published, "kty": "oct"}],
        [published, published],
        [{**published, "n": b64u(b"\xff" * 128)}],
        [{**published, "n": "***"}],
        [{"kid": "r1", "kty": "RSA"}],
    ):
        assert code_of(sign(), jwks=jwks) == "token-key-unknown"
    for jwk_ in ({**JWKS[1], "crv": "P-384"}, {**JWKS[1], "x": "AA"}, {**JWKS[1], "x": b64u(bytes(32))}):
        assert code_of(sign(algorithm="ES256"), algorithm="ES256", jwks=[jwk_]) == "token-key-unknown"


def test_another_key_under_a_published_name_signs_nothing() -> None:
    """The signature must be the published key's, and over these claims."""
    other = jwk.RSAKey.import_key(rsa.generate_private_key(65537, 2048))
    assert code_of(sign(key=other)) == "token-signature"
    header, claims, signature = sign().split(".")
    edited = from_b64u(claims).replace(b"7f3a", b"7f3b")
    assert code_of(f"{header}.{b64u(edited)}.{signature}") == "token-signature"


@pytest.mark.parametrize(
    "token", ["", "a.b.c", sign() + "=", "x" * 16_385, b64u(b"[]") + "." + b64u(b"{}") + "." + b64u(bytes(256))]
)
def test_what_is_not_a_token_is_refused(token: str) -> None:
    """Canonical base64url, two objects, a signature, and no more than 16 KiB."""
    assert code_of(token) == "token-syntax"
