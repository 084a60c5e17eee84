"""The message types: what each must hold, and what each puts into the clear header.

A type is one file in ``messages/``; adding one needs no code.  ``x-clear`` at the top of a schema is data:

``at``        pointer to the moment that clocks count from
``moments``   code to pointer
``urgent``    pointer to a boolean, or ``false``
``parties``   pointers to mailboxes
``items``     ``each`` element, and within it ``ref``, ``owner``, ``due``; ``only`` those with one of these values
``facts``     code to pointer; the values are a closed list: the field's ``enum``, ``yes`` and ``no`` of a boolean, or the
              digits of an integer with bounds

Pointers are JSON pointers in which ``*`` stands for every element; what is absent is skipped.

Source: design 5 (catalogue); protocol 2 (derived members), 3 (the recipient derives them again).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any, Final

from referencing import Registry, Resource

from schemas.catalogue_words import describe
from schemas.envelope import MAX_RECIPIENTS, Header, Item, Struct
from schemas.identifiers import Code, MailboxId, MessageType, Moment
from schemas.strict_json import MalformedError, parse
from schemas.validator import Schema, Validator

MAX_MESSAGE: Final = 8 * 1024 * 1024
MAX_ITEMS: Final = 64
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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


def _select(value: Any, pointer: str) -> list[Any]:
    """Return every value in *value* at *pointer*."""
    found = [value]
    for name in pointer.split("/")[1:]:
        if name == "*":
            found = [element for array in found for element in array]
        else:
            found = [one[name] for one in found if name in one]
    return found


def _moment(instant: str) -> Moment:
    return (datetime.fromisoformat(instant) - _EPOCH) // timedelta(milliseconds=1)


def _one(value: Any, pointers: Mapping[Code, str]) -> dict[Code, Any]:
    return {code: found[0] for code, pointer in sorted(pointers.items()) if (found := _select(value, pointer))}


def _code(value: bool | int | str) -> Code:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def _codes(field: Schema) -> tuple[Code, ...]:
    """Return every code that :func:`_code` can make of a value of *field*."""
    if field["type"] == "integer":
        return tuple(map(_code, range(field["minimum"], field["maximum"] + 1)))
    return tuple(map(_code, field["enum"] if field["type"] == "string" else (False, True)))


class Catalogue:
    """Every message type that this release knows, by name and major version."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        """Take schemas by their ``$id``, which ends in ``/family/major``."""
        self._registry: Registry[Any] = Registry().with_resources(
            (ident, Resource.from_contents(schema)) for ident, schema in schemas.items()
        )
        self._schemas: dict[MessageType, Schema] = {
            "/".join(ident.split("/")[-2:]): schema for ident, schema in schemas.items() if "x-clear" in schema
        }
        self._validators: dict[MessageType, Validator] = {}

    @classmethod
    def load(cls) -> Catalogue:
        """Return the catalogue of the packaged files."""
        folder = resources.files("schemas") / "messages"
        files = sorted((file for file in folder.iterdir() if file.name.endswith(".schema.json")), key=lambda f: f.name)
        schemas = [json.loads(file.read_text("utf-8")) for file in files]
        return cls({schema["$id"]: schema for schema in schemas})

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

    def fact_values(self, message_type: MessageType) -> Mapping[Code, tuple[Code, ...]]:
        """Return the closed list of values for each fact that *message_type* may put into the header."""
        schema = self.schema(message_type)
        facts: Mapping[Code, str] = schema["x-clear"]["facts"]
        return {code: _codes(self._field(schema, pointer)) for code, pointer in sorted(facts.items())}

    def parse(self, message_type: MessageType, raw: bytes) -> Any:
        """Return the message whose document is *raw*, strict JSON of at most 8 MiB that passes the type's schema.

        Raises:
            MalformedError: ``json-*``, ``message-type-unknown`` or ``message-schema``.
        """
        message = parse(raw, max_bytes=MAX_MESSAGE, content=True)
        self.validate(message_type, message)
        return message

    def validate(self, message_type: MessageType, message: Any) -> None:
        """Return if *message* passes the type's schema.

        Raises:
            MalformedError: ``message-type-unknown``, or ``message-schema`` naming the first field that does not pass
                and the rule, never the value.
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
        parties = {box for pointer in rule["parties"] for box in _select(message, pointer)}
        items = _items(message, rule["items"]) if "items" in rule else ()
        if len(parties) > MAX_RECIPIENTS or len(items) > MAX_ITEMS:
            raise MalformedError(
                "message-too-many", f"{message_type}: more than 64 parties or open items", "send it as several messages"
            )
        if len({item.ref for item in items}) != len(items):
            raise MalformedError(
                "message-item-twice", f"{message_type}: two items have one identifier", "give each its own"
            )
        moments = _one(message, rule["moments"])
        return Clear(
            at=_moment(_select(message, rule["at"])[0]),
            moments={code: _moment(instant) for code, instant in moments.items()},
            urgent=bool(rule["urgent"]) and any(_select(message, rule["urgent"])),
            parties=tuple(sorted(parties)),
            items=items,
            facts={code: _code(value) for code, value in _one(message, rule["facts"]).items()},
        )

    def _field(self, schema: Schema, pointer: str) -> Schema:
        """Return the schema of the field at *pointer*, references followed."""
        resolver = self._registry.resolver(schema["$id"])
        field = schema
        for name in pointer.split("/")[1:]:
            field = field["items"] if name == "*" else field["properties"][name]
            while "$ref" in field:
                found = resolver.lookup(field["$ref"])
                field, resolver = found.contents, found.resolver
        return field


def _items(message: Any, rule: Mapping[str, Any]) -> tuple[Item, ...]:
    only: Mapping[str, list[str]] = rule.get("only", {})
    items = [
        Item(
            ref=_select(element, rule["ref"])[0],
            owner=_select(element, rule["owner"])[0],
            due=_moment(_select(element, rule["due"])[0]),
        )
        for element in _select(message, rule["each"])
        if all(value in allowed for pointer, allowed in only.items() for value in _select(element, pointer))
    ]
    return tuple(sorted(items, key=lambda item: item.ref))
