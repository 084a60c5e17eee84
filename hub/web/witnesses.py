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
# A signature line of a note begins with an em dash.
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
    """Keep the cosignatures in *body* and return how many there are.

    *body* is a checkpoint as a note with the witnesses' lines below, or the lines alone, which are then over the last
    checkpoint.  Lines of the log itself are passed over.

    Raises:
        HubError: ``cosignature-unknown``; a line isn't a known witness's over that checkpoint.
    """
    try:
        head, _, tail = body.decode("utf-8").rpartition("\n\n")
        size = notes.Checkpoint.parse(f"{head}\n").size if head else None
    except (UnicodeDecodeError, KeysError) as error:
        raise _unknown() from error
    checkpoint = await store.read(lambda tx: tx.last_checkpoint() if size is None else tx.find_checkpoint(size))
    if checkpoint is None or (head and not checkpoint[2].startswith(f"{head}\n\n")):
        raise _unknown()
    own = checkpoint[2].rpartition("\n\n")[2].splitlines()
    lines = [line for line in tail.splitlines() if line not in own]
    if not 0 < len(lines) <= MAX_LINES:
        raise _unknown()
    of, note = checkpoint[0], checkpoint[2]
    signed = [_check(note, line, list(verifiers(snapshot, now))) for line in lines]

    def record(tx: Transaction) -> None:
        for name, line in signed:
            tx.add_cosignature(of, name, line, now)

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
        "send the checkpoint as it was served, with the witness's line below",
    )
