"""The proof of one envelope's journey, as files that anyone can check without the hub; ``hub.journeys.checking`` does.

A tar archive with these names:

* ``journey.json``: ``{"v":1,"origin","envelope","thread","size","made_at"}``.
* ``checkpoint.txt``: the signed note over ``size`` leaves.
* ``witness-N.txt``: the largest tree that a witness has cosigned: a signed note of that witness alone.
* ``leaf-N.json``: the bytes of leaf N as hashed; ``leaf-N.tlog-proof``: that it is under that checkpoint (C2SP tlog-proof).
* ``header.jws``, ``acceptance.jws``, ``receipt-ID.jws``, ``withdrawal-ID.jws``, ``waiver-ID.jws``: what was signed.
* ``key-N.jws``: the key statement that leaf N stands for, ``key-N.approval.jws`` the officer's word that came with it.
* ``directory-N.json``: version N of the directory, as published.
* ``seen-N.json``: ``{"size","proof":[base64]}``: that the log of ``size`` leaves, which a receipt's signer or a witness had
  seen, is a beginning of this one.

What is not here can't be missed from here: that there is no other receipt, and no other agency that counts among the witnesses,
only the whole export shows.

Source: protocol 8; C2SP tlog-checkpoint, tlog-proof.
"""

from __future__ import annotations

import io
import re
import tarfile
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from hub import ledger, witnessing
from hub.core.authenticity import is_usable
from hub.errors import HubError
from hub.journeys.tracing import Entry, Journey
from hub.registry import Snapshot
from hub.store.rows import KeyRow, WaiverRow
from hub.store.transaction import Transaction
from keys import jws, merkle, notes
from schemas.identifiers import EnvelopeId, KeyId, Moment
from schemas.receipt import parse_receipt
from schemas.strict_json import dump

MAX_PROOF: Final = 64 * 1024 * 1024
MAX_FILES: Final = 20_000
NAME: Final = re.compile(
    r"\A[a-z][a-z0-9]{1,20}(?:-[A-Za-z0-9_-]{1,43})?(?:\.approval)?\.(?:json|jws|txt|tlog-proof)\Z"
)


class Files(dict[str, bytes]):
    """The proof's files by name."""


def prove(tx: Transaction, snapshot: Snapshot, journey: Journey, now: Moment) -> Files:
    """Return the proof of *journey* as the log stands under its last checkpoint.

    Raises:
        HubError: ``no-checkpoint``; none is signed yet that covers the envelope.
    """
    last = tx.last_checkpoint()
    if last is None or last[0] <= journey.envelope.index:
        raise HubError("no-checkpoint", "no checkpoint covers this envelope yet", "ask again in a second")
    size, _, note = last
    origin = notes.Checkpoint.parse(notes.split_note(note)[0]).origin
    covered = [one for one in journey.entries if one.row.index < size]
    files = Files()
    about = {
        "v": 1,
        "origin": origin,
        "envelope": journey.envelope.id,
        "thread": journey.envelope.thread,
        "size": size,
        "made_at": now,
    }
    files["journey.json"] = dump(about) + b"\n"
    files["checkpoint.txt"] = note.encode()
    signers = _add_signed(tx, files, journey, covered)
    heads = _add_witnesses(tx, files, snapshot, now)
    # Of every agency that counts, whether it has cosigned or not: a majority is one of all.
    counting = [fact.kid for fact in snapshot.keys.values() if is_usable(fact, "witness", now)]
    keys = _add_keys(tx, files, [*signers, *counting], size)
    documents = [row for row in tx.documents("directory") if row.index < size]
    files.update((f"directory-{row.version}.json", row.document) for row in documents)
    places = {one.row.index for one in covered} | {row.index for row in keys} | {row.index for row in documents}
    _add_leaves(tx, files, sorted(places), size, note)
    receipts = (parse_receipt(jws.parse(row.jws, jws.RECEIPT).payload).checkpoint for row in journey.receipts)
    _add_seen(tx, files, heads | {one.size for one in receipts if one}, size)
    return files


def _add_signed(tx: Transaction, files: Files, journey: Journey, covered: Iterable[Entry]) -> list[KeyId]:
    """Add what was signed, and return by which keys but the hub's."""
    envelope = journey.envelope
    files["acceptance.jws"] = envelope.acceptance
    signed = {"header.jws": (envelope.header, jws.ENVELOPE)}
    for entry in covered:
        leaf = entry.leaf
        if leaf.event == "receipt-accepted" and (receipt := tx.find_receipt(leaf.receipt or "")) is not None:
            signed[f"receipt-{receipt.id}.jws"] = (receipt.jws, jws.RECEIPT)
        elif leaf.event == "obligation-settled" and (waiver := _waiver(tx, entry)) is not None:
            signed[f"waiver-{waiver.id}.jws"] = (waiver.jws, jws.WAIVER)
    for row in tx.withdrawals_of(envelope.id):
        signed[f"withdrawal-{row.id}.jws"] = (row.jws, jws.WITHDRAWAL)
    files.update((name, compact) for name, (compact, _) in signed.items())
    return [jws.parse(compact, typ).kid for compact, typ in signed.values()]


def _waiver(tx: Transaction, entry: Entry) -> WaiverRow | None:
    leaf = entry.leaf
    return tx.find_waiver(leaf.by) if leaf.outcome in {"waived", "met_elsewhere"} and leaf.by else None


def _add_witnesses(tx: Transaction, files: Files, snapshot: Snapshot, now: Moment) -> set[int]:
    """Add what each witness has cosigned last, and return the sizes of those trees."""
    heads = set[int]()
    for number, one in enumerate(witnessing.state(tx, snapshot, now).witnesses):
        note = witnessing.cosigned(tx, one.name, one.size)
        if note is not None:
            files[f"witness-{number}.txt"] = note.encode()
            heads.add(one.size)
    return heads


def _add_keys(tx: Transaction, files: Files, kids: Iterable[KeyId], size: int) -> list[KeyRow]:
    """Add every statement about each of *kids*: a later one may say that it was compromised before."""
    rows = [row for kid in dict.fromkeys(kids) for row in tx.key_history(kid) if row.index < size]
    for row in rows:
        files[f"key-{row.index}.jws"] = row.statement
        if row.approval:
            files[f"key-{row.index}.approval.jws"] = row.approval
    return rows


def _add_leaves(tx: Transaction, files: Files, places: Iterable[int], size: int, note: str) -> None:
    read = ledger.node_reader(tx)
    for index in places:
        (leaf,) = tx.leaves(index, index + 1)
        files[f"leaf-{index}.json"] = leaf.body
        files[f"leaf-{index}.tlog-proof"] = notes.tlog_proof(
            index, merkle.inclusion_proof(index, size, read), note
        ).encode()


def _add_seen(tx: Transaction, files: Files, sizes: Iterable[int], size: int) -> None:
    read = ledger.node_reader(tx)
    for old in sorted({one for one in sizes if 0 < one <= size}):
        proof = [b64encode(one).decode() for one in merkle.consistency_proof(old, size, read)]
        files[f"seen-{old}.json"] = dump({"size": old, "proof": proof}) + b"\n"


def as_tar(files: Mapping[str, bytes], now: Moment) -> bytes:
    """Return *files* as one tar archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), now // 1000
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def read_tar(archive: bytes) -> Files:
    """Return the files of a tar archive; nothing in them is believed yet.

    Raises:
        HubError: ``export``; it is not such an archive, or it is too large.
    """
    wrong = HubError("export", "the file is not the proof of an envelope's journey", "download it again, whole")
    if len(archive) > MAX_PROOF:
        raise wrong
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as opened:
            files = Files(_members(opened, wrong))
    except tarfile.TarError as error:
        raise wrong from error
    return files


def _members(opened: tarfile.TarFile, wrong: HubError) -> Iterator[tuple[str, bytes]]:
    names = set[str]()
    for number, member in enumerate(opened):
        content = opened.extractfile(member) if member.isreg() else None
        if content is None or not NAME.match(member.name) or member.name in names or number >= MAX_FILES:
            raise wrong
        names.add(member.name)
        yield member.name, content.read()


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``journey.json``."""

    v: int
    origin: str
    envelope: EnvelopeId
    thread: str
    size: int
    made_at: Moment


class SeenProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``seen-N.json``."""

    size: int
    proof: list[str]
