"""``hub agreement publish``, ``explain``, ``check`` and ``simulate``."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hub.commands.catalogue import add_messages, digest_schemas, load_catalogue
from hub.commands.options import (
    add_config,
    add_publishing,
    open_for_reading,
    parse_moment,
    print_findings,
    read_config,
)
from hub.errors import HubError

if TYPE_CHECKING:
    from hub.commands.publishing import Office
    from schemas.agreement import Agreement
    from schemas.rules.simulating import Simulation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands' arguments."""
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    publish = commands.add_parser("publish", help="sign and publish the next version")
    publish.add_argument("file", metavar="FILE", help="the sharing agreement as TOML")
    add_messages(publish)
    add_publishing(publish)
    publish.set_defaults(run=run_publish)
    explain = commands.add_parser("explain", help="say in English what an agreement asks of whom, and by when")
    explain.add_argument("file", metavar="FILE", nargs="?", help="an agreement as TOML (default: the one in force)")
    add_config(explain)
    explain.set_defaults(run=run_explain)
    _add_trials(commands)


def _add_trials(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = commands.add_parser(
        "check", help="find what can never be settled, who is never asked, which deadlines lie beyond the calendar"
    )
    check.add_argument("--at", metavar="DATE", help="check as of this moment (default: now)")
    check.set_defaults(run=run_check)
    simulate = commands.add_parser("simulate", help="show what a list of events would make owed, when, and who is told")
    simulate.add_argument("--until", metavar="DATE", help="stop here (default: everything that the clock would do)")
    simulate.set_defaults(run=run_simulate)
    for parser in (check, simulate):
        parser.add_argument("file", metavar="FILE", help="an agreement as TOML")
        parser.add_argument("--directory", metavar="FILE", help="TOML that lists agencies and mailboxes")
        add_messages(parser)
        parser.add_argument("--json", action="store_true", help="as one JSON object")
    simulate.add_argument("events", metavar="EVENTS", help="events as TOML, see docs/agreement.md")


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HubError("config", f"couldn't read {file}", "name a readable TOML file") from error


def run_publish(args: argparse.Namespace) -> int:
    """Compile the agreement as the next version, have the officers sign it, publish it."""
    from hub.commands.publishing import Office

    schemas = digest_schemas(load_catalogue(args.messages))
    version = asyncio.run(_publish(Office(args), _read(args.file), schemas))
    print(f"published agreement version {version}")
    return 0


async def _publish(office: Office, text: str, schemas: Mapping[str, str]) -> int:
    from hub.commands.publishing import current_agreement
    from hub.signing import sign_document
    from keys import jws
    from keys.digests import sha256_b64u
    from schemas.agreement_text import compile_agreement
    from schemas.strict_json import dump

    async with office.publisher() as publisher:
        before, payload = await current_agreement(publisher)
        proposed = compile_agreement(
            text, version=before.version + 1, previous=sha256_b64u(payload), issued=office.now, schemas=schemas
        )
        await publisher.publish("agreement", sign_document(dump(proposed), jws.AGREEMENT, office.officers))
        return proposed.version


def run_explain(args: argparse.Namespace) -> int:
    """Print what the agreement says."""
    from schemas.rules.explained import explain

    print(explain(_compile(args.file, _now()) if args.file else asyncio.run(_in_force(args))))
    return 0


def _compile(file: str, issued: int = 0) -> Agreement:
    from schemas.agreement_text import compile_agreement

    return compile_agreement(_read(file), version=1, previous=None, issued=issued)


def _now() -> int:
    import time

    return time.time_ns() // 1_000_000


def run_check(args: argparse.Namespace) -> int:
    """Print what the agreement can't do; 1 where something is wrong, 0 where there are notes at most."""
    from schemas.findings import Finding
    from schemas.linting import lint_catalogue
    from schemas.rules.checking import check_agreement, find_shapes
    from schemas.rules.places import parse_places

    index = parse_places(_read(args.directory)) if args.directory else None
    now = parse_moment(args.at) if args.at else _now()
    catalogue = load_catalogue(args.messages)
    wrong_schemas = [
        Finding("error", "schema-lint", name, problem.message) for name, problem in lint_catalogue(catalogue)
    ]
    found = (*wrong_schemas, *check_agreement(_compile(args.file), find_shapes(catalogue), index, now))
    return print_findings(found, as_json=args.json)


def run_simulate(args: argparse.Namespace) -> int:
    """Print what the events would make owed; 1 where the agreement would refuse one of them."""
    import msgspec

    from schemas.rules.checking import find_shapes
    from schemas.rules.places import parse_places
    from schemas.rules.simulating import parse_events, simulate

    text = _read(args.events)
    agreement, events = _compile(args.file), parse_events(text)
    index = parse_places(_read(args.directory) if args.directory else text)
    until = {"until": parse_moment(args.until)} if args.until else {}
    shown = simulate(agreement, index, events, find_shapes(load_catalogue(args.messages)), **until)
    if args.json:
        print(msgspec.json.encode(shown).decode())
    else:
        _print_simulation(shown, agreement)
    return 1 if shown.refused else 0


def _print_simulation(shown: Simulation, agreement: Agreement) -> None:
    from schemas.rules.simulating import as_local

    rows = [("DUE", "STATE", "RULE", "OWED BY", "OWED TO", "AWAITED", "SINCE", "SETTLED BY")]
    for line in shown.lines:
        settled = "" if line.settled_at is None else as_local(line.settled_at, agreement)
        due = as_local(line.due, agreement) + (" (beyond the calendar)" if line.beyond_calendar else "")
        rows.append(
            (due, line.state, line.rule, line.debtor, line.creditor, " or ".join(line.awaits), line.opened_by,
             f"{line.settled_by or ''} {settled}".strip())
        )  # fmt: skip
    _print_columns(rows)
    told = [
        (step.at, step.notice, line.rule, f"{line.debtor} to {line.creditor}", " ".join(step.to))
        for line in shown.lines
        for step in line.told
    ]
    if told:
        print()
        _print_columns(
            [("TOLD AT", "NOTICE", "RULE", "OWED", "WHO IS TOLD")]
            + [(as_local(at, agreement), *rest) for at, *rest in sorted(told)]
        )
    for one in shown.refused:
        print(f"\nrefused: {one.event}: {one.reason}")


def _print_columns(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


async def _in_force(args: argparse.Namespace) -> Agreement:
    from hub.registry import Registry
    from hub.wiring import make_clock

    config = read_config(args)
    store = open_for_reading(config)
    try:
        registry = await Registry.load(store)
    finally:
        await store.close()
    return registry.snapshot.rules_at(make_clock(config)()).agreement
