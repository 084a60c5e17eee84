"""The directory, the agreement and the keys: published by their own signatures, read as one snapshot.

Nothing here is trusted because of who sent it.  A document takes effect because enough officers signed it, a key
because the agency's identity key did.

Source: protocol 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from hub import ledger, notices
from hub.core.authenticity import KeyFact, is_usable
from hub.core.events import Event, EventName
from hub.errors import HubError, Refusal, RefusedError
from hub.store.base import Store
from hub.store.rows import DocumentRow, LogHead
from hub.store.transaction import Transaction
from keys import digests, documents, jws
from schemas.agreement import MAX_AGREEMENT, Agreement, parse_agreement
from schemas.directory import (
    MAX_DIRECTORY,
    Directory,
    DirectoryIndex,
    Jwk,
    Officers,
    parse_directory,
    parse_key_statement,
)
from schemas.identifiers import AgencyId, KeyId, Moment
from schemas.rules.compiled import Rules
from schemas.statements import NoticeCode

MAX_DOCUMENT: Final = 4 * max(MAX_DIRECTORY, MAX_AGREEMENT)


_FOREIGN: Final = Refusal(
    "document-partnership", "the document is of another partnership than the directory in force", "sign it for this one"
)


class StaleError(Exception):
    """The snapshot is older than the database: the caller refreshes it and tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Directory, agreement and keys as of one serial of the log's head row."""

    serial: int
    directory: DirectoryIndex
    rules: tuple[Rules, ...]
    keys: Mapping[KeyId, KeyFact]
    verifying: Mapping[KeyId, jws.VerifyingKey]

    def rules_at(self, now: Moment) -> Rules:
        """Return the agreement in force at *now*: the newest version whose day has come, else the first."""
        for rules in reversed(self.rules):
            if rules.agreement.in_force_from <= now:
                return rules
        return self.rules[0]

    def witnesses(self, now: Moment) -> Mapping[str, jws.VerifyingKey]:
        """Return the agencies' active witness keys by the name under which each cosigns."""
        return {
            witness_name(self.directory.directory.hub.origin, fact.agency): self.verifying[fact.kid]
            for fact in self.keys.values()
            if is_usable(fact, "witness", now)
        }


def witness_name(origin: str, agency: AgencyId) -> str:
    """Return the key name under which *agency*'s gateway cosigns the log of *origin*."""
    return f"{origin}/witness/{agency}"


class Registry:
    """Holds the newest :class:`Snapshot`; one for each process."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    @classmethod
    async def load(cls, store: Store) -> Registry:
        """Read the registry.

        Raises:
            HubError: ``home``; there is no directory or agreement yet.
        """
        return cls(await store.read(_read))

    async def refresh(self, store: Store) -> None:
        """Read the registry again if the database has a newer one."""
        if await store.read(lambda tx: tx.log_head().registry) != self.snapshot.serial:
            self.snapshot = await store.read(_read)

    def check_fresh(self, tx: Transaction) -> None:
        """Raise :class:`StaleError` unless the snapshot is what the database holds in this very transaction."""
        if tx.log_head().registry != self.snapshot.serial:
            raise StaleError


def _read(tx: Transaction) -> Snapshot:
    directory, agreements = tx.current_document("directory"), tx.documents("agreement")
    if directory is None or not agreements:
        raise HubError("home", "there is no directory or agreement yet", "run `hub init`")
    facts, verifying = {}, {}
    for row in tx.keys():
        statement = parse_key_statement(jws.parse(row.statement, jws.KEY).payload)
        facts[row.kid] = KeyFact(
            kid=row.kid,
            agency=row.agency,
            mailbox=row.mailbox,
            use=statement.use,
            state=statement.state,
            not_before=row.not_before,
            expires=row.expires,
            usable_from=row.usable_from,
            compromised_from=row.compromised_from,
        )
        if statement.use != "seal":
            verifying[row.kid] = public_key(statement.jwk)
    return Snapshot(
        serial=tx.log_head().registry,
        directory=_directory(directory.document),
        rules=tuple(_rules(row.document) for row in agreements),
        keys=facts,
        verifying=verifying,
    )


# Most of a new snapshot is what the old one had: a document never changes once it is published.
@lru_cache(maxsize=2)
def _directory(document: bytes) -> DirectoryIndex:
    return DirectoryIndex(parse_directory(payload_of(document, jws.DIRECTORY)))


@lru_cache(maxsize=64)
def _rules(document: bytes) -> Rules:
    return Rules(parse_agreement(payload_of(document, jws.AGREEMENT)))


def public_members(jwk: Jwk) -> dict[str, Any]:
    """Return the members of *jwk* as ``keys`` takes them."""
    return {name: value for name, value in msgspec.to_builtins(jwk).items() if value is not None}


def public_key(jwk: Jwk) -> jws.VerifyingKey:
    """Return *jwk* ready to verify with.

    Raises:
        KeysError: ``key-kind``.
    """
    return jws.VerifyingKey.from_jwk(public_members(jwk))


def payload_of(document: bytes, typ: str) -> bytes:
    """Return the payload of a document that was checked when it was published."""
    return documents.parse(document, typ)[0].payload


def _signers(officers: Officers) -> documents.Signers:
    return documents.Signers.of(officers.threshold, map(public_members, officers.keys))


async def publish_directory(
    store: Store,
    document: bytes,
    now: Moment,
    roots: Officers | None = None,
    signer: jws.SigningKey | None = None,
) -> Directory:
    """Take the next directory version, or the first one if *roots* (pinned at set-up) signed it.

    Publishing the current version again changes nothing.  Where an agency ends, every mailbox is told; *signer* signs
    that, and may be left out while there is nobody to tell.

    Raises:
        MalformedError, KeysError: not a directory, or not signed by enough officers (``document-signatures``).
        RefusedError: ``document-version``, ``document-previous``, ``document-partnership``.
    """
    proposed = parse_directory(payload_of(document, jws.DIRECTORY))

    def record(tx: Transaction) -> Refusal | None:
        current = tx.current_document("directory")
        before = parse_directory(payload_of(current.document, jws.DIRECTORY)) if current else None
        officers = before.officers if before else roots
        if officers is None:
            return Refusal("document-version", "the first directory needs the pinned officers", "run `hub init`")
        if before and proposed.partnership != before.partnership:
            return _FOREIGN
        payload = documents.verify(document, jws.DIRECTORY, [_signers(officers), _signers(proposed.officers)])
        told: NoticeCode | None = "agency-ended" if before and _ended(proposed) - _ended(before) else None
        return _publish(tx, "directory", proposed, payload, document, now, _Telling(told, proposed, signer))

    _raise(await store.write(record))
    return proposed


async def publish_agreement(
    store: Store, document: bytes, now: Moment, signer: jws.SigningKey | None = None
) -> Agreement:
    """Take the next agreement version, signed by the officers of the directory in force, and tell every mailbox.

    Raises: as :func:`publish_directory`.
    """
    proposed = parse_agreement(payload_of(document, jws.AGREEMENT))

    def record(tx: Transaction) -> Refusal | None:
        directory = tx.current_document("directory")
        if directory is None:
            return Refusal("document-version", "there is no directory yet", "publish the directory first")
        known = parse_directory(payload_of(directory.document, jws.DIRECTORY))
        if proposed.partnership != known.partnership:
            return _FOREIGN
        payload = documents.verify(document, jws.AGREEMENT, [_signers(known.officers)])
        telling = _Telling("agreement-changed", known, signer)
        return _publish(tx, "agreement", proposed, payload, document, now, telling)

    _raise(await store.write(record))
    return proposed


class _Telling(NamedTuple):
    """Which notice every open mailbox of a directory gets, if any."""

    code: NoticeCode | None
    directory: Directory
    signer: jws.SigningKey | None


def _ended(directory: Directory) -> set[tuple[AgencyId, Moment]]:
    return {(agency.id, agency.valid_to) for agency in directory.agencies if agency.valid_to is not None}


def _publish(
    tx: Transaction,
    kind: str,
    proposed: Directory | Agreement,
    payload: bytes,
    document: bytes,
    now: Moment,
    telling: _Telling,
) -> Refusal | None:
    current = tx.current_document(kind)
    digest = digests.sha256_b64u(payload)
    if current and current.sha256 == digest:
        return None
    expected = current.version + 1 if current else 1
    if proposed.version != expected:
        return Refusal("document-version", f"the next {kind} is version {expected}", "number it so")
    if proposed.previous != (current.sha256 if current else None):
        return Refusal("document-previous", f"it does not name the {kind} before it", "sign over the current version")
    at = ledger.moment(tx, now)
    name: EventName = "directory-published" if isinstance(proposed, Directory) else "agreement-published"
    index = ledger.append(tx, Event(event=name, version=proposed.version, digest=digest), at)
    tx.add_document(DocumentRow(kind, proposed.version, digest, document, at, index))
    if telling.code and telling.signer:
        boxes = DirectoryIndex(telling.directory).open_mailboxes(at)
        notices.tell_all(tx, telling.code, boxes, index, at, telling.signer)
    bump(tx)
    return None


def bump(tx: Transaction) -> None:
    """Tell every process that its snapshot is old: the next write with one is turned back."""
    head = tx.log_head()
    tx.set_log_head(LogHead(head.size, head.frontier, head.registry + 1, head.at))


def _raise(outcome: Refusal | None) -> None:
    if outcome is not None:
        raise RefusedError(outcome)
