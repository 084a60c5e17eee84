"""Which signed documents a gateway believes, starting from the officers' keys that it was given once.

Nothing is believed because the hub said it.  Versions are contiguous, never lower than one seen, and each is signed
by enough of the officers before it and, where it names new ones, by enough of those.

Source: protocol 7; design 2 (4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from adapters.errors import GatewayError
from keys import documents, jws
from keys.digests import sha256_b64u
from keys.errors import KeysError
from keys.sealing import SealingKey
from schemas.agreement import Agreement, parse_agreement
from schemas.directory import Directory, Jwk, KeyStatement, Officers, parse_directory, parse_key_statement
from schemas.envelope import Struct
from schemas.strict_json import MalformedError, parse_as

TRUST_NAME: Final = "trust/trust.json"


class Pinned(Struct, frozen=True, kw_only=True):
    """What a partnership hands to an agency by a trusted way: its officers' keys, and where the hub is."""

    officers: Officers
    hub_url: str


def load_pinned(home: Path) -> Pinned:
    """Return what ``trust/trust.json`` in *home* pins.

    Raises:
        GatewayError: ``trust``.
    """
    path = home / TRUST_NAME
    try:
        return parse_as(path.read_bytes(), Pinned, max_bytes=1024 * 1024)
    except OSError as error:
        raise GatewayError(
            "trust", f"couldn't read {path}: {error.strerror}", "run `gateway init --trust FILE`"
        ) from error
    except MalformedError as error:
        raise GatewayError("trust", f"{path}: {error.message}", "ask the partnership for its trust.json") from error


def members(jwk: Jwk) -> dict[str, str]:
    """Return *jwk* as a mapping of the members that it has."""
    return {name: value for name, value in msgspec.to_builtins(jwk).items() if value is not None}


def payload_of(document: bytes, typ: str) -> bytes:
    """Return the payload of a signed document, its signatures not checked.

    Raises:
        GatewayError: ``trust-document``.
        KeysError: ``jws-*``.
    """
    with _as_trust():
        return documents.parse(document, typ)[0].payload


def verify_document(document: bytes, typ: str, *groups: Officers) -> bytes:
    """Return the payload of *document* if enough of each of *groups* signed it, counted by distinct key.

    Raises:
        GatewayError: ``trust-document``, ``trust-signatures``.
        KeysError: a signature doesn't verify.
    """
    signers = [documents.Signers.of(group.threshold, map(members, group.keys)) for group in groups]
    with _as_trust():
        return documents.verify(document, typ, signers)


@contextmanager
def _as_trust() -> Iterator[None]:
    try:
        yield
    except KeysError as error:
        if error.code == "document-payloads":
            raise GatewayError(
                "trust-document",
                "not a signed document: an array of JWS over one payload",
                "ask the partnership for it",
            ) from error
        if error.code == "document-signatures":
            raise GatewayError(
                "trust-signatures",
                "too few of the partnership's officers signed a document",
                "don't go on: ask the partnership, by telephone, what its officers signed",
            ) from error
        raise


def verify_directory(
    document: bytes, before: Directory | None, before_sha256: str | None, pinned: Officers
) -> Directory:
    """Return the directory in *document*, which must be the next version after *before* (the first, if ``None``).

    Raises:
        GatewayError: ``trust-version``, ``trust-signatures``, ``trust-document``.
    """
    proposed = parse_directory(payload_of(document, jws.DIRECTORY))
    officers = before.officers if before else pinned
    verify_document(document, jws.DIRECTORY, officers, proposed.officers)
    _check_next(proposed.version, proposed.previous, before.version if before else 0, before_sha256)
    return proposed


def verify_agreement(
    document: bytes, before: int, before_sha256: str | None, officers: Sequence[Officers]
) -> Agreement:
    """Return the agreement in *document*, the next after version *before* (0: none), signed by one set of *officers*.

    *officers*: of the directory in force, then those of earlier versions; an old agreement was signed by old officers.
    """
    payload = None
    for group in officers:
        try:
            payload = verify_document(document, jws.AGREEMENT, group)
            break
        except GatewayError as error:
            if error.code != "trust-signatures" or group is officers[-1]:
                raise
    agreement = parse_agreement(payload or b"")
    _check_next(agreement.version, agreement.previous, before, before_sha256)
    return agreement


def _check_next(version: int, previous: str | None, before: int, before_sha256: str | None) -> None:
    if version != before + 1 or previous != before_sha256:
        raise GatewayError(
            "trust-version",
            "a signed document does not follow the last version that was seen here",
            "don't go on: the hub may be showing an old or a second history",
        )


class Listed(Struct, frozen=True, kw_only=True):
    """One key statement as the hub lists it: its leaf's place and moment, and from when the hub lets it be used."""

    jws: str
    index: int
    usable_from: int
    at: int = 0


class Stated(Struct, frozen=True, kw_only=True):
    """One verified key statement; ``proved``: its inclusion in the log was checked against a verified checkpoint."""

    statement: KeyStatement
    kid: str
    sha256: str
    listed: Listed
    proved: bool = False


def verify_statements(
    listing: Iterable[Listed], directory: Directory, known: Mapping[str, Stated]
) -> tuple[list[Stated], list[str]]:
    """Return the statements that hold, in order, and the codes of what did not.

    *known*: statements verified before, by digest: they stay good when the identity key changes later.  What was
    signed by an identity key that has changed since can't be verified by who joins after that, so an agency's sequence
    may have gaps, but it never repeats or falls, and neighbours name each other.
    """
    identities = {agency.id: jws.VerifyingKey.from_jwk(members(agency.identity)) for agency in directory.agencies}
    last: dict[str, Stated] = {}
    good: list[Stated] = []
    wrong: list[str] = []
    for listed in listing:
        digest = sha256_b64u(listed.jws.encode())
        try:
            stated = known.get(digest) or _verify_statement(listed, digest, identities)
        except (KeysError, MalformedError, GatewayError) as error:
            wrong.append(error.code)
            continue
        said, before = stated.statement, last.get(stated.statement.agency)
        follows = before is None or said.sequence > before.statement.sequence
        if before and said.sequence == before.statement.sequence + 1:
            follows = said.previous == before.sha256
        if not follows:
            wrong.append("key-sequence")
            continue
        last[said.agency] = stated
        good.append(stated)
    return good, wrong


def _verify_statement(listed: Listed, digest: str, identities: Mapping[str, jws.VerifyingKey]) -> Stated:
    unverified = jws.parse(listed.jws.encode(), jws.KEY)
    statement = parse_key_statement(unverified.payload)
    identity = identities.get(statement.agency)
    if identity is None:
        raise GatewayError("agency-unknown", "a key statement is of an agency that isn't in the directory")
    jws.check(unverified, identity)
    # A key that can't be used is no reason to stumble over it later, in the middle of somebody's mail.
    (SealingKey if statement.use == "seal" else jws.VerifyingKey).from_jwk(members(statement.jwk))
    return Stated(statement=statement, kid=jws.thumbprint(members(statement.jwk)), sha256=digest, listed=listed)


def payload_sha256(document: bytes, typ: str) -> str:
    """Return the digest that the next version names as ``previous``: of the payload, b64u."""
    return sha256_b64u(payload_of(document, typ))
