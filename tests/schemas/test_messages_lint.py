"""What holds for every schema file, so that a form, a validator in another language and a reader can rely on it."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.catalogue import Catalogue
from schemas.nhs_number import is_test_number
from schemas.validator import _compile

FOLDER = Path(__file__).parents[2] / "schemas" / "messages"
FILES = sorted(FOLDER.glob("*.schema.json"))
SAMPLES = sorted((Path(__file__).parent / "messages").glob("*.json"))
SHARED = json.loads((FOLDER / "shared.schema.json").read_text())
CATALOGUE = Catalogue.load()
# Of the standard, what these files use; a keyword more needs words in `catalogue_words`.
_KEYWORDS = (
    "$schema $id $defs $ref title description type properties required additionalProperties items minItems maxItems "
    "uniqueItems minLength maxLength pattern format minimum maximum enum const allOf oneOf not if then contains "
    "propertyNames dependentRequired minProperties examples x-clear x-vocabulary x-labels"
)
KEYWORDS = frozenset(_KEYWORDS.split())
SCHEMAS_WITHIN = ("items", "if", "then", "not", "contains", "propertyNames")


def _schemas(node: dict[str, Any], place: str = "", test: bool = False) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield each schema in a file, its place, and whether it only tests or narrows what another one defines."""
    yield place, node, test
    for name in ("properties", "$defs"):
        for key, member in node.get(name, {}).items():
            yield from _schemas(member, f"{place}/{name}/{key}", test)
    for name in ("allOf", "oneOf"):
        for number, member in enumerate(node.get(name, ())):
            yield from _schemas(member, f"{place}/{name}/{number}", True)
    for name in SCHEMAS_WITHIN:
        if name in node:
            yield from _schemas(node[name], f"{place}/{name}", test or name != "items")


ALL = [(file.name, *found) for file in FILES for found in _schemas(json.loads(file.read_text()))]


def test_only_known_keywords_are_used() -> None:
    """A misspelt keyword would be ignored by every validator, and what it guards would not be guarded."""
    for file, place, node, _ in ALL:
        assert set(node) <= KEYWORDS, f"{file}{place}"


def test_every_group_is_closed_and_every_size_bounded() -> None:
    """Nothing unknown, nothing endless: groups name their fields, lists, texts and numbers have limits."""
    for file, place, node, test in ALL:
        where = f"{file}{place}"
        if test:
            continue
        if node.get("type") == "object":
            assert node["additionalProperties"] is False, where
            assert set(node["required"]) <= set(node["properties"]), where
            assert len(set(node["required"])) == len(node["required"]), where
        if node.get("type") == "array":
            assert 0 < node["maxItems"] <= 2000, where
            assert node.get("minItems", 0) <= node["maxItems"], where
        if node.get("type") == "integer":
            assert node["minimum"] < node["maximum"] < 2**53, where
        if node.get("type") == "string" and "enum" not in node:
            assert 0 < node["minLength"] <= node["maxLength"] <= 100_000, where


def test_every_field_can_be_shown_in_a_form() -> None:
    """Title without a full stop, description as a sentence, a label for each code that is not in the older files."""
    for file, place, node, test in ALL:
        if test or not re.search(r"/(?:properties|\$defs)/[^/]+$", place):
            continue
        where = f"{file}{place}"
        assert 2 <= len(node["title"]) <= 60, where
        assert not node["title"].endswith("."), where
        assert 8 <= len(node["description"]) <= 300, where
        assert node["description"].endswith("."), where
        assert ("$ref" in node) != ("type" in node), where
        for code, label in node.get("x-labels", {}).items():
            assert label.rstrip(".") == label != "", where
            assert code in node.get("enum", [code]), where


def test_every_condition_speaks_of_fields_that_exist() -> None:
    """A condition about a misspelt field would never hold."""
    for file, place, node, test in ALL:
        if test or node.get("type") != "object":
            continue
        known = set(node["properties"])
        for rule in node.get("allOf", ()):
            for part in (rule, *(rule.get(name, {}) for name in ("if", "then", "not"))):
                named = {*part.get("required", ()), *part.get("properties", ())}
                named |= set(part.get("not", {}).get("required", ()))
                assert named <= known, f"{file}{place}"
        for given, needed in node.get("dependentRequired", {}).items():
            assert {given, *needed} <= known, f"{file}{place}"
        # Without `required`, a condition about an absent field holds and asks for things nobody meant.
        for rule in node.get("allOf", ()):
            if "properties" in rule.get("if", {}):
                assert set(rule["if"]["properties"]) <= set(rule["if"]["required"]), f"{file}{place}"


PATTERNS = sorted({node["pattern"] for _, _, node, _ in ALL if isinstance(node.get("pattern"), str)})


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_anchored_and_quick_on_hostile_text(pattern: str) -> None:
    """Anchored at both ends, and no repeat without a limit; a hundred thousand characters fail at once."""
    assert re.fullmatch(r"\^.*\$", pattern)
    assert not re.search(r"[*+]|,\}", re.sub(r"\\.|\[[^]]*\]", "x", pattern)), "unbounded repeat"
    compiled = _compile(pattern)
    started = time.perf_counter()
    for filler in ("a", "-", "0", "a-", "a.", "A1", "@", "/"):
        compiled.search(filler * 100_000 + "\n")
        compiled.search(filler * 50 + "\n")
    assert time.perf_counter() - started < 0.5


def test_vocabularies_have_one_name_each() -> None:
    """An identifier and version name one list, wherever it is used."""
    names = Counter(
        (part["x-vocabulary"]["id"], part["x-vocabulary"]["version"])
        for part in SHARED["$defs"].values()
        if "x-vocabulary" in part
    )
    assert len(names) > 60
    assert set(names.values()) == {1}


def test_every_shared_part_is_used() -> None:
    """What nothing uses nobody keeps; the conference's outcome waits for the type that tells it."""
    text = "".join(file.read_text() for file in FILES)
    unused = {name for name in SHARED["$defs"] if f'/$defs/{name}"' not in text}
    assert unused <= {"ConferenceOutcome"}


@pytest.mark.parametrize("message_type", CATALOGUE.types())
def test_every_reference_leads_somewhere(message_type: str) -> None:
    """A broken reference would only be seen when somebody fills in that very field."""
    schema = CATALOGUE.schema(message_type)
    resolver = CATALOGUE._registry.resolver(schema["$id"])
    for _, node, _ in _schemas(dict(schema)):
        if "$ref" in node:
            assert resolver.lookup(node["$ref"]).contents["title"]


def test_samples_are_of_nobody() -> None:
    """NHS numbers are of the range that is never issued, addresses of example domains, telephones reserved for drama."""
    allowed = {"9990000018", "9990000026", "9990000034", "9990000042", "9990000107", "9990000115"}
    for sample in SAMPLES:
        text = sample.read_text()
        for number in re.findall(r"(?<![0-9])[0-9]{10}(?![0-9])", text):
            assert is_test_number(number), sample.name
            assert number in allowed, sample.name
        for address in re.findall(r"@[a-z.]+", text):
            assert address == "@example.org", sample.name
        for telephone in re.findall(r"\b0[0-9]{4} [0-9]{6}", text):
            assert telephone.startswith("01632 960"), sample.name
