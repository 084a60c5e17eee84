"""What a message does to the register, read off ``effects.json``: pure, and no message type is named in code.

Each family has either ``why_not`` or ``effects``.  ``child`` points to the child whom the message is about.  An effect:

``kind``, ``key``   which entry: pointers to what identifies it among its kind; ``@child``, ``@sender`` (the agency) and
                    ``@thread`` are words.  An entry of ``@child`` is one for each child
``do``              ``open``: only what was never there becomes open; ``set``: it is so from then on; ``close``: it is over;
                    ``note``: it happened, now as before
``state``           what it is called then: ``open``, ``closed``, ``recorded`` where nothing is said; ``set`` changes none
``each``            pointer to elements, each of which has the effect; pointers then start there, ``^/…`` at the top
``where``           pointers with the values that must stand there
``at``, ``due``     pointers: when it happened (else the header's ``at``), by when something is due
``part_of``         pointers to what it belongs to; without ``key``: the effect is on all that belongs to it
``match``           pointer to a key by which only the sender knows the child
``facts``           codes that patterns ask for; ``sectors``: more of them, each the sector of the mailbox at the pointer
``details``         what is shown and put on agendas, kept sealed

What a pointer of ``key``, ``at`` or ``match`` doesn't find has no effect.

Source: domain 2 and 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

from adapters.gateway.moments import read_moment
from schemas.catalogue import select
from schemas.envelope import Header, Struct
from schemas.identifiers import Code, MailboxId, Moment, agency_of, family_of
from schemas.strict_json import parse_as

MAX_FILE: Final = 256 * 1024
CHILD: Final = "@child"
Verb = Literal["open", "set", "close", "note"]
# The sector of a mailbox's agency, or ``None``.
FindSector = Callable[[MailboxId], Code | None]
_STATES: Final[Mapping[Verb, Code | None]] = {"open": "open", "set": None, "close": "closed", "note": "recorded"}


class Effect(Struct, frozen=True, kw_only=True):
    """One thing that a message does to an entry, or to one for each element."""

    kind: Code
    do: Verb
    key: tuple[str, ...] = ()
    state: Code | None = None
    each: str = ""
    where: Mapping[str, tuple[bool | str, ...]] = {}
    at: str | None = None
    due: str | None = None
    part_of: tuple[str, ...] = ()
    match: str | None = None
    facts: Mapping[Code, str] = {}
    sectors: Mapping[Code, str] = {}
    details: Mapping[Code, str] = {}


class Family(Struct, frozen=True, kw_only=True):
    """What is said of one family of messages."""

    child: str | None = None
    effects: tuple[Effect, ...] = ()
    why_not: str = ""


class Parting(Struct, frozen=True, kw_only=True):
    """Entries after which a child is never matched automatically again: an adopted child's records are new ones."""

    kind: Code
    states: tuple[Code, ...]
    facts: Mapping[Code, tuple[Code, ...]]


class Table(Struct, frozen=True, kw_only=True):
    """The file."""

    parted_by: Parting
    types: Mapping[str, Family]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One effect of one message, its pointers followed.

    ``key``: what identifies the entry; ``own``: it is the child's own, with what else tells it apart; ``part``: what it
    belongs to, and without ``key`` everything that does.
    """

    kind: Code
    verb: Verb
    key: tuple[str, ...] | None
    own: str | None
    part: tuple[str, ...] | None
    match: str | None
    state: Code | None
    at: Moment
    due: Moment | None
    facts: Mapping[Code, Code]
    details: Mapping[Code, str]


@cache
def load_table() -> Table:
    """Return the packaged table."""
    raw = files("adapters.gateway.register").joinpath("effects.json").read_bytes()
    return parse_as(raw, Table, max_bytes=MAX_FILE)


def concerns(table: Table, header: Header) -> bool:
    """Answer whether a message with *header* goes into the register at all."""
    return bool(table.types.get(family_of(header.type), Family()).effects)


def find_child(table: Table, header: Header, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the child whom *message* names, as it names them, or ``None``."""
    pointer = table.types[family_of(header.type)].child
    found: Mapping[str, Any] | None = _find(message, message, pointer) if pointer else None
    return found


def read_happenings(
    table: Table, header: Header, message: Mapping[str, Any], find_sector: FindSector
) -> Iterator[Happening]:
    """Yield what *message*, which has passed its schema, does to the register, in the table's order."""
    for effect in table.types[family_of(header.type)].effects:
        for element in select(message, effect.each):
            if all(_find(message, element, pointer) in allowed for pointer, allowed in effect.where.items()):
                happening = _read(effect, header, message, element, find_sector)
                if happening is not None:
                    yield happening


def _read(effect: Effect, header: Header, message: Any, element: Any, find_sector: FindSector) -> Happening | None:
    words = {"@sender": agency_of(header.from_), "@thread": header.thread, CHILD: ""}

    def find(pointer: str) -> Any:
        return words[pointer] if pointer in words else _find(message, element, pointer)

    key, part = [find(pointer) for pointer in effect.key], [find(pointer) for pointer in effect.part_of]
    match = find(effect.match) if effect.match else None
    at = find(effect.at) if effect.at else None
    if None in [*key, *part] or (effect.match and match is None) or (effect.at and at is None):
        return None
    due = find(effect.due) if effect.due else None
    facts = {code: _code(value) for code, pointer in effect.facts.items() if (value := find(pointer)) is not None}
    for code, pointer in effect.sectors.items():
        if (mailbox := find(pointer)) is not None and (sector := find_sector(mailbox)) is not None:
            facts[code] = sector
    is_own = CHILD in effect.key
    return Happening(
        kind=effect.kind,
        verb=effect.do,
        key=tuple(map(str, key)) if key and not is_own else None,
        own=" ".join(filter(None, key)) if is_own else None,
        part=tuple(map(str, part)) or None,
        match=match,
        state=effect.state or _STATES[effect.do],
        at=header.at if at is None else read_moment(at),
        due=None if due is None else read_moment(due, ends=True),
        facts=facts,
        details={code: value for code, pointer in effect.details.items() if (value := find(pointer)) is not None},
    )


def _code(value: bool | int | str) -> Code:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def _find(message: Any, element: Any, pointer: str) -> Any:
    """Return the one value at *pointer*, or ``None``: no field of any type may be null."""
    value = message if pointer.startswith("^") else element
    for name in pointer.split("/")[1:]:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
