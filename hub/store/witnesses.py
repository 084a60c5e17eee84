"""Verbs of the witnesses: how far each has cosigned, and what became of asking it."""

from __future__ import annotations

from hub.store.rows import WitnessRow
from hub.store.session import Session


def find_witness(tx: Session, name: str) -> WitnessRow | None:
    """Return what is known of the witness whose key has this *name*; ``None``: it was never asked and never came."""
    return next((WitnessRow(*row) for row in tx.connection.rows("find_witness", {"name": name})), None)


def list_witnesses(tx: Session) -> list[WitnessRow]:
    """Return what is known of every witness, also of those that count no more, in the order of their names."""
    return [WitnessRow(*row) for row in tx.connection.rows("list_witnesses", {"after": ""})]


def put_witness(tx: Session, row: WitnessRow) -> None:
    """Keep *row* instead of what was known of that witness."""
    tx.connection.run(
        "put_witness",
        {
            "name": row.name,
            "key_id": row.key_id,
            "size": row.size,
            "said_at": row.said_at,
            "at": row.at,
            "asked_at": row.asked_at,
            "error": row.error,
        },
    )


def find_cosignature(tx: Session, size: int, name: str) -> str | None:
    """Return the line by which the witness *name* cosigned the checkpoint of *size*, with its line feed."""
    found = tx.connection.rows("find_cosignature", {"size": size, "witness": name})
    return next((row[0] for row in found), None)


def checkpoint_moment(tx: Session, size: int) -> int | None:
    """Return when the checkpoint over *size* leaves was signed."""
    return next((row[0] for row in tx.connection.rows("checkpoint_moment", {"size": size})), None)
