"""A folder pair as an agency's case system: drop drafts in ``out/``, find what arrived in ``in/``.

::

    out/<name>/message.json + attachments    a draft, complete once message.json is there (write it last); or out/<name>.json
    sent/<name>/                             handed to the gateway; envelope.json has its id and thread
    refused/<name>/reason.json               why it can't be sent: code, message, hint
    in/<envelope id>/                        message.json, the documents, envelope.json (what the sender said about it)
    in/notices/<id>.json                     what is owed, overdue, returned

Taking a draft is one rename into ``.working/``, under a name that stays its key: a crash repeats, it never doubles.  What never
becomes a draft, or can't be read, goes to ``refused/`` with its reason after an hour without change.

Source: design 5 (adapters); protocol 4 (`filed`: written and read back).
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta

from adapters.base import (
    DraftRefused,
    DraftResult,
    Filed,
    Incoming,
    Manifest,
    NeedsPerson,
    Notice,
    Outcome,
    Outgoing,
)
from adapters.durable import make_folder, move, sync_folder, write_file, write_new
from adapters.errors import place_of
from adapters.pair import describe_notice, dump_pretty, lay_out, load_draft
from adapters.shares import Settling, find_free, is_passing, say_later, shorten
from keys.digests import new_id
from schemas.identifiers import EnvelopeId, MailboxId
from schemas.strict_json import MalformedError

_log = logging.getLogger("gateway.adapters.folder")
_FOLDERS: Final = ("out", "sent", "refused", "in", ".working")
MARKER: Final = ".share"
SETTLE: Final = 5.0
_INCOMPLETE: Final = DraftRefused(
    code="draft-incomplete",
    message="nothing of it has changed for an hour, and it is no draft that can be read",
    hint="put in message.json, last, and let the gateway read every file",
)


Layout = Callable[[Incoming], dict[str, bytes]]


class _Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    path: str = "."
    share: bool = False
    settle: Annotated[float, Meta(ge=0, le=600)] | None = None


class FolderAdapter:
    """The built-in adapter over one folder.

    Options: ``path``, relative to the gateway's home, default the home itself; ``share``: it is on a network share, and is
    touched only while ``in/.share``, which the administrator made there, can be seen; ``settle``: for how many seconds
    nothing of a draft may have changed before it is taken (5 on a share, else 0: JSON that ends is enough).
    """

    manifest: ClassVar[Manifest] = Manifest(
        name="folder",
        title="Watched folder",
        transports=("folder",),
        levels=("full",),
        writes=tuple(f"path/{name}" for name in _FOLDERS),
        tested_against="a file system, a full one, a read-only one, and one that goes away",
        limits="60 MiB of documents in one message",
    )

    def __init__(
        self, root: Path, *, share: bool = False, settling: Settling | None = None, layout: Layout = lay_out
    ) -> None:
        self.root, self._share, self._layout = root, share, layout
        self._settling = settling or Settling(SETTLE if share else 0.0)
        if not share:
            self._make_folders()

    @classmethod
    def configure(cls, options: Mapping[str, Any], home: Path) -> FolderAdapter:
        """Return the adapter over ``options["path"]``."""
        try:
            chosen = msgspec.convert(dict(options), _Options, strict=True)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error
        settle = chosen.settle if chosen.settle is not None else SETTLE if chosen.share else 0.0
        return cls(home / chosen.path, share=chosen.share, settling=Settling(settle))

    async def collect(self) -> AsyncIterator[Outgoing]:
        """Yield each complete draft; malformed ones go to ``refused/`` with the reason.

        Raises:
            OSError: the share is away, full or read-only; what could be taken was yielded before.
        """
        keys, failed = await asyncio.to_thread(self._take)
        for key in keys:
            try:
                draft, documents = await asyncio.to_thread(load_draft, self.root / ".working" / key)
            except MalformedError as error:
                refusal = DraftRefused(code=error.code, message=error.message, hint=error.hint)
                try:
                    await asyncio.to_thread(self._settle, key, refusal)
                except OSError as error:
                    failed = failed or error  # those behind it go on
                continue
            yield Outgoing(key=key, draft=draft, documents=documents, done=partial(self._done, key))
        if failed is not None:
            raise failed

    async def file(self, message: Incoming) -> Outcome:
        """Write ``in/<envelope id>/``, read it back, and give its name as the record."""
        try:
            return await asyncio.to_thread(self._file, message)
        except OSError as error:
            _log.warning("the folder can't take a message now: %s", place_of(error))
            return say_later(error)

    async def notify(self, notice: Notice) -> None:
        """Write ``in/notices/<id>.json``; a draft that the hub refused moves from ``sent/`` to ``refused/``."""
        await asyncio.to_thread(self._notify, notice)

    async def delete(self, envelope: EnvelopeId, mailbox: MailboxId) -> bool:
        """Remove ``in/<envelope id>/``, of whichever team, and what was sent under that id."""
        del mailbox
        await asyncio.to_thread(self._delete, envelope)
        return True

    async def _done(self, key: str, result: DraftResult) -> None:
        await asyncio.to_thread(self._settle, key, result)

    def _make_folders(self) -> None:
        for name in (*_FOLDERS, "in/notices"):
            make_folder(self.root / name)

    def _look(self) -> None:
        """Make sure that the share is there: what stands under its mount point while it is away is another disk.

        Raises:
            OSError: it isn't.
        """
        if self._share:
            if not (self.root / "in" / MARKER).exists():
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            self._make_folders()

    def _take(self) -> tuple[list[str], OSError | None]:
        """Move what is complete in ``out/`` into ``.working/``; return the keys of all that is there, oldest first.

        One that can't be moved keeps no other; the first error is returned.
        """
        self._look()
        failed: OSError | None = None
        entries = sorted(entry for entry in (self.root / "out").iterdir() if not is_passing(entry.name))
        for entry in entries:
            if entry.is_symlink():
                continue
            try:
                verdict = self._settling.judge(entry)
                if verdict == "complete":
                    self._take_one(entry)
                elif verdict == "stuck":
                    self._set_aside(entry)
            except OSError as error:
                failed = failed or error
        self._settling.forget_all_but(entry.name for entry in entries)
        keys = []
        for folder in sorted((self.root / ".working").iterdir(), key=lambda path: path.stat().st_mtime_ns):
            if (folder / "message.json").exists():
                keys.append(folder.name)
            elif folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()  # killed between making the folder and moving the file, which is still in out/
        return keys, failed

    def _take_one(self, entry: Path) -> None:
        single = entry.is_file()
        folder = self.root / ".working" / f"{new_id(0)}~{shorten(entry.stem if single else entry.name)}"
        if single:
            folder.mkdir(mode=0o700)
        move(entry, folder / "message.json" if single else folder)

    def _set_aside(self, entry: Path) -> None:
        """Move what never became a draft to ``refused/``, with the reason."""
        if not entry.is_dir():
            folder = find_free(self.root / "refused", entry.name, new_id(0))
            folder.mkdir(mode=0o700)
            write_file(folder / "reason.json", dump_pretty(asdict(_INCOMPLETE)))
            move(entry, folder / shorten(entry.name))
        else:
            self._refuse(entry, entry.name, asdict(_INCOMPLETE))

    def _settle(self, key: str, result: DraftResult) -> None:
        """Move the draft to ``sent/`` or ``refused/``; a repeat finds nothing to move."""
        self._look()
        source = self.root / ".working" / key
        if not source.exists():
            return
        if isinstance(result, DraftRefused):
            self._refuse(source, key.partition("~")[2], asdict(result))
        else:
            write_file(source / "envelope.json", dump_pretty({"id": result.envelope, "thread": result.thread}))
            move(source, find_free(self.root / "sent", key.partition("~")[2], result.envelope))

    def _refuse(self, source: Path, name: str, reason: Mapping[str, Any]) -> None:
        write_file(source / "reason.json", dump_pretty(reason))
        move(source, find_free(self.root / "refused", name, new_id(0)))

    def _notify(self, notice: Notice) -> None:
        self._look()
        write_file(self.root / "in" / "notices" / f"{notice.id}.json", dump_pretty(describe_notice(notice)))
        if notice.code == "send-refused":
            for note in list(self._notes_of(str(notice.details.get("envelope"))))[:1]:
                self._refuse(note.parent, note.parent.name, notice.details)

    def _file(self, message: Incoming) -> Outcome:
        self._look()
        target = self.root / "in" / message.envelope
        files = self._layout(message)
        if not target.exists():
            self._write(target, files)
        try:
            note = target / "envelope.json"
            if json.loads(note.read_bytes())["mailbox"] != message.mailbox:
                # The same envelope for another team here: one content, one record, a note for each team.
                note = target / f"also-{message.mailbox.partition('/')[2]}.json"
                if not note.exists():
                    write_file(note, files["envelope.json"])
            same = note.read_bytes() == files["envelope.json"] and all(
                (target / name).read_bytes() == content for name, content in files.items() if name != "envelope.json"
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            same = False  # somebody took part of the record away, or changed the note
        self._look()
        return Filed(record=f"in/{message.envelope}") if same else NeedsPerson(code="record-differs")

    def _write(self, target: Path, files: Mapping[str, bytes]) -> None:
        """Write the record beside its place and rename it there, whole; what an attempt before left behind goes."""
        # Of its own: an attempt on a share that hung may still be writing when the next one begins.
        staging = target.with_name(f".{target.name}.{new_id(0)}.tmp")
        try:
            staging.mkdir(mode=0o700)
            for name, content in files.items():
                write_new(staging / name, content)
            sync_folder(staging)
            move(staging, target)
        except OSError:
            if not target.exists():
                raise
        finally:
            # On a full disk a half would keep the room that others need.
            for left in target.parent.glob(f".{target.name}*.tmp"):
                if left == staging or target.exists():
                    shutil.rmtree(left, ignore_errors=True)

    def _delete(self, envelope: EnvelopeId) -> None:
        self._look()
        name = f".{envelope}.deleted"
        self._drop(name)
        # Where capitals don't count, another envelope's folder answers to this name too: names are compared as they stand.
        filed = [path for path in (self.root / "in").iterdir() if path.name == envelope]
        for folder in (*filed, *[note.parent for note in self._notes_of(envelope)]):
            # Killed while it is emptied where it was, the note by which it is found again could go first.
            move(folder, folder.with_name(name))
        self._drop(name)

    def _drop(self, name: str) -> None:
        for parent in (self.root / "in", self.root / "sent"):
            if (parent / name).exists():
                shutil.rmtree(parent / name)
                sync_folder(parent)

    def _notes_of(self, envelope: str) -> Iterator[Path]:
        """Yield the notes in ``sent/`` that have the id *envelope*."""
        for note in (self.root / "sent").glob("*/envelope.json"):
            if _says(note, envelope):
                yield note


def _says(note: Path, envelope: str) -> bool:
    try:
        return bool(json.loads(note.read_bytes())["id"] == envelope)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False  # changed by somebody: it is no longer the note of anything


__all__ = ["FolderAdapter", "load_draft"]
