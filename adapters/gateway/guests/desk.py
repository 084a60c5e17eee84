"""The desk's page in the inbox: which links wait, the code that is read out for one, a new link for one that ended.

It says who is written to and how that stands; not from whom, of which type, or about whom.

Source: decision secure-email.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from adapters.errors import GatewayError
from adapters.gateway import exclusions
from adapters.gateway.guests.book import Book, Guest
from adapters.gateway.guests.codes import give_code
from adapters.gateway.guests.config import is_of_desk
from adapters.gateway.guests.links import send_link
from adapters.gateway.inbox.context import VISIT, Inbox, NotHereError
from adapters.gateway.inbox.people import Person
from adapters.gateway.spool import Row, Transaction
from hub.kit.forms import Posted
from hub.kit.pages import see

LIMIT: Final = 100
DAYS: Final = 30
DAY: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """One link on the desk's list, and who it is for."""

    link: Row
    guest: Guest


async def show_guests(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the links of the last month that somebody has not used to the end, the newest first."""
    book, person = _enter(inbox, request)

    async def work(tx: Transaction) -> list[Waiting]:
        found = []
        for link in await tx.all("guest_links_now", since=inbox.now() - DAYS * DAY, limit=LIMIT):
            guest = await book.find(tx, link["guest"])
            if guest and not await exclusions.is_excluded(inbox.gateway, tx, link["thread"], person.name):
                found.append(Waiting(link, guest))
        return found

    return inbox.show(request, "guests.html", {"waiting": await inbox.gateway.spool.write(work)})


async def show_code(inbox: Inbox, request: web.Request, posted: Posted) -> web.Response:
    """Answer a new code for a link, once: the page is the answer to the button, and is kept nowhere."""
    del posted
    book, person = _enter(inbox, request)

    async def work(tx: Transaction) -> tuple[Guest, str]:
        link, guest = await _find(book, tx, person, request.match_info["link"])
        return guest, await give_code(book, tx, link, person.id)

    guest, code = await inbox.gateway.spool.write(work)
    context = {"guest": guest, "code": code, "minutes": book.config.code_minutes}
    return inbox.show(request, "guests_code.html", context)


async def send_again(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Send a new link instead of one that ended, or that is lost."""
    del posted
    book, person = _enter(inbox, request)

    async def work(tx: Transaction) -> None:
        link, guest = await _find(book, tx, person, request.match_info["link"])
        await send_link(book, tx, guest, link["envelope"], person.id)

    await inbox.gateway.spool.write(work)
    return see("/guests")


def _enter(inbox: Inbox, request: web.Request) -> tuple[Book, Person]:
    person, config = request[VISIT].person, inbox.config.guests
    if config is None or not is_of_desk(config, person.teams, person.duties):
        raise NotHereError
    return Book(inbox.gateway, config), person


async def _find(book: Book, tx: Transaction, person: Person, name: str) -> tuple[Row, Guest]:
    """Return a link and its guest, for *person*.

    Raises:
        NotHereError: there is none, or none for them.
        GatewayError: ``guest-self``.
    """
    link = await tx.one("find_guest_link", id=name)
    guest = await book.find(tx, link["guest"]) if link else None
    if link is None or guest is None or await exclusions.is_excluded(book.gateway, tx, link["thread"], person.name):
        raise NotHereError
    if guest.details.email in {person.email.casefold(), person.login}:
        raise GatewayError("guest-self", "Nobody gives themselves a code", "Ask a colleague")
    return link, guest
