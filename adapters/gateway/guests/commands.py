"""What `gateway guests` does: the book for administrators, links and codes for the desk.

Who adds a guest gives no codes, and who gives codes adds nobody: it takes two people to let somebody in.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from adapters.errors import GatewayError
from adapters.gateway import exclusions
from adapters.gateway.agent import open_gateway
from adapters.gateway.context import Gateway
from adapters.gateway.guests.book import Book, Guest, check_details
from adapters.gateway.guests.codes import give_code
from adapters.gateway.guests.config import is_of_desk
from adapters.gateway.guests.links import send_link
from adapters.gateway.inbox.people import Person
from adapters.gateway.spool import Row, Transaction

Printed = dict[str, Any] | list[dict[str, Any]]
Action = Callable[[Book, Transaction, Namespace], Awaitable[Printed]]


async def run_action(options: Namespace) -> Printed:
    """Do one action, as one transaction beside a running gateway.

    Raises:
        GatewayError: ``guest-none``; what the action says.
    """
    async with open_gateway(Path(options.home), passphrase_file=options.passphrase_file) as gateway:
        book = _book(gateway)
        return await gateway.spool.write(lambda tx: ACTIONS[options.action](book, tx, options))


def _book(gateway: Gateway) -> Book:
    config = gateway.config.inbox.guests if gateway.config.inbox else None
    if config is None:
        raise GatewayError("guest-none", "this gateway has no guests", "see docs/agencies/email.md")
    return Book(gateway, config)


async def add(book: Book, tx: Transaction, options: Namespace) -> Printed:
    """Add a guest."""
    by = await _administrator(book, tx, options.by)
    details = check_details(
        name=options.name, email=options.email, role=options.role, variant=options.variant, phone=options.phone,
        own=book.gateway.config.agency,
    )  # fmt: skip
    await book.add(tx, options.mailbox, details, by)
    return {"email": details.email, "mailbox": options.mailbox, "variant": details.variant}


async def list_guests(book: Book, tx: Transaction, options: Namespace) -> Printed:
    """List the guests."""
    del options
    found = []
    for guest in await book.list_all(tx):
        waiting = await tx.all("guest_links_open", guest=guest.id)
        said = guest.details
        found.append(
            {
                "email": said.email, "name": said.name, "role": said.role, "mailbox": guest.mailbox, "variant": said.variant,
                "state": guest.state, "app": bool(said.secret), "links": sorted(link["envelope"] for link in waiting),
            }
        )  # fmt: skip
    return found


async def remove(book: Book, tx: Transaction, options: Namespace) -> Printed:
    """End a guest."""
    by = await _administrator(book, tx, options.by)
    guest = await book.get_at(tx, options.email, options.mailbox)
    ended = await book.remove(tx, guest, by)
    return {"email": guest.details.email, "mailbox": guest.mailbox, "state": "left", "links that are dead": ended}


async def send(book: Book, tx: Transaction, options: Namespace) -> Printed:
    """Send new links."""
    person = await _desk(book, tx, options.by)
    if options.email:
        guests = [await book.get_at(tx, options.email, options.mailbox)]
    else:
        boxes = {row["mailbox"] for row in await tx.all("find_for_any", envelope=options.envelope)}
        if options.mailbox:
            boxes &= {options.mailbox}
        guests = [one for one in await book.list_all(tx) if one.mailbox in boxes and one.state == "active"]
    if not guests:
        raise GatewayError(
            "guest-nothing", "there is nothing there that this guest may read", "see `gateway inbox list`"
        )
    for guest in guests:
        row = await tx.one("find_incoming", envelope=options.envelope, mailbox=guest.mailbox)
        await _check_not_excluded(book, tx, person, row)
        await send_link(book, tx, guest, options.envelope, person.id)
    return [{"email": one.details.email, "envelope": options.envelope, "state": "waiting"} for one in guests]


async def code(book: Book, tx: Transaction, options: Namespace) -> Printed:
    """Give a code."""
    person = await _desk(book, tx, options.by)
    guest = await book.get_at(tx, options.email, options.mailbox)
    link = await _find_link(tx, guest, options.envelope)
    await _check_not_excluded(book, tx, person, link)
    given = await give_code(book, tx, link, person.id)
    return {"email": guest.details.email, "code": given, "minutes": book.config.code_minutes}


async def enrol(book: Book, tx: Transaction, options: Namespace) -> Printed:
    """Give a secret for an app."""
    person = await _desk(book, tx, options.by)
    guest = await book.get_at(tx, options.email, options.mailbox)
    return {"email": guest.details.email, "app": await book.enrol(tx, guest, person.id)}


async def _find_link(tx: Transaction, guest: Guest, envelope: str | None) -> Row | None:
    links = [row for row in await tx.all("guest_links_open", guest=guest.id) if envelope in {None, row["envelope"]}]
    if len(links) > 1:
        raise GatewayError("guest-links", "several links of theirs wait", "name one by --envelope")
    return links[0] if links else None


async def _administrator(book: Book, tx: Transaction, login: str) -> str:
    person = await book.people.find_login(tx, login)
    if person is None or person.state != "active" or "administrator" not in person.duties:
        raise GatewayError("guest-by", "an administrator keeps the book of guests", "say which one by --by LOGIN")
    return person.id


async def _check_not_excluded(book: Book, tx: Transaction, person: Person, row: Row | None) -> None:
    if row is not None and await exclusions.is_excluded(book.gateway, tx, row["thread"], person.name):
        raise GatewayError(
            "person-excluded", "this person may not open what belongs to the thread", "a colleague has to"
        )


async def _desk(book: Book, tx: Transaction, login: str) -> Person:
    person = await book.people.find_login(tx, login)
    if person is None or person.state != "active" or not is_of_desk(book.config, person.teams, person.duties):
        raise GatewayError("guest-desk", "the desk's team sends links and gives codes", "say who of it by --by LOGIN")
    return person


ACTIONS: Final[Mapping[str, Action]] = {
    "add": add, "list": list_guests, "remove": remove, "send": send, "code": code, "enrol": enrol,
}  # fmt: skip
