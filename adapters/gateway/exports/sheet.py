"""From a message to the sheet that a reader may have: sections, each with every mark that holds for it.

Pure.  What a variant leaves out is decided here, once, so that no form of output can show it.  What is left out leaves
no gap, number or heading behind.

Source: domain 3 (9), 9.4, 9.5; risks 2, 3 and 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from adapters.base import Incoming
from adapters.errors import GatewayError
from adapters.gateway.exports.marking import MARKS, RESTRICTED, clean, groups, has_restricted, in_order, marks_of
from adapters.gateway.exports.policy import Policy, Variant
from adapters.gateway.exports.shapes import Schema, Shape, definitions, fold, labels, shape_of
from schemas.identifiers import Moment, agency_of, family_of

_SPLIT: Final = re.compile(r"[,;\n]")
_POSTCODE: Final = re.compile(r"\b([a-z]{1,2}\d[a-z\d]?) ?(\d[a-z]{2})\b")
# Shorter parts of an address ("12a") stand in too many other texts to mean the place.
_MIN_PART: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One title with one value, and the marks that hold for it alone."""

    title: str
    value: str
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading, every mark that holds below it (the message's own included), then fields and sections in order."""

    title: str
    marks: tuple[str, ...]
    items: tuple[Field | Section, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What one reader gets.  Marks are codes; ``warnings`` name who must not learn what."""

    title: str
    subtitle: str
    language: str
    classification: str
    marks: tuple[str, ...]
    note: str
    warnings: tuple[Field, ...]
    facts: tuple[Field, ...]
    sections: tuple[Section, ...]
    watermark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lens:
    """Through what one reader looks at one message."""

    policy: Policy
    variant: Variant
    message_marks: tuple[str, ...]
    barred: frozenset[str]
    only: frozenset[str] | None
    hides_addresses: bool
    restricted: bool
    withheld: frozenset[str] = field(default_factory=frozenset)

    def marks_of(self, value: Mapping[str, Any]) -> frozenset[str]:
        """Return the marks of one group of fields itself."""
        return marks_of(value, self.policy)

    def hides(self, name: str, shape: Shape) -> bool:
        """Answer whether the field *name* is nowhere in this copy."""
        if name in self.variant.leaves_out:
            return True
        is_place = self.restricted and name in self.policy.place_fields
        is_address = not set(self.policy.address_kinds).isdisjoint(shape.kinds)
        return self.hides_addresses and (is_address or is_place)

    def is_reference(self, shape: Shape) -> bool:
        """Answer whether *shape* is no more than a reference."""
        return not set(self.policy.reference_kinds).isdisjoint(shape.kinds)

    def tells_place(self, shape: Shape, text: str) -> bool:
        """Answer whether a free text has part of an address that this reader may not learn."""
        if not self.withheld or set(self.policy.free_text_kinds).isdisjoint(shape.kinds):
            return False
        words = f" {fold(text)} "
        return any(f" {part} " in words for part in self.withheld)


def make_sheet(
    message: Incoming, schema: Schema, policy: Policy, name: str, *, agency: str, by: str, now: Moment
) -> Sheet:
    """Return *message* as the variant *name* shows it; *agency* as in ``agency:CODE``, *by* who exports it.

    Raises:
        GatewayError: ``export-not-for-family``, or ``export-not-for-reader``: the whole message is marked against it.
    """
    variant = policy.variants[name]
    inside = {agency_of(box) for box in (message.sender, *message.recipients)}
    outsider = frozenset(variant.bars_for_outsiders if agency not in inside else ())
    _check_allowed(message, variant, name, outsider)
    content: Mapping[str, Any] = message.message
    restricted = RESTRICTED in message.marks or has_restricted(content)
    hides = variant.addresses == "never" or (variant.addresses == "unless_restricted" and restricted)
    only = variant.only.get(family_of(message.type))
    lens = _Lens(
        policy=policy, variant=variant, message_marks=in_order([*message.marks, *variant.adds]),
        barred=frozenset(variant.bars) | outsider, only=None if only is None else frozenset(only),
        hides_addresses=hides, restricted=restricted,
        withheld=frozenset(_restricted_parts(content)) if hides else frozenset(),
    )  # fmt: skip
    references = variant.only_references or not set(variant.references_only).isdisjoint(message.marks)
    root = shape_of(schema)
    return Sheet(
        title=root.title,
        subtitle=f"{variant.title}: {agency}" if agency else variant.title,
        language=str(content.get("language", "en-GB")),
        classification=message.classification,
        marks=lens.message_marks,
        note=variant.note,
        warnings=_sort_warnings(_warnings(root, content, lens), policy) if variant.warns else (),
        facts=tuple(_facts(message, root.title, variant)),
        sections=tuple(_top(root, content, lens, references=references)),
        watermark=f"Exported by {by} on {_moment(now)}; envelope {message.envelope}",
    )


def _check_allowed(message: Incoming, variant: Variant, name: str, outsider: frozenset[str]) -> None:
    refused = not (outsider | set(variant.refuses)).isdisjoint(message.marks)
    if not refused and family_of(message.type) not in variant.refuses_types:
        return
    if name == "family":
        raise GatewayError(
            "export-not-for-family", "the whole message is not for the family", "ask its sender for a version that is"
        )
    raise GatewayError(
        "export-not-for-reader",
        "the message's handling marks bar this copy",
        "ask its sender for one that may be given",
    )


def _top(root: Shape, content: Mapping[str, Any], lens: _Lens, *, references: bool) -> Iterator[Section]:
    """Yield the message's sections: its plain fields together first, then each group and list."""
    whole = _group(root, content, lens, frozenset(), references=references)
    plain = tuple(item for item in whole if isinstance(item, Field))
    if plain:
        yield Section(title="Summary", marks=lens.message_marks, items=plain)
    yield from (item for item in whole if isinstance(item, Section))


def _group(
    shape: Shape, value: Mapping[str, Any], lens: _Lens, above: frozenset[str], *, references: bool, top: bool = True
) -> list[Field | Section]:
    found: list[Field | Section] = []
    for name, member in shape.fields():
        if name not in value or name == MARKS or lens.hides(name, member):
            continue
        if top and lens.only is not None and name not in lens.only:
            continue
        given = value[name]
        if isinstance(given, Mapping):
            found += _section(member.title, member, given, lens, above, references=references)
        elif isinstance(given, list) and given and isinstance(given[0], Mapping):
            found += _list(member, given, lens, above, references=references)
        elif not references or lens.is_reference(member.element if isinstance(given, list) else member):
            marked = name == RESTRICTED and given is True
            held = value.get(RESTRICTED) is True and not set(lens.policy.address_kinds).isdisjoint(member.kinds)
            found += _field(member, given, lens, (RESTRICTED,) if marked or held else ())
    return found


def _field(shape: Shape, given: Any, lens: _Lens, marks: tuple[str, ...]) -> list[Field]:
    values = given if isinstance(given, list) else [given]
    kind = shape.element if isinstance(given, list) else shape
    said = [clean(kind.say(one)) for one in values if not (isinstance(one, str) and lens.tells_place(kind, one))]
    return [Field(title=shape.title, value="; ".join(said) or "none", marks=marks)] if said or not values else []


def _list(
    shape: Shape, given: Sequence[Mapping[str, Any]], lens: _Lens, above: frozenset[str], *, references: bool
) -> list[Section]:
    entries: list[Section] = []
    for one in given:
        # Numbered by what is shown: a gap would tell that something is kept back.
        title = f"{shape.element.title} {len(entries) + 1}"
        entries += _section(title, shape.element, one, lens, above, references=references)
    if not entries:
        return []
    return [Section(title=shape.title, marks=in_order([*lens.message_marks, *above]), items=tuple(entries))]


def _section(
    title: str, shape: Shape, value: Mapping[str, Any], lens: _Lens, above: frozenset[str], *, references: bool
) -> list[Section]:
    marks = lens.marks_of(value) | above
    if not marks.isdisjoint(lens.barred):
        return []
    references = references or not marks.isdisjoint(lens.variant.references_only)
    items = _group(shape, value, lens, marks, references=references, top=False)
    if not items:
        return []
    return [Section(title=title, marks=in_order([*lens.message_marks, *marks]), items=tuple(items))]


def _warnings(shape: Shape, value: Mapping[str, Any], lens: _Lens) -> Iterator[tuple[str, Field]]:
    """Yield what must not be disclosed, wherever it stands in the message, with the name of its field."""
    for name, member in shape.fields():
        given = value.get(name)
        if name in lens.policy.warnings and given:
            yield from ((name, one) for one in _field(member, given, lens, ()))
        elif isinstance(given, Mapping):
            yield from _warnings(member, given, lens)
        elif isinstance(given, list):
            for one in given:
                if isinstance(one, Mapping) and lens.marks_of(one).isdisjoint(lens.barred):
                    yield from _warnings(member.element, one, lens)


def _sort_warnings(found: Iterable[tuple[str, Field]], policy: Policy) -> tuple[Field, ...]:
    return tuple(one for _, one in sorted(found, key=lambda pair: policy.warnings.index(pair[0])))


def _facts(message: Incoming, title: str, variant: Variant) -> Iterator[Field]:
    basis, purposes, consents = labels("BasisCode"), labels("PurposeCode"), labels("Consent")
    said = {
        "type": ("Type", title),
        "from": ("From", message.sender),
        "to": ("To", "; ".join(message.recipients)),
        "at": ("Date", _moment(message.at)),
        "thread": ("Thread", message.thread),
        "purpose": (definitions()["PurposeCode"]["title"], purposes.get(message.purpose, message.purpose)),
        "basis": (definitions()["BasisCode"]["title"], "; ".join(basis.get(code, code) for code in message.basis)),
        "consent": (definitions()["Consent"]["title"], consents.get(message.consent, message.consent)),
    }
    yield from (Field(title=said[name][0], value=said[name][1]) for name in variant.facts)


def _moment(at: Moment) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _restricted_parts(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the words of each restricted address part by part: street, town, and the postcode in both spellings."""
    for group in groups(content):
        address = group.get("address")
        if group.get(RESTRICTED) is not True or not isinstance(address, str):
            continue
        for part in map(fold, _SPLIT.split(address)):
            for code in _POSTCODE.finditer(part):
                yield from (f"{code[1]} {code[2]}", f"{code[1]}{code[2]}")
            place = _POSTCODE.sub("", part).strip()
            if len(place) >= _MIN_PART:
                yield place
