"""How a person relates to a child's thread: what they may do with it follows from that (``access``).

Source: domain 10; decision inbox-access.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from adapters.gateway import exclusions
from adapters.gateway.inbox.access import Action, Relation, may
from adapters.gateway.inbox.context import Inbox, NotHereError
from adapters.gateway.inbox.people import Person
from adapters.gateway.spool import Row, Transaction
from schemas.identifiers import MailboxId, ThreadId

Place = tuple[ThreadId, MailboxId]
# With whom of several teams a person has most to do.
NEAREST: Final[tuple[Relation, ...]] = ("holder", "unheld", "glass", "colleague")


async def relations_among(
    inbox: Inbox, tx: Transaction, person: Person, places: Iterable[Place]
) -> dict[Place, Relation]:
    """Return how *person* relates to each of *places*, a thread in a team."""
    asked = list(dict.fromkeys(places))
    found: dict[Place, Relation] = dict.fromkeys(asked, "outside")
    mine = [place for place in asked if place[1] in person.teams]
    if mine:
        rows = await tx.all(
            "relations_of", pairs=json.dumps(mine), person=person.id, now=inbox.now(),
            excluded=exclusions.pseudonym(inbox.gateway, person.name),
        )  # fmt: skip
        found |= {mine[row["number"]]: row["relation"] for row in rows}
    return found


async def relation_of(inbox: Inbox, tx: Transaction, person: Person, thread: ThreadId, mailbox: MailboxId) -> Relation:
    """Return how *person* relates to *thread* in the team *mailbox*."""
    return (await relations_among(inbox, tx, person, [(thread, mailbox)]))[thread, mailbox]


async def find_teams(
    inbox: Inbox, tx: Transaction, person: Person, thread: ThreadId, action: Action
) -> dict[MailboxId, Relation]:
    """Return the teams of *person* that have to do with *thread* and in which they may do *action*, the nearest first.

    Raises:
        NotHereError: there is none, or no such thread.
    """
    rows = await tx.all("teams_in_thread", thread=thread, mailboxes=json.dumps(sorted(person.teams)))
    related = await relations_among(inbox, tx, person, [(thread, row["mailbox"]) for row in rows])
    found = {box: relation for (_, box), relation in related.items() if may(person.duties, relation, action)}
    if not found:
        raise NotHereError
    return dict(sorted(found.items(), key=lambda one: NEAREST.index(one[1])))


async def check_may(
    inbox: Inbox, tx: Transaction, person: Person, thread: ThreadId, mailbox: MailboxId, action: Action
) -> Relation:
    """Return how *person* relates to *thread* in *mailbox*, if that has to do with it and lets them do *action*.

    Raises:
        NotHereError: it doesn't.
    """
    teams = await find_teams(inbox, tx, person, thread, action)
    if mailbox not in teams:
        raise NotHereError
    return teams[mailbox]


async def find_delivery(inbox: Inbox, tx: Transaction, person: Person, envelope: str, action: Action) -> Row:
    """Return the delivery of *envelope* to a team of *person* with which they may do *action*.

    Where several of their teams have it, the one with which they have most to do.

    Raises:
        NotHereError: there is none, or none for them.
    """
    rows = await tx.all("find_for_any", envelope=envelope)
    related = await relations_among(inbox, tx, person, [(row["thread"], row["mailbox"]) for row in rows])
    found: list[tuple[int, Row]] = []
    for row in rows:
        relation = related[row["thread"], row["mailbox"]]
        if may(person.duties, relation, action):
            found.append((NEAREST.index(relation), row))
    if not found:
        raise NotHereError
    return min(found, key=lambda one: one[0])[1]
