"""What a guest says that they did with a message: the same signed receipts as a practitioner's, once each.

Receipt, record of who looked, state of the delivery and, at the end, of the link are one transaction.

Source: protocol 4; domain 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from adapters.errors import GatewayError
from adapters.gateway import filing
from adapters.gateway.exports.commands import Copy, note_copy, prepare_copy
from adapters.gateway.guests.book import Book, end_link
from adapters.gateway.guests.links import Open, digest_of, look_at
from adapters.gateway.receipting import receipt_by_person, receipts_by
from adapters.gateway.spool import Row, Transaction

Said = Literal["opened", "acknowledged", "declined"]
# Why something isn't for a guest; the other reasons are a practitioner's.
DECLINES: Final = {
    "wrong_recipient": "It is not for us",
    "not_known_here": "The child or person is not known here",
    "no_longer_here": "They are no longer with us",
}


class LinkOverError(GatewayError):
    """The link is unknown, used, locked, or over: the page is the same, so that nobody can find out which."""

    def __init__(self) -> None:
        super().__init__("guest-link", "This link can't be used", "Ask for a new one")


@dataclass(frozen=True, slots=True)
class GuestVisit:
    """A guest's request after the right code: what their link leads to, what they have said of it, the forms' token."""

    found: Open
    said: frozenset[str]
    csrf: str

    @property
    def is_done(self) -> bool:
        """Answer whether they have said all that there is to say."""
        return bool(self.said & {"acknowledged", "declined"})


async def find_visit(book: Book, tx: Transaction, token: str) -> GuestVisit | None:
    """Return who has the browser's *token*, if what their link leads to may still be read by them."""
    row = await tx.one("find_guest_visit", token=digest_of(token), now=book.gateway.clock()) if token else None
    link = await tx.one("find_guest_link", id=row["link"]) if row else None
    if row is None or link is None:
        return None
    # What is said is said: who presses the last button twice is thanked twice.
    found = await look_at(book, tx, dict(link) | {"state": "used"} if link["state"] == "done" else link)
    if found is None:
        return None
    said = await receipts_by(tx, book.gateway.keyring, found.row, found.guest.actor)
    return GuestVisit(found, frozenset(one.level for one in said), row["csrf"])


async def take(book: Book, tx: Transaction, visit: GuestVisit, level: Said, code: str | None = None) -> None:
    """Sign that the guest reached *level*; saying the same again changes nothing.

    Raises:
        GatewayError: ``inbox-not-opened``; as ``receipt_by_person``.
    """
    found, now = visit.found, book.gateway.clock()
    if level in visit.said or visit.is_done:
        return
    if level != "opened" and "opened" not in visit.said:
        raise GatewayError("inbox-not-opened", "You have not opened it yet", "Open it first")
    if level == "opened":
        await _note_shown(book, tx, found)
    await receipt_by_person(
        tx, book.gateway.keyring, found.row, level, actor=found.guest.actor, role=found.guest.details.role, now=now,
        seen=book.gateway.witness.receipt_view(), code=code,
    )  # fmt: skip
    if level != "opened":
        await end_link(tx, found.link["id"], "done")
    await _note(book, tx, found, f"guest-{level}", code)


async def copy_for(book: Book, tx: Transaction, visit: GuestVisit) -> Copy:
    """Return what the guest has opened as a file for their record, noted as every copy is.

    Raises:
        GatewayError: ``inbox-not-opened``.
    """
    if "opened" not in visit.said:
        raise GatewayError("inbox-not-opened", "You have not opened it yet", "Open it first")
    found = visit.found
    guest = found.guest.details
    message = filing.read_content(book.gateway, found.row)
    copy = prepare_copy(book.gateway, message, audience=guest.variant, form="html", by=guest.name)
    await _note_shown(book, tx, found)
    await _note(book, tx, found, "guest-saved", None)
    return copy


async def _note_shown(book: Book, tx: Transaction, found: Open) -> None:
    message = filing.read_content(book.gateway, found.row)
    await note_copy(
        book.gateway, tx, message, mailbox=found.row["mailbox"], audience=found.guest.details.variant, form="html",
        by=found.guest.details.name,
    )  # fmt: skip


async def _note(book: Book, tx: Transaction, found: Open, action: str, code: str | None) -> None:
    row: Row = found.row
    await book.people.note(
        tx, found.guest.id, action, book.gateway.clock(), thread=row["thread"], envelope=row["envelope"],
        mailbox=row["mailbox"], code=code,
    )  # fmt: skip
