"""The next directory or agreement, before officers sign it: brought by one person, looked at by another.

What is proposed is the very bytes that officers will sign, known by their digest.  The hub signs nothing and decides nothing by
a draft: only enough officers' signatures put a document in force, whoever brings it.

Source: protocol 7; docs/ceremonies.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from hub.ceremonies import Draft, parse_draft, select_history
from hub.errors import HubError
from hub.registry import payload_of
from hub.store.people_rows import ProposalRow
from hub.store.rows import DocumentRow, DraftRow
from hub.store.transaction import Transaction
from keys import jws
from keys.digests import sha256_b64u
from schemas.agreement import Agreement, parse_agreement
from schemas.agreement_text import compile_agreement
from schemas.catalogue import Catalogue
from schemas.directory import Directory, DirectoryIndex, parse_directory
from schemas.directory_checking import check_directory
from schemas.envelope import Struct
from schemas.findings import Finding
from schemas.identifiers import Moment, Sha256
from schemas.linting import lint_catalogue
from schemas.rules.checking import check_agreement, find_shapes
from schemas.strict_json import dump

Kind = Literal["directory", "agreement"]
PUBLISH: Final = "document-publish"
REASONS: Final = (
    "renewal",
    "agency_joins",
    "agency_ends",
    "mailboxes_change",
    "officers_change",
    "keys_change",
    "rules_change",
)
TYPS: Final[Mapping[Kind, str]] = {"directory": jws.DIRECTORY, "agreement": jws.AGREEMENT}
MAX_DRAFT: Final = 8 * 1024 * 1024


class Publish(Struct, frozen=True, kw_only=True):
    """The draft that officers shall sign: what it is, its version, and the sha256 of its payload."""

    kind: Kind
    version: int
    digest: Sha256


class Current(NamedTuple):
    """What is in force: every directory's row, the oldest first, and the newest agreement's."""

    directories: list[DocumentRow]
    agreement: DocumentRow

    def directory(self) -> tuple[Directory, Sha256]:
        """Return the directory in force and its payload's digest."""
        row = self.directories[-1]
        return parse_directory(payload_of(row.document, jws.DIRECTORY)), row.sha256

    def agreed(self) -> tuple[Agreement, Sha256]:
        """Return the newest agreement and its payload's digest."""
        row = self.agreement
        return parse_agreement(payload_of(row.document, jws.AGREEMENT)), row.sha256


class Made(NamedTuple):
    """A draft that was read: its kind, what it says, and its payload."""

    kind: Kind
    said: Directory | Agreement
    payload: bytes


def read_current(tx: Transaction) -> Current:
    """Return the documents in force.

    Raises:
        HubError: ``home``.
    """
    directories, agreement = tx.documents("directory"), tx.current_document("agreement")
    if not directories or agreement is None:
        raise HubError("home", "there is no directory or agreement yet", "run `hub init`")
    return Current(directories, agreement)


def make_draft(raw: bytes, current: Current, now: Moment, schemas: Mapping[str, Sha256]) -> Made:
    """Return what *raw* proposes as the next version.

    Args:
        raw: a draft as ``hub ceremony draft`` makes it, a directory as JSON, or an agreement as TOML.
        schemas: the digest of each message type's schema, for an agreement in TOML.

    Raises:
        HubError: ``draft``; it is none of these, or of keys alone.
        MalformedError: the document isn't as it must be; ``json-*``, ``directory-*``, ``agreement-*``.
    """
    if not raw.lstrip().startswith(b"{"):
        return _from_toml(raw, current, now, schemas)
    if b'"payload"' in raw[:4096]:
        return _from_ceremony(parse_draft(raw))
    before, digest = current.directory()
    head = {"version": before.version + 1, "previous": digest, "issued": now}
    return _made(msgspec.structs.replace(parse_directory(raw), **head))


def _from_toml(raw: bytes, current: Current, now: Moment, schemas: Mapping[str, Sha256]) -> Made:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        hint = "bring a draft of a ceremony, a directory as JSON or an agreement as TOML"
        raise HubError("draft", "the file is no text", hint) from error
    before, digest = current.agreed()
    return _made(compile_agreement(text, version=before.version + 1, previous=digest, issued=now, schemas=schemas))


def _from_ceremony(draft: Draft) -> Made:
    if draft.kind == "keys":
        raise HubError("draft", "a draft of keys alone is for one officer", "have an officer sign it as it is")
    payload = draft.payload.encode()
    said = parse_directory(payload) if draft.kind == "directory" else parse_agreement(payload)
    return Made(draft.kind, said, payload)


def _made(said: Directory | Agreement) -> Made:
    kind: Kind = "directory" if isinstance(said, Directory) else "agreement"
    payload = dump(said)
    # What officers would sign is read again from its bytes, so that nobody signs what no gateway can read.
    (parse_directory if kind == "directory" else parse_agreement)(payload)
    return Made(kind, said, payload)


def digest_schemas(catalogue: Catalogue) -> dict[str, Sha256]:
    """Return the digest of each message type's schema and of all that it refers to, for the officers to sign.

    Raises:
        HubError: ``config``; a schema breaks the rules for schemas.
    """
    for name, problem in lint_catalogue(catalogue):
        raise HubError("config", f"{name}: {problem.message}", "correct the schema before anybody signs for it")
    return {name: sha256_b64u(catalogue.canonical(name)) for name in catalogue.types()}


def lint(said: Directory | Agreement, index: DirectoryIndex, now: Moment, catalogue: Catalogue) -> Sequence[Finding]:
    """Return what of a draft leads nowhere: a directory by itself, an agreement with the directory *index* in force."""
    if isinstance(said, Directory):
        return check_directory(DirectoryIndex(said), now)
    return check_agreement(said, find_shapes(catalogue), index, now)


def keep(tx: Transaction, made: Made, now: Moment) -> Sha256:
    """Keep a draft, and return its digest."""
    digest = sha256_b64u(made.payload)
    tx.add_draft(DraftRow(digest, made.kind, made.said.version, made.payload, now))
    return digest


def read_kept(row: DraftRow) -> Directory | Agreement:
    """Return what a kept draft says."""
    return parse_directory(row.payload) if row.kind == "directory" else parse_agreement(row.payload)


def check_publish(tx: Transaction, about: Publish, _: Moment) -> None:
    """Raise where the draft isn't the next version of its kind.

    Raises:
        HubError: ``draft-unknown``, ``draft-outdated``.
    """
    row, current = tx.find_draft(about.digest), tx.current_document(about.kind)
    if row is None or (row.kind, row.version) != (about.kind, about.version):
        raise HubError("draft-unknown", "there is no such draft", "bring it again")
    said = read_kept(row)
    if current is None or (said.version, said.previous) != (current.version + 1, current.sha256):
        raise HubError("draft-outdated", "the draft doesn't follow the version in force", "draft it again")


def is_published(tx: Transaction, row: ProposalRow) -> bool:
    """Answer whether what *row* proposes to publish is published."""
    about = msgspec.json.decode(row.about, type=Publish)
    document = tx.find_document(about.kind, about.version)
    return document is not None and document.sha256 == about.digest


def carry(row: DraftRow, current: Current) -> Draft:
    """Return the draft as officers carry it to their machines, with what they need to check it offline."""
    agreement = current.agreement.document.decode() if row.kind == "agreement" else ""
    kind: Kind = "directory" if row.kind == "directory" else "agreement"
    history = select_history(one.document for one in current.directories)
    return Draft(v=1, kind=kind, payload=row.payload.decode(), history=history, agreement=agreement, made=row.at)
