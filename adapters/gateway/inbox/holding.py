"""Who holds a thread: taking it on, giving it back, being given it.

Every change says what the page showed when the button was pressed.  Whoever comes second is told what happened and changes
nothing; whoever presses twice has done it once.

Source: domain 10 (a role inbox that nobody watches); issue of the inbox (two people acting at once).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web

from adapters.errors import GatewayError
from adapters.gateway.inbox.access import Action, may
from adapters.gateway.inbox.context import Inbox, NotHereError, visit_of
from adapters.gateway.inbox.people import Person
from adapters.gateway.inbox.relations import find_teams
from adapters.gateway.spool import Transaction
from hub.kit.forms import Posted
from hub.kit.pages import see
from schemas.identifiers import MailboxId, Moment, ThreadId


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One person who holds a thread since ``at``; not ``is_here``: they have left, or are away (``away_until``)."""

    person: str
    name: str
    at: Moment
    is_here: bool
    away_until: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Who holds a thread in one team.  ``seen`` goes into every form that changes it."""

    mailbox: MailboxId
    holders: tuple[Holder, ...]

    @property
    def seen(self) -> str:
        """Return what tells this from any other set of holders."""
        return seen_of(one.person for one in self.holders)

    def is_by(self, person: Person) -> bool:
        """Answer whether *person* is one of them."""
        return any(one.person == person.id for one in self.holders)

    def in_words(self) -> str:
        """Return by whom it is held: ``Robin Sample holds it``."""
        names = [one.name for one in self.holders]
        return f"{' and '.join(names)} {'holds' if len(names) == 1 else 'hold'} it" if names else "nobody holds it"


def seen_of(people: Iterable[str]) -> str:
    """Return what tells this set of holders from any other."""
    return " ".join(sorted(people))


async def find_held(inbox: Inbox, tx: Transaction, thread: ThreadId, mailbox: MailboxId) -> Held:
    """Return who holds *thread* in the team *mailbox* now."""
    found = []
    for row in await tx.all("holders_named", thread=thread, mailbox=mailbox, now=inbox.now()):
        name = inbox.people.name_in(row)
        here = row["state"] == "active" and row["away_until"] is None
        found.append(
            Holder(person=row["person"], name=name, at=row["since"], is_here=here, away_until=row["away_until"])
        )
    return Held(mailbox=mailbox, holders=tuple(found))


async def find_seen(tx: Transaction, mailbox: MailboxId, threads: Iterable[ThreadId]) -> dict[ThreadId, str]:
    """Return for each of *threads* what tells its holders in *mailbox* from others."""
    asked = list(threads)
    people: dict[ThreadId, list[str]] = {thread: [] for thread in asked}
    for row in await tx.all("holders_among", threads=json.dumps(asked), mailbox=mailbox):
        people[row["thread"]].append(row["person"])
    return {thread: seen_of(found) for thread, found in people.items()}


def changed(held: Held) -> GatewayError:
    """Return what whoever came second is told."""
    return GatewayError(
        "thread-changed", f"Somebody else was quicker: {held.in_words()} now", "Nothing was changed; look again"
    )


async def take_thread(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Make the person a holder of the thread."""
    person, thread = visit_of(request, "today").person, request.match_info["thread"]

    async def work(tx: Transaction) -> None:
        mailbox, held, is_allowed = await _look(inbox, tx, person, thread, posted, "take")
        if held.is_by(person):
            return
        if posted.get("seen") != held.seen:
            raise changed(held)
        if not is_allowed:
            raise NotHereError
        now = inbox.now()
        await tx.run("add_holder", thread=thread, mailbox=mailbox, person=person.id, at=now, by=person.id)
        await inbox.people.note(tx, person.id, "taken", now, thread=thread, mailbox=mailbox)

    await inbox.gateway.spool.write(work)
    return see(f"/threads/{thread}")


async def release_thread(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Have the person hold the thread no longer."""
    person, thread = visit_of(request, "today").person, request.match_info["thread"]

    async def work(tx: Transaction) -> None:
        mailbox, held, is_allowed = await _look(inbox, tx, person, thread, posted, "release")
        if not held.is_by(person):
            # Released before, by the same button: nothing is left to do.  Otherwise it was given to somebody else.
            if held.holders and posted.get("seen") != held.seen:
                raise changed(held)
            if posted.get("seen") and not held.holders:
                return
        if not is_allowed:
            raise NotHereError
        await tx.run("drop_holder", thread=thread, mailbox=mailbox, person=person.id)
        await inbox.people.note(tx, person.id, "released", inbox.now(), thread=thread, mailbox=mailbox)

    await inbox.gateway.spool.write(work)
    return see(f"/threads/{thread}")


async def _look(
    inbox: Inbox, tx: Transaction, person: Person, thread: ThreadId, posted: Posted, action: Action
) -> tuple[MailboxId, Held, bool]:
    """Return the team that the form means, who holds the thread there, and whether the person may do *action* now.

    Raises:
        NotHereError: the thread isn't there, or not for them.
    """
    teams = await find_teams(inbox, tx, person, thread, "list")
    mailbox = posted.get("mailbox") or next(iter(teams))
    if mailbox not in teams:
        raise NotHereError
    return mailbox, await find_held(inbox, tx, thread, mailbox), may(person.duties, teams[mailbox], action)
