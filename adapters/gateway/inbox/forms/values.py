"""What stands in the boxes of a form, as a browser posts it: names with texts.  A message written into boxes, and boxes edited.

A box has the pointer of its field as its name: ``/subjects/0/names``; the parts of days and moments one level more: ``/dob/day``.
Entries of lists are numbered by *keys*: the entry's place in the message that the form was made from, or a new number, so
that taking one away moves none.  Each entry has a box ``entries`` with its pointer; ``add`` and ``remove`` are buttons.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from adapters.gateway.inbox.forms.fields import Field, Option, Step
from adapters.gateway.inbox.forms.moments import LONDON, Typed, type_day, type_moment

ENTRIES: Final = "entries"
ADD: Final = "add"
REMOVE: Final = "remove"
Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What is chosen from, and the zone of the times that people type."""

    mailboxes: tuple[Option, ...] = ()
    organisations: tuple[Option, ...] = ()
    zone: ZoneInfo = LONDON

    def of(self, one: Field) -> tuple[Option, ...]:
        """Return the options of the field *one*; none if it is free text here."""
        return {"mailbox": self.mailboxes, "organisation": self.organisations}.get(one.kind, one.options)


@dataclass(slots=True)
class Values:
    """Boxes by name, in their order."""

    pairs: tuple[tuple[str, str], ...] = ()
    _by_name: dict[str, list[str]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for name, text in self.pairs:
            self._by_name.setdefault(name, []).append(text)

    def first(self, name: str) -> str:
        """Return the text of the box *name*, without spaces around it, line ends as line feeds."""
        return self._by_name.get(name, [""])[0].replace("\r\n", "\n").strip()

    def all(self, name: str) -> list[str]:
        """Return all that was chosen under *name*, each once."""
        return list(dict.fromkeys(text for text in self._by_name.get(name, ()) if text))

    def keys(self, pointer: str) -> list[int]:
        """Return the keys of the entries of the list at *pointer*, in their order."""
        ends = [one.removeprefix(f"{pointer}/") for one in self.all(ENTRIES) if one.startswith(f"{pointer}/")]
        return [int(end) for end in ends if end.isascii() and end.isdigit() and len(end) < 6]

    def typed(self, pointer: str) -> Typed:
        """Return the day or moment in the boxes of the field at *pointer*."""
        return Typed(**{part: self.first(f"{pointer}/{part}") for part in ("day", "month", "year", "time", "fold")})

    def under(self, names: Iterable[str]) -> Values:
        """Return the boxes of the fields *names* of the message alone."""
        starts = tuple(f"/{name}/" for name in names)
        return Values(
            tuple(
                (name, text) for name, text in self.pairs if f"{text if name == ENTRIES else name}/".startswith(starts)
            )
        )

    def without(self, entry: str) -> Values:
        """Return the boxes without those of the entry at *entry*."""
        kept = (
            (name, text)
            for name, text in self.pairs
            if not f"{text if name == ENTRIES else name}/".startswith(f"{entry}/")
        )
        return Values(tuple(kept))

    def with_pairs(self, pairs: Pairs) -> Values:
        """Return the boxes and *pairs*."""
        return Values((*self.pairs, *pairs))


def write_step(step: Step, message: Mapping[str, Any], zone: ZoneInfo = LONDON) -> Values:
    """Return what stands in the boxes of *step* for *message*; what must have an entry and has none starts with a blank one."""
    return Values(
        tuple(pair for one in step.fields for pair in _write(one, f"/{one.name}", message.get(one.name), zone))
    )


def write_blank(one: Field, pointer: str) -> Iterator[tuple[str, str]]:
    """Yield the boxes of a new entry *one* of a list at *pointer*."""
    yield ENTRIES, pointer
    yield from _write(one, pointer, None, LONDON)


def _write(one: Field, at: str, value: Any, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    if not one.asked:
        return
    if one.kind == "group":
        for member in one.members:
            given = (value or {}).get(member.name)
            if given is None and value is None and member.default:
                given = member.default
            yield from _write(member, f"{at}/{member.name}", given, zone)
    elif one.kind == "list":
        entry = cast("Field", one.entry)
        for key, given in enumerate(value or ()):
            yield ENTRIES, f"{at}/{key}"
            yield from _write(entry, f"{at}/{key}", given, zone)
        if not value and one.required and one.schema.get("minItems"):
            yield from write_blank(entry, f"{at}/0")
    elif value is not None:
        yield from _write_plain(one, at, value, zone)


def _write_plain(one: Field, at: str, value: Any, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    if one.kind in {"day", "moment"}:
        typed = type_moment(value, zone) if one.kind == "moment" else type_day(value)
        for part in ("day", "month", "year", "time", "fold"):
            if text := getattr(typed, part):
                yield f"{at}/{part}", text
    elif one.kind == "gate" and one.gate is not None:
        yield at, one.gate.go_on
    elif one.kind == "yes_no":
        yield at, "yes" if value else "no"
    elif one.kind == "several_of":
        listed = {option.value for option in one.options}
        for code in value:
            if code in listed:
                yield at, code
        if others := [code for code in value if code not in listed]:
            yield f"{at}/other", " ".join(others)
    else:
        yield at, "\n".join(map(str, value)) if one.kind == "lines" else str(value)
