"""An agreement is tried out as a person types it, before anybody signs it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.support import run
from tests.county import EXAMPLES

AGREEMENT, COUNTY = str(EXAMPLES / "agreement.toml"), str(EXAMPLES / "county.toml")
EVENTS = str(EXAMPLES / "simulation.toml")


def test_check_finds_nothing_wrong_with_the_example() -> None:
    """Notes at most, and status 0; as JSON each finding has its level, code and place."""
    assert "0 errors" in run("agreement", "check", AGREEMENT, "--at", "2026-07-06").stdout.splitlines()[-1]
    found = json.loads(
        run("agreement", "check", AGREEMENT, "--directory", COUNTY, "--json", "--at", "2026-07-06").stdout
    )
    assert found["errors"] == 0
    assert {one["level"] for one in found["findings"]} == {"note"}
    assert "role education" in {one["where"] for one in found["findings"] if one["code"] == "role-unfilled"}


def test_check_ends_with_1_where_something_is_wrong(tmp_path: Path) -> None:
    """A fact that no message says would wait for ever in silence."""
    text = (EXAMPLES / "agreement.toml").read_text("utf-8")
    (tmp_path / "bad.toml").write_text(text.replace('when = { band = ["moderate"', 'when = { bend = ["moderate"'))
    done = run("agreement", "check", str(tmp_path / "bad.toml"), "--at", "2026-07-06", ok=False)
    assert done.returncode == 1
    assert "error: never-opened: risk.agreed: flag-requested: no message of this type says `bend`" in done.stdout
    late = run("agreement", "check", AGREEMENT, "--at", "2050-01-01", ok=False)
    assert late.returncode == 1
    assert "beyond-calendar" in late.stdout


def test_simulate_shows_what_would_be_owed_and_who_is_told() -> None:
    """As tables in local time, and as JSON in milliseconds; `--until` stops the clock."""
    words = ("agreement", "simulate", AGREEMENT, EVENTS, "--directory", COUNTY)
    said = run(*words).stdout
    assert "2026-07-13 17:00  late      full-minutes" in said
    assert "2026-07-07 13:00  due-soon  decision-note" in said
    early = json.loads(run(*words, "--json", "--until", "2026-07-06").stdout)
    opened = {line["rule"] for line in early["lines"] if line["opened_by"] != "the calendar"}
    assert opened == {"probation-asked", "convened-received"}
    assert early["refused"] == []
    assert "TOLD AT" not in run(*words, "--until", "2026-07-03T14:30:00Z").stdout


def test_simulate_says_what_would_be_refused(tmp_path: Path) -> None:
    """Without a directory of its own the events' file must list the agencies; status 1."""
    done = run("agreement", "simulate", AGREEMENT, EVENTS, ok=False)
    assert done.returncode == 1
    assert "refused: held: `sampleton-childrens-services/mash` is no open mailbox" in done.stdout
    (tmp_path / "bad.toml").write_text('[[events]]\nname = "one"\n')
    bad = run("agreement", "simulate", AGREEMENT, str(tmp_path / "bad.toml"), ok=False)
    assert bad.returncode == 1
    assert bad.stderr.startswith("hub: events: ")
