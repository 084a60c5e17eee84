"""What travels: one zip, the same bytes each time, with the message, what is said about it, and its documents.

::

    message.json       the message
    envelope.json      what the sender said about it: id, mailbox, type, sender, marks, the documents' own names
    the documents

A draft comes the same way: ``message.json`` and the documents that it names, or as the JSON alone.
"""

from __future__ import annotations

import io
import mimetypes
import zipfile
import zlib
from typing import Final

from adapters.base import MAX_ATTACHMENTS, Document, Incoming, parse_draft
from adapters.pair import MAX_DOCUMENTS, lay_out
from schemas.strict_json import MalformedError

MEDIA_TYPE: Final = "application/zip"
MAX_PACKAGE: Final = MAX_DOCUMENTS + 8 * 1024 * 1024
# No moment of its own: a repeat is the same bytes.
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def pack(message: Incoming) -> bytes:
    """Return the package of *message*."""
    return pack_files(lay_out(message))


def pack_files(files: dict[str, bytes]) -> bytes:
    """Return a zip of *files*."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return held.getvalue()


def unpack_draft(raw: bytes) -> tuple[bytes, tuple[Document, ...]]:
    """Return the JSON of the draft in *raw*, checked, and its documents; nothing else that is in it is read.

    Raises:
        MalformedError: ``json-*``, ``draft-shape``, ``document-name``, ``attachment-missing``, ``draft-package``.
    """
    if not raw.startswith(b"PK"):
        draft = parse_draft(raw)
        if draft.attachments:
            raise _missing()
        return raw, ()
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return _unpack(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _broken() from error


def _unpack(archive: zipfile.ZipFile) -> tuple[bytes, tuple[Document, ...]]:
    entries = archive.infolist()
    names = {entry.filename for entry in entries}
    # Lengths are what the package says of itself; reading stops there too.
    whole = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_ATTACHMENTS + 1 or len(names) != len(entries) or whole > MAX_DOCUMENTS:
        raise _broken()
    if "message.json" not in names:
        raise _broken()
    said = archive.read("message.json")
    draft = parse_draft(said)
    if not names.issuperset(draft.attachments):
        raise _missing()
    return said, tuple(
        Document(
            name=name, type=mimetypes.guess_type(name)[0] or "application/octet-stream", content=archive.read(name)
        )
        for name in draft.attachments
    )


def _missing() -> MalformedError:
    return MalformedError(
        "attachment-missing", "an attachment that the draft names is not beside it", "add the file, or remove its name"
    )


def _broken() -> MalformedError:
    return MalformedError(
        "draft-package",
        "the package is no zip of message.json and at most 32 documents, 60 MiB in all",
        "send one such zip, or the JSON alone",
    )
