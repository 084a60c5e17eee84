"""Verbs of what the registry publishes (directory, agreement, keys) and of used assertion ids."""

from __future__ import annotations

from typing import Final

from hub.store.rows import DocumentRow, KeyRow, VersionRow
from hub.store.session import Row, Session, pack, unpack

_NEVER: Final = 2**62


def add_document(tx: Session, row: DocumentRow) -> None:
    """Add one version of the directory or the agreement."""
    tx.connection.run(
        "add_document",
        {
            "kind": row.kind,
            "version": row.version,
            "sha256": pack(row.sha256),
            "at": row.at,
            "ix": row.index,
            "document": row.document,
        },
    )


def _document(row: Row) -> DocumentRow:
    kind, version, digest, document, at, index = row
    return DocumentRow(kind, version, unpack(digest), document, at, index)


def current_document(tx: Session, kind: str, at: int | None = None) -> DocumentRow | None:
    """Return the newest version of *kind* that was published by the moment *at*, or ever."""
    values = {"kind": kind, "at": _NEVER if at is None else at}
    return next(map(_document, tx.connection.rows("current_document", values)), None)


def find_document(tx: Session, kind: str, version: int) -> DocumentRow | None:
    """Return one version of *kind*."""
    return next(map(_document, tx.connection.rows("find_document", {"kind": kind, "version": version})), None)


def documents(tx: Session, kind: str) -> list[DocumentRow]:
    """Return every version of *kind*, the first one first."""
    return list(map(_document, tx.connection.rows("documents", {"kind": kind})))


def document_versions(tx: Session, kind: str, before: int | None, limit: int) -> list[VersionRow]:
    """Return up to *limit* versions of *kind* before version *before*, the newest first, without what they say."""
    values = {"kind": kind, "before": _NEVER if before is None else before, "limit": limit}
    rows = tx.connection.rows("document_versions", values)
    return [VersionRow(version, unpack(digest), at, index) for version, digest, at, index in rows]


def add_key(tx: Session, row: KeyRow) -> None:
    """Add a statement about a key; it is the key's newest from now on."""
    kid = pack(row.kid)
    tx.connection.run("outdate_key", {"kid": kid})
    tx.connection.run(
        "add_key",
        {
            "kid": kid,
            "ix": row.index,
            "agency": row.agency,
            "mailbox": row.mailbox,
            "purpose": row.use,
            "sequence": row.sequence,
            "state": row.state,
            "not_before": row.not_before,
            "expires": row.expires,
            "usable_from": row.usable_from,
            "compromised_from": row.compromised_from,
            "at": row.at,
            "statement": row.statement,
            "approval": row.approval,
        },
    )


def _key(row: Row) -> KeyRow:
    return KeyRow(unpack(row[0]), *row[1:])


def keys(tx: Session) -> list[KeyRow]:
    """Return the newest statement about every key, in the order of the log."""
    return list(map(_key, tx.connection.rows("keys")))


def key_statements(tx: Session, after: int, limit: int) -> list[KeyRow]:
    """Return statements about any key from the log's index *after* on, in the order of the log."""
    return list(map(_key, tx.connection.rows("key_statements", {"after": after, "limit": limit})))


def key_history(tx: Session, kid: str) -> list[KeyRow]:
    """Return every statement about one key, in the order of the log."""
    return list(map(_key, tx.connection.rows("key_history", {"kid": pack(kid)})))


def use_jti(tx: Session, jti: str, expires: int) -> bool:
    """Take an assertion's id until *expires*; ``False`` if it was taken before."""
    return tx.connection.run("use_jti", {"jti": jti, "expires": expires}) == 1


def forget_jtis(tx: Session, now: int) -> int:
    """Forget the ids whose assertions have expired before *now*; return how many."""
    return tx.connection.run("forget_jtis", {"now": now})
