"""``hub safety-number``: what an officer and an agency, or two agencies, read to each other by telephone."""

from __future__ import annotations

import argparse
import asyncio

from hub.commands.options import add_config
from hub.errors import HubError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("agency", metavar="AGENCY", help="whose number; its gateway shows the same")
    parser.add_argument("other", metavar="OTHER", nargs="?", help="between two agencies (default: with the officers)")
    add_config(parser)
    parser.add_argument("--url", help="the running hub's address, instead of its database")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the number by the directory in force."""
    from hub.ceremonies import agencies_number, officers_number
    from hub.commands.drafting import read_published

    directory, _ = asyncio.run(read_published(args)).directory()
    identities = {entry.id: entry.identity for entry in directory.agencies}
    for name in (args.agency, args.other):
        if name is not None and name not in identities:
            raise HubError("agency-unknown", f"{name} isn't in the directory", "check its id")
    one = args.agency, identities[args.agency]
    if args.other:
        print(agencies_number(*one, args.other, identities[args.other]))
    else:
        print(officers_number(directory.partnership, directory.officers, *one))
    return 0
