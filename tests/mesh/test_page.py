"""The page about MESH says what the front door does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from hub.web.mesh.app import OPERATIONS

PAGE = (Path(__file__).parents[2] / "docs" / "mesh.md").read_text("utf-8")


def test_every_operation_is_listed() -> None:
    """With its methods, and no other."""
    listed = {(*one.methods, one.path) for one in OPERATIONS} | {("GET", "/_ping")}
    assert {
        (*found[0].split(", "), found[1])
        for found in re.findall(r"^\| ([A-Z, ]+) \| `(/[^`]+)` \|", PAGE, re.MULTILINE)
    } == listed


def test_every_code_is_listed() -> None:
    """Each code that the front door refuses with stands in the table."""
    import hub.web.mesh

    folder = Path(next(iter(hub.web.mesh.__path__)))
    raised: set[str] = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "DoorError" and len(node.args) > 1:
                code = node.args[1]
                if isinstance(code, ast.Constant):
                    raised.add(str(code.value))
    missing = {code for code in raised - {"not-found"} if not re.search(rf"\b{re.escape(code)}\b", PAGE)}
    # Nothing to send has no row of its own: no client sends it.
    assert missing <= {"02"}
