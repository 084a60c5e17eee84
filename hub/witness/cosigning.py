"""What a witness is asked, and whether it signs: the rules of C2SP's tlog-witness, without a file or a socket.

Source: c2sp.org/tlog-witness (add-checkpoint), c2sp.org/tlog-cosignature.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from hub.errors import HubError
from hub.witness.home import Log
from keys import merkle, notes
from keys.errors import KeysError
from keys.note_keys import decode64

MAX_PROOF: Final = 63
_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})")


class Asked(NamedTuple):
    """One request: *proof* shows that the tree of *old* leaves is a beginning of the one in the checkpoint *note*."""

    old: int
    proof: tuple[bytes, ...]
    note: str
    checkpoint: notes.Checkpoint


class ConflictError(Exception):
    """The witness has another tree than was thought; ``size`` is the one that it cosigned last."""

    def __init__(self, size: int, *, is_fork: bool) -> None:
        super().__init__(size)
        self.size, self.is_fork = size, is_fork


def parse_asked(body: bytes) -> Asked:
    """Return what *body* asks; nothing is verified yet.

    Raises:
        HubError: ``request-invalid``.
    """
    try:
        head, blank, note = body.decode().partition("\n\n")
        first, *lines = head.split("\n")
        old = _OLD.fullmatch(first)
        proof = tuple(map(decode64, lines))
        text, _ = notes.split_note(note)
        checkpoint = notes.Checkpoint.parse(text)
    except (UnicodeDecodeError, KeysError) as error:
        raise _invalid("it is no size, proof and checkpoint") from error
    if not old or not blank or len(proof) > MAX_PROOF or any(len(hashed) != 32 for hashed in proof):
        raise _invalid("it doesn't begin with an old size and at most 63 hashes")
    if int(old[1]) > checkpoint.size:
        raise _invalid("the old size is beyond the checkpoint's")
    return Asked(int(old[1]), proof, note, checkpoint)


def _invalid(message: str) -> HubError:
    return HubError(
        "request-invalid", f"the request isn't as tlog-witness has it: {message}", "see c2sp.org/tlog-witness"
    )


def check_signed(asked: Asked, log: Log | None) -> None:
    """Return if the checkpoint is signed by every key of the log that it names, and we follow that.

    Every one, where the standard is content with any: the log is signed twice so that evidence outlives one of the two.

    Raises:
        HubError: ``witness-log`` or ``witness-key``.
    """
    if log is None:
        raise HubError("witness-log", "this witness doesn't follow that log", "ask who runs it to follow it")
    try:
        notes.open_checkpoint(asked.note, log.keys, origin=asked.checkpoint.origin)
    except KeysError as error:
        raise HubError(
            "witness-key", "the checkpoint isn't signed by every key of the log", "give it the directory in force"
        ) from error


def check_grows(asked: Asked, log: Log) -> None:
    """Return if the checkpoint continues the last tree that was cosigned.

    Raises:
        ConflictError: it was asked from another size, or the same size has another root.
        HubError: ``witness-proof``.
    """
    if asked.old != log.size:
        raise ConflictError(log.size, is_fork=False)
    if asked.old and asked.old == asked.checkpoint.size and asked.checkpoint.root != log.root:
        raise ConflictError(log.size, is_fork=True)
    try:
        merkle.verify_consistency(asked.old, log.root, asked.checkpoint.size, asked.checkpoint.root, asked.proof)
    except KeysError as error:
        raise HubError(
            "witness-proof", "the proof doesn't show that the log only grew", "prove it from the size in 409"
        ) from error
