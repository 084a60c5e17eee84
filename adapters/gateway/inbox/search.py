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
from adapters.gateway.inbox.relations import relations_among
from adapters.gateway.spool import Transaction
from hub.kit.forms import Posted
from schemas.identifiers import EnvelopeId, MailboxId, MessageType, Moment, ThreadId

LIMIT: Final = 50
CANDIDATES: Final = 200
# Beyond so many messages a word is common, and how common doesn't matter.
ENOUGH: Final = 1000
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
    digests, found = Digests(inbox.gateway), dict[int, Hit]()
    for mailbox in sorted(person.teams):
        asked = [digests.to_find(mailbox, term) for term in terms]
        # The rarest leads, so that what is in everything is only looked up.
        counts = [await _count(tx, each) for each in asked]
        first = asked.pop(counts.index(min(counts)))
        for digest in first:
            found |= await _find_one(inbox, tx, person, digest, json.dumps(asked))
    newest = sorted(found.items(), key=lambda one: (one[1].at, one[0]), reverse=True)
    return [hit for _, hit in newest[: LIMIT + 1]]


async def _count(tx: Transaction, digests: list[str]) -> int:
    rows = [await tx.one("count_word", digest=one, limit=ENOUGH) for one in digests]
    return sum(int(row["n"]) for row in rows if row)


async def _find_one(inbox: Inbox, tx: Transaction, person: Person, digest: str, others: str) -> dict[int, Hit]:
    """Return what *person* may open with *digest* and one of each of *others* in it, by number: the last that came."""
    found: dict[int, Hit] = {}
    before = 1 << 62
    while True:
        rows = await tx.all("find_words", digest=digest, others=others, before=before, limit=CANDIDATES)
        related = await relations_among(inbox, tx, person, [(row["thread"], row["mailbox"]) for row in rows])
        found |= {
            row["number"]: Hit(
                envelope=row["envelope"], thread=row["thread"], type=row["type"], sender=row["sender"],
                mailbox=row["mailbox"], at=row["at"], is_sent=bool(row["sent"]),
            )
            for row in rows
            if may(person.duties, related[row["thread"], row["mailbox"]], "open")
        }  # fmt: skip
        if len(rows) < CANDIDATES or len(found) > LIMIT:
            return found
        before = rows[-1]["number"]
