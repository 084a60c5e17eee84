"""The first thing inside a sealed body: what was sent, by whom, on what basis, and which documents follow.

The hub never sees a manifest.  That it agrees with the clear header is asked in the gateway.

Source: protocol 3; domain 6.9, 7.1 (sealed envelope), 9.2, 9.4.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from schemas.envelope import MAX_BODY, MAX_RECIPIENTS, Struct
from schemas.identifiers import Code, EnvelopeId, MailboxId, MessageType, Moment, Sha256, ThreadId
from schemas.strict_json import MalformedError, parse_as

MAX_MANIFEST: Final = 64 * 1024
MAX_DOCUMENTS: Final = 64
MESSAGE_MEDIA_TYPE: Final = "application/json"

# A plain file name: no folder, no control or direction character, nothing that a file system reads as its own.
NAME_PATTERN: Final = (
    r'\A[^\x00-\x1f\x7f-\x9f/\\<>:"|?*.\u200e\u200f\u202a-\u202e\u2066-\u2069]'
    r'[^\x00-\x1f\x7f-\x9f/\\<>:"|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]{0,199}\Z'
)
MEDIA_TYPE_PATTERN: Final = r"\A[a-z0-9][a-z0-9.+_-]{0,63}/[a-z0-9][a-z0-9.+_-]{0,126}\Z"

Consent = Literal[
    "not_needed_lawful_basis",
    "sought_agreed",
    "sought_refused",
    "not_sought_unsafe",
    "not_sought_other",
    "directed_not_yet_sought",
]
Purpose = Literal[
    "child_protection",
    "child_in_need",
    "missing",
    "exploitation",
    "offender_management",
    "care",
    "education_safeguarding",
    "quality_assurance",
]
# Higher tiers are refused: they may not travel here.
Classification = Literal["OFFICIAL", "OFFICIAL-SENSITIVE"]
Mark = Literal[
    "not_for_family",
    "third_party",
    "address_restricted",
    "named_roles_only",
    "no_onward_copy",
    "reference_only",
    "do_not_show_online",
    "tipping_off_risk",
]


class Author(Struct, frozen=True, kw_only=True):
    """Who wrote it: ``ref`` is the agency's pseudonym of the person, ``role`` what they are."""

    ref: Sha256
    role: Code


class Document(Struct, frozen=True, kw_only=True):
    """One document of the body: file name, media type, exact length in bytes and digest."""

    name: Annotated[str, Meta(pattern=NAME_PATTERN)]
    type: Annotated[str, Meta(pattern=MEDIA_TYPE_PATTERN)]
    length: Annotated[int, Meta(ge=0, le=MAX_BODY)]
    sha256: Sha256


class Manifest(Struct, frozen=True, kw_only=True):
    """Members as in protocol 3.  ``message`` is the index of the document that the type's schema describes."""

    v: Literal[1]
    id: EnvelopeId
    type: MessageType
    from_: MailboxId = msgspec.field(name="from")
    to: Annotated[tuple[MailboxId, ...], Meta(min_length=1, max_length=MAX_RECIPIENTS)]
    thread: ThreadId
    author: Author
    nonce: Sha256
    basis: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=16)]
    consent: Consent
    purpose: Purpose
    classification: Classification
    marks: Annotated[tuple[Mark, ...], Meta(max_length=8)]
    message: Annotated[int, Meta(ge=0, lt=MAX_DOCUMENTS)]
    documents: Annotated[tuple[Document, ...], Meta(min_length=1, max_length=MAX_DOCUMENTS)]
    created: Moment


def parse_manifest(payload: bytes) -> Manifest:
    """Return the manifest whose JWS payload is *payload*.

    Raises:
        MalformedError: ``json-*``; ``manifest-order`` (``to``, ``basis`` and ``marks`` are sorted without repeats),
            ``manifest-name-twice``, or ``manifest-message``: the index names no JSON document.
    """
    manifest = parse_as(payload, Manifest, max_bytes=MAX_MANIFEST)
    for name, values in (("to", manifest.to), ("basis", manifest.basis), ("marks", manifest.marks)):
        if any(a >= b for a, b in pairwise(values)):
            raise MalformedError("manifest-order", f"manifest: `{name}` is not sorted without repeats", "sort it")
    # Two names that differ only in case are one file on many agencies' disks.
    if len({document.name.casefold() for document in manifest.documents}) != len(manifest.documents):
        raise MalformedError("manifest-name-twice", "manifest: two documents have one name", "rename one of them")
    if manifest.message >= len(manifest.documents) or manifest.documents[manifest.message].type != MESSAGE_MEDIA_TYPE:
        raise MalformedError(
            "manifest-message", "manifest: `message` is not the index of a JSON document", "point it at the message"
        )
    return manifest
