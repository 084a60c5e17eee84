"""The message types: what each must hold, and what each puts into the clear header.

A type is one file in ``messages/``; adding one needs no code.  ``x-clear`` at the top of a schema is data:

``at``        pointer to the moment that clocks count from
``moments``   code to pointer; a day stands for its last millisecond in UTC
``urgent``    pointer to a boolean, or ``false``
``parties``   pointers to mailboxes
``items``     ``each`` element, and within it ``ref``, ``owner``, ``due``; ``only`` those with one of these values
``facts``     code to pointer; the values are a closed list: the field's ``enum``, ``yes`` and ``no`` of a boolean, or the
              digits of an integer with bounds.  Or code to ``{"any": pointers}``: ``yes`` if one of these fields is there
              and says something (a list with entries, a text, true), else ``no``; what it says stays sealed

Pointers are JSON pointers in which ``*`` stands for every element; what is absent is skipped.

Source: design 5 (catalogue); protocol 2 (derived members), 3 (the recipient derives them again).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any, Final

from referencing import Registry, Resource

from schemas.catalogue_words import describe
from schemas.envelope import MAX_RECIPIENTS, Header, Item, Struct
from schemas.identifiers import Code, MailboxId, MessageType, Moment
from schemas.linting import lint_schema
from schemas.references import Documents, find_field, find_reached
from schemas.strict_json import MalformedError, parse
from schemas.validator import Schema, Validator

MAX_MESSAGE: Final = 8 * 1024 * 1024
MAX_SCHEMA: Final = 256 * 1024
MAX_ITEMS: Final = 64
YES_OR_NO: Final[tuple[Code, ...]] = ("no", "yes")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Fact = str | Mapping[str, Sequence[str]]


class Clear(Struct, frozen=True, kw_only=True):
    """The members of a header that follow from the message, spelled as :class:`schemas.envelope.Header` has them."""

    at: Moment
    moments: Mapping[Code, Moment]
    urgent: bool
    parties: tuple[MailboxId, ...]
    items: tuple[Item, ...]
    facts: Mapping[Code, Code]


def clear_of(header: Header) -> Clear:
    """Return the derived members of *header*, to compare with :meth:`Catalogue.clear` of the opened message."""
    return Clear(
        at=header.at,
        moments=header.moments,
        urgent=header.urgent,
        parties=header.parties,
        items=header.items,
        facts=header.facts,
    )


def select(value: Any, pointer: str) -> list[Any]:
    """Return every value in *value* at *pointer*."""
    found = [value]
    for name in pointer.split("/")[1:]:
        if name == "*":
            found = [element for array in found for element in array]
        else:
            found = [one[name] for one in found if name in one]
    return found


def _moment(text: str) -> Moment:
    instant = text if "T" in text else f"{text}T23:59:59.999Z"
    return (datetime.fromisoformat(instant) - _EPOCH) // timedelta(milliseconds=1)


def _moments(message: Any, pointers: Mapping[Code, str]) -> dict[Code, Moment]:
    return {code: _moment(text) for code, pointer in sorted(pointers.items()) for text in select(message, pointer)[:1]}


def _code(value: bool | int | str) -> Code:
    return YES_OR_NO[value] if isinstance(value, bool) else str(value)


def _facts(message: Any, rules: Mapping[Code, Fact]) -> dict[Code, Code]:
    found = {code: _said(message, rule) for code, rule in sorted(rules.items())}
    return {code: _code(values[0]) for code, values in found.items() if values}


def _said(message: Any, rule: Fact) -> list[Any]:
    if isinstance(rule, str):
        return select(message, rule)
    return [any(value for pointer in rule["any"] for value in select(message, pointer))]


def _codes(field: Schema) -> tuple[Code, ...]:
    """Return every code that :func:`_code` can make of a value of *field*."""
    if field["type"] == "integer":
        return tuple(map(_code, range(field["minimum"], field["maximum"] + 1)))
    return tuple(map(_code, field["enum"] if field["type"] == "string" else (False, True)))


def _type_of(ident: str) -> MessageType:
    return "/".join(ident.split("/")[-2:])


def _add(schemas: dict[str, Schema], schema: Any) -> None:
    shared = next(known for known in schemas.values() if "x-clear" not in known)
    ident = str(schema.get("$id")) if isinstance(schema, dict) else ""
    if (name := _type_of(ident)) in map(_type_of, schemas):
        raise MalformedError("schema-twice", f"{name}: this type is there already", "rename it")
    if problems := lint_schema(schema, shared):
        raise MalformedError("schema-lint", problems[0].message, "correct the file, then load it again")
    schemas[ident] = schema


class Catalogue:
    """Every message type that this release knows, by name and major version."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        """Take schemas by their ``$id``, which ends in ``/family/major``."""
        self._registry: Registry[Any] = Registry().with_resources(
            (ident, Resource.from_contents(schema)) for ident, schema in schemas.items()
        )
        self._schemas: dict[MessageType, Schema] = {
            _type_of(ident): schema for ident, schema in schemas.items() if "x-clear" in schema
        }
        self._documents: Documents = schemas
        self._validators: dict[MessageType, Validator] = {}

    @classmethod
    def load(cls, extra: Iterable[bytes] = ()) -> Catalogue:
        """Return the catalogue of the packaged files, and of the schema files *extra*: a partnership's own types.

        Raises:
            MalformedError: ``json-*``; ``schema-lint`` naming the place and the rule, or ``schema-twice``: the release,
                or another file, has the type.
        """
        folder = resources.files("schemas") / "messages"
        files = sorted((file for file in folder.iterdir() if file.name.endswith(".schema.json")), key=lambda f: f.name)
        schemas = {(schema := json.loads(file.read_text("utf-8")))["$id"]: schema for file in files}
        for raw in extra:
            _add(schemas, parse(raw, max_bytes=MAX_SCHEMA))
        return cls(schemas)

    def types(self) -> tuple[MessageType, ...]:
        """Return the known types, sorted."""
        return tuple(sorted(self._schemas))

    def schema(self, message_type: MessageType) -> Schema:
        """Return the JSON Schema of *message_type*; its references lead to ``shared``.

        Raises:
            MalformedError: ``message-type-unknown``.
        """
        try:
            return self._schemas[message_type]
        except KeyError:
            raise MalformedError(
                "message-type-unknown",
                "this release does not know the message type",
                "update it, or send a version it reads",
            ) from None

    @property
    def shared(self) -> Schema:
        """Return the file of parts that types refer to."""
        return next(schema for schema in self._documents.values() if "x-clear" not in schema)

    def canonical(self, message_type: MessageType) -> bytes:
        """Return one text of *message_type* and of all that it refers to, whose digest changes when a rule of it does.

        Shape: ``{"schema": …, "shared": {name: …}}`` as JSON in UTF-8, names sorted, without spaces.

        Raises:
            MalformedError: ``message-type-unknown``.
        """
        schema = self.schema(message_type)
        reached = find_reached(schema, schema["$id"], self._documents)
        parts = {name: self.shared["$defs"][name] for ident, name in reached if ident == self.shared["$id"]}
        text = json.dumps(
            {"schema": schema, "shared": parts}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        return text.encode()

    def fact_values(self, message_type: MessageType) -> Mapping[Code, tuple[Code, ...]]:
        """Return the closed list of values for each fact that *message_type* may put into the header."""
        schema = self.schema(message_type)
        facts: Mapping[Code, Fact] = schema["x-clear"]["facts"]
        return {
            code: _codes(self._field(schema, rule)) if isinstance(rule, str) else YES_OR_NO
            for code, rule in sorted(facts.items())
        }

    def parse(self, message_type: MessageType, raw: bytes) -> Any:
        """Return the message whose document is *raw*, strict JSON of at most 8 MiB that passes the type's schema.

        Raises:
            MalformedError: ``json-*``, and as :meth:`validate`.
        """
        message = parse(raw, max_bytes=MAX_MESSAGE, content=True)
        self.validate(message_type, message)
        return message

    def validate(self, message_type: MessageType, message: Any) -> None:
        """Return if *message* passes the type's schema.

        Raises:
            MalformedError: ``message-type-unknown``; ``message-schema`` naming the first field that does not pass
                and the rule, never the value; or ``message-too-costly``.
        """
        schema = self.schema(message_type)
        if message_type not in self._validators:
            self._validators[message_type] = Validator(schema, self._registry)
        error = self._validators[message_type].first_error(message)
        if error is not None:
            raise MalformedError(
                "message-schema", f"{message_type}: {describe(error)}", "correct the field and send again"
            )

    def clear(self, message_type: MessageType, message: Any) -> Clear:
        """Return what the header says of *message*, which has passed :meth:`validate`.

        Parties are sorted without repeats, items sorted by reference.

        Raises:
            MalformedError: ``message-type-unknown``, ``message-item-twice``, or ``message-too-many``: more than 64
                parties or items.
        """
        rule = self.schema(message_type)["x-clear"]
        parties = {box for pointer in rule["parties"] for box in select(message, pointer)}
        items = _items(message, rule["items"]) if "items" in rule else ()
        if len(parties) > MAX_RECIPIENTS or len(items) > MAX_ITEMS:
            raise MalformedError(
                "message-too-many", f"{message_type}: more than 64 parties or open items", "send it as several messages"
            )
        if len({item.ref for item in items}) != len(items):
            raise MalformedError(
                "message-item-twice", f"{message_type}: two items have one identifier", "give each its own"
            )
        return Clear(
            at=_moment(select(message, rule["at"])[0]),
            moments=_moments(message, rule["moments"]),
            urgent=bool(rule["urgent"]) and any(select(message, rule["urgent"])),
            parties=tuple(sorted(parties)),
            items=items,
            facts=_facts(message, rule["facts"]),
        )

    def field(self, message_type: MessageType, pointer: str) -> Schema:
        """Return the schema of the field of *message_type* at *pointer*, references followed.

        Raises:
            MalformedError: ``message-type-unknown``, or ``message-field``: the type has no such field.
        """
        schema = self.schema(message_type)
        try:
            return self._field(schema, pointer)
        except KeyError:
            raise MalformedError(
                "message-field", f"{message_type} has no field `{pointer}`", "write it as in the type's schema: /field"
            ) from None

    def _field(self, schema: Schema, pointer: str) -> Schema:
        """Return the schema of the field at *pointer*, references followed."""
        return find_field(schema, pointer, self._documents)[0]


def _items(message: Any, rule: Mapping[str, Any]) -> tuple[Item, ...]:
    only: Mapping[str, list[str]] = rule.get("only", {})
    items = [
        Item(
            ref=select(element, rule["ref"])[0],
            owner=select(element, rule["owner"])[0],
            due=_moment(select(element, rule["due"])[0]),
        )
        for element in select(message, rule["each"])
        if all(value in allowed for pointer, allowed in only.items() for value in select(element, pointer))
    ]
    return tuple(sorted(items, key=lambda item: item.ref))
