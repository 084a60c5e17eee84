"""Web Push: by its token a push service knows who wakes a browser; an independent library verifies it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk, jwt
from joserfc.errors import JoseError

from keys.digests import b64u, from_b64u
from keys.token_key import TokenKey
from keys.tokens import PUSH_LIFE, push_authorization, push_public_key
from tests.keys.support import NOW

KEY = TokenKey.from_scalar(bytes(range(32)))
ENDPOINT = "https://push.example.org/send/abc"
CONTACT = "mailto:it@northmere.test"


def read(authorization: str, key: TokenKey = KEY) -> dict[str, Any]:
    """Return the claims of the token in *authorization*, verified by the independent library under *key*."""
    token = re.fullmatch(r"vapid t=([\w.-]+), k=([\w-]+)", authorization)
    assert token is not None
    point = from_b64u(push_public_key(key))
    members = {"kty": "EC", "crv": "P-256", "x": b64u(point[1:33]), "y": b64u(point[33:])}
    return dict(jwt.decode(token[1], jwk.ECKey.import_key(members), algorithms=["ES256"]).claims)


def test_the_public_key_is_an_uncompressed_point() -> None:
    """65 bytes beginning with 4, as a browser's `applicationServerKey` takes it; the same for the same key."""
    point = from_b64u(push_public_key(KEY))
    assert (len(point), point[0]) == (65, 4)
    assert push_public_key(KEY) == push_public_key(TokenKey.from_scalar(bytes(range(32))))


def test_the_token_says_to_which_service_until_when_and_whom_to_write_to() -> None:
    """Audience, end and contact, and nothing else: no name, no id, no moment of issue (RFC 8292, 2)."""
    claims = read(push_authorization(KEY, endpoint=ENDPOINT, contact=CONTACT, now=NOW))
    assert claims == {"aud": "https://push.example.org", "exp": NOW // 1000 + PUSH_LIFE, "sub": CONTACT}
    assert PUSH_LIFE <= 24 * 3600
    assert "sub" not in read(push_authorization(KEY, endpoint=ENDPOINT, contact="", now=NOW))


def test_the_key_in_the_header_is_the_one_that_signed() -> None:
    """`k` is the public key that the browser was subscribed with; under another the token doesn't verify."""
    said = push_authorization(KEY, endpoint=ENDPOINT, contact=CONTACT, now=NOW)
    assert said.endswith(f", k={push_public_key(KEY)}")
    with pytest.raises(JoseError):
        read(said, TokenKey.generate())


@pytest.mark.parametrize(
    ("endpoint", "audience"),
    [
        ("https://push.example.org:443/x", "https://push.example.org"),
        ("https://push.example.org:8443/x", "https://push.example.org:8443"),
        ("https://PUSH.example.org/x?y=z", "https://push.example.org"),
        ("http://localhost:80/x", "http://localhost"),
    ],
)
def test_the_audience_is_an_origin_as_a_browser_writes_it(endpoint: str, audience: str) -> None:
    """Lower case, no default port (RFC 6454, 6.1)."""
    assert read(push_authorization(KEY, endpoint=endpoint, contact="", now=NOW))["aud"] == audience


@given(path=st.text(alphabet="abcXYZ019-_=/", max_size=60), now=st.integers(0, 2**42))
def test_what_is_in_an_endpoint_beside_its_origin_is_not_in_the_token(path: str, now: int) -> None:
    """The part that names one browser stays out of it; the token is valid at its moment."""
    claims = read(push_authorization(KEY, endpoint=f"https://push.example.org/{path}", contact=CONTACT, now=now))
    assert claims["aud"] == "https://push.example.org"
    assert 0 < claims["exp"] - now // 1000 <= 24 * 3600
