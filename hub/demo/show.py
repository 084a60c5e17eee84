"""What the demo prints: progress on standard error, tables or one JSON object on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from hub.demo.quarter import show_local

BANNER: Final = "FICTIONAL DATA: Exampleshire, its agencies and its people don't exist"
COLUMNS: Final = (
    "owed",
    "sent",
    "collected",
    "filed",
    "opened",
    "acknowledged",
    "late",
    "missing",
    "received",
    "in the end",
)
PIPE_WIDTH: Final = 140


def make_console(*, error: bool) -> Console:
    """Return a console on standard output, or standard error; a pipe gets plain text of 140 columns."""
    terminal = (sys.stderr if error else sys.stdout).isatty()
    return Console(stderr=error, highlight=False, emoji=False, width=None if terminal else PIPE_WIDTH)


class Steps:
    """Progress: a bar where there is a terminal, else a line for each moment."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._last = ""

    def __enter__(self) -> Steps:
        if self._console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[what]}"),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def say(self, text: str) -> None:
        """Print one line that stays."""
        self._console.print(text, markup=False)

    def begin(self, title: str, start: int, end: int) -> None:
        """Begin a stretch of time from *start* to *end*, UTC milliseconds."""
        self.say(title)
        if self._progress is not None:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(show_local(start), total=end - start, what="")
            self._start = start

    def tell(self, at: int, what: str) -> None:
        """Say that it is *at*, and *what* happens then."""
        moment = show_local(at)
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=at - self._start, description=moment, what=what[:70])
        elif moment != self._last:
            self._last = moment
            self.say(f"  {moment}  {what}")


def print_json(summary: Mapping[str, Any]) -> None:
    """Print *summary* as one JSON object on standard output."""
    sys.stdout.write(json.dumps(summary, ensure_ascii=False, indent=2) + "\n")
    sys.stdout.flush()


def print_figures(console: Console, title: str, figures: Mapping[str, Any]) -> None:
    """Print the table of agencies and the health figure of one count."""
    table = Table(
        title=title,
        title_justify="left",
        caption="late: sent after the due moment; missing: due and not sent; rate: received by the deadline ÷ owed",
    )
    table.add_column("agency that is owed", no_wrap=True)
    for column in COLUMNS:
        table.add_column(column, justify="right")
    table.add_column("rate", justify="right")
    for row in figures["by_agency"]:
        table.add_row(row["agency"], *_counts(row), _percent(row["received_rate"]))
    table.add_section()
    table.add_row(
        "all health agencies",
        *_counts(figures["health"]),
        _percent(figures["received_rate"]),
    )
    console.print(table)


def _counts(row: Mapping[str, Any]) -> list[str]:
    return [str(row[column.replace("in the end", "received_in_the_end")]) for column in COLUMNS]


def print_missing(console: Console, title: str, missing: Iterable[Mapping[str, Any]]) -> None:
    """Print a table of what is missing: discussion, debtor, creditor, since when."""
    table = Table(title=title, title_justify="left")
    for column in ("discussion", "owed by", "owed to", "due (UTC)"):
        table.add_column(column, no_wrap=True)
    for row in missing:
        table.add_row(row["discussion"], row["debtor"], row["creditor"], row["due"].replace("T", " ").rstrip("Z"))
    console.print(table)


def print_summary(console: Console, summary: Mapping[str, Any]) -> None:
    """Print what *summary* says, in the order in which an inspector would ask."""
    after, notices, audit = summary["after"], summary["notices"], summary["audit"]
    console.print(f"\n{BANNER}\n", style="bold", markup=False)
    print_figures(
        console, "Full minutes of strategy discussions owed in the quarter, from the audit log alone", summary
    )
    print_missing(console, "Missing: never sent, and long due", summary["missing"])
    print_missing(console, "Sent, and nobody took receipt", summary["untaken"])
    console.print(
        f"\nHealth received {summary['received']} of the {summary['owed']} sets of minutes it was owed by the deadline: "
        f"{_percent(summary['received_rate'])}.\n",
        style="bold",
        markup=False,
    )
    console.print(
        f"Of these {notices['overdue']} missing sets, both sides were warned of {notices['warned']} before they were due; once "
        f"they were, {notices['debtor_told']} overdue notices reached the debtor's case system and {notices['creditor_told']} the "
        "creditor's. The chairs then sent them.\n",
        markup=False,
    )
    print_figures(console, "The same minutes after the missing ones were sent", after)
    console.print(
        f"\nReceived in the end: {after['received_in_the_end']} of {after['owed']}, {_percent(after['rate_in_the_end'])}. "
        f"By the deadline it stays {_percent(after['received_rate'])}: late stays late.\n",
        style="bold",
        markup=False,
    )
    plain = summary["plaintext"]
    console.print("Proofs", style="bold")
    console.print(
        f"  1. hub audit verify, a separate process that trusts only the officers' keys: {audit['size']} entries, root "
        f"{audit['root']}, {audit['signatures']} signatures: {'verified' if audit['verified'] else 'NOT VERIFIED'}; "
        f"{_witnessed(audit)}\n"
        f"  2. searched {plain['files']} files ({plain['bytes'] / 1e6:.1f} MB) of the hub for {plain['words']} planted names "
        f"and sentences: {'FOUND in ' + ', '.join(plain['found']) if summary['plaintext_found'] else 'none found'} "
        f"(in the agencies' own folders: {plain['control']} files have them)\n"
        f"  3. one byte altered in a copy of the log: {summary['altered']['said']}",
        markup=False,
        soft_wrap=True,
    )


def _witnessed(audit: Mapping[str, Any]) -> str:
    agencies = sum("/witness/" in name for name in audit["witnesses"])
    outside = len(audit["witnesses"]) - agencies
    by = f"cosigned by {agencies} agencies' gateways and {outside} outsider{'' if outside == 1 else 's'}"
    if not audit["witnessed"]:
        return f"{by}; NOT WITNESSED" + (f": it takes {audit['quorum']}" if audit["quorum"] else "")
    return f"{by}: witnessed, which takes {audit['quorum']}"


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.0%}"
