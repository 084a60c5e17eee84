"""The page of risks is whole, its tests exist, and what it says of texts and data holds for every file."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from schemas.nhs_number import is_nhs_number, is_test_number
from tests.docs.support import DOCS, ROOT, shipped_texts

ROW = re.compile(r"^\| (\d+|[a-z]) \| (.+) \| (.+) \| (.+) \| (.*) \|$", re.MULTILINE)
SHOWN = re.compile(r"\[`([\w/]+\.py)::(\w+)`\]\(\.\./tests/([\w/]+\.py)\)")
ROWS = [match.groups() for match in ROW.finditer((DOCS / "risks.md").read_text("utf-8"))]
# Templates, styles and what is packed beside the code are read too, wherever they come to lie.
TEXT = {".md", ".py", ".toml", ".csv", ".json", ".svg", ".sql", ".mjs", ".html", ".txt", ".js", ".css", ".j2"}
# Spelt so that this file isn't found by its own search.
CLAIM = "com" + "pliant"
TEN_DIGITS = re.compile(r"(?<![0-9A-Za-z.,_+/=-])([0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4})(?![0-9A-Za-z_+/=])")
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
TELEPHONE = re.compile(r"\b0[0-9]{4} ?[0-9]{6}\b|\b0[0-9]{3} ?[0-9]{3} ?[0-9]{4}\b|\+44[ 0-9]{10,14}")
POSTCODE = re.compile(r"\b[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][A-Z]{2}\b")


@cache
def names_in(path: Path) -> frozenset[str]:
    """Return the names of the tests in a file, without running any of it."""
    parsed = ast.parse(path.read_text("utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(parsed)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def every_text() -> list[Path]:
    """Return every text file that ships or is read."""
    more = [path for folder in ("docs", "hub", "adapters", "schemas", "keys") for path in (ROOT / folder).rglob("*")]
    found = {path for path in more if path.suffix in TEXT and path.is_file() and "__pycache__" not in path.parts}
    return sorted({*found, *shipped_texts(), ROOT / "CHANGELOG.md", ROOT / "pyproject.toml"})


def test_every_risk_has_its_row() -> None:
    """All thirty-two, in order, and those of MESH, each with its control."""
    assert [row[0] for row in ROWS] == [*(str(number) for number in range(1, 33)), *"abcd"]
    assert all(len(row[1]) > 10 and len(row[2]) > 40 for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_risk_is_shown_by_tests_that_exist(row: tuple[str, ...]) -> None:
    """At least one test a risk; each link leads to the file that it names, and the test is in it."""
    named = SHOWN.findall(row[3])
    assert named
    assert "::" not in SHOWN.sub("", row[3]), "a test is named in another way than by its link"
    for said, name, file in named:
        assert said == file
        assert name in names_in(ROOT / "tests" / file), f"{file}::{name}"


def test_a_test_that_is_not_there_is_noticed() -> None:
    """The search knows tests from other functions, and an empty file has none."""
    here = Path(__file__)
    assert "test_a_test_that_is_not_there_is_noticed" in names_in(here)
    assert not {"every_text", "names_in", "test_of_nothing"} & names_in(here)
    assert SHOWN.findall("[`docs/test_risks.py::test_x`](../tests/docs/test_risks.py)") == [
        ("docs/test_risks.py", "test_x", "docs/test_risks.py")
    ]


def test_what_is_not_built_is_said() -> None:
    """A control that this project doesn't have is named where one looks for it; one that it has is not."""
    remains = {row[0]: row[4] for row in ROWS}
    assert "Not built" in remains["27"]
    assert "Not built" not in remains["25"]


def test_nothing_claims_what_code_cannot_have() -> None:
    """The word by which software is said to meet a law or standard is in no page, template, message or code (risk 31)."""
    found = [path.relative_to(ROOT).as_posix() for path in every_text() if CLAIM in path.read_text("utf-8").casefold()]
    assert found == []


def test_nobody_in_any_file_is_real() -> None:
    """No number that the NHS could have issued, no address, telephone number or postcode of anybody, in pages, data, code and tests (risk 32)."""
    found = []
    for path in every_text():
        text = path.read_text("utf-8")
        numbers = {re.sub(r"\D", "", number) for number in TEN_DIGITS.findall(text)} - {"0" * 10}
        wrong = {number for number in numbers if is_nhs_number(number) and not is_test_number(number)}
        wrong |= {one for one in ADDRESS.findall(text) if not re.search(r"\.(test|example)$|@example\.(org|com)$", one)}
        wrong |= {one for one in TELEPHONE.findall(text) if not re.match(r"(?:0|\+44 ?)(?:1632 ?960|7700 ?900)", one)}
        wrong |= {one for one in POSTCODE.findall(text) if not one.startswith("ZZ")}
        found += [f"{path.relative_to(ROOT)}: {one}" for one in wrong]
    assert found == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (TEN_DIGITS, "the number 999 000 0018 of"),
        (TEN_DIGITS, '"9990000018"'),
        (ADDRESS, "write to jo.sample@example.org."),
        (TELEPHONE, "call 01632 960001"),
        (TELEPHONE, "or +44 7700 900123"),
        (POSTCODE, "Sampleton ZZ1 1AA"),
    ],
)
def test_the_search_sees_what_it_is_for(pattern: re.Pattern[str], text: str) -> None:
    """Each form in which a real person could stand in a file is found."""
    assert pattern.search(text)
