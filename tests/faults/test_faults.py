"""Every fault program, short and with a fixed seed: what must not happen, doesn't.

By hand they run as long as one likes: ``python -m tests.faults.hub_kills --n 10000``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from schemas.strict_json import dump
from tests.faults import clocks, disk_full, gateways, hang_ups, hub_kills, one_owner, plaintext, report, tamper
from tests.faults.counts import Check, Counts, Program, Tally, load

SEED = 20_180_414


async def _hold(program: Program, folder: Path, n: int) -> Counts:
    tally = Tally(program.__module__.rpartition(".")[2], program.__doc__ or "", SEED)
    await program(folder, tally, n)
    counts = tally.counts()
    assert counts.failed == [], tally.examples
    return counts


@pytest.mark.slow
async def test_a_hub_that_is_killed_under_load_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Twenty kills; everything answered 201 is there once, repeats get the same answer, the log verifies."""
    counts = await _hold(hub_kills.kill, tmp_path, 20)
    assert int(counts.figures["requests cut in the middle"]) > 20


@pytest.mark.slow
async def test_clients_that_hang_up_leave_nothing_half_done(tmp_path: Path) -> None:
    """Cut short in every way, by many at once: accepted wholly or not at all, and others are served meanwhile."""
    await _hold(hang_ups.program, tmp_path, 96)


@pytest.mark.slow
async def test_a_full_disk_refuses_and_stays_readable(tmp_path: Path) -> None:
    """507 and Retry-After; reading and signing in go on; with room, everything goes on; nothing accepted is lost."""
    await _hold(disk_full.program, tmp_path, 1)


@pytest.mark.slow
async def test_a_database_has_one_owner_and_no_past(tmp_path: Path) -> None:
    """A second process and a database that was put back are refused; two hubs share one PostgreSQL."""
    counts = await _hold(one_owner.program, tmp_path, 12)
    for note in counts.notes:
        assert os.environ.get("CI") != "true", note
        print(f"\n{note}", file=sys.__stderr__)


@pytest.mark.slow
async def test_no_clock_makes_late_timely_or_rings_twice(tmp_path: Path) -> None:
    """Set back and forward an hour; down for two days, when the gateways ring by themselves."""
    await _hold(clocks.program, tmp_path, 2)


@pytest.mark.slow
async def test_gateways_lose_nothing_and_file_nothing_twice(tmp_path: Path) -> None:
    """Killed around each receipt, restored from a backup, cut off, overtaken by an agreement and by a key's end."""
    await _hold(gateways.program, tmp_path, 2)


@pytest.mark.slow
async def test_no_planted_word_is_at_the_hub(tmp_path: Path) -> None:
    """Home, database, write-ahead log, logs, export, backup and memory, in every form; and the search finds planted ones."""
    await _hold(plaintext.program, tmp_path, 6)


@pytest.mark.slow
async def test_any_single_change_to_an_export_is_found(tmp_path: Path) -> None:
    """Bits, bytes, lines and ends of leaves, evidence, documents and checkpoint; the figures are the hub's own."""
    await _hold(tamper.program, tmp_path, 300)


def test_counts_add_up_and_a_failure_is_said(tmp_path: Path) -> None:
    """The page sums the runs, and shows what happened that must not; a check that was never tried has failed."""
    one = Counts(
        program="x", title="X", seed=1, figures={"kills": 3}, notes=["A note."],
        checks=[Check(what="a loss", tries=2, failed=1), Check(what="a gap", tries=0, failed=0)],
    )  # fmt: skip
    path = tmp_path / "x.json"
    path.write_bytes(dump(one))
    assert load(path) == one
    assert [check.what for check in one.failed] == ["a loss", "a gap"]
    text = report.page([one.add(one)])
    assert "2 failures in 4 tries" in text
    assert "| a loss | 4 | **2** |" in text
    assert "2 runs" in text
