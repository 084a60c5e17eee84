"""The schemas against the domain reference, line by line: every type, every field with its kind, every vocabulary."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from schemas.catalogue import Catalogue
from schemas.validator import Schema
from tests.schemas.samples import message

CATALOGUE = Catalogue.load()
SHARED = CATALOGUE.shared
PARTS = SHARED["$defs"]
DOMAIN = json.loads((Path(__file__).parent / "domain_fields.json").read_text())


def _rows() -> Iterator[tuple[str, Schema, str, str, str]]:
    """Yield where, the group's schema, and field, kind and mark of each entry."""
    for part, fields in DOMAIN["parts"].items():
        for entry in fields.split():
            yield part, PARTS[part], *_read(entry)
    for families, fields in DOMAIN["fields"].items():
        for family in families.split():
            for entry in fields.split():
                yield family, CATALOGUE.schema(f"{family}/1"), *_read(entry)


def _read(entry: str) -> tuple[str, str, str]:
    name, _, kind = entry.partition(":")
    return name, kind[:-1], kind[-1]


ROWS = list(_rows())
# Which agencies make the quorum is the partnership's to say, so no schema can tell that one is missing.
UNSTATED = {("minutes.full", "quorum_absence_reasons")}
# Blinded points and nothing else: a place for anything more could tell who came.
BLINDED = {"risklist.query/1", "risklist.evaluated/1"}
# That a plan is late, and nothing beyond it: no document either (domain 2, system 32).
ALERT_ONLY = {"plan.delayed/1"}
NAMES = [f"{where}: {name}" for where, _, name, _, _ in ROWS]


def _resolve(field: Schema) -> Schema:
    while "$ref" in field:
        field = PARTS[field["$ref"].rpartition("/")[2]]
    return field


def _is_kind(field: Schema, kind: str) -> bool:
    """Answer whether *field*, references followed, is what the domain calls *kind*."""
    tests: dict[str, bool] = {
        "bool": field["type"] == "boolean",
        "int": field["type"] == "integer",
        "part": field["type"] == "object",
        "set": field["type"] == "array" and field.get("uniqueItems", False),
        "list": field["type"] == "array",
        "date": field.get("format") == "date",
        "instant": field.get("format") == "date-time",
        "id": field == PARTS["Id"],
        "ref": field in [PARTS[name] for name in ("Id", "Ref", "Mailbox", "Organisation")],
        "code": field["type"] == "string" and ("enum" in field or field in [PARTS["Code"], PARTS["Language"]]),
        "text": "pattern" not in field and field.get("maxLength", 0) > 500,
        "str": "enum" not in field and 0 < field.get("maxLength", 0) <= 500,
    }
    return tests[kind]


def _conditional(schema: Schema) -> set[str]:
    """Return the fields that a condition of *schema* asks for or forbids."""
    named = {name for names in schema.get("dependentRequired", {}).values() for name in names}
    for rule in [*schema.get("allOf", ()), *schema.get("oneOf", ())]:
        for part in (rule, rule.get("then", {})):
            named |= {*part.get("required", ()), *part.get("not", {}).get("required", ())}
            named |= _conditional(part)
    return named


def test_every_type_that_the_domain_names_is_there() -> None:
    """No more and no fewer; the hub's own notices and receipts are no messages."""
    named = {f"{family}/1" for families in DOMAIN["types"].values() for family in families.split()}
    assert named | BLINDED == set(CATALOGUE.types())


@pytest.mark.parametrize(("where", "schema", "name", "kind", "mark"), ROWS, ids=NAMES)
def test_every_field_of_the_domain_is_there(where: str, schema: Schema, name: str, kind: str, mark: str) -> None:
    """Of its kind, and required, optional or conditional as the domain has it."""
    assert name in schema["properties"]
    assert _is_kind(_resolve(schema["properties"][name]), kind), f"{where}: {name} is no {kind}"
    if where == "minutes.full" and mark == "!":  # smaller variants need less; the full one all
        assert name in schema["required"] or name in _needed_by_full_minutes()
    else:
        assert (name in schema["required"]) == (mark == "!")
    assert mark != "~" or name in _conditional(schema) or (where, name) in UNSTATED


@cache
def _needed_by_full_minutes() -> set[str]:
    full = message("minutes.full/1")
    return {name for name in full if _is_refused({key: full[key] for key in full if key != name})}


def _is_refused(record: Any) -> bool:
    try:
        CATALOGUE.validate("minutes.full/1", record)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("name", DOMAIN["vocabularies"])
def test_every_vocabulary_of_the_domain_is_a_shared_part(name: str) -> None:
    """With its identifier, version and source, the domain's codes in its order, any others after them, a label for each."""
    part = PARTS[name]
    codes = DOMAIN["vocabularies"][name].split()
    assert part["x-vocabulary"]["source"].startswith("domain ")
    assert list(part["x-labels"])[: len(codes)] == codes
    assert part.get("enum", list(part["x-labels"])) == list(part["x-labels"])


def test_a_list_of_codes_that_two_types_could_share_is_a_vocabulary() -> None:
    """What stands in a type itself is a choice that only this type has: fewer than four codes, or part of a vocabulary."""
    vocabularies = [set(part["enum"]) for part in PARTS.values() if "x-vocabulary" in part and "enum" in part]
    for message_type in CATALOGUE.types():
        for name, field in CATALOGUE.schema(message_type)["properties"].items():
            codes = set(field.get("enum", ()))
            assert len(codes) < 4 or any(codes <= known for known in vocabularies), f"{message_type}: {name}"


@pytest.mark.parametrize("message_type", sorted({*CATALOGUE.types()} - BLINDED))
def test_members_of_every_message_are_there(message_type: str) -> None:
    """What the domain's sealed envelope says of any message can be said in each (domain 7.1)."""
    common = {"recorded_at", "subject_ref", "do_not_disclose_to", "embargo_until", "attachments"}
    present = common & CATALOGUE.schema(message_type)["properties"].keys()
    assert present == (common - {"attachments"} if message_type in ALERT_ONLY else common)
