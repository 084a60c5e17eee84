"""Search: what somebody may open, by the words in it; what was looked for is in no address, log or record.

Source: issue of the inbox (local, encrypted index); `indexing`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from adapters.gateway.inbox.access import may
from adapters.gateway.inbox.context import Inbox, visit_of
from adapters.gateway.inbox.indexing import Digests, terms_of
from adapters.gateway.inbox.people import Person
from adapters.gateway.inbox.posted import Posted
from adapters.gateway.inbox.relations import relations_among
from adapters.gateway.spool import Transaction
from schemas.identifiers import EnvelopeId, MailboxId, MessageType, Moment, ThreadId

LIMIT: Final = 50
CANDIDATES: Final = 400
MAX_TERMS: Final = 10
MAX_TYPED: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One message in which every word is found; ``mailbox`` is the person's own team."""

    envelope: EnvelopeId
    thread: ThreadId
    type: MessageType
    sender: MailboxId
    mailbox: MailboxId
    at: Moment
    is_sent: bool


async def show_search(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the page on which people search."""
    visit_of(request, "search")
    return inbox.show(request, "search.html", {"typed": "", "wrong": "", "hits": None, "more": False})


async def search(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Answer what was found."""
    person, typed = visit_of(request, "search").person, posted.get("words")[:MAX_TYPED]
    terms = terms_of(typed)
    if not terms or len(terms) > MAX_TERMS:
        wrong = f"Type {MAX_TERMS} words or fewer" if terms else "Type a word to look for"
        context = {"typed": typed, "wrong": wrong, "hits": None, "more": False}
        return inbox.show(request, "search.html", context, status=422)

    async def work(tx: Transaction) -> list[Hit]:
        await inbox.people.note(tx, person.id, "search", inbox.now())
        return await find(inbox, tx, person, terms)

    hits = await inbox.gateway.spool.write(work)
    found = {"typed": typed, "wrong": "", "hits": hits[:LIMIT], "more": len(hits) > LIMIT}
    return inbox.show(request, "search.html", found)


async def find(inbox: Inbox, tx: Transaction, person: Person, terms: list[str]) -> list[Hit]:
    """Return what *person* may open and every one of *terms* is found in, the newest first; one more than is shown.

    What a colleague holds is as if it weren't there: that a child's name is in it would say too much.
    """
    digests, found, before = Digests(inbox.gateway), list[Hit](), (1 << 62, 0)
    asked = json.dumps([
        (number, digest) for number, term in enumerate(terms) for mailbox in sorted(person.teams)
        for digest in digests.to_find(mailbox, term)
    ])  # fmt: skip
    while True:
        rows = await tx.all(
            "find_words", terms=asked, count=len(terms), at=before[0], number=before[1], limit=CANDIDATES
        )
        related = await relations_among(inbox, tx, person, [(row["thread"], row["mailbox"]) for row in rows])
        found += [
            Hit(
                envelope=row["envelope"], thread=row["thread"], type=row["type"], sender=row["sender"],
                mailbox=row["mailbox"], at=row["at"], is_sent=bool(row["sent"]),
            )
            for row in rows
            if may(person.duties, related[row["thread"], row["mailbox"]], "open")
        ]  # fmt: skip
        if len(rows) < CANDIDATES or len(found) > LIMIT:
            return found
        before = (rows[-1]["at"], rows[-1]["number"])
