"""What a gateway keeps where the hub contradicts itself: signed things, for a third party to judge.

Each fact stands for itself and is checked by itself; which of them contradict each other is the judge's to find.  So the
files of several agencies can be laid together.  ``said`` alone is nobody's signature but the agency's word.

Source: protocol 4, 7 and 8; RFC 9162, 2.1.3 and 2.1.4.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from schemas.envelope import Struct
from schemas.identifiers import AgencyId, EnvelopeId, MailboxId, Moment, Sha256, Size
from schemas.strict_json import MalformedError, parse_as

MAX_EVIDENCE: Final = 256 * 1024 * 1024
MAX_LEAF: Final = 1024
# A path from a leaf to the root of a tree of 2^53 leaves is no longer.
MAX_PATH: Final = 64

Path = Annotated[tuple[Sha256, ...], Meta(max_length=2 * MAX_PATH)]
# What an agency says that it met with.
Reason = Literal[
    "two-logs",
    "shorter",
    "two-views",
    "shown-less",
    "other-entry",
    "not-covered",
    "receipt-not-logged",
    "receipt-forged",
    "receipt-backdated",
    "receipt-left-out",
    "delivery-left-out",
    "delivery-forged",
    "acceptance-forged",
    "key-forged",
    "key-not-logged",
    "directory-forged",
    "directory-older",
    "directory-withheld",
    "moments-backwards",
]


class Beginning(Struct, frozen=True, kw_only=True):
    """The root of the first ``size`` leaves under ``note``; ``path`` as ``keys.merkle.older_root`` reads it."""

    note: Sha256
    size: Size
    path: Path


class Entry(Struct, frozen=True, kw_only=True):
    """What is at ``index`` under ``note``: the leaf itself, or its ``hash`` alone; ``proof`` from its sibling upwards."""

    note: Sha256
    index: Size
    proof: Path
    leaf: Annotated[str, Meta(max_length=MAX_LEAF)] | None = None
    hash: Sha256 | None = None


class Said(Struct, frozen=True, kw_only=True):
    """The agency's own word of what it met with at ``at``, and what that was about."""

    reason: Reason
    at: Moment
    envelope: EnvelopeId | None = None
    receipt: EnvelopeId | None = None
    mailbox: MailboxId | None = None
    kid: Sha256 | None = None
    index: Size | None = None
    size: Size | None = None
    version: Size | None = None


class Evidence(Struct, frozen=True, kw_only=True):
    """One agency's file.

    ``directories``: signed documents as published, in the order of their versions.  ``notes``: signed checkpoints, named
    elsewhere by the sha256 of their text.  ``signed``: compact JWS, with the statements by which agencies own the keys.
    """

    v: Literal[1]
    agency: AgencyId
    at: Moment
    directories: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    beginnings: tuple[Beginning, ...] = ()
    entries: tuple[Entry, ...] = ()
    signed: tuple[str, ...] = ()
    said: tuple[Said, ...] = ()


def parse_evidence(raw: bytes) -> Evidence:
    """Return the evidence that a file holds; nothing in it is verified yet.

    Raises:
        MalformedError: ``json-*``; ``evidence-entry``: an entry has both a leaf and a hash, or neither.
    """
    evidence = parse_as(raw, Evidence, max_bytes=MAX_EVIDENCE)
    if any((entry.leaf is None) == (entry.hash is None) for entry in evidence.entries):
        raise MalformedError("evidence-entry", "an entry is a leaf or the hash of one", "export the evidence again")
    return evidence
