"""``hub mesh``: which mailboxes use the MESH front door, and what they prove themselves by."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from hub.commands.options import add_config, add_passphrase, read_config
from hub.commands.people import write

if TYPE_CHECKING:
    from hub.store.transaction import Transaction
    from keys.mesh import Secrets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands of the group."""
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    add = commands.add_parser("add", help="let a mailbox use MESH, and print its password and shared key, this once")
    add.add_argument("mailbox", metavar="AGENCY/TEAM")
    add_config(add)
    add_passphrase(add)
    add.set_defaults(run=_add)
    end = commands.add_parser("end", help="let a mailbox use MESH no more")
    end.add_argument("mailbox", metavar="AGENCY/TEAM")
    add_config(end)
    end.set_defaults(run=_end)
    listed = commands.add_parser("list", help="list the mailboxes that use MESH, with their MESH names")
    add_config(listed)
    listed.set_defaults(run=_list)


def _add(args: argparse.Namespace) -> int:
    from hub import mesh
    from hub.home import load_keyring, read_passphrase
    from hub.registry import read_directory

    config = read_config(args)
    passphrase = read_passphrase(args.passphrase_file, training=config.training)
    kek = load_keyring(config.home_path, passphrase).secrets_key

    def work(tx: Transaction, now: int) -> tuple[str, Secrets]:
        index = read_directory(tx)
        return index.mesh_address(args.mailbox), mesh.add_mailbox(tx, index, args.mailbox, kek, now)

    address, secrets = write(args, work)
    print(f"mailbox: {address}\npassword: {secrets.password}\nshared key: {secrets.shared_key}")
    return 0


def _end(args: argparse.Namespace) -> int:
    from hub import mesh

    write(args, lambda tx, now: mesh.end_mailbox(tx, args.mailbox, now))
    print(f"{args.mailbox} uses MESH no more")
    return 0


def _list(args: argparse.Namespace) -> int:
    import asyncio

    from hub.commands.options import open_for_reading
    from hub.registry import read_directory

    def look(tx: Transaction) -> list[tuple[str, str]]:
        index, after, found = read_directory(tx), "", list[tuple[str, str]]()
        while page := tx.mesh_mailboxes(after, 200):
            found += ((row.mailbox, index.mesh_address(row.mailbox)) for row in page)
            after = page[-1].mailbox
        return found

    async def read() -> list[tuple[str, str]]:
        store = open_for_reading(read_config(args))
        try:
            return await store.read(look)
        finally:
            await store.close()

    for mailbox, address in asyncio.run(read()):
        print(f"{mailbox}\t{address}")
    return 0
