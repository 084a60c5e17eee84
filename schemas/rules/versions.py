"""Which version of a message counts: the newest that its sender has not taken back.

Each version may be replaced once, by the next one; one that was withdrawn is as if it had never been sent.

Source: protocol 5 and 6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from schemas.envelope import Header
from schemas.identifiers import EnvelopeId


class Version(NamedTuple):
    """One version as the store has it: whether it was withdrawn, and by what it was replaced."""

    header: Header
    withdrawn: bool
    superseded_by: EnvelopeId | None


class Lineage(NamedTuple):
    """What comes before and after one version.

    ``before``: the one that it replaces, and as long as that was withdrawn the one before it, newest first.
    ``counts``: the one of these that counts again if this version doesn't, the only one that was not withdrawn.
    ``after``: those that replaced it and were not withdrawn, oldest first.
    """

    before: tuple[EnvelopeId, ...] = ()
    counts: EnvelopeId | None = None
    after: tuple[Header, ...] = ()


def lineage_of(header: Header, find: Callable[[EnvelopeId], Version | None]) -> Lineage:
    """Return the lineage of *header*; *find* returns an envelope that was accepted."""
    before: list[EnvelopeId] = []
    counts = header.supersedes
    while counts is not None:
        before.append(counts)
        version = find(counts)
        if version is None or not version.withdrawn:
            break
        counts = version.header.supersedes
    after: list[Header] = []
    own = find(header.id)
    name = own.superseded_by if own is not None else None
    while name is not None and (version := find(name)) is not None:
        after += [] if version.withdrawn else [version.header]
        name = version.superseded_by
    return Lineage(tuple(before), counts, tuple(after))
