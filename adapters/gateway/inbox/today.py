"""*Today*: what is new for you, what is owed to you and not here, what you owe.  Overdue first, and nothing else.

Source: design 1 (who uses it); promises 1 (P3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from adapters.gateway import embargo, exclusions
from adapters.gateway.inbox.access import Page, may_visit
from adapters.gateway.inbox.context import VISIT, Inbox, visit_of
from adapters.gateway.inbox.people import Person
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.watch import duty_of
from hub.kit.pages import see
from schemas.identifiers import EnvelopeId, MailboxId, MessageType, Moment, ThreadId
from schemas.rules.duty import Duty

LIMIT: Final = 50
_OTHERS: Final[dict[Page, str]] = {"review": "/review", "people": "/people"}


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """One delivery that waits for this person; ``held`` until when it is under embargo."""

    envelope: EnvelopeId
    thread: ThreadId
    type: MessageType
    sender: MailboxId
    mailbox: MailboxId
    at: Moment
    is_embargoed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """One open obligation: ``other`` is who owes, or is owed; ``reminded`` counts the steps that told the debtor so far."""

    id: str
    kind: str
    thread: ThreadId
    types: tuple[str, ...]
    other: MailboxId
    mailbox: MailboxId
    since: Moment
    due: Moment
    is_overdue: bool
    reminded: int
    envelope: EnvelopeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """The page's three lists, and whether one was cut off."""

    new: list[New]
    opened: list[New]
    missing: list[Owed]
    owed: list[Owed]
    more: bool


async def show_today(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the page that people begin with; who has no messages to see begins with what they are here for."""
    duties = request[VISIT].person.duties
    if not may_visit(duties, "today"):
        return see(next(path for page, path in _OTHERS.items() if may_visit(duties, page)))
    person = visit_of(request, "today").person
    today = await inbox.gateway.spool.write(lambda tx: look(inbox, tx, person))
    return inbox.show(request, "today.html", {"today": today})


async def look(inbox: Inbox, tx: Transaction, person: Person) -> Today:
    """Return what waits for *person* now."""
    new, opened = await _deliveries(inbox, tx, person, "new"), await _deliveries(inbox, tx, person, "opened")
    missing = await _owed(inbox, tx, person, "owed_to")
    owed = await _owed(inbox, tx, person, "owed_by")
    more = any(len(found) > LIMIT for found in (new, opened, missing, owed))
    return Today(new=new[:LIMIT], opened=opened[:LIMIT], missing=missing[:LIMIT], owed=owed[:LIMIT], more=more)


async def _deliveries(inbox: Inbox, tx: Transaction, person: Person, attention: str) -> list[New]:
    rows = await _waiting(inbox, tx, person, "new_for", attention=attention)
    newest = sorted(rows, key=lambda row: int(row["accepted_at"]), reverse=True)
    return [
        New(
            envelope=row["envelope"], thread=row["thread"], type=row["type"], sender=row["sender"],
            mailbox=row["mailbox"], at=row["accepted_at"], is_embargoed=row["state"] == embargo.STATE,
        )
        for row in newest[: LIMIT + 1]
    ]  # fmt: skip


async def _owed(inbox: Inbox, tx: Transaction, person: Person, query: str) -> list[Owed]:
    rows = sorted(await _waiting(inbox, tx, person, query), key=lambda row: int(row["due"]))
    side = "creditor" if query == "owed_to" else "debtor"
    return [_read(row, row[side], inbox.now()) for row in rows[: LIMIT + 1]]


async def _waiting(inbox: Inbox, tx: Transaction, person: Person, query: str, **which: str) -> list[Row]:
    """Return what *query* has for *person*: of what they hold and of what nobody does, one more than a list shows of each team.

    Each team's by itself, so that its index is read in order and no further than needed.
    """
    excluded, rows = exclusions.pseudonym(inbox.gateway, person.name), list[Row]()
    for mailbox in sorted(person.teams):
        rows += await tx.all(
            query, mailbox=mailbox, person=person.id, now=inbox.now(), excluded=excluded, limit=LIMIT + 1, **which
        )
    return rows


def _read(row: Row, mailbox: MailboxId, now: Moment) -> Owed:
    duty = duty_of(row)
    other = duty.debtor if mailbox == duty.creditor else duty.creditor
    return Owed(
        id=row["id"], kind=duty.kind, thread=duty.thread, types=duty.types, other=other, mailbox=mailbox,
        since=duty.moment, due=duty.due, is_overdue=now > duty.due, reminded=count_reminders(duty, now),
        envelope=duty.envelope or "",
    )  # fmt: skip


def count_reminders(duty: Duty, now: Moment) -> int:
    """Return how often the debtor of *duty* has been told of it by *now*, as its ladder says."""
    return sum("debtor" in one.to for one in duty.steps if one.at <= now)
