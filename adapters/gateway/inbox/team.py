"""*Team*: for managers, who has how much, what nobody holds, and giving threads to people.

Counts and references of messages, not their content.  A manager who may know nothing of a thread doesn't find it here either.

Source: issue of the inbox (team view); domain 10 (a role inbox that nobody watches).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from aiohttp import web

from adapters.errors import GatewayError
from adapters.gateway import exclusions
from adapters.gateway.inbox.context import Inbox, NotHereError, visit_of
from adapters.gateway.inbox.holding import changed, find_held, find_seen
from adapters.gateway.inbox.people import Person
from adapters.gateway.inbox.relations import check_may
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.watch import duty_of
from hub.kit.forms import Posted
from hub.kit.pages import see
from schemas.identifiers import MailboxId, Moment, ThreadId

LIMIT: Final = 50
# Several messages of one thread are one line.
READ: Final = 250
NOBODY: Final = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one person of a team has before them; ``oldest``: since when the oldest unread waits."""

    person: str
    name: str
    unread: int
    held: int
    overdue: int
    oldest: Moment | None
    away_until: Moment | None
    cover: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thread in a list from which it can be given to somebody.

    ``title`` is a message type or family, ``party`` who sent or is owed it; ``due``: by when the team owes something in it.
    """

    thread: ThreadId
    title: str
    party: MailboxId
    since: Moment | None
    due: Moment | None
    seen: str = ""
    is_overdue: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """One team: its people, and what none of them holds."""

    mailbox: MailboxId
    loads: list[Load]
    unheld: list[Line]
    is_cut: bool


async def show_team(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the overview of the manager's teams."""
    person = visit_of(request, "team").person

    async def work(tx: Transaction) -> list[Team]:
        return [await look(inbox, tx, person, mailbox) for mailbox in sorted(person.teams)]

    return inbox.show(request, "team.html", {"teams": await inbox.gateway.spool.write(work), "nobody": NOBODY})


async def look(inbox: Inbox, tx: Transaction, person: Person, mailbox: MailboxId) -> Team:
    """Return how the team *mailbox* stands, as *person*, its manager, may know."""
    lines = await _unheld(inbox, tx, person, mailbox)
    return Team(
        mailbox=mailbox, loads=await _loads(inbox, tx, person, mailbox), unheld=lines[:LIMIT], is_cut=len(lines) > LIMIT
    )


async def _loads(inbox: Inbox, tx: Transaction, person: Person, mailbox: MailboxId) -> list[Load]:
    about = {"mailbox": mailbox, "excluded": exclusions.pseudonym(inbox.gateway, person.name)}
    now = inbox.now()
    unread = _by_person(await tx.all("unread_by_holder", **about))
    held = _by_person(await tx.all("held_by_holder", **about))
    overdue = _by_person(await tx.all("overdue_by_holder", **about, now=now))
    away = _by_person(await tx.all("away_in_team", mailbox=mailbox, now=now))
    covers = {one: await inbox.people.name_of(tx, row["cover"]) for one, row in away.items() if row["cover"]}
    loads = [
        Load(
            person=row["id"], name=inbox.people.name_in(row), unread=unread.get(row["id"], {}).get("unread", 0),
            held=held.get(row["id"], {}).get("held", 0), overdue=overdue.get(row["id"], {}).get("overdue", 0),
            oldest=unread.get(row["id"], {}).get("oldest"), away_until=away.get(row["id"], {}).get("until"),
            cover=covers.get(row["id"], ""),
        )
        for row in await tx.all("list_members", mailbox=mailbox)
        if row["state"] == "active"
    ]  # fmt: skip
    return sorted(loads, key=lambda load: (-load.overdue, -load.unread, load.name))


def _by_person(rows: Iterable[Row]) -> dict[str, Row]:
    return {row["person"]: row for row in rows}


async def _unheld(inbox: Inbox, tx: Transaction, person: Person, mailbox: MailboxId) -> list[Line]:
    """Return the threads with something to do that nobody holds: what is due first, then what waits longest."""
    now = inbox.now()
    about = {
        "mailbox": mailbox,
        "now": now,
        "excluded": exclusions.pseudonym(inbox.gateway, person.name),
        "limit": READ,
    }
    found: dict[ThreadId, Line] = {}
    for row in await tx.all("unheld_duties", **about):
        if row["thread"] not in found:
            found[row["thread"]] = Line(
                thread=row["thread"], title=duty_of(row).types[0], party=row["creditor"], since=None, due=row["due"],
                is_overdue=row["due"] < now,
            )  # fmt: skip
    for attention in ("new", "opened"):
        for row in await tx.all("unheld_in_team", **about, attention=attention):
            line = found.get(row["thread"])
            if line is None or line.since is None:
                found[row["thread"]] = Line(
                    thread=row["thread"], title=row["type"], party=row["sender"], since=row["accepted_at"],
                    due=line.due if line else None, is_overdue=line.is_overdue if line else False,
                )  # fmt: skip
    far = 1 << 62
    lines = sorted(found.values(), key=lambda one: (one.due or far, one.since or far, one.thread))
    return await _with_seen(tx, mailbox, lines[: LIMIT + 1])


async def _with_seen(tx: Transaction, mailbox: MailboxId, lines: list[Line]) -> list[Line]:
    seen = await find_seen(tx, mailbox, [line.thread for line in lines])
    return [replace(line, seen=seen[line.thread]) for line in lines]


async def show_person(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer which threads one person of the manager's teams holds."""
    manager, name = visit_of(request, "team").person, request.match_info["person"]

    async def work(tx: Transaction) -> dict[str, object]:
        person = await inbox.people.find(tx, name)
        shared = sorted(person.teams & manager.teams) if person else []
        if person is None or not shared:
            raise NotHereError
        teams = [await _held_by(inbox, tx, manager, person.id, mailbox) for mailbox in shared]
        return {"person": person, "teams": teams, "nobody": NOBODY}

    return inbox.show(request, "team_person.html", await inbox.gateway.spool.write(work))


async def _held_by(inbox: Inbox, tx: Transaction, manager: Person, person: str, mailbox: MailboxId) -> Team:
    now = inbox.now()
    rows = await tx.all(
        "held_in_team", mailbox=mailbox, person=person, limit=LIMIT + 1,
        excluded=exclusions.pseudonym(inbox.gateway, manager.name),
    )  # fmt: skip
    threads = json.dumps([row["thread"] for row in rows])
    newest = {row["thread"]: row for row in await tx.all("newest_in", mailbox=mailbox, threads=threads)}
    lines = [
        Line(
            thread=row["thread"], title=newest[row["thread"]]["type"] if row["thread"] in newest else "",
            party=newest[row["thread"]]["sender"] if row["thread"] in newest else mailbox, since=row["oldest"],
            due=row["due"], is_overdue=row["due"] is not None and row["due"] < now,
        )
        for row in rows
    ]  # fmt: skip
    people = await _loads(inbox, tx, manager, mailbox)
    lines = await _with_seen(tx, mailbox, lines)
    return Team(mailbox=mailbox, loads=people, unheld=lines[:LIMIT], is_cut=len(lines) > LIMIT)


async def assign(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Give the chosen threads of one team to a person, or to nobody: all of them, or none if one has changed since."""
    manager = visit_of(request, "team").person
    mailbox, to, threads = posted.get("mailbox"), posted.get("to"), list(dict.fromkeys(posted.all("thread")))
    if mailbox not in manager.teams:
        raise NotHereError

    async def work(tx: Transaction) -> None:
        person = await _find_assignee(inbox, tx, mailbox, to) if to and to != NOBODY else None
        for thread in threads:
            await check_may(inbox, tx, manager, thread, mailbox, "assign")
        if not threads or not to:
            raise GatewayError("assign-what", "Choose threads, and who is to have them", "Go back and choose")
        for thread in threads:
            await _give(inbox, tx, manager, person, thread, mailbox, posted.get(f"seen {thread}"))

    await inbox.gateway.spool.write(work)
    return see("/team")


async def _find_assignee(inbox: Inbox, tx: Transaction, mailbox: MailboxId, name: str) -> Person:
    person = await inbox.people.find(tx, name)
    if person is None or person.state != "active" or mailbox not in person.teams:
        raise GatewayError("assign-person", "That person is not of the team", "Choose somebody of the team")
    return person


async def _give(
    inbox: Inbox, tx: Transaction, manager: Person, person: Person | None, thread: ThreadId, mailbox: MailboxId,
    seen: str,
) -> None:  # fmt: skip
    held, now = await find_held(inbox, tx, thread, mailbox), inbox.now()
    if held.seen == (person.id if person else ""):
        return  # pressed twice, or somebody else had the same thought
    if held.seen != seen:
        raise changed(held)
    if person is not None and await exclusions.is_excluded(inbox.gateway, tx, thread, person.name):
        raise GatewayError("assign-excluded", f"{person.name} may not have one of these", "Choose somebody else")
    await tx.run("drop_holders", thread=thread, mailbox=mailbox)
    if person is not None:
        await tx.run("add_holder", thread=thread, mailbox=mailbox, person=person.id, at=now, by=manager.id)
    await inbox.people.note(
        tx, manager.id, "assigned" if person else "unassigned", now, thread=thread, mailbox=mailbox,
        code=person.id if person else None,
    )  # fmt: skip
