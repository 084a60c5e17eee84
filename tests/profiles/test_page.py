"""The page about records says what is so: its mapping fits, its options are those that there are, its codes are those that are told."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from adapters.hosting.grants import split_table
from adapters.profiles.adapter import OPTIONS
from adapters.profiles.checking import parse_mapping
from adapters.profiles.http import HttpOptions
from schemas.catalogue import Catalogue

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/agencies/records.md").read_text("utf-8")
# What goes over tables instead is another page's.
OURS = [path for path in (ROOT / "adapters/profiles").glob("*.py") if path.stem not in {"tables", "databases"}]
CODE = "".join(path.read_text("utf-8") for path in OURS)


def blocks(language: str) -> list[str]:
    """Return the page's blocks in *language*."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_mapping_of_the_page_fits() -> None:
    """It can be copied and begun with."""
    (example,) = (one for one in blocks("json") if '"about"' in one)
    assert parse_mapping(example.encode(), Catalogue.load()).send[0].kind == "marker_cleared"


def test_every_block_is_what_it_says() -> None:
    """JSON is JSON."""
    assert all(isinstance(json.loads(one), dict) for one in blocks("json"))


def test_the_options_of_the_page_are_those_that_there_are() -> None:
    """None is missing and none is made up."""
    (example,) = blocks("toml")
    _, own = split_table("police", tomllib.loads(example)["adapters"]["police"])
    assert own.keys() == OPTIONS | set(HttpOptions.__struct_fields__)


def test_the_codes_of_the_page_are_those_that_are_told() -> None:
    """A code that somebody finds in a log or on a record is explained here."""
    told = set(re.findall(r'"(records?-[a-z-]+)"', CODE))
    assert told == set(re.findall(r"`(records?-[a-z-]+)`", PAGE))
