"""The whole log with its evidence, as files that anyone can check without the hub; ``hub.verifier`` does.

A folder, or a tar archive with the same names:

* ``export.json``: ``{"v":1,"origin","size","exported_at"}``.
* ``checkpoint.txt``: the signed note over exactly ``size`` leaves, the witnesses' lines after the hub's own.
* ``witnesses.jsonl``: of each witness that has not cosigned that one the last that it did, as a JSON string, with its
  line alone.
* ``directory-N.json``, ``agreement-N.json``: version N as published: an array of JWS.
* ``leaves.jsonl``: one leaf a line, in order; a line without its LF is the leaf's bytes as hashed.
* ``evidence.jsonl``: one compact JWS a line, as a JSON string, in the order of the leaves: every header, acceptance,
  receipt, waiver, withdrawal and key statement that a leaf stands for, with the officer's word that came with it.

* ``feeds.jsonl``: every number that a feed gave and the log tells of, one a line, in the order of giving:
  ``[mailbox, number, kind, reference]``.

Sealed bodies are not in it: their digests are.  It is read page by page, each in a short transaction of its own, and
never held: what lies under a checkpoint does not change.

Source: protocol 8.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from hub.core.numbering import Given
from hub.errors import HubError
from hub.store.base import Store
from hub.store.transaction import Transaction
from hub.witnessing import cosigned
from keys import notes

PAGE: Final = 512
_BLOCK: Final = 512

Pieces = AsyncGenerator[bytes, None]


class Part(NamedTuple):
    """One file: its name, and its bytes in pieces, the same ones as often as they are asked for."""

    name: str
    pieces: Callable[[], Pieces]


class Export(NamedTuple):
    """The log up to a signed checkpoint: how many leaves it has, when it was taken, and its files."""

    size: int
    at: int
    parts: tuple[Part, ...]


async def open_export(store: Store, now: int) -> Export:
    """Return the log up to its last checkpoint, with the evidence of every leaf.

    Raises:
        HubError: ``no-checkpoint``.
    """

    def look(tx: Transaction) -> tuple[int, str, list[tuple[str, int]], bytes] | None:
        last = tx.last_checkpoint()
        if last is None:
            return None
        versions = [
            (kind, row.version)
            for kind in ("directory", "agreement")
            for row in tx.documents(kind)
            if row.index < last[0]
        ]
        note = last[2] + "".join(line for _, line, _ in tx.cosignatures(last[0]))
        return last[0], note, versions, b"".join(_witnesses(tx, last[0]))

    signed = await store.read(look)
    if signed is None:
        raise HubError("no-checkpoint", "no checkpoint is signed yet", "start the hub, and wait a second")
    size, note, versions, witnesses = signed
    origin = notes.Checkpoint.parse(notes.split_note(note)[0]).origin
    about = {"v": 1, "origin": origin, "size": size, "exported_at": now}
    parts = (
        Part("export.json", partial(_once, json.dumps(about).encode() + b"\n")),
        Part("checkpoint.txt", partial(_once, note.encode())),
        Part("witnesses.jsonl", partial(_once, witnesses)),
        *(Part(f"{kind}-{number}.json", partial(_document, store, kind, number)) for kind, number in versions),
        Part("leaves.jsonl", partial(_pages, store, size, _leaves)),
        Part("evidence.jsonl", partial(_pages, store, size, _evidence)),
        Part("feeds.jsonl", partial(_numbers, store, size)),
    )
    return Export(size, now, parts)


def _witnesses(tx: Transaction, size: int) -> Iterator[bytes]:
    """Yield, as a JSON string, the last cosigned checkpoint of each witness that has not cosigned the one of *size*."""
    for row in tx.list_witnesses():
        note = cosigned(tx, row.name, row.size)
        if note is not None and row.size < size:
            yield json.dumps(note).encode() + b"\n"


async def _once(data: bytes) -> Pieces:
    yield data


async def _document(store: Store, kind: str, version: int) -> Pieces:
    row = await store.read(lambda tx: tx.find_document(kind, version))
    if row is None:
        raise AssertionError(f"{kind} {version} has gone")
    yield row.document


async def _numbers(store: Store, size: int) -> Pieces:
    told = await store.read(lambda tx: tx.last_leaves("numbers-given", before=size, limit=1))
    upto = json.loads(told[0].body)["given"] if told else 0
    after = 0
    while after < upto:
        page = await store.read(partial(_page_of_numbers, after, upto))
        yield b"".join(json.dumps(given, separators=(",", ":")).encode() + b"\n" for _, given in page)
        after = page[-1][0]


def _page_of_numbers(after: int, upto: int, tx: Transaction) -> list[tuple[int, Given]]:
    return tx.numbers_given(after, upto, PAGE)


async def _pages(store: Store, size: int, page: Callable[[int, int, Transaction], bytes]) -> Pieces:
    for start in range(0, size, PAGE):
        yield await store.read(partial(page, start, min(start + PAGE, size)))


def _leaves(start: int, end: int, tx: Transaction) -> bytes:
    return b"".join(row.body + b"\n" for row in tx.leaves(start, end))


def _evidence(start: int, end: int, tx: Transaction) -> bytes:
    signed = (compact for row in tx.leaves(start, end) for compact in _signed(tx, row.index, json.loads(row.body)))
    return b"".join(b'"%b"\n' % compact for compact in signed)


def _signed(tx: Transaction, index: int, leaf: dict[str, Any]) -> Iterator[bytes]:
    """Yield the signed objects that the leaf at *index* stands for."""
    event = leaf["event"]
    if event == "envelope-accepted" and (envelope := tx.find_envelope(leaf["envelope"])) is not None:
        yield envelope.header
        yield envelope.acceptance
    elif event == "receipt-accepted" and (receipt := tx.find_receipt(leaf["receipt"])) is not None:
        yield receipt.jws
    elif event == "withdrawal-recorded":
        yield from (row.jws for row in tx.withdrawals_of(leaf["envelope"]) if row.index == index)
    elif event == "key-published":
        for key in tx.key_statements(index, 1):
            yield key.statement
            if key.approval:
                yield key.approval
    # A waiver's own leaf names the obligation; only the end that it made names the waiver.
    elif (
        event == "obligation-settled"
        and leaf["outcome"] in {"waived", "met_elsewhere"}
        and (waiver := tx.find_waiver(leaf["by"])) is not None
    ):
        yield waiver.jws


async def write_folder(export: Export, path: Path) -> None:
    """Write *export* into the new folder *path*.

    Raises:
        HubError: ``home``; there is something at *path*.
    """
    _make(path)
    for part in export.parts:
        with (path / part.name).open("xb") as file:
            await _write(part.pieces(), file)


async def write_tar(export: Export, path: Path) -> None:
    """Write *export* into the new tar archive *path*; what fails leaves none.

    Raises:
        HubError: ``home``; there is something at *path*.
    """
    with _new_file(path) as file:
        await _write(tar_pieces(export), file)


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True)
    except FileExistsError as error:
        raise _exists(path) from error


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("xb")
    except FileExistsError as error:
        raise _exists(path) from error
    try:
        with file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _exists(path: Path) -> HubError:
    return HubError("home", f"couldn't export to {path}: it exists", "name a new folder, or a new file in .tar")


async def _write(pieces: Pieces, file: BinaryIO) -> None:
    async for piece in pieces:
        file.write(piece)


async def tar_pieces(export: Export) -> Pieces:
    """Yield a tar archive of *export*.

    Tar wants each file's length before the file, so each is read twice: what is long is never held.
    """
    for part in export.parts:
        info = tarfile.TarInfo(part.name)
        info.mtime = export.at // 1000
        info.size = sum([len(piece) async for piece in part.pieces()])
        yield info.tobuf(tarfile.PAX_FORMAT)
        async with aclosing(part.pieces()) as pieces:
            async for piece in pieces:
                yield piece
        yield bytes(-info.size % _BLOCK)
    yield bytes(2 * _BLOCK)
