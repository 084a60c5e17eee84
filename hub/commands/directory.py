"""``hub directory check``: what a directory leads to nobody with, before its officers sign it or while it is in force."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from hub.commands.options import add_config, open_for_reading, parse_moment, print_findings, read_config
from hub.errors import HubError

if TYPE_CHECKING:
    from schemas.directory import DirectoryIndex


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands' arguments."""
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    check = commands.add_parser(
        "check", help="find addresses that lead to nobody, heirs that can't be chosen, posts and roles that are vacant"
    )
    check.add_argument(
        "file", metavar="FILE", nargs="?", help="a directory as JSON, signed or not (default: the one in force)"
    )
    check.add_argument("--at", metavar="DATE", help="check as of this moment and every later end (default: now)")
    check.add_argument("--json", action="store_true", help="as one JSON object")
    add_config(check)
    check.set_defaults(run=run_check)


def run_check(args: argparse.Namespace) -> int:
    """Print what the directory can't do; 1 where something is wrong, 0 where there are notes at most."""
    import time

    from schemas.directory_checking import check_directory

    now = parse_moment(args.at) if args.at else time.time_ns() // 1_000_000
    found = check_directory(_read(args.file) if args.file else asyncio.run(_in_force(args)), now)
    return print_findings(found, as_json=args.json)


def _read(file: str) -> DirectoryIndex:
    """Return the directory in *file*; whose signatures it bears is not asked here, but when it is published."""
    from hub.registry import payload_of
    from keys import jws
    from schemas.directory import DirectoryIndex, parse_directory

    try:
        raw = Path(file).read_bytes()
    except OSError as error:
        raise HubError("config", f"couldn't read {file}", "name a readable JSON file") from error
    signed = raw.lstrip().startswith(b"[")
    return DirectoryIndex(parse_directory(payload_of(raw, jws.DIRECTORY) if signed else raw))


async def _in_force(args: argparse.Namespace) -> DirectoryIndex:
    from hub.registry import Registry

    store = open_for_reading(read_config(args))
    try:
        registry = await Registry.load(store)
    finally:
        await store.close()
    return registry.snapshot.directory
