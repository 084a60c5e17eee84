"""Checkpoints as signed notes, cosignatures, and proofs to keep beside a document.

Any C2SP tool reads these bytes unchanged.

Source: protocol 8; c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from keys.errors import KeysError
from keys.jws import SigningKey
from keys.note_keys import (
    COSIGNATURE,
    ED25519,
    MlDsaKey,
    NoteSigner,
    NoteVerifier,
    check_name,
    decode64,
    parse_verifier,
    signature_line,
    witness_verifier,
)

__all__ = [
    "Checkpoint",
    "Cosigned",
    "MlDsaKey",
    "NoteSigner",
    "Opened",
    "TlogProof",
    "check_cosignature",
    "cosign",
    "cosignatures",
    "open_checkpoint",
    "open_note",
    "parse_tlog_proof",
    "sign_checkpoint",
    "sign_note",
    "split_note",
    "tlog_proof",
    "witness_verifier",
]

MAX_NOTE: Final = 1024 * 1024
MAX_SIGNATURES: Final = 128

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_PROOF_HEAD: Final = "c2sp.org/tlog-proof@v1"


class Checkpoint(NamedTuple):
    """The log's head at one size: ``origin LF size LF root LF``; *root* is 32 bytes."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return the note's text."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Return the checkpoint that a note's *text* is; extension lines are refused, for ML-DSA doesn't sign them.

        Raises:
            KeysError: ``note-checkpoint`` or ``note-base64``.
        """
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not 0 < len(lines[0].encode()) < 256 or not _NUMBER.fullmatch(lines[1]):
            raise _malformed("checkpoint", "a checkpoint is not origin, size and root on three lines")
        root = decode64(lines[2])
        if len(root) != 32:
            raise _malformed("checkpoint", "a checkpoint's root is not 32 bytes")
        return cls(lines[0], int(lines[1]), root)


class Opened(NamedTuple):
    """A note's text, and the names of the given keys that signed it, in the note's order."""

    text: str
    names: tuple[str, ...]


class Cosigned(NamedTuple):
    """One cosignature that holds: the *line* by which the key *key_id* (hex) of *name* cosigned, and the moment said, ms."""

    name: str
    key_id: str
    at: int
    line: str


class TlogProof(NamedTuple):
    """An offline proof: the *leaf*'s index, its inclusion *proof*, the checkpoint *note*, and unverified *extra*."""

    leaf: int
    proof: tuple[bytes, ...]
    note: str
    extra: bytes | None = None


def sign_note(text: str, signers: Sequence[NoteSigner]) -> str:
    """Return *text* as a note signed by Ed25519 *signers*.

    Raises:
        KeysError: ``note-syntax`` (not lines of printable text), ``note-key`` (a signer that signs checkpoints only).
    """
    _check_text(text)
    if any(signer.kind != ED25519 for signer in signers):
        raise KeysError("note-key", "an ML-DSA-44 key signs checkpoints only", "use sign_checkpoint")
    return f"{text}\n" + "".join(signer.line(signer.key.sign_raw(text.encode())) for signer in signers)


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[NoteSigner], *, now: int = 0) -> str:
    """Return *checkpoint* as a note with one line for each of *signers*.

    *now* (ms) stands in ML-DSA-44 lines as whole seconds; 0 claims nothing about the time.
    """
    text = checkpoint.text()
    _check_text(text)
    Checkpoint.parse(text)
    lines = []
    for signer in signers:
        if signer.kind == ED25519:
            lines.append(signer.line(signer.key.sign_raw(text.encode())))
        else:
            seconds = now // 1000
            message = _subtree_message(signer.name, seconds, checkpoint)
            lines.append(signer.line(seconds.to_bytes(8, "big") + signer.key.sign_raw(message)))
    return f"{text}\n" + "".join(lines)


def open_note(note: str, verifiers: Sequence[str]) -> Opened:
    """Return the text of *note* and which of *verifiers* (verifier key texts) signed it: at least one.

    Lines by other keys are passed over; a line that names a given key and doesn't verify spoils the note.

    Raises:
        KeysError: ``note-syntax``, ``note-signature`` or ``note-unsigned`` (by none of *verifiers*).
    """
    text, lines = split_note(note)
    return Opened(text, tuple(verifier.name for verifier in _verified(text, lines, verifiers)))


def open_checkpoint(note: str, verifiers: Sequence[str], *, origin: str) -> Checkpoint:
    """Return the checkpoint of *origin* in *note*, which every one of *verifiers* must have signed.

    Raises:
        KeysError: as :func:`open_note` and :meth:`Checkpoint.parse`; ``note-unsigned`` where one has not signed;
            ``note-origin`` where it is another log's.
    """
    text, lines = split_note(note)
    missing = {parse_verifier(verifier) for verifier in verifiers} - set(_verified(text, lines, verifiers))
    if missing:
        raise KeysError("note-unsigned", "a checkpoint is not signed by every key of its log", "fetch it again")
    checkpoint = Checkpoint.parse(text)
    if checkpoint.origin != origin:
        raise KeysError("note-origin", "a checkpoint is another log's", "ask the hub that you mean")
    return checkpoint


def cosign(note: str, name: str, key: SigningKey, now: int) -> str:
    """Return the line by which *name* says, at *now* (ms), that it saw this tree head as the log's largest.

    Check consistency with the last head cosigned before calling this.

    Raises:
        KeysError: ``note-syntax``, ``note-checkpoint`` or ``note-name``.
    """
    text, _ = split_note(note)
    Checkpoint.parse(text)
    seconds = now // 1000
    signature = seconds.to_bytes(8, "big") + key.sign_raw(_cosigned_message(seconds, text))
    return signature_line(NoteVerifier(check_name(name), COSIGNATURE, key.public.raw), signature)


def check_cosignature(note: str, line: str, verifier: str) -> int:
    """Return the moment (ms) at which the holder of *verifier* cosigned *note*, if *line* proves it.

    Raises:
        KeysError: ``note-syntax``, ``note-signature`` or ``note-unsigned`` (by another key).
    """
    text, _ = split_note(note)
    known = parse_verifier(verifier)
    name, signature = _split_line(line.removesuffix("\n"))
    if known.kind == ED25519 or name != known.name or signature[:4] != known.key_id:
        raise KeysError("note-unsigned", "a cosignature is by another key", "check it with its own verifier key")
    _check_signature(known, text, signature[4:])
    return int.from_bytes(signature[4:12], "big") * 1000


def cosignatures(note: str, verifiers: Sequence[str]) -> list[Cosigned]:
    """Return the lines of *note* by which any of *verifiers* cosigned its checkpoint, in the note's order.

    Lines by other keys are passed over, and so is a verifier that is no cosigner's key; a line that names a given key
    and doesn't verify spoils the note.

    Raises:
        KeysError: ``note-syntax``, ``note-checkpoint`` or ``note-signature``.

    Source: c2sp.org/tlog-cosignature.
    """
    text, lines = split_note(note)
    Checkpoint.parse(text)
    known = {(one.name, one.key_id): one for one in _cosigners(verifiers)}
    found: dict[NoteVerifier, Cosigned] = {}
    for line in lines:
        name, signature = _split_line(line)
        verifier = known.get((name, signature[:4]))
        if verifier is not None and verifier not in found:
            _check_signature(verifier, text, signature[4:])
            seconds = int.from_bytes(signature[4:12], "big")
            found[verifier] = Cosigned(name, verifier.key_id.hex(), seconds * 1000, line)
    return list(found.values())


def tlog_proof(index: int, proof: Sequence[bytes], note: str, extra: bytes | None = None) -> str:
    """Return the text of a ``.tlog-proof`` file: that the leaf *index* is in the log whose checkpoint is *note*."""
    lines = [_PROOF_HEAD]
    if extra is not None:
        lines.append(f"extra {b64encode(extra).decode()}")
    lines.append(f"index {index}")
    lines += [b64encode(hashed).decode() for hashed in proof]
    return "\n".join((*lines, "", note))


def parse_tlog_proof(text: str) -> TlogProof:
    """Return the parts of a ``.tlog-proof`` file; nothing in it is verified yet.

    Raises:
        KeysError: ``note-proof`` or ``note-base64``.
    """
    head, _, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = decode64(lines.pop(0).removeprefix("extra "))
    number = lines.pop(0).removeprefix("index ") if lines and lines[0].startswith("index ") else ""
    if first != _PROOF_HEAD or not _NUMBER.fullmatch(number) or not note:
        raise _malformed("proof", "a proof file is not head, index, hashes and checkpoint")
    proof = tuple(decode64(line) for line in lines)
    if any(len(hashed) != 32 for hashed in proof):
        raise _malformed("proof", "a hash in a proof file is not 32 bytes")
    return TlogProof(int(number), proof, note, extra)


def _verified(text: str, lines: Sequence[str], verifiers: Sequence[str]) -> list[NoteVerifier]:
    known = {(verifier.name, verifier.key_id): verifier for verifier in map(parse_verifier, verifiers)}
    found: dict[NoteVerifier, None] = {}
    for line in lines:
        name, signature = _split_line(line)
        verifier = known.get((name, signature[:4]))
        if verifier is not None and verifier not in found:
            _check_signature(verifier, text, signature[4:])
            found[verifier] = None
    if not found:
        raise KeysError("note-unsigned", "a note is signed by none of the keys given", "ask for the log's own keys")
    return list(found)


def _cosigners(verifiers: Iterable[str]) -> Iterator[NoteVerifier]:
    for text in verifiers:
        with suppress(KeysError):
            verifier = parse_verifier(text)
            if verifier.kind != ED25519:
                yield verifier


def _check_signature(verifier: NoteVerifier, text: str, signature: bytes) -> None:
    seconds = int.from_bytes(signature[:8], "big")
    if verifier.kind == ED25519:
        verifier.check(signature, text.encode())
    elif verifier.kind == COSIGNATURE:
        verifier.check(signature[8:], _cosigned_message(seconds, text))
    else:
        verifier.check(signature[8:], _subtree_message(verifier.name, seconds, Checkpoint.parse(text)))


def _cosigned_message(seconds: int, text: str) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def _subtree_message(name: str, seconds: int, checkpoint: Checkpoint) -> bytes:
    """Return what an ML-DSA-44 key signs for a whole tree.  Source: tlog-cosignature, "ML-DSA-44 signed message"."""
    cosigner, origin = name.encode(), checkpoint.origin.encode()
    return b"".join((
        b"subtree/v1\n\x00",
        bytes([len(cosigner)]), cosigner,
        seconds.to_bytes(8, "big"),
        bytes([len(origin)]), origin,
        bytes(8),
        checkpoint.size.to_bytes(8, "big"),
        checkpoint.root,
    ))  # fmt: skip


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(not line.isprintable() for line in text.split("\n")):
        raise _malformed("syntax", "a note's text is not lines of printable text")


def split_note(note: str) -> tuple[str, list[str]]:
    """Return a note's text and its signature lines; nothing is verified yet.

    Raises:
        KeysError: ``note-syntax``.
    """
    if len(note) > MAX_NOTE:
        raise _malformed("syntax", "a note is longer than 1 MiB")
    head, _, tail = note.rpartition("\n\n")
    lines = tail.split("\n")
    if not head or lines.pop() or not 0 < len(lines) <= MAX_SIGNATURES:
        raise _malformed("syntax", "a note is not text, an empty line and signature lines")
    _check_text(f"{head}\n")
    return f"{head}\n", lines


def _split_line(line: str) -> tuple[str, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    signature = decode64(encoded)
    if dash != "\u2014" or len(signature) < 5:
        raise _malformed("syntax", "a note's signature line is not dash, name and signature")
    return check_name(name), signature


def _malformed(what: str, message: str) -> KeysError:
    return KeysError(f"note-{what}", message, "fetch it again from the log")
