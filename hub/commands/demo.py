"""``hub demo``."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print the whole summary as one JSON object")
    parser.add_argument("--keep", action="store_true", help="leave everything running, and say where to look")
    parser.add_argument(
        "--input", metavar="DIR", help="folder with the county and its quarter (default: docs/examples)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show the main job with real processes on fictional data."""
    from hub.demo import run_demo

    return int(run_demo(args))
