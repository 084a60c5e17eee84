"""The form of a message type, made from its schema.

A form asks for everything that the type may hold, but for what the machine fills (``filling.json``) and what is reserved to one
kind of agency.  A field that only some answers call for stands under the answer that calls for it.

Source: issue of the inbox (write); domain 11, risk 6 (urgency gate).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from adapters.gateway.inbox.forms.data import DATA, Filling, Gate
from adapters.gateway.inbox.forms.fields import Field, Form, Kind, Option, Step
from adapters.gateway.inbox.forms.grouping import group_steps, place
from adapters.gateway.inbox.forms.rules import Rule, read_rules
from schemas.catalogue import Catalogue
from schemas.identifiers import MessageType, family_of
from schemas.references import Documents, Target, find_target, get_definition
from schemas.validator import Schema

__all__ = ["Field", "Form", "Option", "Step", "make_form"]

_BY_DEFINITION: Final[Mapping[str, Kind]] = {
    "Id": "reference", "Ref": "reference", "Code": "code", "Text": "long_text", "LongText": "long_text", "Address": "long_text",
    "Instant": "moment", "Date": "day", "DueDay": "day", "Mailbox": "mailbox", "Organisation": "organisation",
    "NhsNumber": "nhs_number", "Phone": "telephone", "Email": "email",
}  # fmt: skip
# What a list of stands on lines of one box; a list of anything else is a list of entries.
_LINES: Final = frozenset({"text", "code", "reference", "telephone", "email", "nhs_number", "integer"})
# Longer than this, one line is no line.
_LONG: Final = 300


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
        entry = (
            self.field("*", f"{path}/*", schema["items"], base, required=True, needed=True)
            if schema["type"] == "array"
            else None
        )
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
