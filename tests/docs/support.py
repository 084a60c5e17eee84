"""What the tests of the documentation share."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"


def pages() -> list[Path]:
    """Return every page of documentation."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def code_blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of *page* in *language*."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def run_page(page: Path, folder: Path, *, port: str) -> subprocess.CompletedProcess[str]:
    """Run every shell block of *page*, in order, in *folder* with the examples beside it; its *port* becomes a free one."""
    if shutil.which("bash") is None:
        pytest.skip("needs bash")
    shutil.copytree(DOCS, folder / "docs")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = str(probe.getsockname()[1])
    script = "\n".join(["set -e", "set -m", 'trap "kill %1 2>/dev/null || true" EXIT', *code_blocks(page, "sh")])
    # A person waits four seconds; a test, until the hub is ready, which may be sooner or later.
    look = f"python -c 'import urllib.request as web; web.urlopen(\"http://127.0.0.1:{free}/readyz\")' 2>/dev/null"
    ready = f"for _ in $(seq 120); do {look} && break; sleep 0.5; done"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", script.replace(port, free).replace("sleep 4", ready)],
        cwd=folder,
        env={**os.environ, "PATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def shipped_texts() -> Iterator[Path]:
    """Yield every text file of ours that ships or is read: pages, examples, code."""
    folders = ("docs", "hub", "adapters", "schemas", "keys", "tests")
    kinds = {".md", ".py", ".toml", ".csv", ".json", ".svg", ".sql", ".mjs"}
    yield ROOT / "README.md"
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in kinds and path.is_file() and not {"node_modules", "__pycache__"} & set(path.parts):
                yield path
