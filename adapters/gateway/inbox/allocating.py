"""A thread goes onto the list of whom the record system names for the child, as soon as a message of it is filed.

What people have decided comes first: a thread that somebody took, gave back or was given stays as they left it.  Names of the
record system's are compared here, and neither they nor what came of them is said to anybody outside.

Source: domain 10 (a role inbox that nobody watches), 3 (role and case relationship).
"""

from __future__ import annotations

from collections.abc import Iterable

from adapters.gateway import exclusions
from adapters.gateway.context import Gateway
from adapters.gateway.inbox.access import may
from adapters.gateway.inbox.people import People, Person
from adapters.gateway.spool import Row, Transaction
from schemas.identifiers import MailboxId, ThreadId


async def allocate(gateway: Gateway, tx: Transaction, delivery: Row, logins: Iterable[str]) -> bool:
    """Make the one of *logins* who is of the team the holder of the thread of *delivery*; answer whether there was one.

    Nobody, where several are of the team, somebody holds it, or people have decided about it before.
    """
    thread, mailbox, now = delivery["thread"], delivery["mailbox"], gateway.clock()
    if await tx.one("holding_decided", thread=thread, mailbox=mailbox) is not None:
        return False
    people = People(gateway.spool, gateway.keyring)
    found = [await people.find_login(tx, login) for login in dict.fromkeys(one.strip().casefold() for one in logins)]
    able = [one for one in found if one is not None and await _can_have(gateway, tx, one, thread, mailbox)]
    if len(able) != 1:
        return False
    (person,) = able
    await tx.run("add_holder", thread=thread, mailbox=mailbox, person=person.id, at=now, by=person.id)
    await people.note(tx, person.id, "allocated", now, thread=thread, envelope=delivery["envelope"], mailbox=mailbox)
    return True


async def _can_have(gateway: Gateway, tx: Transaction, person: Person, thread: ThreadId, mailbox: MailboxId) -> bool:
    """Answer whether *person* is here, of the team, lets it be theirs by their duties, and isn't excluded from the thread."""
    if person.state != "active" or mailbox not in person.teams or not may(person.duties, "unheld", "take"):
        return False
    away = await tx.one("find_away", person=person.id)
    if away is not None and away["since"] <= gateway.clock() < away["until"]:
        return False
    return not await exclusions.is_excluded(gateway, tx, thread, person.name)
