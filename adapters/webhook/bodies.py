"""What stands in the bodies: a message or a notice going to the agency's system, a draft coming from it."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from adapters.base import MAX_DRAFT, Document, Incoming, Notice, parse_draft
from adapters.pair import describe_notice
from keys.digests import sha256, sha256_b64u
from schemas.identifiers import Moment
from schemas.strict_json import MalformedError, dump, parse

# Of one draft: its body is in memory several times over while it is read.
MAX_DOCUMENTS: Final = 32 * 1024 * 1024
# Documents in Base64, the draft, and what is around them.
MAX_BODY: Final = MAX_DOCUMENTS * 4 // 3 + MAX_DRAFT + 65_536
_VALUE: Final = re.compile(r"(Invalid (?:enum )?value) .* - at|(unknown field) .*", re.DOTALL)


class _Paper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    content: str


class _Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    draft: dict[str, Any]
    documents: tuple[_Paper, ...] = ()


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="draft"):
    data: _Data
    timestamp: str = ""


def name_of(message: Incoming) -> str:
    """Return the id of the webhook about *message*: the same each time for one envelope and mailbox, and saying nothing of them."""
    return f"msg_{sha256_b64u(f'{message.envelope}|{message.mailbox}'.encode())}"


def digests_of(message: Incoming) -> list[str]:
    """Return SHA-256 of each document, in hexadecimal digits and in order."""
    return [sha256(document.content).hex() for document in message.documents]


def make_message(message: Incoming) -> bytes:
    """Return the body that hands *message* over."""
    about = {key: value for key, value in asdict(message).items() if value is not None}
    del about["message"], about["documents"]
    documents = [
        {"name": one.name, "type": one.type, "sha256": digest, "content": base64.b64encode(one.content).decode()}
        for one, digest in zip(message.documents, digests_of(message), strict=True)
    ]
    data = {"about": about, "message": message.message, "documents": documents}
    return _dump("message", message.accepted_at, data)


def make_notice(notice: Notice) -> tuple[str, bytes]:
    """Return the id and the body that tell *notice*."""
    return f"ntc_{sha256_b64u(notice.id.encode())}", _dump("notice", notice.at, describe_notice(notice))


def is_same(sent: Any, held: Any) -> bool:
    """Answer whether *held* is *sent*, whatever the order of members and however a number is written."""
    if isinstance(sent, Mapping):
        return (
            isinstance(held, dict)
            and sent.keys() == held.keys()
            and all(is_same(value, held[name]) for name, value in sent.items())
        )
    if isinstance(sent, list | tuple):
        return (
            isinstance(held, list)
            and len(sent) == len(held)
            and all(is_same(a, b) for a, b in zip(sent, held, strict=True))
        )
    if isinstance(sent, bool) or isinstance(held, bool):
        return sent is held
    return bool(sent == held)


def parse_body(raw: bytes) -> tuple[bytes, tuple[Document, ...]]:
    """Return the draft in *raw*, as `message.json` holds it, and its documents.

    Raises:
        MalformedError: ``json-*``, ``webhook-body``, ``draft-shape``, ``document-name``, ``attachment-missing``, ``attachment-unreadable``;
            naming the member and the rule, never a value.
    """
    try:
        data = msgspec.convert(parse(raw, max_bytes=MAX_BODY, content=True), _Body, strict=True).data
    except msgspec.ValidationError as error:
        raise MalformedError(
            "webhook-body", f"body: {_without_values(error)}", "docs/agencies/webhook.md has an example"
        ) from error
    content = dump(data.draft)
    try:
        draft = parse_draft(content)
    except MalformedError as error:
        raise MalformedError(error.code, _without_values(error), error.hint) from error
    papers = tuple(Document(name=one.name, type="", content=_bytes_of(one)) for one in data.documents)
    if sorted(one.name for one in papers) != sorted(draft.attachments):
        raise MalformedError(
            "attachment-missing",
            "`documents` aren't those that the draft's `attachments` name",
            "send each once, by one name",
        )
    if sum(len(one.content) for one in papers) > MAX_DOCUMENTS:
        raise MalformedError("attachment-unreadable", "the documents are longer than 32 MiB in all", "split them")
    return content, papers


def _bytes_of(paper: _Paper) -> bytes:
    try:
        return base64.b64decode(paper.content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("attachment-unreadable", "a document isn't Base64", "encode its bytes") from error


def _without_values(error: Exception) -> str:
    return _VALUE.sub(lambda found: f"{found[1]} - at" if found[1] else f"{found[2]}", str(error))


def _dump(kind: str, at: Moment, data: Mapping[str, Any]) -> bytes:
    # The moment is the message's, not that of sending: a repeat has the same bytes.
    stamp = _stamp(at)
    return json.dumps({"type": kind, "timestamp": stamp, "data": data}, separators=(",", ":")).encode()


def _stamp(at: Moment) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
