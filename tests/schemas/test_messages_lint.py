"""What holds for every schema file, so that a form, a validator in another language and a reader can rely on it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from schemas.catalogue import Catalogue
from schemas.linting import lint_catalogue
from schemas.nhs_number import is_test_number
from schemas.references import find_references
from schemas.validator import _compile

FOLDER = Path(__file__).parents[2] / "schemas" / "messages"
FILES = sorted(FOLDER.glob("*.schema.json"))
SAMPLES = sorted((Path(__file__).parent / "messages").glob("*.json"))
SHARED = json.loads((FOLDER / "shared.schema.json").read_text())
CATALOGUE = Catalogue.load()


def test_nothing_is_wrong_with_any_type() -> None:
    """Closed groups, bounded sizes, quick patterns, words for a form, references and pointers that lead somewhere."""
    assert [f"{name}{problem.message}" for name, problem in lint_catalogue(CATALOGUE)] == []


PATTERNS = sorted({found for file in FILES for found in re.findall(r'"pattern": "(.*)"', file.read_text())})


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_quick_on_hostile_text(pattern: str) -> None:
    """What the linter reckons is so: a hundred thousand characters fail at once."""
    compiled = _compile(json.loads(f'"{pattern}"'))
    started = time.perf_counter()
    for filler in ("a", "-", "0", "a-", "a.", "A1", "@", "/"):
        compiled.search(filler * 100_000 + "\n")
        compiled.search(filler * 50 + "\n")
    assert time.perf_counter() - started < 0.5


def test_there_are_many_vocabularies() -> None:
    """That no two share a name is the linter's to find; here, that the lists are shared parts and not written in place."""
    assert sum("x-vocabulary" in part for part in SHARED["$defs"].values()) > 90


def test_every_shared_part_is_used() -> None:
    """What nothing uses nobody keeps; the conference's outcome waits for the type that tells it."""
    used = {found.rpartition("/")[2] for file in FILES for found in find_references(json.loads(file.read_text()))}
    assert SHARED["$defs"].keys() - used <= {"ConferenceOutcome"}


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
