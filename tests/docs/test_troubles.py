"""The table of what goes wrong with adapters' systems names tests that there are, for every adapter and every trouble."""

from __future__ import annotations

import ast
from functools import cache
from importlib.metadata import entry_points

import pytest

from adapters.plugins import GROUP
from docs.make_reference import ROOT, load_troubles

LISTED = load_troubles()


@cache
def names_in(path: str) -> set[str]:
    """Return the tests and the classes of tests in the file at *path*."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return {one.name for one in ast.parse((ROOT / path).read_text("utf-8")).body if isinstance(one, kinds)}


def test_every_adapter_is_listed() -> None:
    """Whoever adds an adapter says what holds it when its system is in trouble."""
    offered = {entry.name: entry.value for entry in entry_points(group=GROUP)}
    families = {"profiles" if value.startswith("adapters.profiles.") else name for name, value in offered.items()}
    missing = families - LISTED.adapters.keys()
    assert not missing, "list them in docs/troubles.toml, then run: uv run python docs/make_reference.py"


@pytest.mark.parametrize("adapter", sorted(LISTED.adapters))
def test_every_trouble_has_its_tests_or_cannot_come(adapter: str) -> None:
    """Each trouble of the adapter has at least one test that is there, or a sentence that says why it can't come."""
    rows = LISTED.adapters[adapter]
    assert rows.keys() == LISTED.troubles.keys()
    for held in rows.values():
        if isinstance(held, str):
            assert held.endswith(".")
            continue
        assert held
        for place in held:
            path, _, name = place.partition("::")
            assert name.removeprefix("test_") != name or name.startswith("Test"), place
            assert name in names_in(path), place
