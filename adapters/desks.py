"""Drafts that came to a port and aren't sent yet, on disk: durable before they are answered for, and sent once however often they come.

::

    received/<digest>/message.json + documents + .sum   a draft, waiting for the gateway
    refused/<digest>/…, reason.json                     the gateway couldn't send it: a person looks, and takes it away
    done/<number>/<digest>                              the sum of one that was sent, and what it was sent as

Source: design 2.6 and 6.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from adapters.base import Document, DraftRefused, DraftResult, Outgoing
from adapters.durable import make_folder, move, sync_folder, write_file, write_new
from adapters.marks import Marks
from adapters.pair import dump_pretty, load_draft
from keys.digests import new_id, sha256_b64u
from schemas.strict_json import MalformedError, dump

# No document can be called so.
_SUM: Final = ".sum"


class FullError(Exception):
    """So much waits already that no more is taken."""


class UsedError(Exception):
    """Something else came under the same name before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a draft so far: `waiting`, `sent` or `refused`; ``details`` are the envelope or the reason's code."""

    state: str
    details: dict[str, Any]


class Desk:
    """The folder of what came; at most *most* drafts wait in it."""

    def __init__(self, root: Path, most: int | None = None) -> None:
        self._most = most
        self._turn = threading.Lock()
        self._received, self._refused = make_folder(root / "received"), make_folder(root / "refused")
        self._done = Marks(root / "done")
        for half in self._received.glob(".*"):
            shutil.rmtree(half)  # ended while it was written or thrown away

    def take(self, name: str, raw: bytes, read: Callable[[], tuple[bytes, Iterable[Document]]]) -> Taken:
        """Keep under *name* the draft and documents that *read* makes of *raw*; what was taken before isn't read again.

        Raises:
            MalformedError: from *read*; nothing is kept.
            UsedError: other bytes came under this name.
            FullError: too much waits.
            OSError: it can't be kept now.
        """
        key, total = sha256_b64u(name.encode()), sha256_b64u(raw)
        with self._turn:
            known = self._find(key)
            if known is not None:
                if known[0] != total:
                    raise UsedError
                return known[1]
            content, documents = read()
            if self._most is not None and len(self._list()) >= self._most:
                raise FullError
            staging = self._received / f".{key}.{new_id(0)}"
            staging.mkdir(mode=0o700)
            try:
                for document in documents:
                    write_new(staging / document.name, document.content)
                write_new(staging / "message.json", content)
                write_new(staging / _SUM, total.encode())
                sync_folder(staging)
                move(staging, self._received / key)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        return Taken(state="waiting", details={})

    async def collect(self) -> AsyncIterator[Outgoing]:
        """Yield the drafts that wait, the oldest first, and forget what can't come again."""
        await asyncio.to_thread(self._done.sweep)
        for folder in await asyncio.to_thread(self._list):
            done = partial(self._on_thread, folder.name)
            try:
                draft, documents = await asyncio.to_thread(load_draft, folder)
            except MalformedError as error:
                await done(DraftRefused(code=error.code, message=error.message, hint=error.hint))
                continue
            # What is in it, too: once its name is forgotten another draft may have it.
            key = sha256_b64u(f"{folder.name} {_read_sum(folder)}".encode())
            yield Outgoing(key=key, draft=draft, documents=documents, done=done)

    async def _on_thread(self, name: str, result: DraftResult) -> None:
        await asyncio.to_thread(self._settle, name, result)

    def _settle(self, name: str, result: DraftResult) -> None:
        """Let go of the draft in the folder *name*; a repeat finds nothing."""
        folder = self._received / name
        with self._turn:
            if not folder.exists():
                return
            if isinstance(result, DraftRefused):
                reason = {"code": result.code, "message": result.message, "hint": result.hint}
                write_file(folder / "reason.json", dump_pretty(reason))
                move(folder, self._refused / name)
                return
            note = {"sum": _read_sum(folder), "envelope": result.envelope, "thread": result.thread}
            # Before the draft goes: killed in between, it is handed over once more under its key, and known there.
            self._done.add(name, dump(note))
            gone = folder.with_name(f".{name}.gone")
            move(folder, gone)
            shutil.rmtree(gone)

    def _list(self) -> list[Path]:
        found = [path for path in self._received.iterdir() if not path.name.startswith(".")]
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)

    def _find(self, key: str) -> tuple[str, Taken] | None:
        said = self._done.find(key)
        if said is not None:
            note = json.loads(said)
            return note.pop("sum"), Taken(state="sent", details=note)
        if (self._received / key).exists():
            return _read_sum(self._received / key), Taken(state="waiting", details={})
        with suppress(FileNotFoundError):
            reason = json.loads((self._refused / key / "reason.json").read_bytes())
            return _read_sum(self._refused / key), Taken(state="refused", details={"code": reason["code"]})
        return None


def _read_sum(folder: Path) -> str:
    """Return the sum of the bytes that the draft in *folder* came as; nothing where somebody took it away."""
    with suppress(FileNotFoundError):
        return (folder / _SUM).read_text("ascii")
    return ""
