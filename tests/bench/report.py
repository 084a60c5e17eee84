"""`docs/performance.md`, from what the benches measured: no figure in it is typed.

``python -m tests.bench.report --run`` measures everything anew, which takes minutes; without ``--run`` the page is
written from the last measurement.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.bench.figures import Figures, Goal, load, written

PROGRAMS: Final = ("lifecycle", "sweep", "growth", "rules", "inbox", "verify", "big_log", "year")
MEASURED: Final = Path(__file__).parent / "measured"
PAGE: Final = Path(__file__).parent.parent.parent / "docs" / "performance.md"
HEAD: Final = """# Performance

What the hub costs, as its own programs measured it on one machine on one day; only the ratios carry over. Goals that
are not met are listed like those that are. Written by `python -m tests.bench.report`: change the programs in
`tests/bench/`, not this page.
"""


def page(all_figures: list[Figures]) -> str:
    """Return the page."""
    goals = [(figures, goal) for figures in all_figures for goal in figures.goals]
    table = ["| goal | measured | at most | |", "|---|---|---|---|"]
    table += [_goal(figures, goal) for figures, goal in goals]
    met = sum(goal.is_met for _, goal in goals)
    parts = [HEAD, f"## Goals: {met} of {len(goals)} met", "\n".join(table)]
    for figures in all_figures:
        parts += [f"## {figures.title}", _rows(figures), "\n".join(figures.notes)]
        parts.append("Machine: " + ", ".join(f"{name} {value}" for name, value in figures.machine.items()) + ".")
        parts.append(f"`python -m tests.bench.{figures.program}`")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _goal(figures: Figures, goal: Goal) -> str:
    verdict = "met" if goal.is_met else "**not met**"
    name = f"{figures.title}: {goal.name}"
    return f"| {name} | {written(goal.measured)} {goal.unit} | {written(goal.limit)} | {verdict} |"


def _rows(figures: Figures) -> str:
    names = list(figures.rows[0])
    rules = ["---" if isinstance(figures.rows[0][name], str) else "--:" for name in names]
    lines = [names, rules, *([written(row[name]) for name in names] for row in figures.rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Measure if asked to, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", action="store_true", help="measure everything anew first")
    if parser.parse_args().run:
        MEASURED.mkdir(exist_ok=True)
        for name in PROGRAMS:
            into = str(MEASURED / f"{name}.json")
            subprocess.run([sys.executable, "-m", f"tests.bench.{name}", "--json", into], check=True)
    PAGE.write_text(page([load(MEASURED / f"{name}.json") for name in PROGRAMS]))


if __name__ == "__main__":
    main()
