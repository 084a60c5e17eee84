"""``hub serve``."""

from __future__ import annotations

import argparse

from hub.commands.options import add_config, add_passphrase, read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config(parser)
    add_passphrase(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    config = read_config(args)
    import asyncio

    from hub.home import read_passphrase
    from hub.wiring import serve

    asyncio.run(serve(config, read_passphrase(args.passphrase_file, training=config.training)))
    return 0
