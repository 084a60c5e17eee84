"""How a bench says what it measured: rows, goals met or not, and the machine; as a table and as JSON."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from schemas.strict_json import dump

Cell = str | float | int


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """What was promised, what was measured, and whether that keeps it."""

    name: str
    limit: float
    measured: float
    unit: str

    @property
    def is_met(self) -> bool:
        """Answer whether the promise is kept."""
        return self.measured < self.limit


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What one program printed.  ``rows`` have the same names in the same order; ``notes`` say how it was measured."""

    program: str
    title: str
    machine: dict[str, str]
    rows: list[dict[str, Cell]]
    goals: list[Goal]
    notes: list[str]


def machine() -> dict[str, str]:
    """Return what the figures were measured on; no name of it."""
    return {
        "processors": f"{os.cpu_count()} of {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "kernel": platform.release().partition("-")[0],
    }


def median(values: Sequence[float]) -> float:
    """Return the median of the rounds."""
    return statistics.median(values)


def show(figures: Figures) -> None:
    """Print *figures* as tables."""
    console = Console(width=None if os.isatty(1) else 160)
    table = Table(title=figures.title, title_justify="left")
    for name in figures.rows[0]:
        table.add_column(name, justify="left" if isinstance(figures.rows[0][name], str) else "right")
    for row in figures.rows:
        table.add_row(*(written(cell) for cell in row.values()))
    console.print(table)
    for goal in figures.goals:
        verdict = "met" if goal.is_met else "NOT MET"
        console.print(f"{verdict}: {goal.name}: {written(goal.measured)} {goal.unit} (goal < {written(goal.limit)})")


def written(cell: Cell) -> str:
    """Return one figure with three digits that count, thousands apart."""
    if isinstance(cell, float):
        return f"{cell:,.0f}" if cell >= 1000 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def run(description: str, n: int, measure: Callable[[argparse.Namespace], Figures]) -> None:
    """Run a bench's command: ``--n``, ``--rounds``, ``--folder``, ``--json``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--n", type=int, default=n, help=f"how many a round (default: {n})")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the median is told (default: 3)")
    parser.add_argument("--folder", type=Path, help="a folder on the disk to measure (default: a temporary one)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    args = parser.parse_args()
    figures = measure(args)
    show(figures)
    if args.json:
        args.json.write_bytes(dump(figures) + b"\n")


def load(path: Path) -> Figures:
    """Return the figures that a bench wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Figures)


def microseconds(work: Callable[[], Any], seconds: float = 0.2) -> float:
    """Return how long *work* takes in microseconds of processor time: the median of five runs of many."""
    import time

    count = 1
    while True:
        started = time.process_time()
        for _ in range(count):
            work()
        spent = time.process_time() - started
        if spent > seconds / 10:
            break
        count *= 4
    runs = []
    for _ in range(5):
        started = time.process_time()
        for _ in range(count):
            work()
        runs.append((time.process_time() - started) / count * 1e6)
    return statistics.median(runs)
