"""What `gateway people` does: the accounts, for whoever keeps the gateway.

Who does it is an administrator's account, and in the agency's own log; while there is none, the first is added without.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from adapters.errors import GatewayError
from adapters.gateway.agent import open_gateway
from adapters.gateway.inbox.accounts import CODE_HOURS, COMMAND, Accounts
from adapters.gateway.inbox.people import People, Person, check_details
from adapters.gateway.spool import Transaction

Printed = dict[str, Any] | list[dict[str, Any]]
Action = Callable[[Accounts, Transaction, Namespace], Awaitable[Printed]]


async def run_action(options: Namespace) -> Printed:
    """Do one action, as one transaction beside a running gateway."""
    async with open_gateway(Path(options.home), passphrase_file=options.passphrase_file) as gateway:
        accounts = Accounts(gateway, People(gateway.spool, gateway.keyring))
        return await gateway.spool.write(lambda tx: ACTIONS[options.action](accounts, tx, options))


async def add(accounts: Accounts, tx: Transaction, options: Namespace) -> Printed:
    """Add an account."""
    details = check_details(name=options.name, login=options.login, role=options.role, email=options.email)
    by = await _who(accounts, tx, options)
    _, code = await accounts.add(tx, details, options.duty, options.team, by)
    return {"login": details.login, "code": code, "hours": CODE_HOURS}


async def list_people(accounts: Accounts, tx: Transaction, options: Namespace) -> Printed:
    """List the accounts."""
    del options
    found = [await accounts.people.read(tx, row) for row in await tx.all("list_people")]
    return [
        {
            "login": one.login, "name": one.name, "role": one.role, "duties": list(one.duties),
            "teams": sorted(one.teams), "state": one.state,
        }
        for one in sorted(found, key=lambda one: one.login)
    ]  # fmt: skip


async def change(accounts: Accounts, tx: Transaction, options: Namespace) -> Printed:
    """Change an account."""
    person = await _find(accounts, tx, options.login)
    by = await _who(accounts, tx, options)
    await accounts.change(tx, person.id, by, role=options.role, duties=options.duty, teams=options.team)
    changed = await accounts.get(tx, person.id)
    return {"login": person.login, "role": changed.role, "duties": list(changed.duties), "teams": sorted(changed.teams)}


async def password(accounts: Accounts, tx: Transaction, options: Namespace) -> Printed:
    """Give somebody a new code."""
    person = await _find(accounts, tx, options.login)
    code = await accounts.give_code(tx, person.id, await _who(accounts, tx, options))
    return {"login": person.login, "code": code, "hours": CODE_HOURS}


async def leave(accounts: Accounts, tx: Transaction, options: Namespace) -> Printed:
    """End an account."""
    person = await _find(accounts, tx, options.login)
    held = await accounts.leave(tx, person.id, await _who(accounts, tx, options))
    return {"login": person.login, "state": "left", "threads that nobody holds now": held}


async def come_back(accounts: Accounts, tx: Transaction, options: Namespace) -> Printed:
    """Begin an account again."""
    person = await _find(accounts, tx, options.login)
    code = await accounts.come_back(tx, person.id, await _who(accounts, tx, options))
    return {"login": person.login, "code": code, "hours": CODE_HOURS}


async def sessions(accounts: Accounts, tx: Transaction, options: Namespace) -> Printed:
    """Count somebody's sessions, or end them."""
    person = await _find(accounts, tx, options.login)
    if options.end:
        return {
            "login": person.login,
            "ended": await accounts.end_sessions(tx, person.id, await _who(accounts, tx, options)),
        }
    return {"login": person.login, "sessions": len(await tx.all("list_sessions", person=person.id, idle=0, oldest=0))}


async def _find(accounts: Accounts, tx: Transaction, login: str) -> Person:
    person = await accounts.people.find_login(tx, login)
    if person is None:
        raise GatewayError("person-unknown", "There is no such account", "See the list of accounts")
    return person


async def _who(accounts: Accounts, tx: Transaction, options: Namespace) -> str:
    if await tx.one("find_administrator") is None:
        return COMMAND
    person = await accounts.people.find_login(tx, options.by) if options.by else None
    if person is None or person.state != "active" or "administrator" not in person.duties:
        raise GatewayError("person-by", "an administrator keeps the accounts", "say which one by --by LOGIN")
    return person.id


ACTIONS: Final[Mapping[str, Action]] = {
    "add": add, "list": list_people, "set": change, "password": password, "leave": leave, "return": come_back,
    "sessions": sessions,
}  # fmt: skip
