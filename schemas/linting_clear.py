"""Whether ``x-clear`` of a schema file leads to fields that exist, and puts nothing in clear but moments and codes.

Source: protocol 2 (derived members); README (what the hub can see).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple, cast

from schemas.envelope import MAX_RECIPIENTS
from schemas.identifiers import CODE_PATTERN
from schemas.references import find_field
from schemas.validator import Schema, Validator

MAX_VALUES: Final = 20

_POINTER: Final = {"type": "string", "maxLength": 200, "pattern": "^(?:/(?:[A-Za-z0-9_]{1,64}|\\*)){1,8}$"}
_STEP: Final = {"type": "string", "pattern": "^/[A-Za-z0-9_]{1,64}$"}
_EACH: Final = {"type": "string", "maxLength": 200, "pattern": "^(?:/(?:[A-Za-z0-9_]{1,64}|\\*)){0,8}$"}
_NAMED: Final = {"type": "object", "maxProperties": 16, "propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,63}$"}}
_POINTERS: Final = {"type": "array", "items": _POINTER, "maxItems": MAX_RECIPIENTS}
_CODES: Final = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_FORM: Final = Validator(
    {
        "type": "object",
        "properties": {
            "at": _STEP,
            "moments": {**_NAMED, "additionalProperties": _POINTER},
            "urgent": {"oneOf": [{"const": False}, _POINTER]},
            "parties": _POINTERS,
            "items": {
                "type": "object",
                "properties": {
                    "each": _EACH,
                    "ref": _STEP,
                    "owner": _STEP,
                    "due": _STEP,
                    "only": {**_NAMED, "propertyNames": _POINTER, "additionalProperties": _CODES},
                },
                "required": ["each", "ref", "owner", "due"],
                "additionalProperties": False,
            },
            "facts": {
                **_NAMED,
                "additionalProperties": {
                    "oneOf": [
                        _POINTER,
                        {
                            "type": "object",
                            "properties": {"any": {**_POINTERS, "minItems": 1}},
                            "required": ["any"],
                            "additionalProperties": False,
                        },
                    ]
                },
            },
        },
        "required": ["at", "moments", "urgent", "parties", "facts"],
        "additionalProperties": False,
    }
)
# The header counts from 1970.
_TOO_EARLY: Final = {"date-time": "1969-12-31T23:59:59Z", "date": "1969-12-31"}

Fault = tuple[str, str]
# Whether a field is of a kind; the second is the parts that files share.
Test = Callable[[Schema, Schema], bool]


class _Fields(NamedTuple):
    schema: Schema
    shared: Schema

    def check(
        self, place: str, pointer: str, test: Test, *, required: bool = False, rule: str = "clear-kind"
    ) -> Iterator[Fault]:
        documents = {self.shared["$id"]: self.shared, self.schema["$id"]: self.schema}
        try:
            field, is_required = find_field(self.schema, pointer, documents)
        except KeyError:
            yield f"/x-clear{place}", "clear-nowhere"
            return
        if required and not is_required:
            yield f"/x-clear{place}", "clear-optional"
        if not test(field, self.shared["$defs"]):
            yield f"/x-clear{place}", rule


def find_clear_faults(schema: Schema, shared: Schema) -> Iterator[Fault]:
    """Yield place and rule of all that is wrong with ``x-clear`` of *schema*, whose fields and references are sound."""
    clear = schema.get("x-clear")
    if _FORM.first_error(clear) is not None:
        yield "/x-clear", "clear-malformed"
        return
    fields, rules = _Fields(schema, shared), cast("Mapping[str, Any]", clear)
    yield from fields.check("/at", rules["at"], _is_instant, required=True)
    for code, pointer in rules["moments"].items():
        yield from fields.check(f"/moments/{code}", pointer, _is_moment)
    for number, pointer in enumerate(rules["parties"]):
        yield from fields.check(f"/parties/{number}", pointer, _is_mailbox)
    if rules["urgent"]:
        yield from fields.check("/urgent", rules["urgent"], _is_yes_or_no)
    if "items" in rules:
        yield from _check_items(fields, rules["items"])
    for code, rule in rules["facts"].items():
        if isinstance(rule, str):
            yield from fields.check(f"/facts/{code}", rule, _is_closed, rule="fact-open")
        else:
            for number, pointer in enumerate(rule["any"]):
                yield from fields.check(f"/facts/{code}/any/{number}", pointer, _can_say_nothing)


def _check_items(fields: _Fields, items: Mapping[str, Any]) -> Iterator[Fault]:
    tests: Mapping[str, Test] = {"ref": _is_ident, "owner": _is_mailbox, "due": _is_instant}
    for name, test in tests.items():
        yield from fields.check(f"/items/{name}", items["each"] + items[name], test, required=True)
    for pointer, codes in items.get("only", {}).items():
        yield from fields.check("/items/only", items["each"] + pointer, _has_codes({*codes}))


def _has_codes(codes: set[str]) -> Test:
    return lambda field, _: codes <= {*field.get("enum", ())}


def _is_moment(field: Schema, _: Schema) -> bool:
    early = _TOO_EARLY.get(field.get("format", ""))
    return early is not None and Validator(field).first_error(early) is not None


def _is_instant(field: Schema, shared: Schema) -> bool:
    return field.get("format") == "date-time" and _is_moment(field, shared)


def _is_mailbox(field: Schema, shared: Schema) -> bool:
    return bool(field == shared["Mailbox"])


def _is_ident(field: Schema, shared: Schema) -> bool:
    return bool(field == shared["Id"])


def _is_yes_or_no(field: Schema, _: Schema) -> bool:
    return bool(field["type"] == "boolean")


def _can_say_nothing(field: Schema, _: Schema) -> bool:
    return field["type"] in {"array", "boolean", "string"}


def _is_closed(field: Schema, _: Schema) -> bool:
    if field["type"] == "integer":
        return bool(field["minimum"] >= 0 and field["maximum"] - field["minimum"] < MAX_VALUES)
    codes = field.get("enum", ())
    return field["type"] == "boolean" or (
        0 < len(codes) <= MAX_VALUES and all(re.search(CODE_PATTERN, code) for code in codes)
    )
