"""Reading a mapping, and whether it fits the message types.

Every member exists, every code is one, and nothing that a message must have is without a source.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import UnsetType

from adapters.profiles.expanding import expand
from adapters.profiles.mapping import Field, File, Send, field_of
from adapters.profiles.mapping import Mapping as Table
from adapters.profiles.records import DOCUMENT, DRAFT, HUB, NOTICE
from adapters.profiles.values import spell
from schemas.catalogue import Catalogue
from schemas.strict_json import MalformedError, parse
from schemas.validator import Schema

MAX_MAPPING: Final = 1024 * 1024
_SOURCES: Final = ("from_", "value", "option", "each", "when", "every")
_OURS: Final = frozenset({DOCUMENT, NOTICE})


def parse_mapping(raw: bytes, catalogue: Catalogue) -> Table:
    """Return the mapping in *raw*, which fits the types of *catalogue*.

    Raises:
        ValueError: what is wrong with it, with the place; all problems at once where it could be read.
    """
    try:
        mapping = msgspec.convert(expand(parse(raw, max_bytes=MAX_MAPPING, content=True)), Table, strict=True)
    except (msgspec.ValidationError, MalformedError) as error:
        raise ValueError(f"mapping: {error}") from error
    if problems := list(find_problems(mapping, catalogue)):
        raise ValueError("mapping: " + "; ".join(problems))
    return mapping


def find_problems(mapping: Table, catalogue: Catalogue) -> Iterator[str]:
    """Yield each thing that is wrong with *mapping*, with its place."""
    for rule in mapping.send:
        place = f"send `{rule.kind}` as `{rule.type}`"
        if rule.type not in catalogue.types():
            yield f"{place}: no such type"
            continue
        if rule.kind == DRAFT:
            yield f"{place}: `{DRAFT}` is what holds a whole draft"
        yield from _send_problems(rule, catalogue, place)
    for filed in mapping.file:
        place = f"file `{filed.type}` as `{filed.kind}`"
        if filed.type not in catalogue.types():
            yield f"{place}: no such type"
            continue
        if filed.kind in _OURS:
            yield f"{place}: that kind is what has no rule of its own"
        if filed.type in mapping.people:
            yield f"{place}: `people` leaves that type to people"
        yield from _file_problems(filed, catalogue, place)
    yield from (f"people `{kind}`: no such type" for kind in mapping.people if kind not in catalogue.types())


def list_uncovered(mapping: Table, catalogue: Catalogue) -> list[str]:
    """Return which codes of which members a message may have that *mapping* has no code of the system's for: a person files those."""
    found = []
    for rule in mapping.file:
        for source, given in _flat(rule.fields, ""):
            spelled = field_of(given)
            if spelled.codes is not None and isinstance(spelled.otherwise, UnsetType):
                allowed = _codes(_element(catalogue, rule.type, source)) or set()
                found += [f"{rule.type} {source}: {code}" for code in sorted(allowed - spelled.codes.keys())]
    return found


def is_needed(mapping: Table, what: str) -> bool:
    """Answer whether a value of *mapping* is brought into the shape *what*."""
    return any(field_of(given).as_ == what for rule in mapping.send for given in _all(rule.fields))


def options_of(mapping: Table) -> set[str]:
    """Return the names of the configuration's constants that *mapping* asks for."""
    return {
        field_of(given).option
        for rule in mapping.send
        for given in _all(rule.fields)
        if field_of(given).option and isinstance(field_of(given).default, UnsetType)
    }


def _all(fields: Mapping[str, str | Field]) -> Iterator[str | Field]:
    for given in fields.values():
        yield given
        yield from _all(field_of(given).fields)


def _send_problems(rule: Send, catalogue: Catalogue, place: str) -> Iterator[str]:
    yield from _member_problems(rule.type, rule.fields, "", catalogue, place)
    yield from _missing(rule.type, set(_pointers(rule.fields, "")), "", catalogue, place)


def _member_problems(
    kind: str, fields: Mapping[str, str | Field], above: str, catalogue: Catalogue, place: str
) -> Iterator[str]:
    for pointer, given in fields.items():
        rule, whole = field_of(given), above + pointer
        yield from _shape_problems(rule, f"{place}: {whole}")
        try:
            schema = catalogue.field(kind, whole)
        except MalformedError:
            yield f"{place}: the type has no member {whole}"
            continue
        if rule.each:
            if schema.get("type") != "array":
                yield f"{place}: {whole} is no list"
            else:
                yield from _member_problems(kind, rule.fields, f"{whole}/*", catalogue, place)
            continue
        element = _element(catalogue, kind, whole)
        for value in _constants(rule):
            for one in value if isinstance(value, list) else [value]:
                if not _may_be(one, element):
                    yield f"{place}: {whole} can't be `{spell(one)}`"


def _file_problems(rule: File, catalogue: Catalogue, place: str) -> Iterator[str]:
    yield from _source_problems(rule, rule.fields, "", catalogue, place)
    for pointer, wanted in rule.where.items():
        yield from _code_problems(rule, pointer, {spell(one) for one in wanted}, catalogue, place)
    if any(name.partition(".")[0] == HUB for name in rule.fields):
        yield f"{place}: a field `{HUB}` is the gateway's"
    for pointer in rule.keeps or ():
        if pointer not in dict(_flat(rule.fields, "")):
            yield f"{place}: `keeps` names {pointer}, which has no field"


def _source_problems(
    rule: File, fields: Mapping[str, str | Field], above: str, catalogue: Catalogue, place: str
) -> Iterator[str]:
    for name, given in fields.items():
        spelled = field_of(given)
        yield from _shape_problems(spelled, f"{place}: {name}")
        if spelled.as_ == "own-id":
            yield f"{place}: {name}: a message's ids are filed as they are"
        for case in (*spelled.when, *spelled.every):
            for pointer, wanted in case.where.items():
                codes = {spell(one) for one in wanted if one is not None}
                yield from _code_problems(rule, above + pointer, codes, catalogue, place)
        if spelled.each:
            yield from _code_problems(rule, above + spelled.each, set(), catalogue, place)
            yield from _source_problems(rule, spelled.fields, f"{above}{spelled.each}/*", catalogue, place)
        for pointer in spelled.sources:
            yield from _code_problems(rule, above + pointer, set(spelled.codes or ()), catalogue, place)


def _code_problems(rule: File, pointer: str, codes: set[str], catalogue: Catalogue, place: str) -> Iterator[str]:
    try:
        allowed = _codes(_element(catalogue, rule.type, pointer))
    except MalformedError:
        yield f"{place}: the type has no member {pointer}"
        return
    for code in sorted(codes - allowed) if allowed else ():
        yield f"{place}: {pointer} is never `{code}`"


def _shape_problems(rule: Field, where: str) -> Iterator[str]:
    given = [
        name for name in _SOURCES if not isinstance(value := getattr(rule, name), UnsetType) and value not in ("", ())
    ]
    if len(given) != 1:
        yield f"{where}: one of from, value, option, each, when and every"
    if bool(rule.each) != bool(rule.fields):
        yield f"{where}: `each` and `fields` belong together"
    if (rule.as_ == "own-id") != bool(rule.of):
        yield f"{where}: `own-id` and `of` belong together"


def _missing(kind: str, given: set[str], above: str, catalogue: Catalogue, place: str) -> Iterator[str]:
    """Yield the required members without a source, of the message and of each group of which anything is given."""
    schema = catalogue.field(kind, above)
    for name in schema.get("required", ()) if schema.get("type") == "object" else ():
        pointer = f"{above}/{name}"
        if not any(one == pointer or one.startswith(f"{pointer}/") for one in given):
            yield f"{place}: nothing says what {pointer} is"
    for name in sorted({one[len(above) :].split("/")[1] for one in given if one.startswith(f"{above}/")}):
        pointer = f"{above}/{name}"
        if pointer in given and not any(one.startswith(f"{pointer}/") for one in given):
            continue  # given whole
        if f"{pointer}/*" in given or any(one.startswith(f"{pointer}/") for one in given):
            try:
                yield from _missing(kind, given, pointer, catalogue, place)
            except MalformedError:
                continue  # said already


def _pointers(fields: Mapping[str, str | Field], above: str) -> Iterator[str]:
    for pointer, given in fields.items():
        yield above + pointer
        yield from _pointers(field_of(given).fields, f"{above}{pointer}/*")


def _flat(fields: Mapping[str, str | Field], above: str) -> Iterator[tuple[str, str | Field]]:
    """Yield each member of a message that has a field of its own, and how it comes there."""
    for given in fields.values():
        rule = field_of(given)
        if rule.each:
            yield from _flat(rule.fields, f"{above}{rule.each}/*")
        elif len(rule.sources) == 1:
            yield above + rule.sources[0], given


def _constants(rule: Field) -> Iterator[Any]:
    yield from (rule.codes or {}).values()
    yield from (one.value for one in (*rule.when, *rule.every))
    yield from (one for one in (rule.value, rule.otherwise, rule.default) if not isinstance(one, UnsetType))


def _element(catalogue: Catalogue, kind: str, pointer: str) -> Schema:
    """Return what stands at *pointer*, or in the list there."""
    schema = catalogue.field(kind, pointer)
    return catalogue.field(kind, f"{pointer}/*") if schema.get("type") == "array" else schema


def _codes(schema: Schema) -> set[str] | None:
    """Return the closed list of what *schema* may be; ``None`` where there is none."""
    if schema.get("type") == "boolean":
        return {"false", "true"}
    return set(map(spell, schema["enum"])) if "enum" in schema else None


def _may_be(value: Any, schema: Schema) -> bool:
    allowed = _codes(schema)
    if schema.get("type") == "boolean":
        return isinstance(value, bool)
    if schema.get("type") == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if "const" in schema:
        return bool(value == schema["const"])
    if allowed is not None:
        return isinstance(value, str) and value in allowed
    return True
