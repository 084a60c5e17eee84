"""The facts in agencies' evidence, each verified by itself; what does not verify is passed over, and named.

Whoever accuses is trusted no more than whoever is accused.  Who is the hub, the directory says, which the officers signed;
which key is an agency's, the agency's identity key in it.

Source: protocol 1, 4, 7 and 8; RFC 9162, 2.1.3 and 2.1.4; C2SP signed-note, tlog-checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

from hub.core.events import MAX_LEAF, Leaf
from hub.registry import public_key, public_members
from keys import digests, documents, jws, merkle, notes
from keys.errors import KeysError
from schemas.directory import Directory, KeyStatement, Officers, parse_directory, parse_key_statement
from schemas.envelope import Header, parse_header
from schemas.evidence import Beginning, Entry, Evidence, Said
from schemas.identifiers import AgencyId, KeyId, Sha256
from schemas.receipt import Receipt, parse_receipt
from schemas.statements import Acceptance, parse_acceptance
from schemas.strict_json import MalformedError, dump, parse_as

BAD: Final = (KeysError, MalformedError)


class Document(NamedTuple):
    """A directory that enough officers signed; ``sha256`` of its payload."""

    sha256: Sha256
    directory: Directory


class Shown(NamedTuple):
    """What the hub's signed log has at ``place``; ``leaf`` where it is known, and not its hash alone."""

    place: int
    hash: bytes
    leaf: Leaf | None
    size: int


class Signed(NamedTuple):
    """A compact JWS and its parts; whether it verifies is asked where that matters."""

    compact: bytes
    unverified: jws.Unverified

    @property
    def sha256(self) -> Sha256:
        """Return the digest by which a leaf names it."""
        return digests.sha256_b64u(self.compact)


class Voucher(NamedTuple):
    """An agency's own word that a key is its own."""

    statement: KeyStatement
    key: jws.VerifyingKey


@dataclass(slots=True)
class Facts:
    """Everything that verifies.  ``roots``: size, root, and the size of the checkpoint that commits the hub to it."""

    directories: list[Document] = field(default_factory=list)
    notes: dict[Sha256, notes.Checkpoint] = field(default_factory=dict)
    roots: dict[int, dict[bytes, int]] = field(default_factory=dict)
    entries: list[Shown] = field(default_factory=list)
    acceptances: dict[Sha256, Acceptance] = field(default_factory=dict)
    headers: dict[Sha256, tuple[Signed, Header]] = field(default_factory=dict)
    receipts: dict[Sha256, tuple[Signed, Receipt]] = field(default_factory=dict)
    statements: dict[Sha256, tuple[Signed, KeyStatement]] = field(default_factory=dict)
    vouchers: dict[KeyId, Voucher] = field(default_factory=dict)
    said: list[tuple[AgencyId, Said]] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)

    def is_by(self, signed: Signed, key: jws.VerifyingKey) -> bool:
        """Answer whether *signed* verifies with *key*."""
        try:
            jws.check(signed.unverified, key)
        except KeysError:
            return False
        return True

    def voucher(self, signed: Signed, agency: AgencyId) -> Voucher | None:
        """Return by which word of its own the key that *signed* names is the signing key of *agency*."""
        found = self.vouchers.get(signed.unverified.kid)
        good = found is not None and found.statement.agency == agency and found.statement.use == "sign"
        return found if good else None


def read_facts(files: Sequence[Evidence], roots: Officers) -> Facts:
    """Return what verifies in *files*, from the officers' first keys *roots* on.

    Raises:
        KeysError: ``evidence``; the directories name more than one log, so places in them can't be compared.
    """
    facts = Facts()
    _read_directories(facts, [dump(list(one)) for file in files for one in file.directories], roots)
    if len({one.directory.hub.origin for one in facts.directories}) > 1:
        raise KeysError("evidence", "the directories name two logs", "lay together evidence of one log at a time")
    for text in dict.fromkeys(note for file in files for note in file.notes):
        _read_note(facts, text)
    for beginning in dict.fromkeys(one for file in files for one in file.beginnings):
        _try(facts, f"the first {beginning.size} entries of a log", partial(_read_beginning, facts, beginning))
    for entry in dict.fromkeys(one for file in files for one in file.entries):
        _try(facts, f"entry {entry.index}", partial(_read_entry, facts, entry))
    for compact in dict.fromkeys(one for file in files for one in file.signed):
        _try(facts, "a signed object", partial(_read_signed, facts, compact.encode()))
    _vouch(facts)
    facts.said = [(file.agency, said) for file in files for said in file.said]
    return facts


def _try(facts: Facts, what: str, work: Callable[[], None]) -> None:
    try:
        work()
    except BAD as error:
        facts.passed_over.append(f"{what}: {error.message}")


def _read_directories(facts: Facts, found: Iterable[bytes], roots: Officers) -> None:
    """Take what officers signed: the first ones, or those whom a directory so signed names."""
    groups, waiting = [roots], list(dict.fromkeys(found))
    while True:
        left = []
        for document in waiting:
            said = _vouched(document, groups)
            if said is None:
                left.append(document)
                continue
            facts.directories.append(said)
            if said.directory.officers not in groups:
                groups.append(said.directory.officers)
        if len(left) == len(waiting):
            break
        waiting = left
    facts.passed_over += ["a directory: too few of the officers signed it"] * len(waiting)


def _vouched(document: bytes, groups: Iterable[Officers]) -> Document | None:
    for group in groups:
        try:
            said = parse_directory(documents.parse(document, jws.DIRECTORY)[0].payload)
            payload = documents.verify(document, jws.DIRECTORY, [_signers(group), _signers(said.officers)])
        except BAD:
            continue
        return Document(digests.sha256_b64u(payload), said)
    return None


def _signers(officers: Officers) -> documents.Signers:
    return documents.Signers.of(officers.threshold, map(public_members, officers.keys))


def _read_note(facts: Facts, text: str) -> None:
    for one in facts.directories:
        hub = one.directory.hub
        try:
            checkpoint = notes.open_checkpoint(text, hub.checkpoint, origin=hub.origin)
        except KeysError:
            continue
        facts.notes[digests.sha256_b64u(text.encode())] = checkpoint
        facts.roots.setdefault(checkpoint.size, {}).setdefault(checkpoint.root, checkpoint.size)
        return
    facts.passed_over.append("a checkpoint: not signed by every key that the directory names")


def _under(facts: Facts, note: Sha256) -> notes.Checkpoint:
    if note not in facts.notes:
        raise KeysError("evidence", "the checkpoint over it is not here, or not the hub's", "")
    return facts.notes[note]


def _read_beginning(facts: Facts, one: Beginning) -> None:
    tree = _under(facts, one.note)
    root = merkle.older_root(one.size, tree.size, _hashes(one.path), tree.root)
    facts.roots.setdefault(one.size, {}).setdefault(root, tree.size)


def _read_entry(facts: Facts, one: Entry) -> None:
    tree = _under(facts, one.note)
    text = one.leaf.encode() if one.leaf is not None else None
    hashed = merkle.leaf_hash(text) if text is not None else digests.from_b64u(one.hash or "")
    merkle.verify_inclusion(hashed, one.index, tree.size, _hashes(one.proof), tree.root)
    leaf = parse_as(text, Leaf, max_bytes=MAX_LEAF) if text is not None else None
    facts.entries.append(Shown(one.index, hashed, leaf, tree.size))


def _hashes(path: Sequence[Sha256]) -> list[bytes]:
    return [digests.from_b64u(text) for text in path]


def _read_signed(facts: Facts, compact: bytes) -> None:
    typ = jws.purpose(compact) or ""
    signed = Signed(compact, jws.parse(compact, typ))
    payload = signed.unverified.payload
    if typ == jws.ENVELOPE:
        facts.headers[signed.sha256] = signed, parse_header(payload)
    elif typ == jws.RECEIPT:
        facts.receipts[signed.sha256] = signed, parse_receipt(payload)
    elif typ == jws.KEY:
        facts.statements[signed.sha256] = signed, parse_key_statement(payload)
    elif typ == jws.ACCEPTANCE:
        hubs = [public_key(jwk) for one in facts.directories for jwk in one.directory.hub.signing]
        if not any(key.kid == signed.unverified.kid and facts.is_by(signed, key) for key in hubs):
            raise KeysError("evidence", "an acceptance that the hub has not signed", "")
        facts.acceptances[signed.sha256] = parse_acceptance(payload)


def _vouch(facts: Facts) -> None:
    """Learn which keys are whose, from statements that their agency's identity key has signed."""
    for signed, said in facts.statements.values():
        if said.use != "seal" and any(facts.is_by(signed, key) for key in identities(facts, said.agency)):
            key = public_key(said.jwk)
            facts.vouchers.setdefault(key.kid, Voucher(said, key))


def identities(facts: Facts, agency: AgencyId) -> list[jws.VerifyingKey]:
    """Return every identity key that a directory has ever named for *agency*."""
    found = (one.directory.agencies for one in facts.directories)
    return [public_key(entry.identity) for entries in found for entry in entries if entry.id == agency]
