"""The directory, the agreement and the keys: published by their own signatures, read as one snapshot.

Nothing here is trusted because of who sent it.  A document takes effect because enough officers signed it, a key
because the agency's identity key did.

Source: protocol 7.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from hub import ledger, notices
from hub.core.authenticity import KeyFact, is_usable
from hub.core.events import Event, EventName
from hub.errors import HubError, Refusal, RefusedError
from hub.store.base import Store
from hub.store.rows import DocumentRow
from hub.store.transaction import Transaction
from keys import digests, documents, jws, notes
from keys.errors import KeysError
from keys.note_keys import parse_verifier
from schemas.agreement import Agreement, parse_agreement
from schemas.directory import (
    Directory,
    DirectoryIndex,
    Jwk,
    Officers,
    parse_directory,
    parse_key_statement,
)
from schemas.identifiers import AgencyId, KeyId, MailboxId, Moment
from schemas.rules.compiled import Rules
from schemas.statements import NoticeCode
from schemas.witnessing import parse_policy

Said = TypeVar("Said", Directory, Agreement)


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

    def witnesses(self, now: Moment) -> Mapping[str, AgencyId]:
        """Return the agencies' active witness keys, each as the verifier key of the name under which it cosigns."""
        origin = self.directory.directory.hub.origin
        return {
            notes.witness_verifier(witness_name(origin, fact.agency), self.verifying[fact.kid]): fact.agency
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
    suspended = {row.kid for row in tx.suspensions()}
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
            suspended=row.kid in suspended,
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


def read_directory(tx: Transaction) -> DirectoryIndex:
    """Return the directory in force in this very transaction.

    Raises:
        HubError: ``home``; there is none yet.
    """
    row = tx.current_document("directory")
    if row is None:
        raise HubError("home", "there is no directory yet", "run `hub init`")
    return _directory(row.document)


def read_rules(tx: Transaction, now: Moment) -> Rules:
    """Return the agreement in force at *now* in this very transaction: the newest whose day has come, else the first.

    Raises:
        HubError: ``home``; there is none yet.
    """
    rules = [_rules(row.document) for row in tx.documents("agreement")]
    if not rules:
        raise HubError("home", "there is no agreement yet", "run `hub init`")
    return next((one for one in reversed(rules) if one.agreement.in_force_from <= now), rules[0])


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

    Publishing the current version again changes nothing.  Where an agency or a team ends, every mailbox is told; *signer*
    signs that, and may be left out while there is nobody to tell.

    Raises:
        MalformedError, KeysError: not a directory, or signed by no officer (``document-signatures``), or with a witness
            under a key that is none (``note-key``).
        RefusedError: ``document-signatures``, ``document-version``, ``document-previous``, ``document-partnership``;
            what an officer signed is in the log.
    """
    proposal = await asyncio.to_thread(_propose, "directory", document, jws.DIRECTORY, _parse_directory)
    proposed = proposal.said

    def tell(before: Directory | None) -> _Telling:
        told: NoticeCode | None = "agency-ended" if before and _ended(proposed) - _ended(before) else None
        return _Telling(told, proposed, signer)

    await _publish(store, proposal, roots, tell, now)
    return proposed


async def publish_agreement(
    store: Store, document: bytes, now: Moment, signer: jws.SigningKey | None = None
) -> Agreement:
    """Take the next agreement version, signed by the officers of the directory in force, and tell every mailbox.

    Raises: as :func:`publish_directory`.
    """
    proposal = await asyncio.to_thread(_propose, "agreement", document, jws.AGREEMENT, parse_agreement)

    def tell(before: Directory | None) -> _Telling:
        return _Telling("agreement-changed", before, signer)

    await _publish(store, proposal, None, tell, now)
    return proposal.said


def _parse_directory(payload: bytes) -> Directory:
    directory = parse_directory(payload)
    # A witness under a key that is none could never cosign, so its group's quorum might never be reached.
    for one in parse_policy(directory.witnesses).outsiders:
        parse_verifier(one.verifier)
    return directory


class _Proposal(NamedTuple, Generic[Said]):
    """A document that somebody brings: what it says, the digest of that, and the keys that it says have signed it."""

    kind: Literal["directory", "agreement"]
    typ: str
    document: bytes
    said: Said
    digest: str
    kids: frozenset[KeyId]


def _groups(said: Directory | Agreement, officers: Officers) -> tuple[documents.Signers, ...]:
    """Return who must have signed *said* while *officers* are in force: a directory's own officers too."""
    own = (_signers(said.officers),) if isinstance(said, Directory) else ()
    return (_signers(officers), *own)


class _Telling(NamedTuple):
    """Which notice every open mailbox of a directory gets, if any."""

    code: NoticeCode | None
    directory: Directory | None
    signer: jws.SigningKey | None


def _ended(directory: Directory) -> set[tuple[AgencyId | MailboxId, Moment]]:
    ends = [(agency.id, agency.valid_to) for agency in directory.agencies]
    ends += [(box.id, box.valid_to) for agency in directory.agencies for box in agency.mailboxes]
    return {(name, end) for name, end in ends if end is not None}


def _propose(
    kind: Literal["directory", "agreement"], document: bytes, typ: str, parse: Callable[[bytes], Said]
) -> _Proposal[Said]:
    signed = documents.parse(document, typ)
    payload = signed[0].payload
    kids = frozenset(one.kid for one in signed)
    return _Proposal(kind, typ, document, parse(payload), digests.sha256_b64u(payload), kids)


async def _publish(
    store: Store,
    proposal: _Proposal[Any],
    roots: Officers | None,
    tell: Callable[[Directory | None], _Telling],
    now: Moment,
) -> None:
    """Take *proposal*, signatures checked before the transaction: nobody else waits for what anyone may bring."""
    officers = await store.read(_officers) or roots
    if officers is not None:
        await asyncio.to_thread(_check_signed, proposal, officers)

    def record(tx: Transaction) -> Refusal | None:
        if (_officers(tx) or roots) != officers:
            raise StaleError
        refusal = _judge(tx, proposal, officers)
        if refusal is not None:
            _log_refusal(tx, proposal, refusal, now)
        elif not _is_current(tx, proposal):
            before = tx.current_document("directory")
            _record(tx, proposal, tell(_directory(before.document).directory if before else None), now)
        return refusal

    try:
        refusal = await store.write(record)
    except StaleError as error:
        raise HubError("unavailable", "the officers changed meanwhile", "try again") from error
    if refusal is not None:
        raise RefusedError(refusal)


def _officers(tx: Transaction) -> Officers | None:
    current = tx.current_document("directory")
    return _directory(current.document).directory.officers if current else None


def _check_signed(proposal: _Proposal[Any], officers: Officers) -> None:
    """Raise unless an officer in force signed *proposal*, and every officer's signature on it is right."""
    groups = _groups(proposal.said, officers)
    good = documents.signed_by(
        proposal.document, proposal.typ, {kid: key for group in groups for kid, key in group.keys.items()}
    )
    if good.isdisjoint(groups[0].keys):
        documents.require(good, groups)


def _is_current(tx: Transaction, proposal: _Proposal[Any]) -> bool:
    current = tx.current_document(proposal.kind)
    return current is not None and current.sha256 == proposal.digest


def _judge(tx: Transaction, proposal: _Proposal[Any], officers: Officers | None) -> Refusal | None:
    """Return why *proposal*, whose signatures are right, is not the next of its kind, or ``None``."""
    said, kind, current = proposal.said, proposal.kind, tx.current_document(proposal.kind)
    directory = tx.current_document("directory")
    if officers is None or (directory is None and kind == "agreement"):
        return Refusal("document-version", "there is no directory yet", "run `hub init`")
    if directory and said.partnership != _directory(directory.document).directory.partnership:
        return _FOREIGN
    try:
        documents.require(proposal.kids, _groups(proposal.said, officers))
    except KeysError as error:
        return Refusal(error.code, error.message, error.hint)
    if _is_current(tx, proposal):
        return None
    expected = current.version + 1 if current else 1
    if said.version != expected:
        return Refusal("document-version", f"the next {kind} is version {expected}", "number it so")
    if said.previous != (current.sha256 if current else None):
        return Refusal("document-previous", f"it does not name the {kind} before it", "sign over the current version")
    return None


def _log_refusal(tx: Transaction, proposal: _Proposal[Any], refusal: Refusal, now: Moment) -> None:
    """Keep what an officer signed and the rules refuse, once; an older version is in the log already."""
    known, digest = tx.find_document(proposal.kind, proposal.said.version), proposal.digest
    if tx.current_document("directory") is None or (known is not None and known.sha256 == digest):
        return
    event = Event(
        event="document-refused",
        kind=proposal.kind,
        version=proposal.said.version,
        digest=digest,
        outcome=refusal.code,
    )
    if not ledger.is_in_log(tx, event):
        ledger.append(tx, event, ledger.moment(tx, now))


def _record(tx: Transaction, proposal: _Proposal[Any], telling: _Telling, now: Moment) -> None:
    at, said, digest = ledger.moment(tx, now), proposal.said, proposal.digest
    name: EventName = "directory-published" if proposal.kind == "directory" else "agreement-published"
    index = ledger.append(tx, Event(event=name, version=said.version, digest=digest), at)
    tx.add_document(DocumentRow(proposal.kind, said.version, digest, proposal.document, at, index))
    if telling.code and telling.signer and telling.directory:
        boxes = DirectoryIndex(telling.directory).open_mailboxes(at)
        notices.tell_all(tx, telling.code, boxes, index, at, telling.signer)
    bump(tx)


def bump(tx: Transaction) -> None:
    """Tell every process that its snapshot is old: the next write with one is turned back."""
    head = tx.log_head()
    tx.set_log_head(replace(head, registry=head.registry + 1))
