"""The files of a folder pair: what a draft is read from, and what a message and a notice are written as."""

from __future__ import annotations

import json
import mimetypes
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from adapters.base import Document, Draft, Incoming, Notice, parse_draft
from adapters.durable import read_regular
from adapters.shares import is_safe_name
from schemas.strict_json import MalformedError

MAX_DOCUMENTS: Final = 60 * 1024 * 1024


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


def lay_out(message: Incoming) -> dict[str, bytes]:
    """Return the files of ``in/<envelope id>/``.  A name that could do harm is replaced; the note keeps the original."""
    files = {"message.json": dump_pretty(message.message)}
    listed = []
    for number, document in enumerate(message.documents, 1):
        name = document.name
        own = name.casefold().startswith(("also-", "envelope.json"))
        if own or not is_safe_name(name, files):
            name = f"document-{number}.bin"
        files[name] = document.content
        listed.append({"file": name, "name": document.name, "type": document.type, "length": len(document.content)})
    note = asdict(message) | {"documents": listed}
    del note["message"]
    files["envelope.json"] = dump_pretty({key: value for key, value in note.items() if value is not None})
    return files


def describe_notice(notice: Notice) -> dict[str, Any]:
    """Return what `in/notices/<id>.json` says."""
    head = {"id": notice.id, "notice": notice.code, "at": notice.at, "source": notice.source}
    return head | ({"mailbox": notice.mailbox} if notice.mailbox else {}) | dict(notice.details)


def dump_pretty(value: Any) -> bytes:
    """Return *value* as JSON for people to read, with a line end."""
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode("utf-8")
