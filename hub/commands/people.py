"""``hub people``: the first accounts at the console, made by whoever has the hub's machine.

At the console itself it takes two people; here it takes the machine and the passphrase, and is in the log without a person.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, TypeVar

from hub.commands.options import add_config, read_config
from hub.core.rights import ROLES
from hub.errors import HubError

T = TypeVar("T")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub.store.people_rows import AccountRow
    from hub.store.transaction import Transaction


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands of the group."""
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    add = commands.add_parser("add", help="add an account and give the code with which its person begins")
    add.add_argument("login", metavar="LOGIN", help="an e-mail address, or a name without spaces")
    add.add_argument("--name", required=True, help="by what name people know them")
    add.add_argument("--role", action="append", choices=ROLES, required=True, help="what they are; again for each")
    add_config(add)
    add.set_defaults(run=_add)
    code = commands.add_parser("code", help="give a new code; every way in that the account has ends")
    code.add_argument("login", metavar="LOGIN")
    add_config(code)
    code.set_defaults(run=_code)
    end = commands.add_parser("end", help="end an account")
    end.add_argument("login", metavar="LOGIN")
    add_config(end)
    end.set_defaults(run=_end)
    listed = commands.add_parser("list", help="list the accounts")
    listed.add_argument("--json", action="store_true", help="as JSON, one account a line")
    add_config(listed)
    listed.set_defaults(run=_list)


def _add(args: argparse.Namespace) -> int:
    from hub import people

    def work(tx: Transaction, now: int) -> str:
        account = people.add_account(tx, None, args.login, args.name, args.role, now)
        return people.give_code(tx, None, account, now)

    return _tell_code(write(args, work))


def _code(args: argparse.Namespace) -> int:
    from hub import people

    return _tell_code(write(args, lambda tx, now: people.give_code(tx, None, _find(tx, args.login).id, now)))


def _tell_code(code: str) -> int:
    from hub.people import CODE_HOURS

    print(f"code to begin with at /console/welcome, good for {CODE_HOURS} hours: {code}")
    return 0


def _end(args: argparse.Namespace) -> int:
    from hub import people

    write(args, lambda tx, now: people.end_account(tx, None, _find(tx, args.login).id, now))
    print(f"ended the account {args.login}")
    return 0


def _find(tx: Transaction, login: str) -> AccountRow:
    from hub.people import check_login

    found = tx.find_account_by_login(check_login(login))
    if found is None:
        raise HubError("account-unknown", "there is no account with that login", "see `hub people list`")
    return found


def _all(tx: Transaction) -> Iterator[AccountRow]:
    after = None
    while page := tx.accounts(after, 200):
        yield from page
        after = page[-1].id


def _list(args: argparse.Namespace) -> int:
    import asyncio

    from hub.commands.options import open_for_reading

    async def read() -> list[AccountRow]:
        store = open_for_reading(read_config(args))
        try:
            return await store.read(lambda tx: list(_all(tx)))
        finally:
            await store.close()

    for row in asyncio.run(read()):
        if args.json:
            print(json.dumps({"login": row.login, "name": row.name, "roles": row.roles, "state": row.state}))
        else:
            print(f"{row.login}\t{row.name}\t{', '.join(row.roles)}\t{row.state}")
    return 0


def write(args: argparse.Namespace, work: Callable[[Transaction, int], T]) -> T:
    """Return what *work* gives, once it is durable.

    Raises:
        HubError: ``store-locked``, and what *work* raises.
    """
    import asyncio

    from hub.store.base import StoreLockedError, open_store
    from hub.wiring import make_clock

    config = read_config(args)
    now = make_clock(config)()

    async def run() -> T:
        try:
            store = open_store(config.database)
        except StoreLockedError as error:
            raise HubError(error.code, error.message, "stop the hub first, or use its console") from error
        try:
            return await store.write(lambda tx: work(tx, now))
        finally:
            await store.close()

    return asyncio.run(run())
