"""``hub backup``: a consistent copy of the database."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from hub.commands.options import add_config, open_for_reading, read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("file", metavar="FILE", help="where to write the copy; must not exist yet")
    add_config(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Copy the database while the hub may be running."""
    path = Path(args.file).resolve()
    asyncio.run(_backup(args, path))
    print(f"wrote {path}: sealed bodies, headers, receipts and the log; keys are not in it")
    return 0


async def _backup(args: argparse.Namespace, path: Path) -> None:
    store = open_for_reading(read_config(args))
    try:
        await store.backup(path)
    finally:
        await store.close()
