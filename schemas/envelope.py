"""One envelope: two signed lines, then sealed bytes.

``header LF wraps LF body``.  What the hub may know is in :class:`Header`; nothing else is in clear.
Whether a signature is right is asked in ``keys``; whether a header is allowed, in ``hub.core``.

Source: protocol 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from schemas.identifiers import Code, EnvelopeId, ItemRef, KeyId, MailboxId, MessageType, Moment, Sha256, Size, ThreadId
from schemas.strict_json import MalformedError, parse_as

MEDIA_TYPE: Final = "application/vnd.safeguarding-hub.envelope"
BATCH_MEDIA_TYPE: Final = "application/vnd.safeguarding-hub.envelopes"
MAX_HEADER: Final = 16 * 1024
MAX_WRAPS: Final = 192 * 1024
MAX_BODY: Final = 64 * 1024 * 1024
MAX_RECIPIENTS: Final = 64
DAY: Final = 86_400_000
MAX_KEEP: Final = 400 * DAY
MAX_AHEAD: Final = 5 * 60_000


class Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A frozen wire object: exactly its members, by keyword, absent when they equal their default."""


class Item(Struct, frozen=True, kw_only=True):
    """An action or check that somebody owes: reference, owner and due moment."""

    ref: ItemRef
    owner: MailboxId
    due: Moment


class Sealed(Struct, frozen=True, kw_only=True):
    """What the header says of the body: format, digest and exact length in bytes."""

    format: Literal["C2SP-CE1-A256GCM"]
    sha256: Sha256
    length: Annotated[int, Meta(ge=56, le=MAX_BODY)]


class Header(Struct, frozen=True, kw_only=True):
    """What the hub may know of an envelope.  Members as in protocol 2; moments are UTC milliseconds."""

    v: Literal[1]
    id: EnvelopeId
    type: MessageType
    from_: MailboxId = msgspec.field(name="from")
    to: Annotated[tuple[MailboxId, ...], Meta(min_length=1, max_length=MAX_RECIPIENTS)]
    thread: ThreadId
    re: EnvelopeId | None = None
    supersedes: EnvelopeId | None = None
    at: Moment
    moments: Annotated[Mapping[Code, Moment], Meta(max_length=16)]
    urgent: bool
    parties: Annotated[tuple[MailboxId, ...], Meta(max_length=MAX_RECIPIENTS)]
    items: Annotated[tuple[Item, ...], Meta(max_length=64)]
    facts: Annotated[Mapping[Code, Code], Meta(max_length=16)]
    basis_class: Literal["safeguarding", "care", "law_enforcement", "other"]
    retention: Code
    sealed: Sealed
    opening: Sha256
    directory: Size
    agreement: Size
    sent: Moment
    keep_until: Moment


class Wrap(Struct, frozen=True, kw_only=True):
    """The content key for one recipient: HPKE encapsulation ``ek`` (1,120 bytes) and ciphertext ``wk`` (48 bytes), b64u."""

    mailbox: MailboxId
    kid: KeyId
    ek: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1493}[AEIMQUYcgkosw048]\Z")]
    wk: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{64}\Z")]


class Wraps(Struct, frozen=True, kw_only=True):
    """One wrap for each recipient, signed apart from the header so that the sender can replace it."""

    v: Literal[1]
    id: EnvelopeId
    sealed_sha256: Sha256
    wraps: Annotated[tuple[Wrap, ...], Meta(min_length=1, max_length=MAX_RECIPIENTS)]


class Parts(NamedTuple):
    """The three parts of an envelope as they came; nothing in them is checked yet."""

    header: bytes
    wraps: bytes
    body: memoryview


def split_envelope(raw: bytes) -> Parts:
    """Cut *raw* at its first two line feeds.

    Raises:
        MalformedError: ``envelope-parts`` or ``envelope-too-long``.
    """
    first = raw.find(b"\n", 0, MAX_HEADER + 1)
    second = raw.find(b"\n", first + 1, first + MAX_WRAPS + 2) if first > 0 else -1
    if second <= first + 1:
        raise MalformedError(
            "envelope-parts",
            "an envelope is a header of at most 16 KiB, LF, wraps of at most 192 KiB, LF, body",
            "send the three parts as they were signed",
        )
    if len(raw) - second - 1 > MAX_BODY:
        raise MalformedError("envelope-too-long", "the body is longer than 64 MiB", "split the documents")
    return Parts(raw[:first], raw[first + 1 : second], memoryview(raw)[second + 1 :])


def join_envelope(header: bytes, wraps: bytes, body: bytes | memoryview) -> bytes:
    """Return the bytes of one envelope; the inverse of :func:`split_envelope`."""
    return b"\n".join((header, wraps, body))


def parse_header(payload: bytes) -> Header:
    """Return the header whose JWS payload is *payload*.

    Raises:
        MalformedError: ``json-*``, ``header-order`` (``to`` and ``parties`` are sorted without repeats),
            ``header-item-twice`` or ``header-keep-until``.
    """
    header = parse_as(payload, Header, max_bytes=MAX_HEADER)
    for name, boxes in (("to", header.to), ("parties", header.parties)):
        if any(a >= b for a, b in pairwise(boxes)):
            raise MalformedError("header-order", f"header: `{name}` is not sorted without repeats", "sort it")
    if len({item.ref for item in header.items}) != len(header.items):
        raise MalformedError("header-item-twice", "header: two items have one reference", "give each its own")
    if not header.sent < header.keep_until <= header.sent + MAX_KEEP:
        raise MalformedError(
            "header-keep-until", "header: `keep_until` is not within 400 days after `sent`", "choose an earlier moment"
        )
    return header


def parse_wraps(payload: bytes, header: Header) -> Wraps:
    """Return the wraps whose JWS payload is *payload*; they must be for *header*.

    Raises:
        MalformedError: ``json-*`` or ``wraps-mismatch``.
    """
    wraps = parse_as(payload, Wraps, max_bytes=MAX_WRAPS)
    same = wraps.id == header.id and wraps.sealed_sha256 == header.sealed.sha256
    if not same or tuple(wrap.mailbox for wrap in wraps.wraps) != header.to:
        raise MalformedError(
            "wraps-mismatch",
            "the wraps are not for this header: same id, digest and recipients in order",
            "sign them again",
        )
    return wraps
