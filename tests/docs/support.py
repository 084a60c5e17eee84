"""What the tests of the documentation share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"


def pages() -> list[Path]:
    """Return every page of documentation."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def code_blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of *page* in *language*."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def shipped_texts() -> Iterator[Path]:
    """Yield every text file of ours that ships or is read: pages, examples, code."""
    folders = ("docs", "hub", "adapters", "schemas", "keys", "tests")
    kinds = {".md", ".py", ".toml", ".csv", ".json", ".svg", ".sql", ".mjs"}
    yield ROOT / "README.md"
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in kinds and path.is_file() and not {"node_modules", "__pycache__"} & set(path.parts):
                yield path
