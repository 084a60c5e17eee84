"""The whole log with its evidence, as files that anyone can check without the hub; ``hub.verifier`` does.

A folder, or a tar archive with the same names:

* ``export.json``: ``{"v":1,"origin","size","exported_at"}``.
* ``checkpoint.txt``: the signed note over exactly ``size`` leaves, the witnesses' lines after the hub's own.
* ``leaves.jsonl``: one leaf a line, in order; a line without its LF is the leaf's bytes as hashed.
* ``evidence.jsonl``: one compact JWS a line, as a JSON string: every header, acceptance, receipt, waiver, withdrawal
  and key statement that a leaf stands for, with the officer's word that came with it.
* ``directory-N.json``, ``agreement-N.json``: version N as published: an array of JWS.

Sealed bodies are not in it: their digests are.

Source: protocol 8.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from hub.errors import HubError
from hub.store.base import Store
from hub.store.transaction import Transaction
from keys import notes

PAGE: Final = 512


class Sink(Protocol):
    """Takes the export's files, each once and whole in order."""

    def add(self, name: str, data: bytes | memoryview) -> None:
        """Write one file."""


class FolderSink:
    """Writes into a new folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        try:
            self._path.mkdir(parents=True)
        except FileExistsError as error:
            raise HubError("home", f"couldn't export to {self._path}: it exists", "name a new folder") from error
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def add(self, name: str, data: bytes | memoryview) -> None:
        """Write one file."""
        (self._path / name).write_bytes(data)


class TarSink:
    """Writes into a new tar archive; tar wants each file's length first."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        try:
            self._tar = tarfile.open(self._path, "x")
        except FileExistsError as error:
            raise HubError("home", f"couldn't export to {self._path}: it exists", "name a new file") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tar.close()
        if error is not None:
            self._path.unlink(missing_ok=True)

    def add(self, name: str, data: bytes | memoryview) -> None:
        """Write one file."""
        info = tarfile.TarInfo(name)
        info.size = len(data)
        self._tar.addfile(info, io.BytesIO(data))


def open_sink(path: Path) -> FolderSink | TarSink:
    """Return a tar archive for a name that ends in ``.tar``, else a folder."""
    return TarSink(path) if path.suffix == ".tar" else FolderSink(path)


async def export_log(store: Store, sink: Sink, now: int) -> int:
    """Write the log up to its last checkpoint, with the evidence of every leaf, and return how many leaves.

    Raises:
        HubError: ``no-checkpoint``.
    """

    def look(tx: Transaction) -> tuple[int, str] | None:
        last = tx.last_checkpoint()
        return (last[0], last[2] + "".join(line for _, line, _ in tx.cosignatures(last[0]))) if last else None

    signed = await store.read(look)
    if signed is None:
        raise HubError("no-checkpoint", "no checkpoint is signed yet", "start the hub, and wait a second")
    size, note = signed
    checkpoint = notes.Checkpoint.parse(note.rpartition("\n\n")[0] + "\n")
    about = {"v": 1, "origin": checkpoint.origin, "size": size, "exported_at": now}
    sink.add("export.json", json.dumps(about).encode() + b"\n")
    sink.add("checkpoint.txt", note.encode())
    leaves, evidence = io.BytesIO(), io.BytesIO()
    for start in range(0, size, PAGE):
        page, found = await store.read(partial(_page, start=start, end=min(start + PAGE, size)))
        leaves.writelines(body + b"\n" for body in page)
        evidence.writelines(b'"%b"\n' % compact for compact in found)
    sink.add("leaves.jsonl", leaves.getbuffer())
    statements, documents = await store.read(partial(_registry, size=size))
    evidence.writelines(b'"%b"\n' % compact for compact in statements)
    sink.add("evidence.jsonl", evidence.getbuffer())
    for name, document in documents.items():
        sink.add(name, document)
    return size


def _page(tx: Transaction, start: int, end: int) -> tuple[list[bytes], list[bytes]]:
    bodies = [row.body for row in tx.leaves(start, end)]
    return bodies, [compact for body in bodies for compact in _evidence(tx, json.loads(body))]


def _evidence(tx: Transaction, leaf: dict[str, Any]) -> Iterator[bytes]:
    """Yield the signed objects that a leaf stands for; key statements come from the registry's history."""
    event = leaf["event"]
    if event == "envelope-accepted" and (envelope := tx.find_envelope(leaf["envelope"])) is not None:
        yield envelope.header
        yield envelope.acceptance
    elif event == "receipt-accepted" and (receipt := tx.find_receipt(leaf["receipt"])) is not None:
        yield receipt.jws
    elif event == "withdrawal-recorded":
        yield from (row.jws for row in tx.withdrawals_of(leaf["envelope"]))
    # A waiver's own leaf names the obligation; only the end that it made names the waiver.
    elif (
        event == "obligation-settled"
        and leaf["outcome"] in {"waived", "met_elsewhere"}
        and (waiver := tx.find_waiver(leaf["by"])) is not None
    ):
        yield waiver.jws


def _registry(tx: Transaction, size: int) -> tuple[list[bytes], dict[str, bytes]]:
    rows = [row for kid in {row.kid for row in tx.keys()} for row in tx.key_history(kid) if row.index < size]
    documents = {
        f"{kind}-{row.version}.json": row.document
        for kind in ("directory", "agreement")
        for row in tx.documents(kind)
        if row.index < size
    }
    signed = [part for row in sorted(rows, key=lambda row: row.index) for part in (row.statement, row.approval) if part]
    return signed, documents
