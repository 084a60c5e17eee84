"""How signed documents are shown: who signed, what changes from one version to the next, fingerprints to compare."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, NamedTuple

from hub.drafts import TYPS
from hub.registry import payload_of, public_members
from hub.store.rows import DocumentRow
from hub.store.transaction import Transaction
from hub.web.console.frame import Words
from keys import documents, jws
from keys.digests import from_b64u
from keys.safety import spell, spell_payload
from schemas.agreement import Agreement, parse_agreement
from schemas.comparing import Change, compare_agreements, compare_directories
from schemas.comparing import Words as Spelling
from schemas.directory import Directory, Jwk, Officers, parse_directory
from schemas.identifiers import KeyId
from schemas.rules.explained import explain

Kind = Literal["directory", "agreement"]
SHOWN = 400


class Block(NamedTuple):
    """A part of an explained agreement: its first line, and the others with how far each is moved in."""

    title: str
    lines: list[tuple[int, str]]


def fingerprint(kid: KeyId) -> str:
    """Return a key's name as it is read aloud: hexadecimal in groups of four."""
    return spell(from_b64u(kid))


def kid_of(key: Jwk) -> KeyId:
    """Return the name of a public key."""
    return jws.thumbprint(public_members(key))


def parse(kind: str, payload: bytes) -> Directory | Agreement:
    """Return what a payload says that was checked before."""
    return parse_directory(payload) if kind == "directory" else parse_agreement(payload)


def changes_between(
    before: Directory | Agreement | None, after: Directory | Agreement, words: Words
) -> tuple[Change, ...]:
    """Return what *after* changes of *before*, of the same kind, in words."""
    spelling = Spelling(lambda key: fingerprint(kid_of(key)), words.moment)
    if isinstance(after, Directory):
        return compare_directories(before if isinstance(before, Directory) else None, after, spelling)
    return compare_agreements(before if isinstance(before, Agreement) else None, after, spelling, explain)


def describe_version(tx: Transaction, kind: Kind, number: int) -> tuple[DocumentRow, DocumentRow | None] | None:
    """Return version *number* of *kind* and the one before it, or ``None`` if it isn't there."""
    row = tx.find_document(kind, number)
    return None if row is None else (row, tx.find_document(kind, number - 1))


def show_version(row: DocumentRow, before: DocumentRow | None, officers: Officers, words: Words) -> dict[str, Any]:
    """Return what a page says of one version: digest, signatures by *officers* or others, and what it changed."""
    kind: Kind = "directory" if row.kind == "directory" else "agreement"
    signed = documents.parse(row.document, TYPS[kind])
    payload = signed[0].payload
    known = {kid_of(key) for key in officers.keys}
    earlier = parse(kind, payload_of(before.document, TYPS[kind])) if before else None
    said = parse(kind, payload)
    changes = changes_between(earlier, said, words)
    return {
        "version": row, "said": said, "digest": spell_payload(payload), "changes": changes[:SHOWN],
        "left_out": max(0, len(changes) - SHOWN),
        "signatures": [(fingerprint(one.kid), one.kid in known) for one in signed],
    }  # fmt: skip


@lru_cache(maxsize=8)
def explain_in_blocks(document: bytes) -> tuple[Block, ...]:
    """Return a published agreement in plain English, one block for each calendar, type and rhythm."""
    agreement = parse_agreement(payload_of(document, jws.AGREEMENT))
    parts = [part.splitlines() for part in explain(agreement).split("\n\n") if part.strip()]
    return tuple(
        Block(part[0].strip(), [((len(line) - len(line.lstrip())) // 2, line.strip()) for line in part[1:]])
        for part in parts
    )
