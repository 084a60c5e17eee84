"""Signed objects: compact JWS by Ed25519 with exactly three header members and one ``typ`` a purpose.

Payload bytes are verified as they came; nobody serialises them again.  What a payload means is not asked here.

Source: protocol 1; RFC 7515, RFC 8037 and 9864, RFC 7638.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from keys.digests import b64u, from_b64u, random_bytes, sha256_b64u
from keys.errors import KeysError

ENVELOPE: Final = "hub-envelope+jws"
WRAPS: Final = "hub-wraps+jws"
MANIFEST: Final = "hub-manifest+jws"
RECEIPT: Final = "hub-receipt+jws"
ACCEPTANCE: Final = "hub-acceptance+jws"
NOTICE: Final = "hub-notice+jws"
WAIVER: Final = "hub-waiver+jws"
WITHDRAWAL: Final = "hub-withdrawal+jws"
DIRECTORY: Final = "hub-directory+jws"
AGREEMENT: Final = "hub-agreement+jws"
KEY: Final = "hub-key+jws"
ASSERTION: Final = "hub-assertion+jws"
TYPES: Final = frozenset(
    {ENVELOPE, WRAPS, MANIFEST, RECEIPT, ACCEPTANCE, NOTICE, WAIVER, WITHDRAWAL, DIRECTORY, AGREEMENT, KEY, ASSERTION}
)
PROOF_PREFIX: Final = b"hub-key-proof/1\n"

_MAX_HEADER: Final = 512
_MEMBERS: Final = {"alg", "kid", "typ"}


class Unverified(NamedTuple):
    """A JWS whose form is right and whose signature nobody has checked yet."""

    kid: str
    payload: bytes
    signing_input: bytes
    signature: bytes


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """Return the RFC 7638 thumbprint of a public key: over ``crv kty x`` for OKP, ``alg kty pub`` for AKP.

    Raises:
        KeysError: ``key-kind``.
    """
    names = {"OKP": ("crv", "kty", "x"), "AKP": ("alg", "kty", "pub")}.get(str(jwk.get("kty")), ())
    members = {name: jwk.get(name) for name in names}
    if not names or not all(isinstance(value, str) for value in members.values()):
        raise KeysError("key-kind", "a key is neither OKP (crv, x) nor AKP (alg, pub)", "make a key of a kind we use")
    return sha256_b64u(json.dumps(members, separators=(",", ":")).encode())


class VerifyingKey:
    """The public half of an Ed25519 key; one whose signatures mean something.

    Source: RFC 8032; protocol 1 (small-order and non-canonical keys are refused).
    """

    __slots__ = ("kid", "raw")

    def __init__(self, raw: bytes) -> None:
        """Take the 32 bytes of RFC 8032.

        Raises:
            KeysError: ``key-kind`` (not 32 bytes), ``key-weak`` (not canonical, small order, outside the subgroup).
        """
        if len(raw) != 32:
            raise KeysError("key-kind", "an Ed25519 public key has 32 bytes", "send the key as it was made")
        if not crypto_core_ed25519_is_valid_point(raw):
            raise KeysError("key-weak", "an Ed25519 public key under which signatures prove nothing", "make a new key")
        self.raw = raw
        self.kid = thumbprint(self.jwk)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> VerifyingKey:
        """Return the key of ``{"kty":"OKP","crv":"Ed25519","x":…}``; no other member may stand there.

        Raises:
            KeysError: ``key-kind``, ``key-weak`` or ``b64u``.
        """
        members = {name: value for name, value in jwk.items() if value is not None}
        x = members.pop("x", None)
        if members != {"kty": "OKP", "crv": "Ed25519"} or not isinstance(x, str):
            raise KeysError("key-kind", "a key is not exactly an Ed25519 public key", "give kty, crv and x")
        return cls(from_b64u(x))

    @property
    def jwk(self) -> dict[str, str]:
        """Return the public key as a JWK."""
        return {"kty": "OKP", "crv": "Ed25519", "x": b64u(self.raw)}

    def verify_raw(self, signature: bytes, data: bytes) -> None:
        """Return if *signature* over *data* is this key's.

        Raises:
            KeysError: ``jws-signature``.
        """
        try:
            if len(signature) == 64:
                crypto_sign_open(signature + data, self.raw)
                return
        except BadSignatureError:
            pass
        raise KeysError("jws-signature", "a signature does not verify", "sign again with the key that is named")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifyingKey) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"VerifyingKey({self.kid})"


class Signer(Protocol):
    """Who can sign: a key in memory, or one that never leaves the device that it is on."""

    @property
    def kid(self) -> str:
        """Return the thumbprint of its public half."""

    @property
    def public(self) -> VerifyingKey:
        """Return its public half."""

    def sign(self, payload: bytes, typ: str) -> bytes:
        """Return the compact JWS of *payload* for the purpose *typ*, one of :data:`TYPES`."""


def sign_with(public: VerifyingKey, sign_raw: Callable[[bytes], bytes], payload: bytes, typ: str) -> bytes:
    """Return the compact JWS of *payload* for *typ* by a key that is elsewhere; *sign_raw* asks it for 64 bytes.

    Raises:
        KeysError: ``jws-signature``; what came back is not the signature of *public*.
    """
    signing_input = b"%b.%b" % (_protected(public.kid, typ), b64u(payload).encode())
    signature = sign_raw(signing_input)
    public.verify_raw(signature, signing_input)
    return b"%b.%b" % (signing_input, b64u(signature).encode())


def _protected(kid: str, typ: str) -> bytes:
    return b64u(json.dumps({"alg": "Ed25519", "kid": kid, "typ": typ}, separators=(",", ":")).encode()).encode()


class SigningKey:
    """An Ed25519 key pair.  Its text form shows the public half only."""

    __slots__ = ("_headers", "_secret", "kid", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise KeysError("key-kind", "an Ed25519 seed has 32 bytes", "restore the key from its file")
        raw, self._secret = crypto_sign_seed_keypair(seed)
        self.public = VerifyingKey(raw)
        self.kid = self.public.kid
        self._headers = {typ: _protected(self.kid, typ) for typ in TYPES}

    @classmethod
    def generate(cls) -> SigningKey:
        """Return a new key."""
        return cls(random_bytes(32))

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """Return the key of a 32-byte *seed*.

        Raises:
            KeysError: ``key-kind``.
        """
        return cls(seed)

    def seed(self) -> bytes:
        """Return the 32 secret bytes, for an encrypted file only."""
        return self._secret[:32]

    def sign(self, payload: bytes, typ: str) -> bytes:
        """Return the compact JWS of *payload* for the purpose *typ*, one of :data:`TYPES`."""
        signing_input = b"%b.%b" % (self._headers[typ], b64u(payload).encode())
        return b"%b.%b" % (signing_input, b64u(self.sign_raw(signing_input)).encode())

    def sign_raw(self, data: bytes) -> bytes:
        """Return the 64-byte signature over *data* itself: only for notes and proofs, whose bytes can't be a JWS."""
        return crypto_sign(data, self._secret)[:64]

    def __repr__(self) -> str:
        return f"SigningKey({self.kid})"


def parse(compact: bytes, typ: str) -> Unverified:
    """Return the parts of a JWS made for *typ*; its signature is still to be checked.

    Raises:
        KeysError: ``jws-syntax`` (not three parts of canonical base64url, or a signature of another length),
            ``jws-header`` (anything but exactly ``alg`` Ed25519, ``kid`` and this ``typ``).
    """
    header, _, rest = compact.partition(b".")
    payload, _, signature = rest.partition(b".")
    if len(signature) != 86 or not 0 < len(header) <= _MAX_HEADER:
        raise KeysError("jws-syntax", "not a compact JWS of three parts", "send it as it was signed")
    try:
        return Unverified(_kid(header, typ), from_b64u(payload), compact[:-87], from_b64u(signature))
    except KeysError as error:
        if error.code == "b64u":
            raise KeysError("jws-syntax", "a part of a JWS is not canonical base64url", error.hint) from error
        raise


def purpose(compact: bytes) -> str | None:
    """Return the ``typ`` that a JWS says it was made for, one of :data:`TYPES`, or ``None``; nothing else is looked at."""
    return _purpose(compact.partition(b".")[0][: _MAX_HEADER + 1])


@lru_cache(maxsize=4096)
def _purpose(header: bytes) -> str | None:
    try:
        typ = json.loads(from_b64u(header).decode("utf-8"))["typ"]
    except (KeysError, ValueError, RecursionError, LookupError, TypeError):
        return None
    return typ if typ in TYPES else None


@lru_cache(maxsize=4096)
def _kid(header: bytes, typ: str) -> str:
    # One key writes one header a purpose, so nearly every header has been read before.
    raw = from_b64u(header)
    try:
        members = json.loads(raw.decode("utf-8"), object_pairs_hook=_members)
    except (ValueError, RecursionError) as error:
        raise _wrong_header(typ) from error
    if not isinstance(members, dict) or members.keys() != _MEMBERS:
        raise _wrong_header(typ)
    kid = members["kid"]
    if members["alg"] != "Ed25519" or members["typ"] != typ or not isinstance(kid, str) or len(kid) != 43:
        raise _wrong_header(typ)
    from_b64u(kid)
    return kid


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member twice")
    return members


def _wrong_header(typ: str) -> KeysError:
    return KeysError(
        "jws-header", f"a JWS header is not exactly alg Ed25519, kid and typ {typ}", "sign it for this use"
    )


def check(unverified: Unverified, key: VerifyingKey) -> None:
    """Return if *unverified* was signed by *key* and names it.

    Raises:
        KeysError: ``jws-signature``.
    """
    if unverified.kid != key.kid:
        raise KeysError("jws-signature", "a JWS names another key than the one it must be signed by", "use that key")
    key.verify_raw(unverified.signature, unverified.signing_input)


def verify(compact: bytes, key: VerifyingKey, typ: str) -> bytes:
    """Return the payload of a JWS that *key* signed for *typ*.

    Raises:
        KeysError: ``jws-syntax``, ``jws-header`` or ``jws-signature``.
    """
    unverified = parse(compact, typ)
    check(unverified, key)
    return unverified.payload


def proof_statement(agency: str, sequence: int, kid: str) -> bytes:
    """Return what a new key signs to show that its holder has it: prefix, agency, sequence and kid by line feeds."""
    return PROOF_PREFIX + f"{agency}\n{sequence}\n{kid}".encode()


def prove(key: SigningKey, statement: bytes) -> str:
    """Return the proof (b64u) that the caller holds *key*; *statement* is made by :func:`proof_statement`.

    Raises:
        KeysError: ``key-proof``.
    """
    return b64u(key.sign_raw(_proof_input(statement)))


def check_proof(key: VerifyingKey, statement: bytes, proof: str) -> None:
    """Return if *proof* is what :func:`prove` gives for *statement* and the private half of *key*.

    Raises:
        KeysError: ``key-proof``.
    """
    try:
        key.verify_raw(from_b64u(proof), _proof_input(statement))
    except KeysError as error:
        raise KeysError("key-proof", "a proof of possession does not verify", "prove it with the new key") from error


def _proof_input(statement: bytes) -> bytes:
    # The prefix keeps a proof from ever being a JWS, a note or a cosignature.
    if not statement.startswith(PROOF_PREFIX):
        raise KeysError("key-proof", "a proof of possession is over another statement", "use jws.proof_statement")
    return statement
