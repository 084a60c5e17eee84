"""The benches themselves, with tiny numbers: they run, and say what they say they say.  Nothing here is timed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.strict_json import dump
from tests.bench import big_log, growth, inbox, lifecycle, report, rules, sweep, verify, year
from tests.bench.figures import Figures, Goal, load


def _measured(measure: Callable[[argparse.Namespace], Figures], folder: Path, n: int) -> Figures:
    figures = measure(argparse.Namespace(n=n, rounds=1, folder=folder))
    (folder / "figures.json").write_bytes(dump(figures))
    assert load(folder / "figures.json") == figures
    return figures


def test_every_load_goes_through_a_real_hub(tmp_path: Path) -> None:
    """One and six recipients, singly and in batches: every answer is the expected one, and costs are counted."""
    figures = _measured(lifecycle.measure, tmp_path, 6)
    assert [row["load"] for row in figures.rows] == ["1→1 singly", "1→1 by 100", "1→6 singly", "1→6 by 100"]
    assert all(float(row["hub CPU each, ms"]) > 0 and float(row["commits each"]) > 0 for row in figures.rows)
    assert list(tmp_path.glob("hub-bench-*")) == []


def test_a_sweep_takes_what_is_due_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 300 open obligations with 20 due, 20 are swept; of 3, all."""
    monkeypatch.setattr(sweep, "DUE", 20)
    assert [row["due"] for row in _measured(sweep.measure, tmp_path, 300).rows] == [3, 20, 20]


def test_an_obligation_is_opened_settled_and_swept_among_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a hundredth, a tenth and all of what is asked for, each cost is counted."""
    monkeypatch.setattr(growth, "DUE", 2)
    monkeypatch.setattr(growth, "AT_ONCE", 3)
    figures = _measured(growth.measure, tmp_path, 2_000)
    assert [row["open obligations"] for row in figures.rows] == [20, 200, 2_000]
    assert all(float(row[f"{what} one, µs"]) > 0 for row in figures.rows for what in ("opening", "settling"))


def test_an_agreement_is_made_to_any_size(tmp_path: Path) -> None:
    """The engine is measured against exactly as many rules as the figures say, and opens duties under each."""
    figures = _measured(rules.measure, tmp_path, 100)
    assert [row["rules"] for row in figures.rows] == [10, 10, 100, 100]
    assert all(int(row["duties opened"]) > 0 for row in figures.rows)


def test_each_page_of_the_inbox_is_asked_for(tmp_path: Path) -> None:
    """With a few messages: every page answers, searches find what they should, and costs are counted."""
    figures = _measured(inbox.measure, tmp_path, 40)
    assert [row["page"] for row in figures.rows][:3] == ["today", "a manager's today", "a thread"]
    assert all(float(row["CPU, ms"]) > 0 for row in figures.rows)
    assert len(figures.goals) == 3


def test_a_log_of_any_length_is_asked(tmp_path: Path) -> None:
    """With a few hundred leaves, so that there are tiles: each proof verifies, and what isn't there is looked for."""
    figures = _measured(big_log.measure, tmp_path, 600)
    assert [row["asked"] for row in figures.rows] == [1000, 1000, 100]
    assert len(figures.goals) == 3


def test_each_page_of_figures_is_asked_for_over_a_year(tmp_path: Path) -> None:
    """With forty envelopes: every page answers, and costs are counted."""
    figures = _measured(year.measure, tmp_path, 40)
    assert [row["page"] for row in figures.rows] == list(year.PAGES)
    assert {row["envelopes"] for row in figures.rows} == {40}
    assert len(figures.goals) == len(figures.rows)


def test_hashes_and_signatures_are_told_apart(tmp_path: Path) -> None:
    """Of three envelopes with their receipts: leaves, signatures, and all that the command verifies."""
    figures = _measured(verify.measure, tmp_path, 3)
    assert [row["count"] for row in figures.rows][:2] == [1500, 3 * 6 + 15 * 2]
    assert "numbers of feeds" in " ".join(figures.notes)


def test_a_goal_that_is_missed_is_said() -> None:
    """The page counts what is met, and names what isn't."""
    goals = [
        Goal(name="quick", limit=1.0, measured=0.5, unit="ms"),
        Goal(name="small", limit=1.0, measured=1.0, unit="MB"),
    ]
    figures = Figures(program="x", title="X", machine={}, rows=[{"load": "one", "ms": 0.5}], goals=goals, notes=[])
    page = report.page([figures])
    assert "1 of 2 met" in page
    assert "| X: small | 1 MB | 1 | **not met** |" in page
