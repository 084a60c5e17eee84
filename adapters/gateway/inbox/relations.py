"""How a person relates to a child's thread: what they may do with it follows from that (``access``).

Source: domain 10; decision inbox-access.
"""

from __future__ import annotations

from adapters.gateway import exclusions
from adapters.gateway.inbox.access import Action, Relation, may
from adapters.gateway.inbox.context import Inbox, NotHereError
from adapters.gateway.inbox.people import Person
from adapters.gateway.spool import Row, Transaction
from schemas.identifiers import MailboxId, ThreadId


async def relation_of(inbox: Inbox, tx: Transaction, person: Person, thread: ThreadId, mailbox: MailboxId) -> Relation:
    """Return how *person* relates to *thread* in the team *mailbox*."""
    if mailbox not in person.teams:
        return "outside"
    if await exclusions.is_excluded(inbox.gateway, tx, thread, person.name):
        return "excluded"
    now = inbox.now()
    holders = await tx.all("holders_here", thread=thread, mailbox=mailbox, now=now)
    if any(row["person"] == person.id for row in holders):
        return "holder"
    if not any(row["present"] for row in holders):
        return "unheld"
    broken = await tx.one("open_glass", person=person.id, thread=thread, mailbox=mailbox, now=now)
    return "glass" if broken is not None else "colleague"


async def check_may(
    inbox: Inbox, tx: Transaction, person: Person, thread: ThreadId, mailbox: MailboxId, action: Action
) -> Relation:
    """Return how *person* relates to *thread*, if that lets them do *action*.

    Raises:
        NotHereError: it doesn't.
    """
    relation = await relation_of(inbox, tx, person, thread, mailbox)
    if not may(person.duties, relation, action):
        raise NotHereError
    return relation


async def find_delivery(inbox: Inbox, tx: Transaction, person: Person, envelope: str, action: Action) -> Row:
    """Return the delivery of *envelope* to a team of *person* with which they may do *action*.

    Where several of their teams have it, the one with which they have most to do.

    Raises:
        NotHereError: there is none, or none for them.
    """
    found: list[tuple[int, Row]] = []
    for row in await tx.all("find_for_any", envelope=envelope):
        relation = await relation_of(inbox, tx, person, row["thread"], row["mailbox"])
        if may(person.duties, relation, action):
            found.append((("holder", "unheld", "glass", "colleague").index(relation), row))
    if not found:
        raise NotHereError
    return min(found, key=lambda one: one[0])[1]
