"""The tutorial works: its commands, run as they stand."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.support import DOCS, code_blocks


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path) -> None:
    """Every shell block, in order, in an empty folder with the examples beside it."""
    if shutil.which("bash") is None:
        pytest.skip("needs bash")
    shutil.copytree(DOCS, tmp_path / "docs")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    script = "\n".join(
        ["set -e", "set -m", 'trap "kill %1 2>/dev/null || true" EXIT', *code_blocks(DOCS / "tutorial.md", "sh")]
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script.replace("8471", port).replace("sleep 4", "sleep 8")],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "verified: True" in done.stdout
    assert len(list((tmp_path / "practice" / "trust" / "in").glob("*/message.json"))) == 2
