"""A mapping: which fields of an agency's records are which members of which message types, as data.

``send`` rules make drafts of records, ``file`` rules make records of messages.  Both say with :class:`Field` where a value comes from.
A record's fields are named by dotted paths (``child.name``), a message's members by JSON pointers (``/child/name``).

Source: design 5 (profiles); docs/agencies/records.md has each member.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from schemas.identifiers import Code, MessageType

Path = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,119}\Z")]
# It stands in addresses, so it says what kind of record it is and nothing more.
Kind = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_-]{0,39}\Z")]
Pointer = Annotated[str, Meta(pattern=r"\A(/[A-Za-z0-9_]{1,64}){1,8}\Z")]
Shape = Literal["", "date", "local-moment", "own-id", "text"]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Case(_Strict, frozen=True, kw_only=True):
    """*value*, where each field of ``where`` has one of the values beside it."""

    where: dict[str, tuple[Any, ...]]
    value: Any


class Field(_Strict, frozen=True, kw_only=True):
    """Where one value comes from: exactly one of ``from``, ``value``, ``option``, ``each``, ``when`` and ``every``.

    ``from``: a field; of several, those that are there, joined.  ``value``: always this.  ``option``: what the configuration
    has under that name.  ``each``: a list, of whose entries ``fields`` says what they become.  ``when``: the value of the
    first case that holds.  ``every``: a list of the values of all that hold.

    ``codes`` turns one side's code into the other's, of a list each; one that isn't in it is refused, or becomes ``otherwise``.
    ``as``: the shape to bring it into.  ``of``: for `own-id`, what is numbered.  ``default``: what stands where nothing is
    there; empty text and null count as nothing.
    """

    from_: str | tuple[str, ...] | UnsetType = msgspec.field(name="from", default=UNSET)
    join: str = " "
    value: Any = UNSET
    option: str = ""
    each: str = ""
    fields: dict[str, str | Field] = {}
    when: tuple[Case, ...] = ()
    every: tuple[Case, ...] = ()
    codes: dict[str, Any] | None = None
    otherwise: Any = UNSET
    default: Any = UNSET
    as_: Shape = msgspec.field(name="as", default="")
    of: str = ""

    @property
    def sources(self) -> tuple[str, ...]:
        """Return what ``from`` names."""
        if isinstance(self.from_, UnsetType):
            return ()
        return (self.from_,) if isinstance(self.from_, str) else self.from_


class Send(_Strict, frozen=True, kw_only=True):
    """What a record of ``kind`` becomes, where each field of ``where`` has one of the values beside it.

    ``author``, ``sender``, ``to``, ``thread``, ``re``, ``supersedes`` and ``marks`` are fields of the record: who wrote it, from and to
    which mailboxes, and what the system kept when something was filed or sent.  ``role`` is the author's: a code, or
    where it comes from.  What isn't said here the configuration says.
    """

    kind: Kind
    type: MessageType
    where: dict[Path, tuple[Any, ...]] = {}
    author: Path = "author"
    role: Code | Field | None = None
    sender: Path | None = None
    to: Path | None = None
    thread: Path | None = None
    re: Path | None = None
    supersedes: Path | None = None
    marks: Path | tuple[str, ...] = ()
    basis: tuple[str, ...] = ()
    purpose: str = "child_protection"
    consent: str | Field = "not_needed_lawful_basis"
    classification: Literal["OFFICIAL", "OFFICIAL-SENSITIVE"] = "OFFICIAL-SENSITIVE"
    basis_class: Literal["safeguarding", "care", "law_enforcement", "other"] = "safeguarding"
    retention: Code | None = None
    fields: dict[Pointer, str | Field]


class File(_Strict, frozen=True, kw_only=True):
    """What a message of ``type`` becomes, where each member of ``where`` has one of the values beside it.

    ``mode``: how much of it is kept: `full` the message too, `summary` only ``fields``, `reference_only` not even those.
    ``keeps``: the members that :meth:`read_back` compares; absent, all that have a field of their own and can be turned back.
    """

    type: MessageType
    kind: Kind
    where: dict[Pointer, tuple[Any, ...]] = {}
    mode: Literal["full", "summary", "reference_only"] = "full"
    fields: dict[Path, str | Field] = {}
    keeps: tuple[Pointer, ...] | None = None


class Mapping(_Strict, frozen=True, kw_only=True):
    """A whole mapping; ``about`` says of which system, whose it is and of which day.

    ``people``: types of which nothing is ever put into the system, whatever mailbox they come for.
    """

    about: str
    people: tuple[MessageType, ...] = ()
    send: tuple[Send, ...] = ()
    file: tuple[File, ...] = ()


def field_of(given: str | Field) -> Field:
    """Return *given*, where a plain text means a field of that name."""
    return Field(from_=given) if isinstance(given, str) else given
