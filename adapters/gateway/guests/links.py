"""Links: made for one guest and one message, looked at each time anew, ended once for good.

A link is dead by what is true now, not by what was swept: the message is withdrawn, replaced or gone, the guest removed or
excluded from the thread, its time is over.

Source: issue of secure e-mail; domain 11 (risks 1, 2, 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from adapters.errors import GatewayError
from adapters.gateway import exclusions, filing
from adapters.gateway.exports.policy import load_policy, parse_audience
from adapters.gateway.exports.sheet import Sheet, make_sheet
from adapters.gateway.guests.book import Book, Guest, end_link
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.watch import header_of
from keys.digests import b64u, random_bytes, sha256_b64u
from schemas.identifiers import EnvelopeId

HOUR: Final = 3_600_000
# Who made a link that nobody asked for by hand.
BY_ITSELF: Final = None


@dataclass(frozen=True, slots=True)
class Open:
    """A link that still holds: its row, its guest, and the delivery that it leads to."""

    link: Row
    guest: Guest
    row: Row


async def look_at(book: Book, tx: Transaction, link: Row | None) -> Open | None:
    """Return what *link* leads to, if it still holds."""
    if link is None or link["state"] not in {"open", "used"} or link["until"] <= book.gateway.clock():
        return None
    guest = await book.find(tx, link["guest"])
    row = await find_readable(book, tx, guest, link["envelope"])
    return Open(link, guest, row) if guest is not None and row is not None else None


async def find_readable(book: Book, tx: Transaction, guest: Guest | None, envelope: EnvelopeId) -> Row | None:
    """Return the delivery of *envelope* that *guest* may read now, if there is one."""
    if guest is None or await tx.one("guest_may_read", guest=guest.id, envelope=envelope) is None:
        return None
    row = await tx.one("find_incoming", envelope=envelope, mailbox=guest.mailbox)
    if row is None or await exclusions.is_excluded(book.gateway, tx, row["thread"], guest.details.name):
        return None
    later = await tx.all("replacing_in_thread", thread=row["thread"], mailbox=row["mailbox"])
    # What a colleague had acknowledged isn't marked as replaced; its next version says so.
    return None if any(header_of(one).supersedes == envelope for one in later) else row


def read_for(book: Book, guest: Guest, row: Row) -> Sheet:
    """Return what *guest* is shown of the delivery in *row*.

    Raises:
        GatewayError: ``export-not-for-reader``: all of it is marked against such a reader.
    """
    message = filing.read_content(book.gateway, row)
    policy = load_policy()
    name, agency = parse_audience(guest.details.variant, policy)
    return make_sheet(
        message, book.gateway.catalogue.schema(message.type), policy, name, agency=agency, by=guest.details.name,
        now=book.gateway.clock(),
    )  # fmt: skip


async def make_link(book: Book, tx: Transaction, guest: Guest, row: Row, by: str | None) -> str:
    """Make a link for *guest* to the delivery in *row*, whose mail then waits; return its id.  The one before ends."""
    await end_before(tx, guest, row["envelope"])
    token, now = b64u(random_bytes(32)), book.gateway.clock()
    link = b64u(random_bytes(18))
    await tx.run(
        "add_guest_link", id=link, guest=guest.id, envelope=row["envelope"], mailbox=row["mailbox"], by=by,
        thread=row["thread"], token=digest_of(token), at=now, until=now + book.config.hours * HOUR, state="open",
        # Until the mail server has it: then only the digest is left.
        mail="waiting", content=book.gateway.spool.lock(token.encode(), f"guest link {link}"),
    )  # fmt: skip
    return link


async def bar_link(book: Book, tx: Transaction, guest: Guest, row: Row) -> None:
    """Note that *guest* is sent no link to the delivery in *row*, and tell the desk, once."""
    now, link = book.gateway.clock(), b64u(random_bytes(18))
    await tx.run(
        "add_guest_link", id=link, guest=guest.id, envelope=row["envelope"], mailbox=row["mailbox"],
        thread=row["thread"], token=digest_of(b64u(random_bytes(32))), at=now, until=now, by=BY_ITSELF, state="barred",
        mail="gone", content=None,
    )  # fmt: skip
    await tell_desk(book, tx, "guest-barred", {"id": link, "guest": guest.id, **_about(row)})


async def send_link(book: Book, tx: Transaction, guest: Guest, envelope: EnvelopeId, by: str) -> str:
    """Send *guest* a new link to *envelope*, because *by* wants it; return its id.

    Raises:
        GatewayError: ``guest-nothing``, ``export-not-for-reader``.
    """
    row = await find_readable(book, tx, guest, envelope)
    if row is None or guest.state != "active":
        raise GatewayError(
            "guest-nothing", "there is nothing there that this guest may read", "see `gateway inbox list`"
        )
    read_for(book, guest, row)
    link = await make_link(book, tx, guest, row, by)
    # Whoever sends it has spoken to them: wrong codes of before are forgiven.
    await tx.run("drop_count", who=tries_of(book, guest))
    await book.people.note(
        tx, by, "guest-link-sent", book.gateway.clock(), thread=row["thread"], envelope=envelope,
        mailbox=row["mailbox"], about=guest.id,
    )  # fmt: skip
    return link


async def end_before(tx: Transaction, guest: Guest, envelope: EnvelopeId) -> None:
    """End what link *guest* had to *envelope*."""
    for link in await tx.all("guest_links_to", guest=guest.id, envelope=envelope):
        if link["state"] in {"open", "used"}:
            await end_link(tx, link["id"], "ended")


async def tell_desk(book: Book, tx: Transaction, code: str, link: Row, *, again: str = "") -> None:
    """Tell the desk what became of *link*: references only, once each, or once for each *again*."""
    details = {name: link[name] for name in ("envelope", "thread", "mailbox", "guest")}
    await book.gateway.tell(tx, code, f"{code}:{link['id']}{again}", mailbox=book.config.desk, details=details)


def tries_of(book: Book, guest: Guest) -> str:
    """Return under which name the wrong codes of *guest* are counted."""
    return book.digest("tries", guest.id)


def digest_of(token: str) -> str:
    """Return by what the database knows a link, or a browser, that has *token*."""
    return sha256_b64u(token.encode())


def _about(row: Row) -> Row:
    return {name: row[name] for name in ("envelope", "thread", "mailbox")}
