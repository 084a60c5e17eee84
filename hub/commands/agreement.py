"""``hub agreement publish`` and ``hub agreement explain``."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from hub.commands.options import (
    add_config,
    add_publishing,
    open_for_reading,
    read_config,
)
from hub.errors import HubError

if TYPE_CHECKING:
    from hub.commands.publishing import Office
    from schemas.agreement import Agreement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands' arguments."""
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    publish = commands.add_parser("publish", help="sign and publish the next version")
    publish.add_argument("file", metavar="FILE", help="the sharing agreement as TOML")
    add_publishing(publish)
    publish.set_defaults(run=run_publish)
    explain = commands.add_parser("explain", help="say in English what an agreement asks of whom, and by when")
    explain.add_argument("file", metavar="FILE", nargs="?", help="an agreement as TOML (default: the one in force)")
    add_config(explain)
    explain.set_defaults(run=run_explain)


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HubError("config", f"couldn't read {file}", "name a readable TOML file") from error


def run_publish(args: argparse.Namespace) -> int:
    """Compile the agreement as the next version, have the officers sign it, publish it."""
    from hub.commands.publishing import Office

    version = asyncio.run(_publish(Office(args), _read(args.file)))
    print(f"published agreement version {version}")
    return 0


async def _publish(office: Office, text: str) -> int:
    from hub.commands.publishing import current_agreement
    from hub.signing import sign_document
    from keys import jws
    from keys.digests import sha256_b64u
    from schemas.agreement_text import compile_agreement
    from schemas.strict_json import dump

    async with office.publisher() as publisher:
        before, payload = await current_agreement(publisher)
        proposed = compile_agreement(text, version=before.version + 1, previous=sha256_b64u(payload), issued=office.now)
        await publisher.publish("agreement", sign_document(dump(proposed), jws.AGREEMENT, office.officers))
        return proposed.version


def run_explain(args: argparse.Namespace) -> int:
    """Print what the agreement says."""
    from schemas.rules.explained import explain

    if args.file:
        import time

        from schemas.agreement_text import compile_agreement

        issued = time.time_ns() // 1_000_000
        agreement = compile_agreement(_read(args.file), version=1, previous=None, issued=issued)
    else:
        agreement = asyncio.run(_in_force(args))
    print(explain(agreement))
    return 0


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
