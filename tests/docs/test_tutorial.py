"""The tutorial works: its commands, run as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.support import DOCS, run_page


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path) -> None:
    """Every shell block, in order, in an empty folder with the examples beside it."""
    done = run_page(DOCS / "tutorial.md", tmp_path, port="8471")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "verified: True" in done.stdout
    assert len(list((tmp_path / "practice" / "trust" / "in").glob("*/message.json"))) == 2
