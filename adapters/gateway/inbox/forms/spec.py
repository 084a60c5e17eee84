"""A message type as a form: its fields from the schema, its steps from the fields.

A form asks for everything that the type may hold, but for what the machine fills (``filling.json``) and what is reserved to one
kind of agency.  A field that only some answers call for stands under the answer that calls for it.

Source: issue of the inbox (write); domain 11, risk 6 (urgency gate).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, cast

from adapters.gateway.inbox.forms.data import DATA, Filling, Gate
from adapters.gateway.inbox.forms.rules import Rule, read_rules
from schemas.catalogue import Catalogue
from schemas.identifiers import MessageType, family_of
from schemas.references import Documents, Target, find_target, get_definition
from schemas.validator import Schema

Kind = Literal[
    "text", "long_text", "lines", "yes_no", "gate", "one_of", "several_of", "day", "moment", "integer", "nhs_number",
    "email", "telephone", "mailbox", "organisation", "code", "reference", "group", "list",
]  # fmt: skip
MAX_RADIOS: Final = 7
_BY_DEFINITION: Final[Mapping[str, Kind]] = {
    "Id": "reference", "Ref": "reference", "Code": "code", "Text": "long_text", "LongText": "long_text", "Address": "long_text",
    "Instant": "moment", "Date": "day", "DueDay": "day", "Mailbox": "mailbox", "Organisation": "organisation",
    "NhsNumber": "nhs_number", "Phone": "telephone", "Email": "email",
}  # fmt: skip
# What a list of stands on lines of one box; a list of anything else is a list of entries.
_LINES: Final = frozenset({"text", "code", "reference", "telephone", "email", "nhs_number", "integer"})
# Longer than this, one line is no line.
_LONG: Final = 300


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


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the schema of one type, references followed, into fields."""

    documents: Documents
    family: str
    may: Collection[str]

    def resolve(self, schema: Schema, base: str) -> tuple[Schema, str, tuple[str, ...]]:
        kinds: list[str] = []
        while "$ref" in schema:
            target = cast("Target", find_target(schema["$ref"], base))
            base, name = target
            kinds.append(name)
            schema = cast("Schema", get_definition(target, self.documents))
        return schema, base, tuple(kinds)

    def field(self, name: str, path: str, given: Schema, base: str, *, required: bool, needed: bool) -> Field:
        schema, base, kinds = self.resolve(given, base)
        gate = DATA.gates.get(f"{self.family}{path}") if "const" in schema else None
        kind: Kind = "gate" if gate or schema.get("const") is True else _kind_of(schema, kinds)
        entry = self.field("*", f"{path}/*", schema["items"], base, required=True, needed=True) if schema["type"] == "array" else None
        if entry is not None:
            kind = _kind_of_list(entry)
        title = DATA.titles.get(f"{self.family}{path}") or given.get("title") or schema.get("title") or name
        if kind == "gate":
            gate = gate or Gate(ask=title, stop=given.get("description", ""))
            title = gate.ask
        filling = DATA.find_filling(self.family, path, schema)
        if filling is None and "Id" in kinds and not needed:
            filling = Filling(source="kept")
        return Field(
            name=name,
            path=path,
            title=title,
            hint=DATA.hints.get(f"{self.family}{path}", given.get("description", schema.get("description", ""))),
            kind=kind,
            schema=schema,
            kinds=kinds,
            required=required,
            needed=needed,
            asked=(filling is None or filling.unless is not None) and not self._is_reserved(kinds),
            filling=filling,
            options=_options(entry.schema if entry is not None and kind == "several_of" else schema),
            members=self.members(schema, path, base) if kind == "group" else (),
            entry=entry,
            rules=self.rules(schema, path) if kind == "group" else (),
            default=DATA.defaults.get(f"{self.family}{path}", ""),
            gate=gate,
        )

    def _is_reserved(self, kinds: tuple[str, ...]) -> bool:
        return any(DATA.reserved[name] not in self.may for name in kinds if name in DATA.reserved)

    def rules(self, schema: Schema, path: str) -> tuple[Rule, ...]:
        """Return the group's demands; what is asked only for some answers is demanded for them alone."""
        conditional = {
            name: filling.unless
            for name, given in schema["properties"].items()
            if (filling := DATA.find_filling(self.family, f"{path}/{name}", given)) and filling.unless is not None
        }
        found = [
            Rule(when=rule.when, required=rule.required - conditional.keys()) if rule.required else rule
            for rule in read_rules(schema)
        ]
        found.extend(Rule(when=(unless,), required=frozenset({name})) for name, unless in conditional.items())
        return tuple(found)

    def members(self, schema: Schema, path: str, base: str) -> tuple[Field, ...]:
        rules = self.rules(schema, path)
        always = {name for rule in rules if not rule.when for name in rule.required}
        sometimes = {name for rule in rules for name in (*rule.required, *rule.exactly_one, *rule.one_at_least)}
        return tuple(
            self.field(name, f"{path}/{name}", given, base, required=name in always, needed=name in sometimes)
            for name, given in schema.get("properties", {}).items()
        )


def _kind_of(schema: Schema, kinds: Sequence[str]) -> Kind:
    plain: Mapping[str, Kind] = {"object": "group", "array": "list", "boolean": "yes_no", "integer": "integer"}
    if schema["type"] in plain:
        return plain[schema["type"]]
    if "enum" in schema:
        return "one_of"
    for name in kinds:
        if name in _BY_DEFINITION:
            return _BY_DEFINITION[name]
    return "long_text" if schema.get("maxLength", 0) > _LONG else "text"


def _kind_of_list(entry: Field) -> Kind:
    if entry.kind == "one_of" or entry.schema.get("x-labels"):
        return "several_of"
    return "lines" if entry.kind in _LINES else "list"


def _options(schema: Schema) -> tuple[Option, ...]:
    labels: Mapping[str, str] = schema.get("x-labels", {})
    return tuple(Option(value=code, words=labels.get(code, code)) for code in schema.get("enum", labels))


def make_form(catalogue: Catalogue, message_type: MessageType, may: Collection[str] = ()) -> Form:
    """Return *message_type* as a form.

    Args:
        may: kinds of agency that the writer is of (``police``), for the parts that are reserved to one.

    Raises:
        MalformedError: ``message-type-unknown``.
    """
    schema = catalogue.schema(message_type)
    family = family_of(message_type)
    documents = {catalogue.shared["$id"]: catalogue.shared, schema["$id"]: schema}
    root = _Reader(documents, family, may).field("", "", schema, schema["$id"], required=True, needed=True)
    placed = place(root)
    return Form(
        type=message_type,
        title=schema["title"],
        description=schema.get("description", ""),
        root=placed,
        steps=tuple(group_steps(family, placed)),
        by_machine=family in DATA.machine,
        of_thread=tuple(
            one.path for one in placed.members if one.filling and one.filling.source == "thread" and one.required
        ),
    )


# ---- steps


def group_steps(family: str, root: Field) -> Iterator[Step]:
    """Yield the steps: gates first, those that ``steps.json`` names, then the rest in an order that any type can have.

    The rest: what is needed and short; each group and each list of groups by itself; what may be added; handling.
    """
    rest = {field.name: field for field in root.members if field.asked}
    for name in [name for name, field in rest.items() if field.kind == "gate"]:
        yield Step(name=name.replace("_", "-"), title=rest[name].title, fields=(rest.pop(name),))
    for plan in DATA.steps.get(family, ()):
        fields = tuple(rest.pop(name) for name in plan.fields if name in rest)
        if fields:
            yield Step(name=plan.name, title=plan.title, fields=fields)
    handling = [rest.pop(name) for name in DATA.handling if name in rest]
    large = [field for field in rest.values() if field.kind in {"group", "list"}]
    short = [field for field in rest.values() if field not in large]
    questions = {field.under.name for field in short if field.under is not None}
    main = tuple(field for field in short if field.needed or field.name in questions)
    if main:
        yield Step(name="main", title="The main points", fields=main)
    for field in sorted(large, key=lambda one: not one.required):
        yield Step(name=field.name.replace("_", "-"), title=field.title, fields=(field,))
    if more := tuple(field for field in short if field not in main):
        yield Step(name="more", title="Anything else", fields=more)
    if handling:
        yield Step(name="handling", title="How it must be handled", fields=tuple(handling))


# ---- which question a field stands under


def place(group: Field) -> Field:
    """Return *group* with each field that only some answers call for under the question that calls for it."""
    members = tuple(_place_inside(field) for field in group.members)
    by_name = {field.name: field for field in members}
    placed = tuple(replace(field, under=_find_under(field, by_name, group.rules)) for field in members)
    return replace(group, members=placed)


def _place_inside(field: Field) -> Field:
    if field.kind == "group":
        return place(field)
    if field.kind == "list" and cast("Field", field.entry).kind == "group":
        return replace(field, entry=place(cast("Field", field.entry)))
    return field


def _find_under(field: Field, by_name: Mapping[str, Field], rules: Sequence[Rule]) -> Under | None:
    calling = [rule for rule in rules if field.name in rule.required]
    if not calling or field.required or field.kind in {"group", "list", "lines", "gate"} or not field.asked:
        return None
    order = list(by_name)
    for name in reversed(order[: order.index(field.name)]):
        question = by_name[name]
        if question.kind not in {"yes_no", "one_of"} or len(question.options) > MAX_RADIOS or not question.asked:
            continue
        answers = [_answers(rule, name, question) for rule in calling]
        if all(answers):
            return Under(name=name, values=frozenset().union(*answers))
    return None


def _answers(rule: Rule, name: str, question: Field) -> frozenset[str]:
    """Return the answers to *question* for which *rule* may hold; none if it doesn't depend on them."""
    found: set[str] = set()
    for condition in rule.when:
        asked = condition.get("properties", {}).get(name, {})
        values = asked.get("enum", [asked["const"]] if "const" in asked else [])
        found |= {{True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else str(value) for value in values}
    known = {option.value for option in question.options} or {"yes", "no"}
    return frozenset(found) & known
