"""From what arrived to a mail with a link: made once for each guest, sent until it is taken, followed by another if nobody came.

Three steps, each a transaction or a try, as for notifications: links are made and ended; mails that are due are sent; what
became of each is noted.  Killed between any two, the next round goes on; a mail whose acceptance was not heard goes again
under the same Message-ID, with the same link.

Source: issue of secure e-mail; taste 2 (6: outbox).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Literal

import aiosmtplib

from adapters.errors import GatewayError, place_of
from adapters.gateway.guests.book import Book, Guest, end_link
from adapters.gateway.guests.links import BY_ITSELF, bar_link, find_readable, look_at, make_link, read_for, tell_desk
from adapters.gateway.inbox.context import Inbox
from adapters.gateway.inbox.notify.channels import deliver, read_secret_line
from adapters.gateway.inbox.notify.config import MailConfig
from adapters.gateway.inbox.notify.timing import retry_after
from adapters.gateway.inbox.notify.words import Told
from adapters.gateway.spool import Row, Transaction

_log = logging.getLogger("gateway.guests")
BATCH: Final = 100
DAY: Final = 86_400_000
KEEP_DAYS: Final = 90
Outcome = Literal["sent", "later", "refused", "dead"]
# As the agent's loops are.
GuestLoop = tuple[str, Callable[[], Awaitable[object]], float, asyncio.Event | None]


class Inviter:
    """The invitations of one gateway."""

    def __init__(self, inbox: Inbox, book: Book, mail: MailConfig) -> None:
        """Take the *inbox*, its *book* of guests, and the mail server.

        Raises:
            GatewayError: ``notify-secret``.
        """
        self._inbox, self._book, self._mail = inbox, book, mail
        self._password = read_secret_line(inbox.gateway.home, mail.password_file)

    async def round(self) -> int:
        """Make and end links, then send the mails that are due; return how many were sent."""
        await self._inbox.gateway.spool.write(self._end)
        while await self._inbox.gateway.spool.write(self._invite) == BATCH:
            pass
        return await self._send()

    # ---- links

    async def _invite(self, tx: Transaction) -> int:
        """Make a link for each guest to what came for their mailbox; return how many were looked at."""
        rows = await tx.all("guests_to_invite", limit=BATCH)
        for one in rows:
            guest = await self._book.find(tx, one["guest"])
            delivery = await tx.one("find_incoming", envelope=one["envelope"], mailbox=one["mailbox"])
            if guest is None or delivery is None:
                continue
            row = await find_readable(self._book, tx, guest, one["envelope"])
            if row is not None and self._may_show(guest, row):
                await make_link(self._book, tx, guest, row, BY_ITSELF)
            else:
                await bar_link(self._book, tx, guest, delivery)
        return len(rows)

    def _may_show(self, guest: Guest, row: Row) -> bool:
        try:
            read_for(self._book, guest, row)
        except GatewayError:
            return False
        return True

    async def _end(self, tx: Transaction) -> None:
        """End the links whose time or message is over, and make the next one where nobody came."""
        now = self._inbox.now()
        for link in await tx.all("guest_links_dead", limit=BATCH):
            await end_link(tx, link["id"], "ended")
        for link in await tx.all("guest_links_over", now=now, limit=BATCH):
            await self._take_expired(tx, link)
        await tx.run("expire_guest_visits", now=now)
        await tx.run("expire_guest_codes", now=now)

    async def _take_expired(self, tx: Transaction, link: Row) -> None:
        # Who came by it has had its mail, whatever we heard of that.
        was_sent = link["mail"] == "sent" or link["state"] == "used"
        await end_link(tx, link["id"], "expired")
        guest = await self._book.find(tx, link["guest"])
        row = await find_readable(self._book, tx, guest, link["envelope"])
        if guest is None or row is None or row["attention"] == "done":
            return
        made = [
            one for one in await tx.all("guest_links_to", guest=guest.id, envelope=row["envelope"]) if not one["by"]
        ]
        if was_sent and len(made) <= self._book.config.reminders:
            await make_link(self._book, tx, guest, row, BY_ITSELF)
        else:
            await tell_desk(self._book, tx, "guest-expired" if was_sent else "guest-unreachable", link)

    # ---- mail

    async def _send(self) -> int:
        sent = 0
        for row in await self._inbox.gateway.spool.all("due_guest_mails", now=self._inbox.now(), limit=BATCH):
            try:
                outcome = await self._send_one(row)
            except Exception as error:  # noqa: BLE001
                # Whatever is wrong with one must not keep the others back; the text may hold an address.
                _log.error("an invitation failed: %s", place_of(error))
                outcome = "later"
            # Killed before this line, it is sent again under the same Message-ID.
            await self._inbox.gateway.spool.write(partial(self._note, row=row, outcome=outcome))
            sent += outcome == "sent"
        return sent

    async def _send_one(self, row: Row) -> Outcome:
        found = await self._inbox.gateway.spool.write(lambda tx: self._look(tx, row["id"]))
        if found is None:
            return "dead"
        address, told = found
        try:
            await deliver(self._mail, self._password, told, address)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            _log.warning("an invitation waits: %s", place_of(error))
            return "refused" if is_for_good(error) else "later"
        return "sent"

    async def _look(self, tx: Transaction, link: str) -> tuple[str, Told] | None:
        """Return where the mail of *link* goes and what it says, if the link still holds."""
        found = await look_at(self._book, tx, await tx.one("find_guest_link", id=link))
        if found is None or found.link["content"] is None:
            return None
        token = self._inbox.gateway.spool.unlock(bytes(found.link["content"]), f"guest link {link}").decode()
        address = f"{self._inbox.config.origin}/guest/{token}"
        return found.guest.details.email, Told(items=1, reference=link, address=address, at=found.link["at"])

    async def _note(self, tx: Transaction, *, row: Row, outcome: Outcome) -> None:
        tries, now = int(row["tries"]) + 1, self._inbox.now()
        if outcome == "later":
            await tx.run("set_guest_mail", id=row["id"], mail="waiting", tries=tries, next_at=now + retry_after(tries))
            return
        await tx.run(
            "set_guest_mail", id=row["id"], mail="sent" if outcome == "sent" else "gone", tries=tries, next_at=now
        )
        if outcome == "refused":
            await end_link(tx, row["id"], "unreachable")
            await tell_desk(self._book, tx, "guest-unreachable", row)
        elif outcome == "dead" and row["until"] > now:
            # Else it expired meanwhile, which the next round sees to.
            await end_link(tx, row["id"], "ended")

    async def sweep(self) -> None:
        """Forget the links that ended long ago and lead to nothing that is here."""
        await self._inbox.gateway.spool.run("forget_guest_links", before=self._inbox.now() - KEEP_DAYS * DAY)


def is_for_good(error: Exception) -> bool:
    """Answer whether a mail server will never take this mail for this address (RFC 5321, 4.2.1: 5yz)."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(500 <= one.code < 600 for one in error.recipients)
    # Who may send, and as whom, is our own to put right: such a refusal isn't the guest's.
    return isinstance(error, aiosmtplib.SMTPDataError) and 500 <= error.code < 600


def make_guest_loops(inbox: Inbox, seconds: float, sweep_seconds: float) -> list[GuestLoop]:
    """Return what a running gateway does for its guests, every *seconds* and every *sweep_seconds*; none: it has none."""
    config, notify = inbox.config.guests, inbox.config.notify
    if config is None or notify is None or notify.mail is None:
        return []
    inviter = Inviter(inbox, Book(inbox.gateway, config), notify.mail)
    return [
        ("inviting guests", inviter.round, seconds, None),
        ("forgetting guests' links", inviter.sweep, sweep_seconds, None),
    ]
