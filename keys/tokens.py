"""Access tokens: what the hub gives for a signed assertion, and how it reads them again; and the id tokens of an OpenID provider.

The one module that imports python-jose, behind checks of our own: the library takes junk base64, unknown ``crit``,
missing ``exp`` and any header member, so form, header and claims are settled here and it only signs and verifies.

Source: protocol 9 (``/v1/token``); RFC 9068 (form of the token), RFC 7519 (seconds); OpenID Connect Core 3.1.3.7.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jose import backends, jws
from jose.backends.cryptography_backend import CryptographyECKey, CryptographyRSAKey
from jose.exceptions import JOSEError

from keys.digests import b64u, from_b64u, random_bytes, same
from keys.errors import KeysError
from keys.token_key import TokenKey

ALGORITHM: Final = "ES256"
TYPE: Final = "at+jwt"
MAX_LIFE: Final = 300
MAX_TOKEN: Final = 4096
# Seconds; a push service takes 24 hours at most.
PUSH_LIFE: Final = 43_200
# How far two hub processes' clocks may differ, in seconds.
LEEWAY: Final = 5

IdAlgorithm = Literal["RS256", "ES256"]
MAX_ID_TOKEN: Final = 16_384
# How long ago a provider may have signed what it hands over at once, and how far its clock may be off, in seconds.
MAX_ID_AGE: Final = 600
ID_LEEWAY: Final = 60
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192

_HEADER: Final = {"alg": ALGORITHM, "typ": TYPE}
_NAMES: Final = frozenset({"iss", "sub", "aud", "scope", "iat", "exp", "jti"})

_ID_HEADER: Final = frozenset({"alg", "kid", "typ", "x5t", "x5t#S256"})

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
    header, claims = _read(token, MAX_TOKEN)
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


def push_authorization(key: TokenKey, *, endpoint: str, contact: str, now: int) -> str:
    """Return the ``Authorization`` by which a push service knows who wakes the browser at *endpoint*; good for 12 hours.

    *contact*: ``mailto:`` and an address, or empty.  *now* is in milliseconds.

    Source: RFC 8292, 2 and 3 (vapid).
    """
    claims: dict[str, Any] = {"aud": _origin_of(endpoint), "exp": now // 1000 + PUSH_LIFE}
    if contact:
        claims["sub"] = contact
    token = jws.sign(claims, CryptographyECKey(key.private, ALGORITHM), headers={"typ": "JWT"}, algorithm=ALGORITHM)
    return f"vapid t={token}, k={push_public_key(key)}"


def _origin_of(address: str) -> str:
    """Return the origin of *address* as a browser writes it (RFC 6454, 6.1)."""
    parts = urlsplit(address)
    is_usual = parts.port in {None, {"https": 443, "http": 80}.get(parts.scheme)}
    return f"{parts.scheme}://{parts.hostname}" + ("" if is_usual else f":{parts.port}")


def push_public_key(key: TokenKey) -> str:
    """Return *key*'s public part as a browser takes it: base64url of the uncompressed point, 65 bytes."""
    return b64u(key.public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint))


def _read(token: str, longest: int) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    parts = token.split(".")
    if len(token) > longest or len(parts) != 3:
        raise KeysError("token-syntax", "a token is not three short parts", "send it as the hub gave it")
    try:
        header, claims, signature = (from_b64u(part) for part in parts)
        values = [json.loads(raw.decode("utf-8"), object_pairs_hook=_members) for raw in (header, claims)]
    except (ValueError, RecursionError) as error:
        raise KeysError("token-syntax", "a token is not canonical base64url and JSON", "send it as given") from error
    # An ES256 signature has 64 bytes, an RS256 one as many as its key.
    right = len(signature) == 64 if longest == MAX_TOKEN else len(signature) in range(64, MAX_RSA_BITS // 8 + 1)
    if not right or not all(isinstance(value, dict) for value in values):
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


def verify_id_token(
    token: str, jwks: Sequence[Mapping[str, Any]], *, algorithm: IdAlgorithm, issuer: str, client: str, nonce: str,
    now: int,
) -> Mapping[str, Any]:  # fmt: skip
    """Return the claims of *token*, if *issuer* signed it for *client* and this sign-in, and it is valid at *now* (ms).

    Args:
        jwks: the issuer's published keys as they came; those that can't be meant are passed over.
        algorithm: the one with which the issuer signs; its tokens don't choose.
        nonce: what this sign-in sent along.

    Raises:
        KeysError: ``token-syntax``, ``token-header``, ``token-key-unknown`` (ask for the keys again), ``token-signature``,
            ``token-claims`` or ``token-expired``.

    Source: OpenID Connect Core 3.1.3.7; RFC 8725 (3.1, 3.8, 3.9).
    """
    header, claims = _read(token, MAX_ID_TOKEN)
    right = (
        header.keys() <= _ID_HEADER
        and header.get("alg") == algorithm
        and str(header.get("typ", "JWT")).upper() == "JWT"
        and isinstance(header.get("kid"), str)
    )
    if not right:
        raise KeysError("token-header", "an id token is not signed as its issuer signs", "check `algorithm`")
    try:
        jws.verify(token, _id_key(jwks, header["kid"], algorithm), algorithms=[algorithm])
    except JOSEError as error:
        raise KeysError("token-signature", "a token's signature does not verify", "sign in again") from error
    _check_id_claims(claims, issuer=issuer, client=client, nonce=nonce)
    seconds = now // 1000
    fresh = seconds - MAX_ID_AGE - ID_LEEWAY <= claims["iat"] <= seconds + ID_LEEWAY
    if not fresh or claims.get("nbf", 0) > seconds + ID_LEEWAY or seconds >= claims["exp"] + ID_LEEWAY:
        raise KeysError("token-expired", "a token is not valid now", "sign in again; check the clocks")
    return claims


def _id_key(
    jwks: Sequence[Mapping[str, Any]], kid: str, algorithm: IdAlgorithm
) -> CryptographyECKey | CryptographyRSAKey:
    """Return the one key among *jwks* that *kid* names and that signs with *algorithm*."""
    kty = {"RS256": "RSA", "ES256": "EC"}[algorithm]
    named = [jwk for jwk in jwks if jwk.get("kid") == kid and jwk.get("kty") == kty and jwk.get("use", "sig") == "sig"]
    fitting = [jwk for jwk in named if jwk.get("alg", algorithm) == algorithm]
    if len(fitting) != 1:
        raise KeysError("token-key-unknown", "a token names a key that its issuer does not publish", "sign in again")
    try:
        if algorithm == "RS256":
            return CryptographyRSAKey(_rsa_key(fitting[0]), algorithm)
        return CryptographyECKey(_ec_key(fitting[0]), algorithm)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise KeysError("token-key-unknown", "an issuer publishes a key that is none", "ask whoever runs it") from error


def _rsa_key(jwk: Mapping[str, Any]) -> rsa.RSAPublicKey:
    modulus, exponent = (int.from_bytes(from_b64u(jwk[name]), "big") for name in ("n", "e"))
    if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS or exponent.bit_length() > 32:
        raise ValueError("a key of another size")
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _ec_key(jwk: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    x, y = (from_b64u(jwk[name]) for name in ("x", "y"))
    if jwk["crv"] != "P-256" or (len(x), len(y)) != (32, 32):
        raise ValueError("a point of another curve")
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1())
    return numbers.public_key()


def _check_id_claims(claims: Mapping[str, Any], *, issuer: str, client: str, nonce: str) -> None:
    audience, subject, given = claims.get("aud"), claims.get("sub"), claims.get("nonce")
    right = (
        claims.get("iss") == issuer
        and audience in (client, [client])
        and claims.get("azp", client) == client
        and isinstance(subject, str)
        and 0 < len(subject) <= 255
        and subject.isascii()
        and isinstance(given, str)
        and same(given.encode(), nonce.encode())
        and type(claims.get("iat")) is int
        and type(claims.get("exp")) is int
        and claims["iat"] < claims["exp"]
        and type(claims.get("nbf", 0)) is int
    )
    if not right:
        raise KeysError("token-claims", "a token is not the one that this sign-in asked for", "sign in again")
