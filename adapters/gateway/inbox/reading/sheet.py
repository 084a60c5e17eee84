"""From a message to what its reader sees: what to beware of first, then sections in the order of its schema.

Pure.  Everything of the message is somewhere on the sheet: what only a record system needs stands apart, in ``records``.

Source: domain 9.4, 9.8; risks 2 and 3; issue of the inbox.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.base import Incoming
from adapters.gateway.exports.marking import MARKS, RESTRICTED, clean, in_order, marks_of
from adapters.gateway.exports.policy import Policy, load_policy
from adapters.gateway.exports.shapes import Schema, Shape, definitions, labels, shape_of
from adapters.gateway.inbox.reading.saying import Manner, Value, as_words
from adapters.gateway.inbox.reading.table import Table, load_table

EMBARGO: Final = "embargo_until"
WITHHOLD: Final = "do_not_disclose_to"
SUMMARY: Final = "Summary"
MAX_COLUMNS: Final = 6
MAX_CELL: Final = 200


@dataclass(frozen=True, slots=True)
class Mark:
    """One handling mark: its code, its words, and what it asks of its reader."""

    code: str
    label: str
    asks: str


def as_marks(codes: Container[str]) -> tuple[Mark, ...]:
    """Return the marks of *codes*, in the order of their list."""
    words, means = labels("HandlingMark"), load_table().means
    return tuple(Mark(code, words[code], means[code]) for code in in_order(codes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One title with its values, the marks that hold for it alone, and whether it must not be disclosed."""

    title: str
    values: tuple[Value, ...]
    marks: tuple[Mark, ...] = ()
    is_secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Entries of a list as rows: the titles of the columns, then for each row the values of each column."""

    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[Value, ...], ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading with the marks that hold below it besides the message's own, then what it has, in this order."""

    title: str
    anchor: str
    marks: tuple[Mark, ...]
    prose: tuple[Value, ...] = ()
    facts: tuple[Field, ...] = ()
    grid: Grid | None = None
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """Where a marked part is: its title, and the anchor of its heading."""

    title: str
    anchor: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """What nobody may overlook.

    ``must_not``: who must not learn of it, and what must not be told, each with where it stands.  ``embargo``: until when
    nobody else may know that it is there.  ``parts``: the parts that are marked themselves.
    """

    classification: str
    marks: tuple[Mark, ...]
    must_not: tuple[Field, ...]
    embargo: Value | None
    parts: tuple[Marked, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One message for one reader; ``facts`` are of its envelope, ``language`` that of what people wrote."""

    title: str
    language: str
    caution: Caution
    facts: tuple[Field, ...]
    sections: tuple[Section, ...]
    records: tuple[Field, ...]

    @property
    def foreign(self) -> str:
        """Return the language of what people wrote where it isn't the page's, to be said in ``lang``; otherwise empty."""
        return "" if self.language.partition("-")[0] == "en" else self.language


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Reads one message, and remembers on the way what has its place elsewhere."""

    manner: Manner
    policy: Policy
    table: Table
    records: list[Field] = field(default_factory=list)
    must_not: list[tuple[str, Field]] = field(default_factory=list)
    parts: list[Marked] = field(default_factory=list)
    anchors: int = 0

    def new_anchor(self) -> str:
        self.anchors += 1
        return f"part-{self.anchors}"

    def is_record(self, name: str, shape: Shape) -> bool:
        """Answer whether only a record system needs the field."""
        kinds = set(shape.kinds)
        if kinds & self.table.record_kinds:
            return True
        return name in self.table.record_fields and not kinds & {*self.policy.free_text_kinds}

    def say(self, shape: Shape, given: Any) -> tuple[Value, ...]:
        """Return a plain value, or each of a list of them, in words."""
        if isinstance(given, list):
            return tuple(self.manner.say(shape.element, one) for one in given)
        return (self.manner.say(shape, given),)

    def marks_of(self, value: Mapping[str, Any]) -> frozenset[str]:
        """Return the marks of one group of fields itself, restricted addresses included."""
        return marks_of(value, self.policy) | ({RESTRICTED} if value.get(RESTRICTED) is True else frozenset())


def make_sheet(message: Incoming, schema: Schema, manner: Manner | None = None) -> Sheet:
    """Return *message*, which follows *schema*, as its reader sees it."""
    reader = _Reader(manner=manner or Manner(), policy=load_policy(), table=load_table())
    root, content = shape_of(schema), message.message
    above = reader.marks_of(content)
    facts, sections = _group(reader, root, content, above, where="", top=True)
    if facts:
        sections.insert(0, Section(title=SUMMARY, anchor="summary", marks=as_marks(above), facts=tuple(facts)))
    embargo = content.get(EMBARGO)
    order = reader.policy.warnings
    must_not = sorted(reader.must_not, key=lambda pair: order.index(pair[0]))
    return Sheet(
        title=root.title,
        language=str(content.get("language", "en-GB")),
        caution=Caution(
            classification=message.classification,
            marks=as_marks({*message.marks, *above}),
            must_not=tuple(one for _, one in must_not),
            embargo=reader.manner.say(shape_of(root.schema["properties"][EMBARGO]), embargo) if embargo else None,
            parts=tuple(reader.parts),
        ),
        facts=tuple(_facts(message, reader.manner)),
        sections=tuple(sections),
        records=(*_references(message), *reader.records),
    )


def plain_fields(value: Mapping[str, Any], shape: Shape, manner: Manner) -> tuple[Field, ...]:
    """Return everything of one group of fields as titles with values, in order; groups within as ``Group: title``."""
    return tuple(_flatten(value, shape, manner, ""))


def entry_title(shape: Shape, value: Mapping[str, Any], number: int, manner: Manner) -> str:
    """Return what an entry of a list is called: its number, and its name where it has one."""
    fields = dict(shape.fields())
    for name in load_table().named_by:
        if isinstance(value.get(name), str) and name in fields:
            return f"{shape.title} {number}: {manner.say(fields[name], value[name]).text}"
    return f"{shape.title} {number}"


def is_empty(given: Any) -> bool:
    """Answer whether there is nothing to read in *given*."""
    return given is None or given in ("", [], {})


def _flatten(value: Mapping[str, Any], shape: Shape, manner: Manner, where: str) -> Iterator[Field]:
    for name, member in shape.fields():
        given = value.get(name)
        title = f"{where}{member.title}"
        if is_empty(given):
            continue
        if isinstance(given, Mapping):
            yield from _flatten(given, member, manner, f"{title}: ")
        elif isinstance(given, list) and isinstance(given[0], Mapping):
            for number, one in enumerate(given, 1):
                yield from _flatten(one, member.element, manner, f"{title} {number}: ")
        elif isinstance(given, list):
            yield Field(title=title, values=tuple(manner.say(member.element, one) for one in given))
        else:
            yield Field(title=title, values=(manner.say(member, given),))


def _group(
    reader: _Reader, shape: Shape, value: Mapping[str, Any], marks: frozenset[str], *, where: str, top: bool = False
) -> tuple[list[Field], list[Section]]:
    """Return the plain fields of one group, then its groups, lists and long texts, each in the order of the schema."""
    facts: list[Field] = []
    sections: list[Section] = []
    for name, member in shape.fields():
        given = value.get(name)
        # That an address isn't restricted is no more to be read than an empty field.
        if is_empty(given) or name in {MARKS, EMBARGO} or (name == RESTRICTED and given is False):
            continue
        if isinstance(given, Mapping):
            sections += _section(reader, member.title, member, given, marks)
        elif isinstance(given, list) and isinstance(given[0], Mapping):
            _add_list(reader, member, given, marks, facts, sections)
        elif reader.is_record(name, member.element if isinstance(given, list) else member):
            reader.records.append(Field(title=f"{where}{member.title}", values=reader.say(member, given)))
        else:
            values = reader.say(member, given)
            if name in reader.policy.warnings:
                reader.must_not.append((name, Field(title=f"{where}{member.title}", values=values)))
                if name == WITHHOLD:
                    continue
            if top and reader.table.prose_kinds & set(member.kinds):
                anchor = reader.new_anchor()
                sections.append(Section(title=member.title, anchor=anchor, marks=as_marks(marks), prose=values))
            else:
                marked, is_secret = _field_marks(reader, name, member, value), name in reader.policy.warnings
                facts.append(Field(title=member.title, values=values, marks=marked, is_secret=is_secret))
    return facts, sections


def _field_marks(reader: _Reader, name: str, shape: Shape, group: Mapping[str, Any]) -> tuple[Mark, ...]:
    is_address = name == RESTRICTED or not set(reader.policy.address_kinds).isdisjoint(shape.kinds)
    return as_marks({RESTRICTED} if is_address and group.get(RESTRICTED) is True else ())


def _section(
    reader: _Reader, title: str, shape: Shape, value: Mapping[str, Any], above: frozenset[str]
) -> list[Section]:
    own = reader.marks_of(value)
    anchor = reader.new_anchor()
    if own:
        reader.parts.append(Marked(title=title, anchor=anchor, marks=as_marks(own)))
    facts, sections = _group(reader, shape, value, above | own, where=f"{title}: ")
    if not facts and not sections:
        return []
    marks = as_marks(above | own)
    return [Section(title=title, anchor=anchor, marks=marks, facts=tuple(facts), sections=tuple(sections))]


def _add_list(
    reader: _Reader, shape: Shape, given: Sequence[Mapping[str, Any]], marks: frozenset[str], facts: list[Field],
    sections: list[Section],
) -> None:  # fmt: skip
    """Add a list of groups: as a field where an entry has but one thing to read, as a table, or entry by entry."""
    names = [name for name, _ in _shown(reader, shape.element, given)]
    anchor = reader.new_anchor()
    if names and _is_plain(reader, shape.element, given, names):
        for number, one in enumerate(given, 1):
            _keep_records(reader, f"{shape.element.title} {number}: ", shape.element, one)
        grid = _grid(reader, shape.element, given, names)
        if len(names) == 1:
            facts.append(Field(title=shape.title, values=tuple(one for row in grid.rows for one in row[0])))
        else:
            sections.append(Section(title=shape.title, anchor=anchor, marks=as_marks(marks), grid=grid))
        return
    entries: list[Section] = []
    for number, one in enumerate(given, 1):
        entries += _section(reader, entry_title(shape.element, one, number, reader.manner), shape.element, one, marks)
    if entries:
        sections.append(Section(title=shape.title, anchor=anchor, marks=as_marks(marks), sections=tuple(entries)))


def _shown(reader: _Reader, shape: Shape, given: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Shape]]:
    """Yield the fields of which an entry has something to read."""
    for name, member in shape.fields():
        kind = member.element if "items" in member.schema else member
        filled = any(not is_empty(one.get(name)) for one in given)
        if filled and name != MARKS and not reader.is_record(name, kind):
            is_unrestricted = name == RESTRICTED and not any(one.get(name) for one in given)
            if not is_unrestricted:
                yield name, member


def _is_plain(reader: _Reader, shape: Shape, given: Sequence[Mapping[str, Any]], names: list[str]) -> bool:
    """Answer whether the entries can be rows: few, short and unmarked columns.  What is marked has its own heading."""
    if len(names) > MAX_COLUMNS or (len(given) == 1 and len(names) > 1):
        return False
    if any(reader.marks_of(one) or not set(one).isdisjoint(reader.policy.warnings) for one in given):
        return False
    for one in given:
        for name in names:
            values = one.get(name)
            for value in values if isinstance(values, list) else [values]:
                if isinstance(value, Mapping) or (isinstance(value, str) and (len(value) > MAX_CELL or "\n" in value)):
                    return False
    return bool(shape.schema.get("properties"))


def _grid(reader: _Reader, shape: Shape, given: Sequence[Mapping[str, Any]], names: list[str]) -> Grid:
    members = [(name, member) for name, member in shape.fields() if name in names]
    rows = tuple(
        tuple(() if is_empty(one.get(name)) else reader.say(member, one[name]) for name, member in members)
        for one in given
    )
    return Grid(columns=tuple(member.title for _, member in members), rows=rows)


def _keep_records(reader: _Reader, where: str, shape: Shape, value: Mapping[str, Any]) -> None:
    for name, member in shape.fields():
        given = value.get(name)
        kind = member.element if "items" in member.schema else member
        if not is_empty(given) and reader.is_record(name, kind):
            reader.records.append(Field(title=f"{where}{member.title}", values=reader.say(member, given)))


def _facts(message: Incoming, manner: Manner) -> Iterator[Field]:
    shared = definitions()
    basis, purposes, consents = labels("BasisCode"), labels("PurposeCode"), labels("Consent")
    yield Field(title="From", values=(Value(text=clean(manner.name_of(message.sender))),))
    yield Field(title="To", values=tuple(Value(text=clean(manner.name_of(one))) for one in message.recipients))
    yield Field(title="Date", values=(manner.moment(message.at),))
    yield Field(title="Written by", values=(Value(text=as_words(message.author_role)),))
    for name, said in (
        ("PurposeCode", [purposes.get(message.purpose, message.purpose)]),
        ("BasisCode", [basis.get(code, code) for code in message.basis]),
        ("Consent", [consents.get(message.consent, message.consent)]),
    ):
        if said:
            yield Field(title=shared[name]["title"], values=tuple(Value(text=clean(one)) for one in said))


def _references(message: Incoming) -> Iterator[Field]:
    for title, text in (
        ("Envelope", message.envelope), ("Thread", message.thread), ("Answers", message.re or ""),
        ("Replaces", message.supersedes or ""), ("Type", message.type), ("Retention", message.retention),
    ):  # fmt: skip
        if text:
            yield Field(title=title, values=(Value(text=clean(text)),))
