"""Access tokens: what the hub gives for a signed assertion, and how it reads them again.

The one module that imports python-jose, behind checks of our own: the library takes junk base64, unknown ``crit``,
missing ``exp`` and any header member, so form, header and claims are settled here and it only signs and verifies.

Source: protocol 9 (``/v1/token``); RFC 9068 (form of the token), RFC 7519 (seconds).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from jose import backends, jws
from jose.backends.cryptography_backend import CryptographyECKey
from jose.exceptions import JOSEError

from keys.digests import b64u, from_b64u, random_bytes
from keys.errors import KeysError
from keys.token_key import TokenKey

ALGORITHM: Final = "ES256"
TYPE: Final = "at+jwt"
MAX_LIFE: Final = 300
MAX_TOKEN: Final = 4096
# How far two hub processes' clocks may differ, in seconds.
LEEWAY: Final = 5

_HEADER: Final = {"alg": ALGORITHM, "typ": TYPE}
_NAMES: Final = frozenset({"iss", "sub", "aud", "scope", "iat", "exp", "jti"})

if backends.ECKey is not CryptographyECKey:  # pragma: no cover - a broken installation
    raise ImportError("python-jose must be installed with its cryptography backend")


class Claims(NamedTuple):
    """What a verified token says: the agency it is for, its mailbox if narrowed to one, its scope, its end (ms)."""

    subject: str
    scope: str
    expires: int
    mailbox: str | None = None


def issue_access_token(
    key: TokenKey, *, issuer: str, subject: str, mailbox: str | None, scope: str, now: int, audience: str | None = None
) -> str:
    """Return an ES256 token for *subject* that ends 300 s after *now* (ms); its audience is the issuer by default."""
    issued = now // 1000
    claims = {
        "iss": issuer,
        "sub": subject,
        "aud": issuer if audience is None else audience,
        "scope": scope,
        "iat": issued,
        "exp": issued + MAX_LIFE,
        "jti": b64u(random_bytes(16)),
    }
    if mailbox is not None:
        claims["mailbox"] = mailbox
    return jws.sign(claims, CryptographyECKey(key.private, ALGORITHM), headers=_HEADER, algorithm=ALGORITHM)


def verify_access_token(
    token: str, public_key: ec.EllipticCurvePublicKey, *, issuer: str, audience: str, now: int
) -> Claims:
    """Return what *token* says, if we issued it for *audience* and it is valid at *now* (ms).

    Raises:
        KeysError: ``token-syntax``, ``token-header``, ``token-signature``, ``token-claims`` or ``token-expired``.
    """
    header, claims = _read(token)
    if header != _HEADER:
        raise KeysError("token-header", "a token is not an ES256 access token", "ask the hub for one")
    try:
        jws.verify(token, CryptographyECKey(public_key, ALGORITHM), algorithms=[ALGORITHM])
    except JOSEError as error:
        raise KeysError("token-signature", "a token's signature does not verify", "ask the hub for another") from error
    _check_claims(claims, issuer=issuer, audience=audience)
    seconds = now // 1000
    if not claims["iat"] - LEEWAY <= seconds < claims["exp"]:
        raise KeysError("token-expired", "a token is not valid now", "ask the hub for another")
    return Claims(claims["sub"], claims["scope"], claims["exp"] * 1000, claims.get("mailbox"))


def _read(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    parts = token.split(".")
    if len(token) > MAX_TOKEN or len(parts) != 3:
        raise KeysError("token-syntax", "a token is not three short parts", "send it as the hub gave it")
    try:
        header, claims, signature = (from_b64u(part) for part in parts)
        values = [json.loads(raw.decode("utf-8"), object_pairs_hook=_members) for raw in (header, claims)]
    except (ValueError, RecursionError) as error:
        raise KeysError("token-syntax", "a token is not canonical base64url and JSON", "send it as given") from error
    if len(signature) != 64 or not all(isinstance(value, dict) for value in values):
        raise KeysError("token-syntax", "a token is not two objects and a signature", "send it as the hub gave it")
    return values[0], values[1]


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member twice")
    return members


def _check_claims(claims: Mapping[str, Any], *, issuer: str, audience: str) -> None:
    texts = [value for name, value in claims.items() if name not in {"iat", "exp"}]
    right = (
        claims.keys() - {"mailbox"} == _NAMES
        and all(type(value) is str for value in texts)
        and type(claims["iat"]) is int
        and type(claims["exp"]) is int
        and 0 < claims["exp"] - claims["iat"] <= MAX_LIFE
        and claims["iss"] == issuer
        and claims["aud"] == audience
    )
    if not right:
        raise KeysError("token-claims", "a token's claims are not those of our access tokens", "ask the hub for one")
