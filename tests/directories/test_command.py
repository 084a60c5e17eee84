"""A directory is checked as an officer types it, before anybody signs it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.support import make_hub, run
from tests.county import County, jws
from tests.directories.reorganised import HARBOUR, entries
from tests.schemas.samples import directory, payload


def test_check_reads_a_directory_signed_or_not(tmp_path: Path) -> None:
    """Nothing is found in the county as it is; whoever signed it, what it says is checked."""
    said = payload(directory(partnership="exampleshire-partnership", agencies=list(entries().values())))
    plain, signed = tmp_path / "plain.json", tmp_path / "signed.json"
    plain.write_bytes(said)
    signed.write_bytes(County().sign_document(said, jws.DIRECTORY))
    for file in (plain, signed):
        assert run("directory", "check", str(file), "--at", "2018-06-01").stdout == "0 errors, 0 notes\n"


def test_check_ends_with_1_where_something_is_wrong(tmp_path: Path) -> None:
    """Each finding has its level, code and place, as text and as JSON; a file that is no directory is named."""
    changed = entries()
    changed[HARBOUR]["successors"] = []
    file = tmp_path / "bad.json"
    file.write_bytes(payload(directory(partnership="exampleshire-partnership", agencies=list(changed.values()))))
    done = run("directory", "check", str(file), ok=False)
    assert done.returncode == 1
    assert done.stdout.startswith(f"error: successor-missing: {HARBOUR}: ")
    shown = json.loads(run("directory", "check", str(file), "--json", ok=False).stdout)
    assert (shown["errors"], shown["findings"][0]["level"]) == (1, "error")
    missing = run("directory", "check", str(tmp_path / "none.json"), ok=False)
    assert missing.returncode == 1
    assert "couldn't read" in missing.stderr
    file.write_text("{}")
    assert run("directory", "check", str(file), ok=False).returncode == 1


def test_check_looks_at_the_one_in_force(tmp_path: Path) -> None:
    """Without a file it is the hub's own; nobody of the partnership has joined a new hub yet, so nobody owns what is lost."""
    make_hub(tmp_path / "hub")
    done = run("directory", "check", "--config", str(tmp_path / "hub" / "hub.toml"), ok=False)
    assert done.stdout.startswith("error: owner-missing: exampleshire-partnership: ")
    assert done.stdout.splitlines()[1:] == ["1 errors, 0 notes"]
