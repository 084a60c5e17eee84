"""What is wrong with a message, in words: the field and the rule, never what stands there.

A message is somebody's record: its values must not reach a log or a screen through an error.  So the library's own
sentences, which quote values, are not used.

Source: design 2 (8); taste 6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from jsonschema import ValidationError

_TYPES: Final = {
    "array": "a list",
    "boolean": "yes or no (true or false)",
    "integer": "a whole number",
    "object": "a group of fields",
    "string": "text",
}
_FORMATS: Final = {
    "date": "a day of the calendar, such as 2026-04-14",
    "date-time": "a moment in UTC, such as 2026-04-14T09:30:00Z",
    "email": "an e-mail address",
    "nhs-number": "an NHS number with a right check digit",
}
_RULES: Final[Mapping[str, Callable[[Any, ValidationError], str]]] = {
    "additionalProperties": lambda _, __: "has a field that this type does not know",
    "const": lambda rule, error: f"must be {_say(rule)}{_advice(error)}",
    "contains": lambda _, __: "lacks an entry that it must have",
    "dependentRequired": lambda rule, error: _lacks(
        [name for given, names in rule.items() if given in cast("Mapping[str, Any]", error.instance) for name in names],
        error,
    ),
    "enum": lambda rule, _: "must be one of: " + ", ".join(map(_say, rule)),
    "format": lambda rule, _: f"must be {_FORMATS[rule]}",
    "maxItems": lambda rule, _: f"has more than {rule} entries",
    "maxLength": lambda rule, _: f"is longer than {rule} characters",
    "maximum": lambda rule, _: f"is more than {rule}",
    "minItems": lambda rule, _: f"has fewer than {rule} entries",
    "minLength": lambda rule, _: f"is shorter than {rule} characters",
    "minProperties": lambda _, __: "says nothing: fill in one field at least",
    "minimum": lambda rule, _: f"is less than {rule}",
    "not": lambda rule, _: "must not have " + _names(rule.get("required", ()), " and "),
    "oneOf": lambda rule, _: "must have exactly one of " + _names([n for r in rule for n in r["required"]], " and "),
    "pattern": lambda _, error: f"is not spelled as it must be: {_schema(error)['description']}",
    "required": lambda rule, error: _lacks(rule, error),  # noqa: PLW0108 defined below
    "type": lambda rule, _: f"must be {_TYPES[rule]}",
    "uniqueItems": lambda _, __: "names something twice",
}


def describe(error: ValidationError) -> str:
    """Return one sentence that names the field (``participants, entry 2, org``) and the rule that it breaks."""
    place = ", ".join(f"entry {step + 1}" if isinstance(step, int) else f"`{step}`" for step in error.absolute_path)
    rule = "propertyNames" if "propertyNames" in error.schema_path else str(error.validator)
    if rule == "propertyNames":
        return "the message has a field that this variant may not hold"
    return f"{place or 'the message'} {_RULES[rule](error.validator_value, error)}"


def _say(value: Any) -> str:
    return {True: "yes (true)", False: "no (false)"}[value] if isinstance(value, bool) else str(value)


def _advice(error: ValidationError) -> str:
    # A field that takes one value only says what to do instead: whoever reports what is urgent must learn where to.
    said = _schema(error).get("description")
    return f": {said}" if said else ""


def _names(names: Any, link: str) -> str:
    return link.join(f"`{name}`" for name in names)


def _schema(error: ValidationError) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", error.schema)


def _lacks(names: Any, error: ValidationError) -> str:
    present = cast("Mapping[str, Any]", error.instance)
    return "lacks " + _names([name for name in names if name not in present][:1], "")
