"""Cosignatures: whose lines are kept, and over which checkpoints.

A witness is a gateway's witness key, or one that the directory's policy names; lines of nobody known are refused.

Source: protocol 8; C2SP tlog-cosignature, tlog-policy.
"""

from __future__ import annotations

from collections.abc import Iterator

from hub.core.authenticity import is_usable
from hub.errors import HubError
from hub.registry import Snapshot
from hub.store.base import Store
from hub.store.transaction import Transaction
from keys import notes
from keys.errors import KeysError
from schemas.identifiers import Moment

MAX_LINES = 32
# A witness may be a little behind; what is older than this many checkpoints is of no use to anybody.
DASH = "\u2014 "


def verifiers(snapshot: Snapshot, now: Moment) -> Iterator[str]:
    """Yield the verifier keys of every witness that counts: gateways' own, named after their agency, and outsiders."""
    for kid, fact in snapshot.keys.items():
        if is_usable(fact, "witness", now):
            yield notes.witness_verifier(witness_name(snapshot, fact.agency), snapshot.verifying[kid])
    for line in snapshot.directory.directory.witnesses.splitlines():
        words = line.split()
        if len(words) == 3 and words[0] == "witness":
            yield words[2]


def witness_name(snapshot: Snapshot, agency: str) -> str:
    """Return the name under which an agency's gateway cosigns: the log's origin, then the agency."""
    return f"{snapshot.directory.directory.hub.origin}/witness/{agency}"


async def take_lines(store: Store, snapshot: Snapshot, body: bytes, now: Moment) -> int:
    """Keep the lines of *body* that cosign the checkpoint whose size it names first; return how many.

    *body* is the size in decimal, LF, then C2SP cosignature lines.

    Raises:
        HubError: ``cosignature-unknown``; a line isn't a known witness's over that checkpoint.
    """
    try:
        size, *lines = body.decode("utf-8").splitlines()
        known = int(size) if size.isascii() and size.isdigit() and len(size) < 17 else -1
    except (UnicodeDecodeError, ValueError) as error:
        raise _unknown() from error
    if known < 0 or not 0 < len(lines) <= MAX_LINES:
        raise _unknown()
    checkpoint = await store.read(lambda tx: tx.find_checkpoint(known))
    if checkpoint is None:
        raise _unknown()
    signed = [_check(checkpoint[2], line, list(verifiers(snapshot, now))) for line in lines]

    def record(tx: Transaction) -> None:
        for name, line in signed:
            tx.add_cosignature(known, name, line, now)

    await store.write(record)
    return len(signed)


def _check(note: str, line: str, candidates: list[str]) -> tuple[str, str]:
    name = line.removeprefix(DASH).partition(" ")[0]
    for verifier in candidates:
        if verifier.startswith(f"{name}+"):
            try:
                notes.check_cosignature(note, f"{line}\n", verifier)
            except KeysError:
                continue
            return name, f"{line}\n"
    raise _unknown()


def _unknown() -> HubError:
    return HubError(
        "cosignature-unknown",
        "a line isn't a known witness's cosignature of a checkpoint of this log",
        "send the checkpoint's size, then the lines, each by a witness key in the directory",
    )
