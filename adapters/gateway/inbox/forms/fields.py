"""A message type as a form: its fields and its steps, as values.

Source: issue of the inbox (write).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, cast

from adapters.gateway.inbox.forms.data import Filling, Gate
from adapters.gateway.inbox.forms.rules import Rule
from schemas.identifiers import MessageType
from schemas.validator import Schema

Kind = Literal[
    "text", "long_text", "lines", "yes_no", "gate", "one_of", "several_of", "day", "moment", "integer", "nhs_number",
    "email", "telephone", "mailbox", "organisation", "code", "reference", "group", "list",
]  # fmt: skip
# What has more answers than this is chosen from a list that opens.
MAX_RADIOS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One answer to choose: the value in the message, and its words."""

    value: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Under:
    """The field's place is under the question *name*, for when it is answered with one of ``values`` (codes, ``yes``, ``no``)."""

    name: str
    values: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a message.

    ``path`` is its pointer, with ``*`` for the entries of lists.  ``asked`` is false for what the machine fills or keeps.
    ``needed``: some answers require it, or all (``required``).  ``members`` are those of a group, ``entry`` what a list holds.
    ``default``: what a new entry of a list starts with.
    """

    name: str
    path: str
    title: str
    hint: str
    kind: Kind
    schema: Schema
    kinds: tuple[str, ...]
    required: bool = False
    needed: bool = False
    asked: bool = True
    filling: Filling | None = None
    options: tuple[Option, ...] = ()
    members: tuple[Field, ...] = ()
    entry: Field | None = None
    rules: tuple[Rule, ...] = ()
    under: Under | None = None
    default: str = ""
    gate: Gate | None = None

    @property
    def open(self) -> bool:
        """Answer whether codes beside the listed ones may be named: the list is national, and longer."""
        return self.kind == "several_of" and "enum" not in cast("Field", self.entry).schema

    def member(self, name: str) -> Field:
        """Return the member *name* of a group."""
        return next(one for one in self.members if one.name == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One page of the form: a short name that says nothing about anybody, and the fields of the message that it asks."""

    name: str
    title: str
    fields: tuple[Field, ...]

    @property
    def gate(self) -> Field | None:
        """Return the question that must be answered before any other, if this is its step."""
        return self.fields[0] if self.fields[0].kind == "gate" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One message type as a form.

    ``by_machine``: nobody writes such a message by hand.  ``of_thread``: pointers of what only the message that is answered can
    give, so that the form begins there.
    """

    type: MessageType
    title: str
    description: str
    root: Field
    steps: tuple[Step, ...]
    by_machine: bool
    of_thread: tuple[str, ...]

    def step(self, name: str) -> Step | None:
        """Return the step *name*, or ``None``."""
        return next((step for step in self.steps if step.name == name), None)
