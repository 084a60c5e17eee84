"""What a sender says of its message: read strictly, and kept only as far as it can't name anybody.

``Mex-FileName`` and ``Mex-Subject`` are what people type: they are neither kept nor passed on.

Source: NHS MESH API 2.0.0, sending.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
from aiohttp import web

from hub import mesh
from hub.registry import Snapshot
from hub.store.rows import MeshSentRow
from hub.web.mesh.answers import DoorError, malformed
from schemas.envelope import MEDIA_TYPE
from schemas.identifiers import MailboxId, Moment

GZIP: Final = "gzip"
MAX_PARTS: Final = 2000
_LONGEST: Final[Mapping[str, int]] = {
    "To": 100,
    "Content-Checksum": 100,
    "WorkflowID": 300,
    "LocalID": 300,
    "FileName": 300,
    "Subject": 500,
    "PartnerID": 500,
}
_NO_URL: Final = ("To", "WorkflowID", "Content-Checksum")
# A reference and nothing that reads like words.
_OPAQUE: Final = ("LocalID", "PartnerID")
_KEPT: Final = ("PartnerID", "Content-Checksum", "Content-Compressed", "Content-Encrypted")
_RANGE: Final = re.compile(r"\A([0-9]{1,6}):([0-9]{1,6})\Z")
_MEDIA: Final = frozenset({MEDIA_TYPE, "application/octet-stream", "application/jose"})


class Said(NamedTuple):
    """What a first part's headers say; ``kept``: those that the recipient gets, as msgpack by name."""

    recipient: MailboxId
    workflow: str
    local_id: str
    parts: int
    encoding: str
    kept: bytes


def read_said(request: web.Request, snapshot: Snapshot, now: Moment) -> Said:
    """Return what the first part's headers say.

    Raises:
        DoorError: 400 (06, 08, 11), 417 (12, 17, ``InvalidHeaderChunks``), 422.
    """
    said = {name: request.headers.get(f"Mex-{name}", "") for name in (*_LONGEST, *_KEPT)}
    _check(said)
    if not said["To"]:
        raise DoorError(400, "08", "Mex-To is missing")
    if not said["WorkflowID"]:
        raise malformed("Mex-WorkflowID is missing")
    recipient = mesh.find_address(snapshot.directory, said["To"], now)
    if recipient is None:
        raise DoorError(417, "12", "Unregistered to address")
    workflow = said["WorkflowID"]
    if mesh.find_family(snapshot.rules_at(now), workflow.removesuffix(mesh.ACK)) is None:
        raise DoorError(417, "17", "The workflow isn't one that the sharing agreement has")
    if request.headers.get("Mex-Content-Type", request.content_type) not in _MEDIA:
        raise DoorError(400, "11", f"Send one envelope, {MEDIA_TYPE}, or one receipt, application/jose")
    first, parts = read_range(request)
    if first != 1 or not 1 <= parts <= MAX_PARTS:
        raise DoorError(417, "InvalidHeaderChunks", f"Mex-Chunk-Range is 1:n, n at most {MAX_PARTS}")
    kept = msgspec.msgpack.encode({name: said[name] for name in _KEPT if said[name]})
    return Said(recipient, workflow, said["LocalID"], parts, read_encoding(request), kept)


def _check(said: Mapping[str, str]) -> None:
    for name, text in said.items():
        if len(text) > _LONGEST.get(name, 1) or (text and not text.isprintable()):
            raise malformed(f"Mex-{name} is too long, or holds a control character")
        if name in _NO_URL and "://" in text:
            raise malformed(f"Mex-{name} holds a URL")
        if name in _OPAQUE and (" " in text or not text.isascii()):
            raise malformed(f"Mex-{name} is a reference: ASCII without spaces, and nobody's name")


def read_range(request: web.Request) -> tuple[int, int]:
    """Return number and count of ``Mex-Chunk-Range``, 1:1 where there is none.

    Raises:
        DoorError: 417 ``InvalidHeaderChunks``.
    """
    found = _RANGE.match(request.headers.get("Mex-Chunk-Range", "1:1"))
    if found is None:
        raise DoorError(417, "InvalidHeaderChunks", "Mex-Chunk-Range isn't i:n")
    return int(found[1]), int(found[2])


def read_encoding(request: web.Request) -> str:
    """Return how the content is compressed: ``gzip`` or not at all.

    Raises:
        DoorError: 422.
    """
    encoding = request.headers.get("Content-Encoding", "").lower()
    if encoding not in {"", GZIP}:
        raise DoorError(422, "content-encoding", "Content is compressed by gzip or not at all")
    return encoding


def check_again(request: web.Request, row: MeshSentRow, number: int) -> None:
    """Raise unless a later part's headers fit what its first part said.

    Raises:
        DoorError: 406, 417, 422.
    """
    if not 1 < number <= row.parts:
        raise DoorError(406, "InvalidHeaderChunks", f"The message has {row.parts} parts", about=row.id)
    if "Mex-Chunk-Range" in request.headers and read_range(request) != (number, row.parts):
        raise DoorError(417, "InvalidHeaderChunks", "Mex-Chunk-Range isn't that of this part", about=row.id)
    if read_encoding(request) != row.encoding:
        raise DoorError(417, "content-encoding", "The encoding changed between parts", about=row.id)
