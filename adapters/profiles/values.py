"""One value out of a record or a message, as a :class:`Field` says it: looked up, turned from code to code, brought into shape.

The same both ways; ``look`` says what a name means. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import UNSET, UnsetType

from adapters.profiles.mapping import Case, Field, field_of

MISSING: Final = UNSET
Look = Callable[[str], Any]
# What a system may write for one of our own random ids: it is left as it is.
ID: Final = re.compile(r"[A-Za-z0-9_-]{8}[c-f][A-Za-z0-9_-][CGKOSWaeimquy26-][A-Za-z0-9_-]{10}[AQgw]")
_BRITISH_DAY: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: .*)?")


class ValueProblemError(ValueError):
    """A value can't be taken: ``code`` says why, ``where`` names the field; the value is in neither."""

    def __init__(self, code: str, where: str) -> None:
        super().__init__(f"{code}: {where}")
        self.code, self.where = code, where


@dataclass(frozen=True, slots=True, kw_only=True)
class Turning:
    """What values are turned with.

    ``zone`` is that of moments without one.  ``local``: moments are to be the zone's, without saying so; else UTC.  ``name_it``
    gives the id of a number within a scope; ``ids`` collects those that were given.
    """

    look: Look
    zone: ZoneInfo
    local: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    name_it: Callable[[str, str], str] | None = None
    ids: dict[str, str] = field(default_factory=dict)


def evaluate(given: str | Field, turning: Turning) -> Any:
    """Return the value that *given* asks for, or :data:`MISSING`.

    Raises:
        ValueProblemError: ``record-code``, ``record-value``.
    """
    rule = field_of(given)
    if rule.each:
        return _each(rule, turning)
    where = rule.each or "+".join(rule.sources) or rule.option
    value = _find(rule, turning)
    if _is_nothing(value):
        return MISSING if isinstance(rule.default, UnsetType) else rule.default
    if rule.codes is not None:
        value = [_code(rule, one, where) for one in value] if isinstance(value, list) else _code(rule, value, where)
    return _shape(rule, value, where, turning)


def look_in(value: Any, names: Iterator[str] | list[str]) -> Any:
    """Return what is in *value* under *names*, one within the other, or :data:`MISSING`."""
    for name in names:
        if not isinstance(value, Mapping) or name not in value:
            return MISSING
        value = value[name]
    return value


def path_look(record: Mapping[str, Any]) -> Look:
    """Return how dotted paths are looked up in *record*; a name with a dot in it is found too."""
    return lambda path: record[path] if path in record else look_in(record, path.split("."))


def pointer_look(message: Mapping[str, Any]) -> Look:
    """Return how JSON pointers are looked up in *message*."""
    return lambda pointer: look_in(message, pointer.split("/")[1:])


def holds(where: Mapping[str, tuple[Any, ...]], look: Look) -> bool:
    """Answer whether each field that *where* names has one of the values beside it; ``null`` is one that isn't there."""
    found = ((look(name), wanted) for name, wanted in where.items())
    return all(_is_one_of(None if _is_nothing(value) else value, wanted) for value, wanted in found)


def _is_one_of(value: Any, wanted: tuple[Any, ...]) -> bool:
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in wanted)


def _find(rule: Field, turning: Turning) -> Any:
    if not isinstance(rule.value, UnsetType):
        return rule.value
    if rule.option:
        return turning.options.get(rule.option, MISSING)
    if rule.when:
        return next((one.value for one in rule.when if _case(one, turning)), MISSING)
    if rule.every:
        return [one.value for one in rule.every if _case(one, turning)] or MISSING
    if isinstance(rule.from_, str):
        return turning.look(rule.from_)
    found = [value for name in rule.sources if not _is_nothing(value := turning.look(name))]
    return rule.join.join(map(str, found)) if found else MISSING


def _case(case: Case, turning: Turning) -> bool:
    return holds(case.where, turning.look)


def _each(rule: Field, turning: Turning) -> Any:
    entries = turning.look(rule.each)
    if _is_nothing(entries):
        return MISSING if isinstance(rule.default, UnsetType) else rule.default
    if not isinstance(entries, list):
        raise ValueProblemError("record-value", rule.each)
    made = []
    for entry in entries:
        if not isinstance(entry, Mapping):
            raise ValueProblemError("record-value", rule.each)
        is_message = rule.each.startswith("/")
        inner = replace(turning, look=pointer_look(entry) if is_message else path_look(entry))
        made.append(build(rule.fields, inner, to_message=not is_message))
    return made


def build(fields: Mapping[str, str | Field], turning: Turning, *, to_message: bool) -> dict[str, Any]:
    """Return the object of all *fields* that have a value; names are pointers where it is *to_message*, else paths.

    Raises:
        ValueProblemError: as :func:`evaluate`.
    """
    made: dict[str, Any] = {}
    for name, given in fields.items():
        value = evaluate(given, turning)
        if not isinstance(value, UnsetType):
            _put(made, name.split("/")[1:] if to_message else name.split("."), value, name)
    return made


def _put(made: dict[str, Any], names: list[str], value: Any, where: str) -> None:
    for name in names[:-1]:
        made = made.setdefault(name, {})
        if not isinstance(made, dict):
            raise ValueProblemError("record-value", where)
    made[names[-1]] = value


def _is_nothing(value: Any) -> bool:
    return isinstance(value, UnsetType) or value is None or value == ""


def spell(value: Any) -> str:
    """Return how *value* is written as the name of a code: `true`, `1`, or as it is."""
    return ("false", "true")[value] if isinstance(value, bool) else str(value)


def _code(rule: Field, value: Any, where: str) -> Any:
    if isinstance(value, bool | int | str) and rule.codes is not None and (found := spell(value)) in rule.codes:
        return rule.codes[found]
    if isinstance(rule.otherwise, UnsetType):
        raise ValueProblemError("record-code", where)
    return rule.otherwise


def _shape(rule: Field, value: Any, where: str, turning: Turning) -> Any:
    shapes: dict[str, Callable[[Any], Any]] = {
        "date": _day,
        "local-moment": partial(_to_local if turning.local else _to_utc, zone=turning.zone),
        "text": lambda one: "\n".join(map(spell, one)) if isinstance(one, list) else spell(one),
        "own-id": partial(_own_id, rule, turning),
    }
    if not rule.as_:
        return value
    try:
        return shapes[rule.as_](value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueProblemError("record-value", where) from error


def _day(value: Any) -> str:
    """Return *value*, ISO or as people here write it (31/12/2026), with or without a time, as an ISO day."""
    if british := _BRITISH_DAY.fullmatch(str(value)):
        return date(int(british[3]), int(british[2]), int(british[1])).isoformat()
    return date.fromisoformat(str(value)[:10]).isoformat()


def _to_utc(value: Any, zone: ZoneInfo) -> str:
    """Return the moment *value* in UTC; in the hour that comes twice the first is meant."""
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone)
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _to_local(value: Any, zone: ZoneInfo) -> str:
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        raise ValueError("it has no offset")
    return at.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")


def _own_id(rule: Field, turning: Turning, value: Any) -> str:
    text = spell(value)
    if ID.fullmatch(text):
        return text
    if turning.name_it is None:
        raise ValueError("there is nothing to make ids with")
    turning.ids[rule.of] = made = turning.name_it(rule.of, text)
    return made


__all__ = ["MISSING", "Look", "Turning", "ValueProblemError", "build", "evaluate", "holds", "path_look", "pointer_look"]
