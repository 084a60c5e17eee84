"""Verbs of what governance keeps: legal holds, records of breaches, suspended keys, drafts of documents."""

from __future__ import annotations

from typing import Final

from hub.store.rows import BreachRow, BreachStepRow, DraftRow, HoldRow, SuspensionRow
from hub.store.session import Row, Session, pack, pack_or_none, unpack, unpack_or_none

_NEVER: Final = 2**62


def add_hold(tx: Session, row: HoldRow) -> None:
    """Add a legal hold."""
    tx.connection.run(
        "add_hold",
        {
            "id": pack(row.id),
            "thread": pack(row.thread),
            "envelope": pack_or_none(row.envelope),
            "reason": row.reason,
            "at": row.at,
            "ix": row.index,
        },
    )


def _hold(row: Row) -> HoldRow:
    name, thread, envelope, reason, at, index, released_at, released_by = row[:8]
    return HoldRow(
        unpack(name),
        unpack(thread),
        unpack_or_none(envelope),
        reason,
        at,
        index,
        released_at,
        unpack_or_none(released_by),
    )


def find_hold(tx: Session, name: str) -> HoldRow | None:
    """Return the hold with this id, released or not."""
    return next(map(_hold, tx.connection.rows("find_hold", {"id": pack(name)})), None)


def holds_on(tx: Session, thread: str) -> list[HoldRow]:
    """Return the holds on *thread* or on one of its envelopes that nobody has released, in the order of the log."""
    rows = tx.connection.rows("holds_on", {"thread": pack(thread)})
    return sorted(map(_hold, rows), key=lambda row: row.index)


def holds(tx: Session, before: int | None, limit: int, *, active: bool) -> list[HoldRow]:
    """Return up to *limit* holds from before the log's index *before*, the newest first; *active*: not released."""
    values = {"before": _NEVER if before is None else before, "limit": limit}
    return list(map(_hold, tx.connection.rows("active_holds" if active else "every_hold", values)))


def release_hold(tx: Session, name: str, at: int, by: str, index: int) -> None:
    """Record that a hold was released, by the proposal *by*, with the leaf *index*."""
    tx.connection.run("release_hold", {"id": pack(name), "at": at, "proposal": pack(by), "ix": index})


def holds_to_tell(tx: Session, limit: int) -> list[tuple[HoldRow, int]]:
    """Return up to *limit* holds of which nobody was told that they were placed or released, each with that leaf's index."""
    return [(_hold(row), row[8]) for row in tx.connection.rows("holds_to_tell", {"limit": limit})]


def set_hold_told(tx: Session, name: str) -> None:
    """Record that whom a hold concerns was told."""
    tx.connection.run("set_hold_told", {"id": pack(name)})


def add_breach(tx: Session, row: BreachRow) -> bool:
    """Add a record of a breach, unless the envelope has one; answer whether it was added."""
    values = {
        "envelope": pack(row.envelope),
        "thread": pack(row.thread),
        "cause": row.cause,
        "state": row.state,
        "at": row.at,
        "ix": row.index,
    }
    return bool(tx.connection.run("add_breach", values))


def _breach(row: Row) -> BreachRow:
    envelope, thread, *rest = row
    return BreachRow(unpack(envelope), unpack(thread), *rest)


def find_breach(tx: Session, envelope: str) -> BreachRow | None:
    """Return the record of a breach about *envelope*."""
    return next(map(_breach, tx.connection.rows("find_breach", {"envelope": pack(envelope)})), None)


def breaches(tx: Session, before: int | None, limit: int, state: str | None = None) -> list[BreachRow]:
    """Return up to *limit* records from before the log's index *before*, the newest first, only those in *state*."""
    values = {"before": _NEVER if before is None else before, "limit": limit}
    if state is None:
        return list(map(_breach, tx.connection.rows("every_breach", values)))
    return list(map(_breach, tx.connection.rows("breaches_in_state", {**values, "state": state})))


def add_breach_step(tx: Session, envelope: str, row: BreachStepRow) -> None:
    """Record what was decided about a breach; it is its state from now on."""
    tx.connection.run(
        "add_breach_step",
        {
            "envelope": pack(envelope),
            "ix": row.index,
            "at": row.at,
            "state": row.state,
            "told_at": row.told_at,
            "proposal": pack(row.proposal),
        },
    )
    tx.connection.run("set_breach_state", {"envelope": pack(envelope), "state": row.state})


def breach_steps(tx: Session, envelope: str) -> list[BreachStepRow]:
    """Return what was decided about a breach, in the order of the log."""
    rows = tx.connection.rows("breach_steps", {"envelope": pack(envelope)})
    return [BreachStepRow(state, at, index, unpack(by), told) for state, at, index, by, told in rows]


def add_suspension(tx: Session, row: SuspensionRow) -> bool:
    """Suspend a key, unless it is; answer whether it was not."""
    values = {"kid": pack(row.kid), "reason": row.reason, "at": row.at, "ix": row.index, "proposal": pack(row.proposal)}
    return bool(tx.connection.run("add_suspension", values))


def drop_suspension(tx: Session, kid: str) -> bool:
    """Let a key be used again; answer whether it was suspended."""
    return bool(tx.connection.run("drop_suspension", {"kid": pack(kid)}))


def suspensions(tx: Session) -> list[SuspensionRow]:
    """Return every key that is suspended."""
    rows = tx.connection.rows("suspensions", {"after": b""})
    return [SuspensionRow(unpack(kid), reason, at, index, unpack(by)) for kid, reason, at, index, by in rows]


def add_draft(tx: Session, row: DraftRow) -> None:
    """Keep a draft of a document; the same draft again changes nothing."""
    values = {
        "sha256": pack(row.sha256),
        "kind": row.kind,
        "version": row.version,
        "payload": row.payload,
        "at": row.at,
    }
    tx.connection.run("add_draft", values)


def find_draft(tx: Session, digest: str) -> DraftRow | None:
    """Return the draft whose payload has this sha256."""
    for found, *rest in tx.connection.rows("find_draft", {"sha256": pack(digest)}):
        return DraftRow(unpack(found), *rest)
    return None
