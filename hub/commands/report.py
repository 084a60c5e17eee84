"""``hub report``: the audit figure from the log and nothing else, and how each rule's duties went."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
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
    groups = ("agency", "sector", "type", "week", "variant")
    receipts.add_argument("--by", choices=groups, default="agency", help="one row for each")
    receipts.add_argument("--type", metavar="TYPE", action="append", default=[], help="only this type; again for each")
    receipts.add_argument("--sector", metavar="SECTOR", help="only what was owed to this sector, such as health")
    receipts.add_argument(
        "--shared", action="store_true", help="without small counts: what may be given to anyone, of one whole quarter"
    )
    _add_common(receipts, run)
    duties = commands.add_parser("duties", help="how a type's duties went: in time, late, stuck, and how well")
    duties.add_argument(
        "--type", metavar="TYPE", required=True, help="the type whose rules are meant, such as referral"
    )
    duties.add_argument("--rule", metavar="NAME", help="only this rule")
    _add_common(duties, run_duties)


def _add_common(parser: argparse.ArgumentParser, run_: Any) -> None:
    parser.add_argument("--from", dest="start", metavar="DATE", default="1970-01-01", help="what falls due from here")
    parser.add_argument("--to", dest="end", metavar="DATE", default="2100-01-01", help="and before this")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="everything that was counted, as one JSON object")
    form.add_argument("--csv", action="store_true", help="the rows as CSV")
    add_config(parser)
    parser.set_defaults(run=run_)


def run(args: argparse.Namespace) -> int:
    """Print the figures of receipts."""
    report = asyncio.run(_count(args))
    if args.json:
        print(json.dumps(report))
    elif args.csv:
        from hub.web.reports import as_csv

        print(as_csv(report, args.by), end="")
    else:
        _print_receipts(report)
    return 0


def run_duties(args: argparse.Namespace) -> int:
    """Print how duties went."""
    report = asyncio.run(_count_duties(args))
    if args.json:
        print(json.dumps(report))
    elif args.csv:
        from hub.web.reports import duties_as_csv

        print(duties_as_csv(report), end="")
    else:
        _print_duties(report)
    return 0


async def _count(args: argparse.Namespace) -> dict[str, Any]:
    from hub import reports
    from hub.core.statistics import Period
    from hub.registry import Registry
    from hub.web.reports import as_json
    from hub.wiring import make_clock

    config = read_config(args)
    period = Period(parse_moment(args.start), parse_moment(args.end))
    store = open_for_reading(config)
    try:
        registry = await Registry.load(store)
        rows, head = await reports.rows_from_log(store)
    finally:
        await store.close()
    now = make_clock(config)()
    asked = reports.Question(period, frozenset(args.type), args.sector)
    # What is given to anyone is fit for somebody who is a party to nothing.
    readers = (lambda _: False,) if args.shared else None
    tell = reports.tell_rows(rows, asked, registry.snapshot, now)
    figures = reports.report_receipts(tell, asked, registry.snapshot, now, readers)
    return as_json(figures, period, now, args.by) | {"log_size": head}


async def _count_duties(args: argparse.Namespace) -> dict[str, Any]:
    from hub import reports
    from hub.core.statistics import Period
    from hub.errors import HubError
    from hub.registry import Registry
    from hub.wiring import make_clock

    config = read_config(args)
    period = Period(parse_moment(args.start), parse_moment(args.end))
    store = open_for_reading(config)
    try:
        registry = await Registry.load(store)
        rules = reports.rules_on(registry.snapshot, args.type)
        chosen = {name: because for name, because in rules.items() if args.rule in (None, name)}
        if not chosen:
            raise HubError(
                "request-invalid",
                "no agreement has a rule of that name on that type",
                "`hub agreement explain` shows the rules of each type",
            )
        now = make_clock(config)()
        told = await reports.report_duties(store, period, chosen, now, None)
    finally:
        await store.close()
    return {"from": period.start, "to": period.end, "at": now, "type": args.type, **told}


def _print_receipts(report: dict[str, Any]) -> None:
    title = f"Receipts by {report['by']}, at {in_words(report['at'])}"
    if report["by"] != "variant":
        words = [column.replace("_", " ") for column in COLUMNS]
        rows = [
            (name, *(_cell(row[column], share="rate" in column) for column in COLUMNS))
            for name, row in (*report["rows"].items(), ("total", report["total"]))
        ]
        _print_table(title, (report["by"], *words), rows, right=len(words), total=True)
        named = [(word, report["definitions"][column]) for word, column in zip(words, COLUMNS, strict=True)]
        _print_table("Columns", ("column", "definition"), named)
        title = "Ways to count “received”"
    variants = [
        (one["name"], _cell(one["count"]), _cell(one["of"]), _cell(one["rate"], share=True), one["definition"])
        for one in report["variants"]
    ]
    _print_table(title, ("variant", "count", "of", "rate", "definition"), variants, right=3)
    if not report.get("others_shown", True):
        print("Others' figures are given for one type, every sector, and one whole quarter that is over.")
    if "suppressed_below" in report:
        print(f"Left out: counts under {report['suppressed_below']}, and those that would give them away.")
    if report["missing"]:
        _print_waits("Missing: past due and never sent", report["missing"])


def _print_duties(report: dict[str, Any]) -> None:
    print(f"Duties of {report['type']}, at {in_words(report['at'])}")
    for one in report["rules"]:
        title = f"{one['rule']}: {one['because']}" if one["because"] else one["rule"]
        owing = [*one["by_agency"].items(), ("all", one["total"])]
        rows = [
            (column.replace("_", " "), *(_cell(row[column], share="rate" in column) for _, row in owing), definition)
            for column, definition in report["definitions"].items()
        ]
        _print_table(title, ("", *(agency for agency, _ in owing), "definition"), rows, right=len(owing))
        if one["stuck"]:
            _print_waits(f"Stuck: {one['rule']}, past due and still open", one["stuck"])


def _print_waits(title: str, waits: Sequence[Mapping[str, Any]]) -> None:
    rows = [(one["type"], one["debtor"], one["creditor"], in_words(one["due"]), one["thread"]) for one in waits]
    _print_table(title, ("type", "owed by", "owed to", "due", "thread"), rows)


def _print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], right: int = 0, *, total: bool = False
) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if 0 < place <= right else "left", overflow="fold")
    for place, row in enumerate(rows):
        table.add_row(*row, style="bold" if total and place == len(rows) - 1 else None)
    # Nobody's window is 80 wide where there is no window.
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _cell(value: float | None, *, share: bool = False) -> str:
    if value is None:
        return "-"
    return f"{value:.0%}" if share else str(value)
