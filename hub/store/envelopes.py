"""Verbs of envelopes, their bodies, receipts and withdrawals."""

from __future__ import annotations

from typing import Final

from hub.store.rows import EnvelopeRow, ReceiptRow, WithdrawalRow
from hub.store.session import Row, Session, pack, pack_or_none, unpack, unpack_or_none

INLINE: Final = 64 * 1024


def make_envelope(row: Row) -> EnvelopeRow:
    """Return the columns of ``find_envelope`` as a row."""
    (
        name,
        thread,
        kind,
        sender,
        header,
        wraps,
        acceptance,
        header_sha256,
        sealed_sha256,
        length,
        opening,
        variant,
        at,
        accepted_at,
        index,
        keep_until,
        supersedes,
        superseded_by,
        state,
        expire_at,
        expire_stage,
    ) = row
    return EnvelopeRow(
        unpack(name),
        unpack(thread),
        kind,
        sender,
        header,
        wraps,
        acceptance,
        unpack(header_sha256),
        unpack(sealed_sha256),
        length,
        unpack(opening),
        variant,
        at,
        accepted_at,
        index,
        keep_until,
        unpack_or_none(supersedes),
        unpack_or_none(superseded_by),
        state,
        expire_at,
        expire_stage,
    )


def find_envelope(tx: Session, name: str) -> EnvelopeRow | None:
    """Return the envelope with this id."""
    rows = tx.connection.rows("find_envelope", {"id": pack(name)})
    return make_envelope(rows[0]) if rows else None


def thread_envelopes(tx: Session, thread: str) -> list[EnvelopeRow]:
    """Return every envelope of *thread*, in the order of the log."""
    rows = tx.connection.rows("thread_envelopes", {"thread": pack(thread)})
    return sorted(map(make_envelope, rows), key=lambda row: row.index)


def envelopes_to_expire(tx: Session, now: int, limit: int) -> list[tuple[EnvelopeRow, int]]:
    """Return up to *limit* present envelopes whose ``expire_at`` is not after *now*, each with its stage, by that."""
    rows = tx.connection.rows("envelopes_to_expire", {"now": now, "limit": limit})
    return [(row, row.expire_stage) for row in map(make_envelope, rows)]


def envelopes_expiring(tx: Session, after: tuple[int, int], limit: int) -> list[EnvelopeRow]:
    """Return up to *limit* present envelopes by when retention looks at them, beyond (moment, index) *after*."""
    values = {"at": after[0], "ix": after[1], "limit": limit}
    return list(map(make_envelope, tx.connection.rows("envelopes_expiring", values)))


def set_expiry(tx: Session, name: str, at: int, stage: int) -> None:
    """Let retention look at an envelope at the moment *at*, and remember the *stage* that it has reached."""
    tx.connection.run("set_expiry", {"id": pack(name), "at": at, "stage": stage})


def add_envelope(tx: Session, row: EnvelopeRow, body: bytes | memoryview) -> None:
    """Add an envelope and its body; ``row.index`` is its own leaf's."""
    sealed = pack(row.sealed_sha256)
    tx.connection.run(
        "add_envelope",
        {
            "ix": row.index,
            "id": pack(row.id),
            "thread": pack(row.thread),
            "type": row.type,
            "sender": row.sender,
            "state": row.state,
            "length": row.length,
            "at": row.at,
            "accepted_at": row.accepted_at,
            "keep_until": row.keep_until,
            "expire_at": row.keep_until if row.expire_at is None else row.expire_at,
            "expire_stage": row.expire_stage,
            "variant": row.variant,
            "supersedes": pack_or_none(row.supersedes),
            "superseded_by": pack_or_none(row.superseded_by),
            "header_sha256": pack(row.header_sha256),
            "sealed_sha256": sealed,
            "opening": pack(row.opening),
            "acceptance": row.acceptance,
            "header": row.header,
            "wraps": row.wraps,
        },
    )
    if tx.bodies is None or len(body) <= INLINE:
        tx.connection.run("add_body", {"ix": row.index, "content": body})
    else:
        # Durable before the row that names it: a crash in between leaves a file that nobody names, never the reverse.
        tx.bodies.keep(row.sealed_sha256, body)
        tx.connection.run("add_body_file", {"sha256": sealed, "ix": row.index})


def body(tx: Session, name: str) -> bytes | None:
    """Return the sealed bytes of an envelope, or ``None`` if there is no such envelope or its body was dropped."""
    place = tx.connection.rows("envelope_place", {"id": pack(name)})
    if not place:
        return None
    index, length, sealed = place[0]
    if tx.bodies is None or length <= INLINE:
        return next((row[0] for row in tx.connection.rows("body", {"ix": index})), None)
    held = tx.connection.rows("find_body_file", {"sha256": sealed, "ix": index})
    return tx.bodies.load(unpack(sealed)) if held else None


def drop_body(tx: Session, name: str) -> None:
    """Delete the sealed bytes of an envelope; a file goes once this is durable and no envelope needs it."""
    place = tx.connection.rows("envelope_place", {"id": pack(name)})
    if not place:
        return
    index, _, sealed = place[0]
    tx.connection.run("drop_body", {"ix": index})
    bodies = tx.bodies
    if bodies is not None and tx.connection.run("drop_body_file", {"sha256": sealed, "ix": index}):
        file, connection = unpack(sealed), tx.connection

        def drop_unused() -> None:
            # Asked only now: another function of the same commit may have taken in the same bytes.
            if not connection.rows("body_file_use", {"sha256": sealed}):
                bodies.drop(file)

        tx.after.append(drop_unused)


def replace_wraps(tx: Session, name: str, wraps: bytes) -> None:
    """Put other signed wraps in the place of an envelope's."""
    tx.connection.run("replace_wraps", {"id": pack(name), "wraps": wraps})


def set_envelope_state(tx: Session, name: str, state: str) -> None:
    """Record that an envelope is ``present``, ``withdrawn`` or ``deleted``."""
    tx.connection.run("set_envelope_state", {"id": pack(name), "state": state})


def mark_superseded(tx: Session, name: str, by: str) -> None:
    """Record that envelope *by* stands in the place of envelope *name*."""
    tx.connection.run("mark_superseded", {"id": pack(name), "by": pack(by)})


def _receipt(row: Row) -> ReceiptRow:
    name, envelope, mailbox, level, code, actor, at, accepted_at, jws, index = row
    return ReceiptRow(
        unpack(name), unpack(envelope), mailbox, level, code, unpack_or_none(actor), at, accepted_at, jws, index
    )


def find_receipt(tx: Session, name: str) -> ReceiptRow | None:
    """Return the receipt with this id."""
    return next(map(_receipt, tx.connection.rows("find_receipt", {"id": pack(name)})), None)


def add_receipt(tx: Session, row: ReceiptRow) -> None:
    """Add a receipt."""
    tx.connection.run(
        "add_receipt",
        {
            "id": pack(row.id),
            "envelope": pack(row.envelope),
            "mailbox": row.mailbox,
            "level": row.level,
            "code": row.code,
            "actor": pack_or_none(row.actor),
            "at": row.at,
            "accepted_at": row.accepted_at,
            "jws": row.jws,
            "ix": row.index,
        },
    )


def receipts_of(tx: Session, envelope: str) -> list[ReceiptRow]:
    """Return every receipt for *envelope*, by mailbox, each mailbox's in the order of the log."""
    return list(map(_receipt, tx.connection.rows("receipts_of", {"envelope": pack(envelope)})))


def last_receipt(tx: Session, envelope: str, mailbox: str) -> ReceiptRow | None:
    """Return the newest receipt of *mailbox* for *envelope*: the one that its next must name."""
    values = {"envelope": pack(envelope), "mailbox": mailbox}
    return next(map(_receipt, tx.connection.rows("last_receipt", values)), None)


def receipts_for_threads(tx: Session, threads: list[str]) -> list[ReceiptRow]:
    """Return every receipt for an envelope of one of *threads*, in the order of the log."""
    found = [row for thread in threads for row in tx.connection.rows("receipts_of_thread", {"thread": pack(thread)})]
    return sorted(map(_receipt, found), key=lambda row: row.index)


def add_withdrawal(tx: Session, name: str, envelope: str, jws: bytes, at: int, index: int) -> None:
    """Add the sender's signed withdrawal of *envelope*."""
    values = {"id": pack(name), "envelope": pack(envelope), "jws": jws, "at": at, "ix": index}
    tx.connection.run("add_withdrawal", values)


def _withdrawal(row: Row) -> WithdrawalRow:
    name, envelope, jws, at, index = row
    return WithdrawalRow(unpack(name), unpack(envelope), jws, at, index)


def find_withdrawal(tx: Session, name: str) -> WithdrawalRow | None:
    """Return the withdrawal with this id."""
    return next(map(_withdrawal, tx.connection.rows("find_withdrawal", {"id": pack(name)})), None)


def withdrawals_of(tx: Session, envelope: str) -> list[WithdrawalRow]:
    """Return the withdrawals of *envelope*."""
    return list(map(_withdrawal, tx.connection.rows("withdrawals_of", {"envelope": pack(envelope)})))
