"""`docs/reliability.md`, from what the fault programs counted: no figure in it is typed.

``python -m tests.faults.report --run`` runs every program once more, which takes minutes, and adds its counts to those
of earlier runs; without ``--run`` the page is written from what is counted already.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

from schemas.strict_json import dump
from tests.faults.counts import Counts, load

# Each program with the number of tries of one run.
PROGRAMS: Final = {
    "hub_kills": 60, "hang_ups": 400, "disk_full": 3, "one_owner": 60, "clocks": 8, "gateways": 18, "plaintext": 60,
    "tamper": 3000,
}  # fmt: skip
COUNTED: Final = Path(__file__).parent / "counted"
PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
HEAD: Final = """# Reliability

What programs did to real hubs and gateways, how often, and how often something came of it that must not. "0 in N tries"
is what is claimed, never a proof. Everything ran on one machine: kills and full disks are real, power cuts are not among
them, and two processes beside each other are no evidence for several machines.

Written by `python -m tests.faults.report`: change the programs in `tests/faults/`, not this page. The test command runs
each of them briefly with a fixed seed; by hand, `--n` says how often and `--seed` repeats a run.
"""


def page(counted: list[Counts]) -> str:
    """Return the page."""
    tries = sum(check.tries for counts in counted for check in counts.checks)
    failed = sum(check.failed for counts in counted for check in counts.checks)
    parts = [HEAD, f"In all: {failed:,} failures in {tries:,} tries."]
    for counts in counted:
        runs = f"{counts.runs} run" + "s" * (counts.runs > 1)
        rows = ["| what must not happen | tries | happened |", "|---|--:|--:|"]
        rows += [
            f"| {check.what} | {check.tries:,} | {f'**{check.failed:,}**' if check.failed else '0'} |"
            for check in counts.checks
        ]
        parts += [f"## {counts.title}", f"`python -m tests.faults.{counts.program}`, {runs}.", "\n".join(rows)]
        figures = ", ".join(f"{name} {_written(value)}" for name, value in counts.figures.items())
        parts.append(f"The last run: {figures}.")
        parts += [f"* {note}" for note in counts.notes]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _written(value: str | float) -> str:
    return f"{value:,}" if isinstance(value, int | float) else value


def count(name: str, n: int) -> None:
    """Run one program and add its counts to those of earlier runs; failures are counted like the rest."""
    into, fresh = COUNTED / f"{name}.json", COUNTED / f"{name}.new"
    fresh.unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", f"tests.faults.{name}", "--n", str(n), "--json", str(fresh)], check=False)
    counts = load(fresh)
    into.write_bytes(dump(counts.add(load(into)) if into.exists() else counts) + b"\n")
    fresh.unlink()


def main() -> None:
    """Count if asked to, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", nargs="*", metavar="PROGRAM", help="run these, or all, first")
    asked = parser.parse_args().run
    if asked is not None:
        COUNTED.mkdir(exist_ok=True)
        for name in asked or PROGRAMS:
            count(name, PROGRAMS[name])
    PAGE.write_text(page([load(COUNTED / f"{name}.json") for name in PROGRAMS]))


if __name__ == "__main__":
    main()
