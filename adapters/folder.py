"""A folder pair as an agency's case system: drop drafts in ``out/``, find what arrived in ``in/``.

::

    out/<name>/message.json + attachments    a draft, complete once message.json is there (write it last); or out/<name>.json
    sent/<name>/                             handed to the gateway; envelope.json has its id and thread
    refused/<name>/reason.json               why it can't be sent: code, message, hint
    in/<envelope id>/                        message.json, the documents, envelope.json (what the sender said about it)
    in/notices/<id>.json                     what is owed, overdue, returned

Taking a draft is one rename into ``.working/``, under a name that stays its key: a crash repeats, it never doubles.

Source: design 5 (adapters); protocol 4 (`filed`: written and read back).
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

from adapters.base import (
    Document,
    Draft,
    DraftRefused,
    DraftResult,
    Filed,
    Incoming,
    Manifest,
    NeedsPerson,
    Notice,
    Outcome,
    Outgoing,
    is_plain_name,
    parse_draft,
)
from adapters.durable import make_folder, move, read_regular, sync_folder, write_file, write_new
from keys.digests import new_id
from schemas.identifiers import EnvelopeId, MailboxId
from schemas.strict_json import MalformedError

MAX_DOCUMENTS: Final = 60 * 1024 * 1024
_FOLDERS: Final = ("out", "sent", "refused", "in", ".working")
_OWN_FILES: Final = frozenset({"message.json", "envelope.json"})


class FolderAdapter:
    """The built-in adapter over one folder; options: ``path`` (relative to the gateway's home, default the home itself)."""

    manifest: ClassVar[Manifest] = Manifest(
        name="folder",
        title="Folder pair",
        transports=("folder",),
        levels=("full",),
        writes=tuple(f"path/{name}" for name in _FOLDERS),
        tested_against="a file system",
        limits="60 MiB of documents in one message",
    )

    def __init__(self, root: Path) -> None:
        self.root = root
        self._unsettled: dict[str, tuple[int, int]] = {}
        for name in (*_FOLDERS, "in/notices"):
            make_folder(root / name)

    @classmethod
    def configure(cls, options: Mapping[str, Any], home: Path) -> FolderAdapter:
        """Return the adapter over ``options["path"]``."""
        unknown = set(options) - {"path"}
        path = options.get("path", ".")
        if unknown or not isinstance(path, str):
            raise ValueError(f"unknown option `{min(unknown)}`" if unknown else "`path` is not a string")
        return cls(home / path)

    async def collect(self) -> AsyncIterator[Outgoing]:
        """Yield each complete draft; malformed ones go to ``refused/`` with the reason."""
        for key in await asyncio.to_thread(self._take):
            try:
                draft, documents = await asyncio.to_thread(load_draft, self.root / ".working" / key)
            except MalformedError as error:
                refusal = DraftRefused(code=error.code, message=error.message, hint=error.hint)
                await asyncio.to_thread(self._settle, key, refusal)
                continue
            yield Outgoing(key=key, draft=draft, documents=documents, done=partial(self._done, key))

    async def file(self, message: Incoming) -> Outcome:
        """Write ``in/<envelope id>/``, read it back, and give its name as the record."""
        return await asyncio.to_thread(self._file, message)

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

    def _take(self) -> list[str]:
        """Move what is complete in ``out/`` into ``.working/``; return the keys of all that is there, oldest first."""
        working = self.root / ".working"
        for entry in sorted((self.root / "out").iterdir()):
            if entry.name.startswith(".") or entry.is_symlink():
                continue
            if entry.is_dir() and (entry / "message.json").exists():
                if self._is_settled(entry / "message.json"):
                    move(entry, working / f"{new_id(0)}~{entry.name}")
            elif entry.is_file() and entry.suffix == ".json" and self._is_settled(entry):
                folder = working / f"{new_id(0)}~{entry.stem}"
                folder.mkdir(mode=0o700)
                move(entry, folder / "message.json")
        keys = []
        for folder in sorted(working.iterdir(), key=lambda path: path.stat().st_mtime_ns):
            if (folder / "message.json").exists():
                keys.append(folder.name)
            elif folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()  # killed between making the folder and moving the file, which is still in out/
        return keys

    def _is_settled(self, path: Path) -> bool:
        """Answer whether nobody is still writing *path*: its JSON ends, or it hasn't changed since the last look."""
        try:
            json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            facts = path.stat()
            seen = (facts.st_size, facts.st_mtime_ns)
            if self._unsettled.get(path.as_posix()) != seen:
                self._unsettled[path.as_posix()] = seen
                return False
        except OSError:
            return False
        self._unsettled.pop(path.as_posix(), None)
        return True

    def _settle(self, key: str, result: DraftResult) -> None:
        """Move the draft to ``sent/`` or ``refused/``; a repeat finds nothing to move."""
        source = self.root / ".working" / key
        if not source.exists():
            return
        if isinstance(result, DraftRefused):
            self._refuse(source, key.partition("~")[2], asdict(result))
        else:
            write_file(source / "envelope.json", _dump({"id": result.envelope, "thread": result.thread}))
            move(source, _free(self.root / "sent", key.partition("~")[2], result.envelope))

    def _refuse(self, source: Path, name: str, reason: Mapping[str, Any]) -> None:
        write_file(source / "reason.json", _dump(reason))
        move(source, _free(self.root / "refused", name, new_id(0)))

    def _notify(self, notice: Notice) -> None:
        write_file(self.root / "in" / "notices" / f"{notice.id}.json", _dump(_describe_notice(notice)))
        if notice.code == "send-refused":
            for note in list(self._notes_of(str(notice.details.get("envelope"))))[:1]:
                self._refuse(note.parent, note.parent.name, notice.details)

    def _file(self, message: Incoming) -> Outcome:
        target = self.root / "in" / message.envelope
        files = _layout(message)
        if not target.exists():
            staging = self.root / "in" / f".{message.envelope}.tmp"
            if staging.exists():
                _remove(staging)  # a crash left it; it was never answered for
            staging.mkdir(mode=0o700)
            for name, content in files.items():
                write_new(staging / name, content)
            sync_folder(staging)
            move(staging, target)
        note = target / "envelope.json"
        if json.loads(note.read_bytes())["mailbox"] != message.mailbox:
            # The same envelope for another team here: one content, one record, a note for each team.
            note = target / f"also-{message.mailbox.partition('/')[2]}.json"
            if not note.exists():
                write_file(note, files["envelope.json"])
        stored = {name: (target / name).read_bytes() for name in files if name != "envelope.json"}
        if any(stored[name] != files[name] for name in stored) or note.read_bytes() != files["envelope.json"]:
            return NeedsPerson(code="record-differs")
        return Filed(record=f"in/{message.envelope}")

    def _delete(self, envelope: EnvelopeId) -> None:
        name = f".{envelope}.deleted"
        self._drop(name)
        for folder in (self.root / "in" / envelope, *[note.parent for note in self._notes_of(envelope)]):
            if folder.exists():
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
            if json.loads(note.read_bytes()).get("id") == envelope:
                yield note


def load_draft(folder: Path, name: str = "message.json") -> tuple[Draft, tuple[Document, ...]]:
    """Return the draft in the file *name* of *folder*, with the documents beside it that it names.

    Raises:
        MalformedError: ``json-*``, ``draft-shape``, ``document-name``, ``attachment-missing``, ``attachment-unreadable``.
    """
    try:
        draft = parse_draft(read_regular(folder / name, max_bytes=MAX_DOCUMENTS))
        documents, left = [], MAX_DOCUMENTS
        for attachment in draft.attachments:
            content = read_regular(folder / attachment, max_bytes=left)
            left -= len(content)
            kind = mimetypes.guess_type(attachment)[0] or "application/octet-stream"
            documents.append(Document(name=attachment, type=kind, content=content))
    except MalformedError:
        raise
    except FileNotFoundError as error:
        raise MalformedError(
            "attachment-missing",
            "an attachment that the draft names is not beside it",
            "add the file, or remove its name",
        ) from error
    except (OSError, ValueError) as error:
        raise MalformedError(
            "attachment-unreadable",
            "the draft or an attachment is not a readable plain file of at most 60 MiB in all",
            "copy plain files into the folder, not links; split what is larger",
        ) from error
    return draft, tuple(documents)


def _layout(message: Incoming) -> dict[str, bytes]:
    """Return the files of ``in/<envelope id>/``.  A name that could do harm is replaced; the note keeps the original."""
    files = {"message.json": _dump(message.message)}
    listed = []
    for number, document in enumerate(message.documents, 1):
        name = document.name
        clash = name.casefold() in {taken.casefold() for taken in files} or name.startswith(("also-", "envelope.json"))
        if clash or not is_plain_name(name):
            name = f"document-{number}.bin"
        files[name] = document.content
        listed.append({"file": name, "name": document.name, "type": document.type, "length": len(document.content)})
    note = asdict(message) | {"documents": listed}
    del note["message"]
    files["envelope.json"] = _dump({key: value for key, value in note.items() if value is not None})
    return files


def _describe_notice(notice: Notice) -> dict[str, Any]:
    head = {"id": notice.id, "notice": notice.code, "at": notice.at, "source": notice.source}
    return head | ({"mailbox": notice.mailbox} if notice.mailbox else {}) | dict(notice.details)


def _free(folder: Path, name: str, suffix: str) -> Path:
    path = folder / (name or suffix)
    return path if not path.exists() else folder / f"{name}-{suffix}"


def _remove(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def _dump(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode("utf-8")
