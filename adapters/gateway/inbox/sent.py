"""*Sent*: what a person's teams sent, and how far each got with each recipient; what is missing stands out.

Source: issue of the inbox (my receipts); design 2 (3, 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from adapters.gateway.inbox.access import may
from adapters.gateway.inbox.context import Inbox, visit_of
from adapters.gateway.inbox.people import Person
from adapters.gateway.inbox.reached import Reached, find_reached
from adapters.gateway.inbox.relations import relations_among
from adapters.gateway.spool import Row, Transaction
from schemas.identifiers import EnvelopeId, MailboxId, MessageType, Moment, ThreadId

LIMIT: Final = 25
# How many pages' worth is read at most to fill one with what the person may see.
ROUNDS: Final = 20
_END: Final = (1 << 62, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One message that was sent from the team ``mailbox``.

    ``is_witnessed``: enough witnesses have countersigned that the hub accepted it, so nobody has to take its word.
    """

    envelope: EnvelopeId
    thread: ThreadId
    type: MessageType
    mailbox: MailboxId
    at: Moment
    state: str
    reached: tuple[Reached, ...]
    is_witnessed: bool = False

    @property
    def is_missing(self) -> bool:
        """Answer whether a receipt of it is owed and not here."""
        return any(one.is_missing for one in self.reached)


async def show_sent(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer one page of what was sent, the newest first; ``?after=`` an envelope continues after it."""
    person, after = visit_of(request, "receipts").person, request.query.get("after", "")
    sent, more = await inbox.gateway.spool.write(lambda tx: list_sent(inbox, tx, person, after))
    return inbox.show(request, "sent.html", {"sent": sent, "more": more, "is_first": not after})


async def list_sent(inbox: Inbox, tx: Transaction, person: Person, after: EnvelopeId) -> tuple[list[Sent], str]:
    """Return what comes after the envelope *after* (empty: the newest), and after which envelope there is more."""
    at, envelope = await _find_place(tx, person, after)
    shown: list[Row] = []
    for _ in range(ROUNDS):
        rows = await _next(tx, person, at, envelope)
        related = await relations_among(inbox, tx, person, [(row["thread"], row["mailbox"]) for row in rows])
        shown += [row for row in rows if may(person.duties, related[row["thread"], row["mailbox"]], "list")]
        if len(rows) <= LIMIT or len(shown) > LIMIT:
            break
        at, envelope = rows[-1]["at"], rows[-1]["envelope"]
    page = shown[:LIMIT]
    reached = await find_reached(inbox, tx, page)
    found = [
        Sent(
            envelope=row["envelope"], thread=row["thread"], type=row["type"], mailbox=row["mailbox"], at=row["at"],
            state=row["state"], reached=reached.get(row["envelope"], ()),
            is_witnessed=inbox.gateway.quorum.has_witnessed(bytes(row["acceptance"]) if row["acceptance"] else None),
        )
        for row in page
    ]  # fmt: skip
    return found, found[-1].envelope if len(shown) > LIMIT else ""


async def _find_place(tx: Transaction, person: Person, after: EnvelopeId) -> tuple[Moment, EnvelopeId]:
    row = await tx.one("find_sent", envelope=after) if after else None
    if row is None or row["mailbox"] not in person.teams:
        return _END
    return row["at"], row["envelope"]


async def _next(tx: Transaction, person: Person, at: Moment, envelope: EnvelopeId) -> list[Row]:
    """Return the next rows of all of the person's teams, each team's read in the order of its index."""
    found: list[Row] = []
    for mailbox in sorted(person.teams):
        found += await tx.all("sent_by", mailbox=mailbox, at=at, envelope=envelope, limit=LIMIT + 1)
    return sorted(found, key=lambda row: (row["at"], row["envelope"]), reverse=True)[: LIMIT + 1]
