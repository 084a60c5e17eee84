"""Access tokens: ours verify, nothing else does, and the library's other backend stays out."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from jose import jws as jose_jws
from jose.backends.cryptography_backend import CryptographyECKey

from keys import tokens
from keys.digests import b64u, from_b64u
from keys.errors import KeysError
from keys.token_key import TokenKey
from tests.keys.support import NOW, ROOT

KEY = TokenKey.from_scalar(bytes(range(32)))
HUB = "https://hub.example.org"
HEADER = {"alg": "ES256", "typ": "at+jwt"}
SECONDS = NOW // 1000
CLAIMS: dict[str, Any] = {
    "iss": HUB,
    "sub": "northmere-health",
    "aud": HUB,
    "scope": "agency",
    "iat": SECONDS,
    "exp": SECONDS + 300,
    "jti": "x",
}


def issue(**changed: Any) -> str:
    """Return a token of ours."""
    named = {"issuer": HUB, "subject": "northmere-health", "mailbox": None, "scope": "agency", "now": NOW}
    return tokens.issue_access_token(KEY, **{**named, **changed})


def forge(claims: dict[str, Any], header: dict[str, Any] | None = None, key: TokenKey = KEY) -> str:
    """Return any claims at all, rightly signed."""
    signer = CryptographyECKey(key.private, "ES256")
    return jose_jws.sign(claims, signer, headers=HEADER if header is None else header, algorithm="ES256")


def verify(token: str, now: int = NOW, audience: str = HUB) -> tokens.Claims:
    """Return what the token says."""
    return tokens.verify_access_token(token, KEY.public, issuer=HUB, audience=audience, now=now)


def code_of(token: str, now: int = NOW, audience: str = HUB) -> str:
    """Return the code with which a token is refused."""
    with pytest.raises(KeysError) as caught:
        verify(token, now, audience)
    return caught.value.code


def test_a_token_says_for_whom_and_until_when() -> None:
    """What was issued is read again: agency, scope, end and, if narrowed, mailbox."""
    end = (NOW // 1000 + 300) * 1000
    assert verify(issue()) == ("northmere-health", "agency", end, None)
    assert verify(issue(mailbox="northmere-health/safeguarding")).mailbox == "northmere-health/safeguarding"
    assert verify(issue(audience="other"), audience="other").subject == "northmere-health"
    assert issue() != issue()


def test_a_token_ends() -> None:
    """It is valid from its moment, a little clock difference allowed, for 300 seconds."""
    token = issue()
    assert verify(token, NOW + 299_000)
    assert verify(token, NOW - 5_000)
    assert code_of(token, NOW + 300_000) == "token-expired"
    assert code_of(token, NOW - 6_000) == "token-expired"


def test_a_token_for_another_hub_or_by_another_key_is_refused() -> None:
    """Issuer, audience and key must be ours."""
    assert code_of(issue(issuer="https://other.example.org")) == "token-claims"
    assert code_of(issue(), audience="other") == "token-claims"
    assert code_of(forge(CLAIMS, key=TokenKey.generate())) == "token-signature"


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": None},
        {"exp": SECONDS + 301},
        {"exp": SECONDS},
        {"exp": float(SECONDS + 300)},
        {"exp": str(SECONDS + 300)},
        {"exp": True},
        {"iat": "1"},
        {"sub": 5},
        {"sub": None},
        {"scope": ["agency"]},
        {"aud": [HUB]},
        {"mailbox": 5},
        {"nbf": SECONDS},
        {"admin": "true"},
    ],
    ids=repr,
)
def test_other_claims_are_refused_though_rightly_signed(changed: dict[str, Any]) -> None:
    """A token has exactly our claims, each of its kind."""
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not None}
    assert code_of(forge(claims)) == "token-claims"


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"crit": ["exp"]},
        {"b64": False},
        {"kid": "x"},
        {"jwk": {}},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "ES384"},
    ],
    ids=repr,
)
def test_any_other_header_is_refused(header: dict[str, Any]) -> None:
    """The header is exactly ES256 and at+jwt: nothing critical, nothing embedded, no other algorithm."""
    _, claims, signature = forge(CLAIMS).split(".")
    token = ".".join((b64u(json.dumps({**HEADER, **header}).encode()), claims, signature))
    assert code_of(token) == "token-header"


def spell(header: bytes, claims: bytes = b"{}", signature: bytes = bytes(64)) -> str:
    """Return three parts of base64url."""
    return ".".join(map(b64u, (header, claims, signature)))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        "a.b.c.d",
        forge(CLAIMS) + "=",
        forge(CLAIMS) + "\n",
        forge(CLAIMS).replace(".", ".*", 1),
        "é.é.é",
        "x" * 4097,
        spell(b"[]"),
        spell(b"\xff"),
        spell(b'{"alg":"none","alg":"ES256"}'),
        spell(b"[" * 2000),
        spell(b"{}", b"7"),
        spell(b"{}", signature=b""),
    ],
    ids=lambda token: token[:24],
)
def test_what_is_not_a_token_is_refused(token: str) -> None:
    """Canonical base64url, two JSON objects without repeats, a signature of 64 bytes."""
    assert code_of(token) == "token-syntax"


def test_a_changed_claim_breaks_the_signature() -> None:
    """Claims can't be edited."""
    header, claims, signature = issue().split(".")
    edited = from_b64u(claims).replace(b"northmere-health", b"northmere-police")
    assert code_of(".".join((header, b64u(edited), signature))) == "token-signature"


def test_the_pure_python_backend_is_never_imported() -> None:
    """`ecdsa` leaks timing; importing tokens and issuing one must leave it unloaded."""
    program = (
        "import sys; from keys import tokens; from keys.token_key import TokenKey; key = TokenKey.generate();"
        "t = tokens.issue_access_token(key, issuer='h', subject='a', mailbox=None, scope='s', now=0);"
        "tokens.verify_access_token(t, key.public, issuer='h', audience='h', now=0);"
        "sys.exit('ecdsa' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert done.returncode == 0


def test_reading_a_keyring_does_not_import_the_token_library() -> None:
    """Gateways hold keyrings and never tokens of their own making."""
    program = "import sys; import keys.keyring; sys.exit('jose' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
