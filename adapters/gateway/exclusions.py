"""Who may not open what: a person who is suspect in a thread, a relative, or somebody's colleague.

An exclusion and its end are rows that are only ever added, with the names of who decided kept encrypted.  Ending one takes two
people, neither of whom is excluded: nobody overrides it alone.

Source: domain 3 (2), 11 (risk 5).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from adapters.errors import GatewayError
from adapters.gateway.context import Gateway
from adapters.gateway.spool import Spool, Transaction
from keys.digests import keyed_digest
from schemas.identifiers import ThreadId

EXCLUDED, LIFTED = "excluded", "lifted"
MAX_NAME = 200


def check_name(name: str) -> str:
    """Return *name* as it is kept.

    Raises:
        GatewayError: ``person-name``.
    """
    tidy = " ".join(name.split())
    if not tidy or len(tidy) > MAX_NAME or not tidy.isprintable():
        raise GatewayError("person-name", "that is no person's name", "give the name as the agency's register has it")
    return tidy


def fold(name: str) -> str:
    """Return *name* as it is compared: however it is spaced or capitalised."""
    return unicodedata.normalize("NFKC", " ".join(name.split())).casefold()


def pseudonym(gateway: Gateway, name: str) -> str:
    """Return by what an exclusion of the person *name* is looked up."""
    return keyed_digest(gateway.keyring.record_key, f"excluded {fold(name)}")


async def check_person(gateway: Gateway, thread: ThreadId, *names: str) -> None:
    """Refuse where one of *names* may not open what belongs to *thread*.

    Raises:
        GatewayError: ``person-excluded``.
    """
    for name in names:
        if await is_excluded(gateway, gateway.spool, thread, name):
            raise GatewayError(
                "person-excluded", "this person may not open what belongs to the thread", "a colleague has to"
            )


async def is_excluded(gateway: Gateway, tx: Transaction | Spool, thread: ThreadId, name: str) -> bool:
    """Answer whether the person *name* may not open what belongs to *thread*."""
    row = await tx.one("last_exclusion", thread=thread, person=pseudonym(gateway, name))
    return row is not None and row["state"] == EXCLUDED


async def check_people(gateway: Gateway, threads: Iterable[ThreadId], *names: str) -> None:
    """Refuse, before anything is shown of any of *threads*, where one of *names* may not open one."""
    for thread in set(threads):
        await check_person(gateway, thread, *names)


def are_different(*names: str) -> bool:
    """Answer whether *names* are as many people."""
    return len({fold(check_name(name)) for name in names}) == len(names)
