"""The demo as a whole: the real command, on a small input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.demo.support import small_input

COMMAND = [str(Path(sys.executable).parent / "hub"), "demo"]


def _environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(tmp_path)}


@pytest.mark.slow
def test_a_small_quarter_is_counted_and_proved(tmp_path: Path) -> None:
    """Six sets are owed to health: one by one, they come out as the list says; and the three proofs hold."""
    folder = small_input(tmp_path / "input")
    done = subprocess.run(
        [*COMMAND, "--json", "--input", str(folder)],
        capture_output=True, text=True, env=_environment(tmp_path), timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    summary = json.loads(done.stdout)
    # Discussion 071: safeguarding in time; 072: the emergency department never looked, the practice's came late.
    assert (summary["owed"], summary["received"]) == (6, 1)
    assert summary["received_rate"] == round(1 / 6, 4)
    assert {(row["discussion"], row["creditor"].partition("/")[0]) for row in summary["missing"]} == {
        ("EX-2026-071", "exampleshire-school-nursing"),
        ("EX-2026-071", "millfield-surgery"),
        ("EX-2026-072", "northmere-health"),
    }
    assert [row["creditor"] for row in summary["untaken"]] == ["northmere-health/emergency-department"]
    assert summary["notices"] == {"overdue": 3, "warned": 3, "debtor_told": 3, "creditor_told": 3}
    assert (summary["after"]["received_in_the_end"], summary["after"]["missing"]) == (6, [])
    assert summary["audit"]["verified"] is True
    assert summary["audit"]["witnessed"] is True
    assert "witness.example/w1" in summary["audit"]["witnesses"]
    assert summary["plaintext_found"] == 0
    assert summary["altered"]["found"] is True
    assert not list(tmp_path.glob("hub-demo-*")), "the demo cleans up after itself"


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    """Interrupted in the middle, every hub and gateway has ended, and the folder is gone."""
    folder = small_input(tmp_path / "input")
    with subprocess.Popen(
        [*COMMAND, "--input", str(folder)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=_environment(tmp_path),
    ) as demo:  # fmt: skip
        assert demo.stderr is not None
        for line in demo.stderr:
            if line.startswith("Replaying"):
                break
        time.sleep(2)
        assert _processes_of(tmp_path)
        demo.send_signal(signal.SIGINT)
        demo.stderr.read()
        assert demo.wait(60) == 130
    assert _processes_of(tmp_path) == []
    assert not list(tmp_path.glob("hub-demo-*"))


def _processes_of(folder: Path) -> list[str]:
    """Return the command lines of the hubs and gateways that run under *folder*."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(folder / "hub-demo-") in line:
            found.append(line)
    return found
