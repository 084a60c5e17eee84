"""The newest checkpoint, checked: signed, over just these entries, and continuing what others have seen of the log.

Done by the hub about itself, so it shows that the hub is in order, not that it is honest; the export shows that.

Source: protocol 8; RFC 6962.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Final, NamedTuple

from hub import ledger
from hub.errors import HubError
from hub.registry import Snapshot
from hub.store.transaction import Transaction
from hub.witnessing import Witnessed, state
from keys import merkle, notes
from keys.errors import KeysError
from schemas.identifiers import Moment

# Entries that one look takes in hand, spread evenly over the log.
SAMPLE: Final = 64
WHAT: Final[Mapping[str, str]] = {
    "signature": "the hub signed the checkpoint with each of its keys",
    "entries": "entries taken from all over the log are under it, byte for byte",
    "witness": "it continues the log that a witness cosigned",
    "noted": "it continues the checkpoint that you noted",
}


class Noted(NamedTuple):
    """A checkpoint that somebody wrote down elsewhere."""

    size: int
    root: bytes


class Result(NamedTuple):
    """One check: its code in :data:`WHAT`, what it was about, and what is wrong, ``None`` where it holds."""

    code: str
    about: str
    problem: str | None


class LogChecked(NamedTuple):
    """What was found of the newest checkpoint, and how far it is witnessed."""

    checkpoint: notes.Checkpoint
    at: Moment
    results: tuple[Result, ...]
    witnessed: Witnessed


def parse_noted(size: str, root: str) -> Noted:
    """Return the checkpoint that somebody types: how many entries, and the root as the checkpoint's third line has it.

    Raises:
        HubError: ``request-invalid``.
    """
    try:
        said = Noted(int(size), b64decode(root, validate=True))
    except ValueError:
        said = Noted(0, b"")
    if not (size.isascii() and size.isdecimal() and len(size) < 16 and said.size > 0 and len(said.root) == 32):
        raise HubError(
            "request-invalid", "that is no checkpoint", "copy the second and the third line of one, as they stand there"
        )
    return said


def check_log(tx: Transaction, snapshot: Snapshot, now: Moment, noted: Noted | None = None) -> LogChecked:
    """Check the newest checkpoint, and that it continues *noted*.

    Raises:
        HubError: ``no-checkpoint``.
    """
    last = tx.last_checkpoint()
    if last is None:
        raise HubError("no-checkpoint", "no checkpoint is signed yet", "ask again in a second")
    size, at, note = last
    hub = snapshot.directory.directory.hub
    tree = notes.Checkpoint.parse(notes.split_note(note)[0])
    witnessed = state(tx, snapshot, now)
    results = [_check_signature(note, hub.checkpoint, hub.origin), _check_entries(tx, tree)]
    for one in witnessed.witnesses:
        seen = tx.find_checkpoint(one.size) if 0 < one.size <= size else None
        if seen is not None:
            before = notes.Checkpoint.parse(notes.split_note(seen)[0])
            results.append(_check_continues(tx, "witness", one.title, Noted(before.size, before.root), tree))
    if noted is not None:
        results.append(_check_continues(tx, "noted", str(noted.size), noted, tree))
    return LogChecked(tree, at, tuple(results), witnessed)


def _check_signature(note: str, keys: tuple[str, ...], origin: str) -> Result:
    try:
        notes.open_checkpoint(note, keys, origin=origin)
    except KeysError as error:
        return Result("signature", "", error.message)
    return Result("signature", "", None)


def _check_entries(tx: Transaction, tree: notes.Checkpoint) -> Result:
    step = max(1, tree.size // SAMPLE)
    read = ledger.node_reader(tx)
    for index in {*range(0, tree.size, step), tree.size - 1}:
        (leaf,) = tx.leaves(index, index + 1)
        try:
            proof = merkle.inclusion_proof(index, tree.size, read)
            merkle.verify_inclusion(merkle.leaf_hash(leaf.body), index, tree.size, proof, tree.root)
        except KeysError:
            return Result("entries", str(index), "this entry is not what was signed")
    return Result("entries", "", None)


def _check_continues(tx: Transaction, code: str, about: str, before: Noted, tree: notes.Checkpoint) -> Result:
    if before.size > tree.size:
        return Result(code, about, "the log is shorter than it was")
    try:
        proof = ledger.consistency_proof(tx, before.size, tree.size)
        merkle.verify_consistency(before.size, before.root, tree.size, tree.root, proof)
    except KeysError:
        return Result(code, about, "the log does not continue it: it was changed or cut")
    return Result(code, about, None)
