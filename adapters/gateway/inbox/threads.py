"""One child's thread as a team sees it: what came and went, what is owed, who holds it, who looked.

Never what a message says: that is behind opening it.  How far something got is shown where it was sent from, and nowhere else.

Source: issue of the inbox (the thread's history); design 2 (5).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from aiohttp import web

from adapters.gateway.guests.book import name_of_guest
from adapters.gateway.inbox.access import Relation, may
from adapters.gateway.inbox.context import Inbox, visit_of
from adapters.gateway.inbox.holding import Held, find_held
from adapters.gateway.inbox.people import Person
from adapters.gateway.inbox.reached import Reached, find_reached
from adapters.gateway.inbox.relations import find_teams
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.watch import duty_of, header_of
from schemas.identifiers import EnvelopeId, MailboxId, MessageType, Moment, ThreadId

LIMIT: Final = 300
EVENTS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One message of the thread; ``mailbox`` is the person's own team.

    ``reached``: how far it got, where it was sent from here; ``said``: what this agency's receipts said of it, where it came here.
    """

    envelope: EnvelopeId
    is_sent: bool
    type: MessageType
    at: Moment
    sender: MailboxId
    mailbox: MailboxId
    to: tuple[MailboxId, ...]
    state: str
    code: str | None
    supersedes: EnvelopeId | None
    superseded_by: EnvelopeId | None
    may_open: bool
    reached: tuple[Reached, ...]
    said: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owes:
    """One obligation of the thread, open or settled; ``is_late``: it is overdue, or was met late."""

    kind: str
    types: tuple[str, ...]
    debtor: MailboxId
    creditor: MailboxId
    due: Moment
    state: str
    settled_at: Moment | None
    is_late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The thread in one of the person's teams: who holds it there, and what the person may do about that."""

    held: Held
    relation: Relation
    actions: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the agency's own log of who looked."""

    at: Moment
    name: str
    action: str
    code: str | None
    about: str


async def show_thread(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the history of one thread."""
    person, thread = visit_of(request, "today").person, request.match_info["thread"]
    return inbox.show(
        request, "thread.html", await inbox.gateway.spool.write(lambda tx: look(inbox, tx, person, thread))
    )


async def look(inbox: Inbox, tx: Transaction, person: Person, thread: ThreadId) -> dict[str, Any]:
    """Return what the page of *thread* shows to *person*.

    Raises:
        NotHereError: there is no such thread, or none for them.
    """
    teams = await find_teams(inbox, tx, person, thread, "list")
    boxes = json.dumps(sorted(teams))
    items = await _items(inbox, tx, person, thread, teams)
    duties = await tx.all("duties_in", thread=thread, mailboxes=boxes, limit=LIMIT)
    places = []
    for mailbox, relation in teams.items():
        allowed = frozenset(
            action for action in ("take", "release", "assign", "break-glass", "answer", "open")
            if may(person.duties, relation, action)
        )  # fmt: skip
        held = await find_held(inbox, tx, thread, mailbox)
        places.append(Place(held=held, relation=relation, actions=allowed))
    traced = [box for box, relation in teams.items() if may(person.duties, relation, "trace")]
    return {
        "thread": thread, "items": items[:LIMIT], "places": places, "is_cut": len(items) > LIMIT,
        "owed": [_owes(row, inbox.now()) for row in duties],
        "events": await _events(inbox, tx, thread, traced) if traced else None,
    }  # fmt: skip


async def _items(
    inbox: Inbox, tx: Transaction, person: Person, thread: ThreadId, teams: Mapping[MailboxId, Relation]
) -> list[Item]:
    boxes = json.dumps(sorted(teams))
    received = await tx.all("received_in", thread=thread, mailboxes=boxes, limit=LIMIT + 1)
    sent = [dict(row) | {"thread": thread} for row in await tx.all(
        "sent_in", thread=thread, mailboxes=boxes, limit=LIMIT + 1)]  # fmt: skip
    said: dict[tuple[str, str], list[Row]] = {}
    for row in await tx.all("own_receipts_in", thread=thread, mailboxes=boxes):
        said.setdefault((row["envelope"], row["mailbox"]), []).append(row)
    reached = await find_reached(inbox, tx, sent)
    found = [
        _item(
            row, may(person.duties, teams[row["mailbox"]], "open"), said=said.get((row["envelope"], row["mailbox"]), ())
        )
        for row in received
    ]
    found += [
        _item(row, may(person.duties, teams[row["mailbox"]], "open"), reached=reached.get(row["envelope"], ()))
        for row in sent
    ]
    replaced = {one.supersedes: one.envelope for one in found if one.supersedes and one.state != "refused"}
    marked = [_mark(one, replaced) for one in found]
    return sorted(marked, key=lambda one: (one.at, one.envelope), reverse=True)


def _item(row: Row, may_open: bool, reached: tuple[Reached, ...] = (), said: Iterable[Row] = ()) -> Item:
    is_sent = "attention" not in row
    header = header_of(row) if row["header"] is not None else None
    return Item(
        envelope=row["envelope"], is_sent=is_sent, type=row["type"], at=row["at" if is_sent else "accepted_at"],
        sender=row["mailbox"] if is_sent else row["sender"], mailbox=row["mailbox"], to=header.to if header else (),
        state=row["state"], code=None if is_sent else row["code"], supersedes=header.supersedes if header else None,
        superseded_by=None, may_open=may_open, reached=reached, said=tuple(said),
    )  # fmt: skip


def _mark(item: Item, replaced: Mapping[EnvelopeId, EnvelopeId]) -> Item:
    return replace(item, superseded_by=replaced.get(item.envelope))


def _owes(row: Row, now: Moment) -> Owes:
    duty = duty_of(row)
    late = row["state"] == "met_late" or (row["state"] == "open" and row["due"] < now)
    return Owes(
        kind=row["kind"], types=duty.types, debtor=row["debtor"], creditor=row["creditor"], due=row["due"],
        state=row["state"], settled_at=row["settled_at"], is_late=late,
    )  # fmt: skip


async def _events(inbox: Inbox, tx: Transaction, thread: ThreadId, traced: list[MailboxId]) -> list[Event]:
    rows = [row for row in await tx.all("events_in", thread=thread) if row["mailbox"] in traced][-EVENTS:]
    people = {row["person"] for row in rows} | {row["code"] for row in rows if row["action"] == "assigned"}
    names = {
        one: await inbox.people.name_of(tx, one) or await name_of_guest(inbox.gateway, tx, one) for one in people if one
    }
    return [
        Event(
            at=row["at"], name=names.get(row["person"], ""), action=row["action"], code=row["code"],
            about=names.get(row["code"], "") if row["action"] == "assigned" else "",
        )
        for row in reversed(rows)
    ]  # fmt: skip
