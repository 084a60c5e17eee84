"""``handling.json`` as values: what carries what from others, and what marks and handling codes allow.

Source: domain 6.11, 9.2, 9.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from schemas.envelope import Struct
from schemas.identifiers import Code, MessageType

Rule = Literal["pass", "conditions", "originating_agency", "refer"]
Path = tuple[str | int, ...]


class Carrier(Struct, frozen=True, kw_only=True):
    """Where a type holds something that may be from others: the message itself, or each element of a list.

    ``refs`` name what identifies it, ``grading`` the member that grades it (``.``: it does so itself), ``origin`` whose
    it is, ``marks`` its own handling marks.
    """

    each: Annotated[str, Meta(pattern=r"\A(?:/\w+)?\Z")]
    refs: tuple[str, ...] = ()
    grading: str = ""
    origin: str = ""
    marks: str = ""

    def elements(self, message: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        """Yield each element with its path."""
        if not self.each:
            yield (), message
            return
        name = self.each.removeprefix("/")
        for number, element in enumerate(message.get(name, ())):
            yield (name, number), element

    def refs_in(self, element: Mapping[str, Any]) -> Iterator[str]:
        """Yield what identifies *element*."""
        return (element[name] for name in self.refs if name in element)

    def grading_of(self, element: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the grading of *element*."""
        found: Mapping[str, Any] | None = element if self.grading == "." else element.get(self.grading)
        return found


class Safe(Struct, frozen=True, kw_only=True):
    """What an urgent draft goes with where its own code is on no list."""

    basis: tuple[Code, ...]
    purpose: Code
    consent: Code
    marks: tuple[Code, ...]


class Revealing(Struct, frozen=True, kw_only=True):
    """Where a type holds what shows a source: people's names, and words such as numbers and addresses."""

    names: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


class Apart(Struct, frozen=True, kw_only=True):
    """Where a type says of which record it is, and from which other one that is kept apart."""

    record: str
    other: str = ""


class Ceiling(Struct, frozen=True, kw_only=True):
    """How much of a record a role may have: one of ``variants``, under all of ``marks``."""

    variants: tuple[Code, ...]
    marks: tuple[Code, ...] = ()


class HandlingPolicy(Struct, frozen=True, kw_only=True):
    """The whole table, with its owner and the day from which it holds.

    ``ceilings``: how much a role may have, by role and family.  ``conditions``: the roles of which a recipient must have
    one, by sub-code; a sub-code that isn't named is for people to read.  ``sanitised``: texts that may not name a source.
    ``apart``: records of which two may have no recipient in common.
    """

    owner: str
    from_: Annotated[str, Meta(pattern=r"\A\d{4}-\d{2}-\d{2}\Z")] = msgspec.field(name="from")
    safe: Safe
    consents_to_remind: tuple[Code, ...]
    graders: tuple[Code, ...]
    ceilings: Mapping[Code, Mapping[str, Ceiling]]
    onward_marks: tuple[Code, ...]
    codes: Mapping[str, Mapping[str, Rule]]
    conditions: Mapping[Code, tuple[Code, ...]]
    carriers: Mapping[MessageType, tuple[Carrier, ...]]
    sanitised: Mapping[MessageType, tuple[str, ...]]
    sources: Mapping[MessageType, Revealing]
    apart: Mapping[MessageType, Apart]


@cache
def load_policy() -> HandlingPolicy:
    """Return the table that ships with the gateway."""
    raw = files("adapters.gateway").joinpath("handling.json").read_bytes()
    return msgspec.json.decode(raw, type=HandlingPolicy)
