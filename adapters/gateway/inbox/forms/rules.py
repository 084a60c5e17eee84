"""What the answers so far demand of the others: the conditional parts of a schema, evaluated on a message that is not whole yet.

Source: the constructs that ``schemas/messages`` use: ``required``, ``if``/``then``, ``not``, ``oneOf`` and ``anyOf`` of
``required``, ``dependentRequired``, ``propertyNames``, ``minProperties``, and ``properties`` within ``then``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.references import find_references
from schemas.validator import Schema, Validator

_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One demand on a group of fields, for when all of ``when`` hold of the group's values."""

    when: tuple[Schema, ...] = ()
    required: frozenset[str] = _NONE
    # Not all of these at once; a single name is not to be there at all.
    apart: frozenset[str] = _NONE
    exactly_one: frozenset[str] = _NONE
    one_at_least: frozenset[str] = _NONE
    only: frozenset[str] | None = None
    narrowed: Mapping[str, Schema] = field(default_factory=dict)
    least: int = 0

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Answer whether the demand stands for *values*."""
        return all(fits(condition, values) for condition in self.when)


@dataclass(slots=True, kw_only=True)
class Demands:
    """All that stands for one group of values."""

    required: set[str] = field(default_factory=set)
    forbidden: set[str] = field(default_factory=set)
    apart: list[frozenset[str]] = field(default_factory=list)
    exactly_one: list[frozenset[str]] = field(default_factory=list)
    one_at_least: list[frozenset[str]] = field(default_factory=list)
    only: frozenset[str] | None = None
    narrowed: list[tuple[str, Schema]] = field(default_factory=list)
    least: int = 0

    def allows(self, name: str) -> bool:
        """Answer whether the field *name* may be there."""
        return name not in self.forbidden and (self.only is None or name in self.only)


def fits(schema: Schema, value: Any) -> bool:
    """Answer whether *value* passes *schema*, which refers to nothing."""
    return Validator(schema).first_error(value) is None


def read_rules(part: Schema, when: tuple[Schema, ...] = ()) -> Iterator[Rule]:
    """Yield the demands of *part*: a group's schema, or what follows one of its conditions.

    A condition that refers elsewhere is left out: the whole message is held to the schema before it is sent.
    """
    if any(find_references(list(when))):
        return
    yield from _own_rules(part, when)
    if "if" in part:
        yield from read_rules(part.get("then", {}), (*when, part["if"]))
        yield from read_rules(part.get("else", {}), (*when, {"not": part["if"]}))
    for one in part.get("allOf", ()):
        yield from read_rules(one, when)


def _own_rules(part: Schema, when: tuple[Schema, ...]) -> Iterator[Rule]:
    plain: Mapping[str, Any] = {
        "required": frozenset(part.get("required", ())),
        "apart": frozenset(part.get("not", {}).get("required", ())),
        "exactly_one": _alternatives(part.get("oneOf", ())),
        "one_at_least": _alternatives(part.get("anyOf", ())),
        "least": part.get("minProperties", 0),
    }
    for name, demand in plain.items():
        if demand:
            yield Rule(when=when, **{name: demand})
    for given, names in part.get("dependentRequired", {}).items():
        yield Rule(when=(*when, {"required": [given]}), required=frozenset(names))
    if "enum" in part.get("propertyNames", {}):
        yield Rule(when=when, only=frozenset(part["propertyNames"]["enum"]))
    if when and "properties" in part:
        narrowed = {name: one for name, one in part["properties"].items() if not any(find_references(one))}
        yield Rule(when=when, narrowed=narrowed)


def _alternatives(parts: Iterable[Schema]) -> frozenset[str]:
    return frozenset(name for part in parts for name in part.get("required", ()))


def find_demands(rules: Iterable[Rule], values: Mapping[str, Any]) -> Demands:
    """Return what *rules* demand of a group that has *values* so far."""
    found = Demands()
    for rule in rules:
        if not rule.holds(values):
            continue
        found.required |= rule.required
        if len(rule.apart) == 1:
            found.forbidden |= rule.apart
        elif rule.apart:
            found.apart.append(rule.apart)
        if rule.exactly_one:
            found.exactly_one.append(rule.exactly_one)
        if rule.one_at_least:
            found.one_at_least.append(rule.one_at_least)
        if rule.only is not None:
            found.only = rule.only if found.only is None else found.only & rule.only
        found.narrowed.extend(rule.narrowed.items())
        found.least = max(found.least, rule.least)
    return found
