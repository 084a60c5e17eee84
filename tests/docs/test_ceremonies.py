"""The key ceremonies work as they are written: every command of the page, as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.support import DOCS, run_page


@pytest.mark.slow
def test_the_ceremonies_are_rehearsed(tmp_path: Path) -> None:
    """Officers' keys, the beginning, an agency, a stolen key, another identity, new officers, a new agreement, the records."""
    done = run_page(DOCS / "ceremonies.md", tmp_path, port="8472")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for said in (
        "Enough have signed",
        "* northmere-health: is new: Northmere Health Trust",
        "* northmere-health: has another identity key: ",
        "* officers: key removed: ",
        "until now: Retention `case`",
    ):
        assert said in done.stdout
    at_agency = next(line for line in done.stdout.splitlines() if line.startswith("with: exampleshire-partnership"))
    number = at_agency.split("number: ")[1][:71]
    assert number in done.stdout.splitlines()
    halves = [f"  {number[:35]}", f"  {number[36:]}"]
    assert "\n".join(halves) in done.stdout
    record = (tmp_path / "rehearsal" / "record.txt").read_text()
    assert record.startswith("RECORD OF A KEY CEREMONY")
    assert record.count(" by their clock") == 4
    assert not list((tmp_path / "rehearsal" / "hub").rglob("officer*"))
