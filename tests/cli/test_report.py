"""The reports as a person types them: tables with every definition beside them, JSON and CSV."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path

import pytest

from hub.store.base import open_store
from tests.cli.support import run
from tests.county import CAIT, COUNCIL, HEALTH, HOUR, MASH, NURSES, PAEDIATRICS, County, Desk

QUARTER = ("--from", "2026-06-30T23:00:00Z", "--to", "2026-09-30T23:00:00Z")
MINUTES = ("report", "receipts", "--type", "minutes.full")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the configuration of a hub at which six discussions were held, in a quarter that is over."""
    home = tmp_path_factory.mktemp("hub")
    county = County()
    asyncio.run(_live(home, county))
    (home / "clock").write_text(str(county.now))
    text = 'url = "http://127.0.0.1"\ndatabase = "sqlite:///hub.db"\ntraining = true\nclock = "file:clock"\n'
    (home / "hub.toml").write_text(text)
    return str(home / "hub.toml")


async def _live(home: Path, county: County) -> None:
    store = open_store(f"sqlite:///{home}/hub.db")
    desk = Desk(county, store, await county.found(store))
    parties = [CAIT, NURSES, PAEDIATRICS]
    for _ in range(6):
        held = county.seal("meeting.held/1", MASH, parties, facts={"meeting": "strategy"}, parties=[MASH, *parties])
        await desk.send(held)
        sent = county.seal(
            "minutes.full/1", MASH, parties[:2], facts={"variant": "full"}, parties=parties, thread=held.header.thread
        )
        await desk.send(sent)
        await desk.receive(sent, NURSES, "collected", "filed")
    await desk.tick(100 * 24 * HOUR)
    await store.close()


def test_receipts_are_a_table_with_definitions(config: str) -> None:
    """Rows, what each column means, and every variant with its own definition."""
    said = " ".join(run(*MINUTES, "--by", "week", "--config", config).stdout.split())
    assert "Receipts by week" in said
    assert "2026-W29" in said
    for word in ("received_by_deadline", "opened_by_deadline", "received_of_those_sent", "Missing: past due"):
        assert word in said
    assert "Left out" not in said


def test_receipts_of_one_sector_as_json_and_csv(config: str) -> None:
    """Health only: what an inspector asks for; each way to count "received" is a row with its definition."""
    words = (*MINUTES, "--sector", "health", "--config", config)
    told = json.loads(run(*words, "--by", "sector", "--json").stdout)
    assert (told["rows"]["health"]["owed"], told["rows"]["health"]["received"], list(told["rows"])) == (
        12,
        6,
        ["health"],
    )
    assert told["definitions"]["owed"]
    rows = list(csv.DictReader(run(*words, "--by", "variant", "--csv").stdout.splitlines()))
    found = {row["name"]: row for row in rows}
    assert (found["received_by_deadline"]["count"], found["received_by_deadline"]["of"]) == ("6", "12")
    assert (found["collected_of_those_sent"]["rate"], found["opened_by_deadline"]["rate"]) == ("1.0", "0.0")
    assert all(row["definition"] for row in rows)
    assert "Ways to count" not in run(*words, "--by", "variant").stdout


def test_what_is_shared_has_no_small_count(config: str) -> None:
    """For anybody: one type, one whole quarter that is over; nobody's waits."""
    told = json.loads(run(*MINUTES, *QUARTER, "--shared", "--json", "--config", config).stdout)
    assert (told["suppressed_below"], told["others_shown"], told["missing"]) == (5, True, [])
    assert (told["rows"][HEALTH]["owed"], told["rows"][HEALTH]["opened"]) == (12, None)
    text = run(*MINUTES, *QUARTER, "--shared", "--config", config).stdout
    assert "Left out: counts under 5" in text
    assert "Others' figures are given" not in text
    other = run(*MINUTES, "--shared", "--config", config).stdout
    assert "Others' figures are given for one type, every sector, and one whole quarter that is over." in other


def test_duties_are_shown_rule_by_rule(config: str) -> None:
    """In time, late, stuck with threads; hours; and quality beside speed."""
    words = ("report", "duties", "--type", "meeting.held", "--rule", "full-minutes", "--config", config)
    told = json.loads(run(*words, "--json").stdout)
    (full,) = told["rules"]
    assert (full["total"]["owed"], full["total"]["met"], full["total"]["stuck"]) == (18, 12, 6)
    assert (full["total"]["followed"], full["total"]["median_hours"], full["total"]["faulty_rate"]) == (6, 0.0, 0.0)
    rows = list(csv.DictReader(run(*words, "--csv").stdout.splitlines()))
    assert [(row["agency"], row["in_time_rate"]) for row in rows] == [(COUNCIL, "0.6667"), ("total", "0.6667")]
    said = " ".join(run(*words).stdout.split())
    assert "Stuck: full-minutes" in said
    assert "the quality beside the speed" in said


def test_an_unknown_rule_is_not_a_report_of_nothing(config: str) -> None:
    """A misspelt type or rule has no duties, and that must not look like good news."""
    for words in (("--type", "meeting.hold"), ("--type", "meeting.held", "--rule", "ful-minutes")):
        done = run("report", "duties", *words, "--config", config, ok=False)
        assert done.returncode == 1
        assert done.stderr.startswith("hub: no agreement has a rule")
