"""Verbs of the questions that people at the console saved."""

from __future__ import annotations

from typing import Final

from hub.store.rows import QuestionRow
from hub.store.session import Row, Session, pack, unpack

_FIRST: Final = b""


def _question(row: Row) -> QuestionRow:
    name, title, filters, account, at = row
    return QuestionRow(unpack(name), title, filters, unpack(account), at)


def add_question(tx: Session, row: QuestionRow) -> None:
    """Add a saved question."""
    values = {
        "id": pack(row.id),
        "title": row.title,
        "filters": row.filters,
        "account": pack(row.account),
        "at": row.at,
    }
    tx.connection.run("add_question", values)


def questions(tx: Session, after: str | None, limit: int) -> list[QuestionRow]:
    """Return up to *limit* saved questions beyond the id *after*, the oldest first."""
    values = {"after": pack(after) if after else _FIRST, "limit": limit}
    return list(map(_question, tx.connection.rows("questions", values)))
