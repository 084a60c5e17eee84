"""The officers' side: what k of n of them sign, and the word of one for an agency's new key.

Runs where the officers' keys are: at set-up, and in the commands that an officer gives.

Source: protocol 7.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from keys import jws
from keys.digests import sha256_b64u
from schemas.directory import Jwk, Officers
from schemas.identifiers import Moment
from schemas.statements import KeyApproval
from schemas.strict_json import dump


def new_officers(count: int, threshold: int) -> tuple[list[jws.SigningKey], Officers]:
    """Return *count* new officers' keys, and the entry that says that *threshold* of them must sign."""
    keys = [jws.SigningKey.generate() for _ in range(count)]
    return keys, Officers(threshold=threshold, keys=tuple(public_jwk(key) for key in keys))


def public_jwk(key: jws.SigningKey) -> Jwk:
    """Return the public half of *key* as the directory has it."""
    return msgspec.convert(key.public.jwk, Jwk)


def sign_document(payload: bytes, typ: str, officers: Sequence[jws.SigningKey]) -> bytes:
    """Return the signed document: a JSON array with one compact JWS of *payload* by each of *officers*."""
    return dump([key.sign(payload, typ).decode() for key in officers])


def approve_key(statement: bytes, officer: jws.SigningKey, now: Moment) -> bytes:
    """Return the officer's word that this very key *statement* (compact JWS) may take effect at once."""
    said = KeyApproval(v=1, statement_sha256=sha256_b64u(statement), at=now)
    return officer.sign(dump(said), jws.KEY)
