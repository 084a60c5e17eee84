"""One JSON Schema validator for messages and wire files, stricter than the library alone where Python differs.

It counts what it does and stops at a limit, so that no message can keep a gateway busy.  The count follows from schema
and message alone, without a clock: what the sender's gateway accepts, the recipient's accepts too.

Source: design 6 (jsonschema); domain 10 (NHS number).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators
from referencing import Registry

from schemas.nhs_number import is_nhs_number
from schemas.strict_json import MalformedError

# About two seconds of one core; a message with every list filled to its bound stays well below.
BUDGET: Final = 500_000

# Named one by one, so that a format whose library is missing is an error here and not silently unchecked.
FORMATS: Final = FormatChecker(formats=("date", "date-time", "email"))
FORMATS.checks("nhs-number")(lambda text: not isinstance(text, str) or is_nhs_number(text))

Schema = Mapping[str, Any]
Keyword = Callable[[Any, Any, Any, Schema], Any]


@lru_cache(maxsize=256)
def _compile(pattern: str) -> re.Pattern[str]:
    # JSON Schema's `$` is the end of the text; Python's also stands before a last line feed.
    return re.compile(re.sub(r"\$\Z", r"\\Z", pattern))


def _pattern(_: Any, pattern: str, instance: Any, __: Schema) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _compile(pattern).search(instance):
        yield ValidationError("pattern")


def _size(value: Any) -> int:
    return len(value) if isinstance(value, list | dict | str) else 0


def _comparisons(instance: Any) -> int:
    # Texts are sorted; anything else the library compares each with each.
    entries = instance if isinstance(instance, list) else []
    return len(entries) if all(isinstance(entry, str) for entry in entries) else len(entries) ** 2


# What a keyword costs beside one step, in steps: following a reference and going down to a field are dear, and so is
# what can be long.
_COSTS: Final[Mapping[str, Callable[[Any, Any], int]]] = {
    "$ref": lambda _, __: 8,
    "additionalProperties": lambda _, instance: _size(instance),
    "allOf": lambda rule, _: 4 * len(rule),
    "anyOf": lambda rule, _: 16 * len(rule),
    "contains": lambda _, instance: 2 * _size(instance),
    "enum": lambda rule, _: len(rule) // 4,
    "format": lambda _, instance: _size(instance) // 32,
    "if": lambda _, __: 4,
    "items": lambda _, instance: 2 * _size(instance),
    "not": lambda _, __: 4,
    "oneOf": lambda rule, _: 16 * len(rule),
    "pattern": lambda _, instance: _size(instance) // 32,
    "properties": lambda rule, instance: len(rule) // 8 + 2 * _size(instance),
    "propertyNames": lambda _, instance: 2 * _size(instance),
    "uniqueItems": lambda _, instance: _comparisons(instance),
}


class _Meter:
    __slots__ = ("left",)

    def __init__(self, budget: int) -> None:
        self.left = budget

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise MalformedError(
                "message-too-costly", "checking the message takes more steps than are allowed", "send less at once"
            )


# Of the call that is running; two threads each have their own.
_METER: Final[ContextVar[_Meter]] = ContextVar("meter")


def _counted(name: str, keyword: Keyword) -> Keyword:
    cost = _COSTS.get(name, lambda _, __: 0)

    def run(validator: Any, rule: Any, instance: Any, schema: Schema) -> Any:
        _METER.get().spend(1 + cost(rule, instance))
        return keyword(validator, rule, instance, schema)

    return run


_KEYWORDS: Final[Mapping[str, Keyword]] = {**Draft202012Validator.VALIDATORS, "pattern": _pattern}
_Draft: Final[Any] = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {name: _counted(name, keyword) for name, keyword in _KEYWORDS.items()}
)


class Validator:
    """Holds values to one schema of JSON Schema 2020-12, formats included."""

    def __init__(self, schema: Schema, registry: Registry[Any] | None = None) -> None:
        """Take *schema*; its references are looked up in itself and in *registry*, never fetched."""
        self._draft = _Draft(schema, registry=registry if registry is not None else Registry(), format_checker=FORMATS)

    def first_error(self, value: Any, *, budget: int = BUDGET) -> ValidationError | None:
        """Return the first rule that *value* breaks, in the schema's order, or ``None``.

        The first only: a value that is wrong a thousand times costs no more than one that is wrong once.

        Raises:
            MalformedError: ``message-too-costly``: not decided after *budget* steps.
        """
        return self._measure(value, budget)[0]

    def count_steps(self, value: Any) -> int:
        """Return how many steps of :data:`BUDGET` it takes to judge *value*."""
        return self._measure(value, BUDGET)[1]

    def _measure(self, value: Any, budget: int) -> tuple[ValidationError | None, int]:
        meter = _Meter(budget)
        token = _METER.set(meter)
        try:
            return next(self._draft.iter_errors(value), None), budget - meter.left
        finally:
            _METER.reset(token)
