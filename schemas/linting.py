"""Whether a schema file may become a message type: nothing endless, nothing slow, nothing in clear but codes.

A partnership's own types pass this before a gateway takes them; the types of a release pass it before it is published.

Source: design 2 (8), 5 (catalogue); domain 6 (vocabularies).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jsonschema import Draft202012Validator, FormatChecker, SchemaError

from schemas.identifiers import TYPE_PATTERN, MessageType
from schemas.linting_clear import find_clear_faults
from schemas.patterns import find_fault
from schemas.references import Documents, Target, find_reached, find_target, get_definition
from schemas.strict_json import MAX_INTEGER
from schemas.validator import FORMATS, Schema

if TYPE_CHECKING:
    from schemas.catalogue import Catalogue

MAX_LIST: Final = 2000
MAX_TEXT: Final = 100_000
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_IDENT: Final = re.compile(r"https://[a-z0-9.-]{1,200}/(?:[A-Za-z0-9_.-]{1,64}/){0,8}?([^/]+/[^/]+)")
RULES: Final[Mapping[str, str]] = {
    "schema-malformed": "it is not JSON Schema 2020-12",
    "dialect": f"`$schema` is not {DIALECT}",
    "ident": "`$id` does not end in a type and its major version, such as /local.notice/1",
    "keyword-unknown": "a keyword that no validator here knows, or that may stand only at the top",
    "title": "no title of 2 to 60 characters without a full stop",
    "description": "no description of 8 to 300 characters that ends in a full stop",
    "type-missing": "it has neither one of the types array, boolean, integer, object, string nor one reference",
    "group-open": "a group must list its fields, say which are required, and allow no others",
    "list-unbounded": f"a list must say what is in it and end at {MAX_LIST} entries or fewer",
    "number-unbounded": "a whole number must have a least and a greatest value",
    "text-unbounded": f"a text must be of one character or more and end at {MAX_TEXT} or fewer",
    "unique-costly": "only lists of texts can be compared for repeats in good time",
    "format-unknown": "a format that no validator here knows",
    "field-unknown": "a rule speaks of a field that the group does not have",
    "condition-loose": "a condition asks what stands in a field without asking that the field be there",
    "reference-nowhere": "a reference must lead to `$defs` of this file or of `shared`",
    "reference-loop": "a reference leads back to itself",
    "pattern-unanchored": "a pattern must begin with ^ and end with $, and have no alternatives outside a group",
    "pattern-unreadable": "a pattern must be short and use only what every language shares",
    "pattern-unbounded": "a repeat in a pattern must have a limit",
    "pattern-slow": "repeats in a pattern are nested or overlap, so that it is slow on hostile text",
    "vocabulary-unnamed": "a vocabulary must have an id, a version and a source",
    "vocabulary-twice": "another vocabulary has this id and version",
    "labels": "each code must have a label, in the same order, without a full stop",
    "clear-malformed": "`x-clear` is not of the form that the catalogue documents",
    "clear-nowhere": "the pointer leads to no field",
    "clear-optional": "the field must be required",
    "clear-kind": "the field is not of the kind that this member of the header needs",
    "fact-open": "the values of a fact must be a closed list of at most 20 codes",
}
_WORDS: Final = (
    "$ref title description type properties required additionalProperties items minItems maxItems uniqueItems minLength "
    "maxLength pattern format minimum maximum enum const allOf oneOf not if then contains propertyNames "
    "dependentRequired minProperties examples x-vocabulary x-labels"
)
_EVERYWHERE: Final = frozenset(_WORDS.split())
_AT_THE_TOP: Final = frozenset({"$schema", "$id", "$defs", "x-clear"})
# Schemas that only test or narrow what another one defines.
_TESTS: Final = ("if", "then", "not", "contains", "propertyNames")
# Where one of these is broken, pointers can't be followed.
_FATAL: Final = frozenset(
    {"type-missing", "reference-nowhere", "reference-loop", "group-open", "ident", "labels", "number-unbounded"}
)


class Problem(NamedTuple):
    """One thing that is wrong: a JSON pointer into the file, and the rule, a key of :data:`RULES`."""

    place: str
    rule: str

    @property
    def message(self) -> str:
        """Return one sentence that names the place and the rule."""
        return f"{self.place or '/'}: {RULES[self.rule]}"


class _Node(NamedTuple):
    place: str
    schema: Any
    test: bool = False


class _File(NamedTuple):
    schema: Schema
    shared: Schema

    @property
    def base(self) -> str:
        return str(self.schema.get("$id"))

    @property
    def documents(self) -> Documents:
        return {self.shared["$id"]: self.shared, self.base: self.schema}

    def find(self, reference: str, base: str) -> tuple[Target, Schema] | None:
        target = find_target(reference, base)
        found = target and get_definition(target, self.documents)
        return (target, found) if target and found else None


def lint_schema(schema: Any, shared: Schema) -> tuple[Problem, ...]:
    """Return all that is wrong with the file *schema*, in its order; *shared* is the file that it may refer to.

    *shared* itself may be given as both: it is no type, and needs no ``x-clear``.
    """
    if not isinstance(schema, Mapping):
        return (Problem("", "schema-malformed"),)
    try:
        Draft202012Validator.check_schema(schema, format_checker=FormatChecker(formats=()))
    except SchemaError as error:
        return (Problem("".join(f"/{step}" for step in error.absolute_path), "schema-malformed"),)
    file = _File(schema, shared)
    problems = [*_lint_top(schema), *(p for node in _walk(_Node("", schema)) for p in _lint_node(node, file))]
    problems += _lint_vocabularies(schema, shared)
    if schema is not shared and _FATAL.isdisjoint(problem.rule for problem in problems):
        problems += (Problem(place, rule) for place, rule in find_clear_faults(schema, shared))
    return tuple(problems)


def lint_catalogue(catalogue: Catalogue) -> tuple[tuple[MessageType, Problem], ...]:
    """Return all that is wrong with the types of *catalogue*; what is wrong with ``shared`` stands under ``shared/1``."""
    shared = catalogue.shared
    files = {"shared/1": shared} | {name: catalogue.schema(name) for name in catalogue.types()}
    return tuple((name, problem) for name, schema in files.items() for problem in lint_schema(schema, shared))


def _lint_top(schema: Schema) -> Iterator[Problem]:
    if schema.get("$schema") != DIALECT:
        yield Problem("/$schema", "dialect")
    found = _IDENT.fullmatch(str(schema.get("$id")))
    if found is None or not re.search(TYPE_PATTERN, found[1]):
        yield Problem("/$id", "ident")


def _walk(node: _Node) -> Iterator[_Node]:
    """Yield *node* and every schema in it."""
    yield node
    place, schema, test = node
    if not isinstance(schema, Mapping):
        return
    for name in ("properties", "$defs"):
        for key, member in schema.get(name, {}).items():
            yield from _walk(_Node(f"{place}/{name}/{key}", member, test))
    for name in ("allOf", "oneOf"):
        for number, member in enumerate(schema.get(name, ())):
            yield from _walk(_Node(f"{place}/{name}/{number}", member, test=True))
    if "items" in schema:
        yield from _walk(_Node(f"{place}/items", schema["items"], test))
    for name in _TESTS:
        if name in schema:
            yield from _walk(_Node(f"{place}/{name}", schema[name], test=True))


def _lint_node(node: _Node, file: _File) -> Iterator[Problem]:
    place, schema, test = node
    if isinstance(schema, Mapping):
        yield from _lint_keywords(place, schema)
        if "$ref" in schema:
            yield from _lint_reference(node, file)
        if not test and not place.endswith("/items"):
            yield from _lint_words(node)
        if not test and schema is not file.shared:  # the file of parts is no value itself
            yield from _lint_kind(node, file)
    elif not test:
        yield Problem(place, "type-missing")


def _lint_keywords(place: str, schema: Schema) -> Iterator[Problem]:
    for name in schema:
        if name not in _EVERYWHERE and (place or name not in _AT_THE_TOP):
            yield Problem(f"{place}/{name}", "keyword-unknown")
    if "pattern" in schema and (fault := find_fault(schema["pattern"])) is not None:
        yield Problem(f"{place}/pattern", fault)
    if "format" in schema and schema["format"] not in FORMATS.checkers:
        yield Problem(f"{place}/format", "format-unknown")


def _lint_words(node: _Node) -> Iterator[Problem]:
    title, description = node.schema.get("title", ""), node.schema.get("description", "")
    if not 2 <= len(title) <= 60 or title.endswith(".") or not (title[0].isupper() or title[0].isdigit()):
        yield Problem(node.place, "title")
    if not 8 <= len(description) <= 300 or not description.endswith("."):
        yield Problem(node.place, "description")


def _lint_reference(node: _Node, file: _File) -> Iterator[Problem]:
    found = file.find(node.schema["$ref"], file.base)
    if found is None:
        yield Problem(f"{node.place}/$ref", "reference-nowhere")
        return
    (ident, name), definition = found
    steps = node.place.split("/")
    within = (file.base, steps[2] if steps[1:2] == ["$defs"] else "")
    if within in {(ident, name), *find_reached(definition, ident, file.documents)}:
        yield Problem(f"{node.place}/$ref", "reference-loop")


def _lint_kind(node: _Node, file: _File) -> Iterator[Problem]:
    place, schema, _ = node
    kind = schema.get("type")
    if ("$ref" in schema) == (kind is not None) or kind not in (None, *_TYPES):
        yield Problem(place, "type-missing")
    elif kind in _CHECKS:
        yield from _CHECKS[kind](node, file)
    labels, codes = schema.get("x-labels"), schema.get("enum")
    if labels is not None or codes is not None:
        yield from _lint_labels(place, labels, codes)
    if "x-vocabulary" in schema and not _is_named(schema["x-vocabulary"]):
        yield Problem(f"{place}/x-vocabulary", "vocabulary-unnamed")


def _lint_labels(place: str, labels: Any, codes: Any) -> Iterator[Problem]:
    texts = list(labels.values()) if isinstance(labels, Mapping) else [""]
    if not all(isinstance(text, str) and text == text.rstrip(".") != "" for text in texts) or (
        codes is not None and list(labels or ()) != list(codes)
    ):
        yield Problem(f"{place}/x-labels", "labels")


def _is_named(vocabulary: Any) -> bool:
    return (
        isinstance(vocabulary, Mapping)
        and vocabulary.keys() == {"id", "version", "source"}
        and isinstance(vocabulary["id"], str)
        and isinstance(vocabulary["version"], int)
        and isinstance(vocabulary["source"], str)
    )


def _lint_group(node: _Node, _: _File) -> Iterator[Problem]:
    place, schema = node.place, node.schema
    if schema.get("additionalProperties") is not False or "properties" not in schema or "required" not in schema:
        yield Problem(place, "group-open")
        return
    known = schema["properties"].keys()
    named = {name for names in schema.get("dependentRequired", {}).items() for name in (names[0], *names[1])}
    if not {*schema["required"], *named} <= known:
        yield Problem(place, "field-unknown")
    yield from _lint_condition(
        place, {name: schema[name] for name in ("if", "then", "not") if name in schema}, {*known}
    )
    for word in ("allOf", "oneOf"):
        for number, rule in enumerate(schema.get(word, ())):
            yield from _lint_condition(f"{place}/{word}/{number}", rule, {*known})


def _lint_condition(place: str, rule: Any, known: set[str]) -> Iterator[Problem]:
    if not isinstance(rule, Mapping):
        return
    if not {*rule.get("required", ()), *rule.get("properties", ())} <= known:
        yield Problem(place, "field-unknown")
    condition = rule.get("if")
    if isinstance(condition, Mapping) and not condition.get("properties", {}).keys() <= {
        *condition.get("required", ())
    }:
        yield Problem(f"{place}/if", "condition-loose")
    for name in ("if", "then", "not"):
        yield from _lint_condition(f"{place}/{name}", rule.get(name), known)


def _lint_list(node: _Node, file: _File) -> Iterator[Problem]:
    place, schema, _ = node
    if "items" not in schema or not 0 < schema.get("maxItems", 0) <= MAX_LIST:
        yield Problem(place, "list-unbounded")
    elif schema.get("uniqueItems"):
        member, base = schema["items"], file.base
        while isinstance(member, Mapping) and "$ref" in member:
            found = file.find(member["$ref"], base)
            member, base = (found[1], found[0][0]) if found else ({}, base)
        if not isinstance(member, Mapping) or member.get("type") != "string":
            yield Problem(place, "unique-costly")


def _lint_number(node: _Node, _: _File) -> Iterator[Problem]:
    least, most = node.schema.get("minimum"), node.schema.get("maximum")
    if not isinstance(least, int) or not isinstance(most, int) or not -MAX_INTEGER <= least < most <= MAX_INTEGER:
        yield Problem(node.place, "number-unbounded")


def _lint_text(node: _Node, _: _File) -> Iterator[Problem]:
    least, most = node.schema.get("minLength", 0), node.schema.get("maxLength", 0)
    if "enum" not in node.schema and not 0 < least <= most <= MAX_TEXT:
        yield Problem(node.place, "text-unbounded")


_TYPES: Final = frozenset({"array", "boolean", "integer", "object", "string"})
_CHECKS: Final[Mapping[str, Callable[[_Node, _File], Iterator[Problem]]]] = {
    "array": _lint_list,
    "integer": _lint_number,
    "object": _lint_group,
    "string": _lint_text,
}


def _vocabularies(schema: Schema) -> Iterator[tuple[str, Any]]:
    for place, node, _ in _walk(_Node("", schema)):
        if isinstance(node, Mapping) and _is_named(node.get("x-vocabulary")):
            yield place, (node["x-vocabulary"]["id"], node["x-vocabulary"]["version"])


def _lint_vocabularies(schema: Schema, shared: Schema) -> Iterator[Problem]:
    taken = set() if schema is shared else {name for _, name in _vocabularies(shared)}
    for place, name in _vocabularies(schema):
        if name in taken:
            yield Problem(f"{place}/x-vocabulary", "vocabulary-twice")
        taken.add(name)
