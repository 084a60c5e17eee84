"""``hub report receipts``: the audit figure, computed from the log and nothing else."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

from hub.commands.options import add_config, in_words, open_for_reading, parse_moment, read_config

COLUMNS = (
    "owed",
    "sent",
    "collected",
    "filed",
    "opened",
    "acknowledged",
    "late",
    "missing",
    "received",
    "received_rate",
    "received_in_the_end",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands' arguments."""
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    receipts = commands.add_parser("receipts", help="owed, sent, taken and missing, from the log's entries")
    receipts.add_argument("--from", dest="start", metavar="DATE", default="1970-01-01", help="what falls due from here")
    receipts.add_argument("--to", dest="end", metavar="DATE", default="2100-01-01", help="and before this")
    receipts.add_argument("--by", choices=("agency", "sector", "type"), default="agency", help="one row for each")
    receipts.add_argument("--type", metavar="TYPE", action="append", default=[], help="only this type; again for each")
    form = receipts.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="everything that was counted, as one JSON object")
    form.add_argument("--csv", action="store_true", help="the rows as CSV")
    add_config(receipts)
    receipts.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report."""
    report = asyncio.run(_count(args))
    if args.json:
        print(json.dumps(report))
    elif args.csv:
        from hub.web.reports import as_csv

        print(as_csv(report, args.by), end="")
    else:
        _print_tables(report)
    return 0


async def _count(args: argparse.Namespace) -> dict[str, Any]:
    import msgspec

    from hub import reports
    from hub.core import statistics
    from hub.registry import Registry
    from hub.web.reports import as_json
    from hub.wiring import make_clock

    config = read_config(args)
    period = statistics.Period(parse_moment(args.start), parse_moment(args.end))
    store = open_for_reading(config)
    try:
        registry = await Registry.load(store)
        rows, head = await reports.rows_from_log(store)
    finally:
        await store.close()
    now = make_clock(config)()
    figures = statistics.count(rows, period, registry.snapshot.directory, now, set(args.type))
    return as_json(msgspec.to_builtins(figures), period, now, args.by) | {"log_size": head}


def _print_tables(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"Receipts by {report['by']}, at {in_words(report['at'])}", title_justify="left")
    table.add_column(report["by"])
    for column in COLUMNS:
        table.add_column(column.replace("_", " "), justify="right")
    for name, row in (*report["rows"].items(), ("total", report["total"])):
        table.add_row(name, *(_cell(row[column]) for column in COLUMNS), style="bold" if name == "total" else None)
    console.print(table)
    if report["missing"]:
        missing = Table(title="Missing: past due and never sent", title_justify="left")
        for column in ("type", "owed by", "owed to", "due", "thread"):
            missing.add_column(column)
        for one in report["missing"]:
            missing.add_row(one["type"], one["debtor"], one["creditor"], in_words(one["due"]), one["thread"])
        console.print(missing)


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0%}" if isinstance(value, float) else str(value)
