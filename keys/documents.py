"""Documents that several officers sign: a JSON array of compact JWS over one payload, valid with k of n.

Source: protocol 7 (directory, agreement).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

from keys import jws
from keys.errors import KeysError

MAX_SIGNATURES: Final = 64


class Signers(NamedTuple):
    """``threshold`` of ``keys`` (by kid) must have signed."""

    threshold: int
    keys: Mapping[str, jws.VerifyingKey]

    @classmethod
    def of(cls, threshold: int, jwks: Iterable[Mapping[str, Any]]) -> Signers:
        """Return the signers whose public keys are *jwks*.

        Raises:
            KeysError: ``key-kind``.
        """
        return cls(threshold, {key.kid: key for key in map(jws.VerifyingKey.from_jwk, jwks)})


def parse(document: bytes, typ: str) -> list[jws.Unverified]:
    """Return the signatures of *document*, none of them checked, all over one payload.

    Raises:
        KeysError: ``jws-*``, ``document-payloads``.
    """
    try:
        parts = json.loads(document)
    except (ValueError, RecursionError):
        parts = None
    if (
        not isinstance(parts, list)
        or not 0 < len(parts) <= MAX_SIGNATURES
        or not all(isinstance(p, str) for p in parts)
    ):
        raise KeysError("document-payloads", "a signed document is an array of compact JWS", "send it as it was signed")
    # Half a surrogate pair becomes a question mark, which no JWS has.
    signed = [jws.parse(part.encode(errors="replace"), typ) for part in parts]
    if len({one.payload for one in signed}) != 1:
        raise KeysError("document-payloads", "the signatures are over different payloads", "sign one payload")
    return signed


def signed_by(document: bytes, typ: str, keys: Mapping[str, jws.VerifyingKey]) -> frozenset[str]:
    """Return which of *keys* (by kid) signed *document*; every signature that names one of them is checked.

    Raises:
        KeysError: as :func:`parse`; ``jws-signature``.
    """
    signed = [one for one in parse(document, typ) if one.kid in keys]
    for one in signed:
        jws.check(one, keys[one.kid])
    return frozenset(one.kid for one in signed)


def require(good: Collection[str], groups: Collection[Signers]) -> None:
    """Return if of each of *groups* enough are among the kids *good*.

    Raises:
        KeysError: ``document-signatures``.
    """
    for group in groups:
        signed = sum(kid in group.keys for kid in good)
        if signed < group.threshold:
            raise KeysError(
                "document-signatures",
                f"{signed} of the officers' keys signed it, {group.threshold} must",
                "have more officers sign the same payload",
            )


def verify(document: bytes, typ: str, groups: Collection[Signers]) -> bytes:
    """Return the payload of *document* if enough of each of *groups* signed it; a key counts once.

    Raises:
        KeysError: as :func:`parse`; ``jws-signature``; ``document-signatures``: too few signed.
    """
    require(signed_by(document, typ, {kid: key for group in groups for kid, key in group.keys.items()}), groups)
    return parse(document, typ)[0].payload
