"""The table of codes knows every code that is raised for a caller, and every one of the table is well made."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from hub.errors import CODES, HubError, Refusal, RefusedError, known

ROOT = Path(__file__).parent.parent.parent
RAISERS = {"HubError", "MalformedError", "NotAuthenticError", "Refusal", "KeysError", "LimitError", "StoreError"}


def _codes() -> dict[str, str]:
    found: dict[str, str] = {}
    for folder in ("hub", "schemas", "keys"):
        for path in (ROOT / folder).rglob("*.py"):
            if "demo" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISERS:
                    given = [word.value for word in node.keywords if word.arg == "code"]
                    place = 1 if node.func.id == "LimitError" else 0
                    first = given[0] if given else node.args[place] if len(node.args) > place else None
                    if isinstance(first, ast.Constant) and isinstance(first.value, str):
                        found.setdefault(first.value, f"{path.relative_to(ROOT)}:{node.lineno}")
    return found


def test_every_code_that_is_raised_is_in_the_table() -> None:
    """A page, a problem and the documentation can name each."""
    missing = {code: place for code, place in _codes().items() if code not in CODES}
    assert not missing


def test_codes_are_kebab_case_with_a_status_and_a_title() -> None:
    """They are permanent, so they are spelt with care."""
    for code, fixed in CODES.items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
        assert 400 <= fixed.status <= 599
        assert fixed.title[0].isupper()
        assert not fixed.title.endswith(".")


def test_an_unknown_code_is_the_callers_malformed_input() -> None:
    """A code of a later schema gets 400 and a readable title."""
    assert known("some-new-code") == (400, "Some new code")


def test_a_refusal_keeps_its_code_message_and_hint() -> None:
    """As an error it says what it said as a value."""
    error = RefusedError(Refusal("not-found", "nothing", "look"))
    assert (error.code, error.message, error.hint, str(error)) == ("not-found", "nothing", "look", "nothing")
    assert isinstance(error, HubError)
