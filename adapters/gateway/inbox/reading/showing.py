"""A message as it is read on the page: everything that it says, in the schema's order and words, with every mark where it holds.

The same sheet as a copy for the agency's record (:mod:`adapters.gateway.exports.sheet`), but nothing is left out, and moments are local.

Source: issue of the inbox (a message); domain 9.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from adapters.base import Document, Incoming
from adapters.gateway.exports.policy import Variant, load_policy
from adapters.gateway.exports.shapes import labels, say_instant
from adapters.gateway.exports.sheet import Field, Section, Sheet, make_sheet
from adapters.gateway.inbox.reading.documents import Kind, kind_of
from schemas.catalogue import Catalogue

READ: Final = Variant(title="", facts=("purpose", "basis", "consent"), addresses="shown", warns=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """One document of a message: its number from 1, and as what it can be looked at."""

    number: int
    name: str
    size: int
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the page shows.  ``marks`` are words; ``embargo`` until when nobody else may learn of it, in words."""

    sheet: Sheet
    classification: str
    marks: tuple[str, ...]
    embargo: str
    documents: tuple[Attached, ...]
    mark_words: dict[str, str]

    def own_marks(self, one: Field | Section) -> list[str]:
        """Return in words the marks that hold for *one* and not for the whole message."""
        return [self.mark_words[mark] for mark in one.marks if mark not in self.sheet.marks]


def show(message: Incoming, catalogue: Catalogue, zone: ZoneInfo) -> Shown:
    """Return *message* for the page."""
    policy = msgspec.structs.replace(load_policy(), variants={"read": READ})
    sheet = make_sheet(message, catalogue.schema(message.type), policy, "read", agency="", by="", now=0, zone=zone)
    words = dict(labels("HandlingMark"))
    until = message.message.get("embargo_until", "")
    return Shown(
        sheet=sheet, classification=message.classification, marks=tuple(words[mark] for mark in sheet.marks),
        embargo=say_instant(until, zone) if until else "", documents=list_documents(message.documents), mark_words=words,
    )  # fmt: skip


def list_documents(documents: tuple[Document, ...]) -> tuple[Attached, ...]:
    """Return what is said of each of *documents*."""
    return tuple(
        Attached(number=number, name=one.name, size=len(one.content), kind=kind_of(one))
        for number, one in enumerate(documents, 1)
    )


def is_section(one: Field | Section) -> bool:
    """Answer whether *one* is a section; for templates."""
    return isinstance(one, Section)
