"""The book of guests: who reads for a mailbox that has no gateway of its own, by name, with what is shown to them.

Kept in the spool, sealed like the people of the inbox; an address is looked up by a keyed digest.

Source: domain 9.5 (what a practice may have), 11 (risks 5 and 29); decision secure-email.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from adapters.errors import GatewayError
from adapters.gateway.context import Gateway
from adapters.gateway.exclusions import check_name
from adapters.gateway.exports.policy import AGENCY, load_policy, parse_audience
from adapters.gateway.guests.config import GuestsConfig
from adapters.gateway.inbox.people import People, check_role
from adapters.gateway.spool import Row, Transaction
from keys import otp
from keys.digests import new_id
from schemas.identifiers import MailboxId

State = Literal["active", "left"]
# One address, and nothing that a mail's header or a list of addresses would read as more.
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,188}[A-Za-z0-9])?")
_PHONE: Final = re.compile(r"[0-9+() -]{0,40}")
# What leaves the agency is one of these; the family's copy and the record's are not given by link.
VARIANTS: Final = ("gp", "reference", AGENCY)


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed of a guest; ``variant`` is a kind of copy, ``secret`` an authenticator app's (empty: there is none)."""

    name: str
    email: str
    role: str
    variant: str
    phone: str = ""
    secret: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Somebody who is sent links; ``step`` is the last step of their app whose code was taken."""

    id: str
    mailbox: MailboxId
    state: State
    step: int
    details: Details

    @property
    def actor(self) -> str:
        """Return by what receipts tell this person from another of the same name; only a keyed digest of it leaves."""
        return f"{self.details.name} ({self.details.email})"


class Book:
    """The guests of one gateway; each method is part of a spool transaction, and ``by`` is the account that acts."""

    def __init__(self, gateway: Gateway, config: GuestsConfig) -> None:
        """Take the *gateway* and its configuration of guests."""
        self.gateway, self.config = gateway, config
        self.people = People(gateway.spool, gateway.keyring)

    def digest(self, label: str, value: str) -> str:
        """Return what *value* is looked up by; only the holder of the key can link it."""
        return self.people.digest(f"guest {label}", value)

    async def add(self, tx: Transaction, mailbox: MailboxId, details: Details, by: str) -> str:
        """Add a guest, or begin again with one who had been removed; return the id.

        Raises:
            GatewayError: ``guest-mailbox``, ``guest-exists``.
        """
        if mailbox not in self.config.mailboxes:
            raise GatewayError("guest-mailbox", "that is no guests' mailbox", "name it under [inbox.guests]")
        email = self.digest("email", details.email)
        row = await tx.one("find_guest_at", mailbox=mailbox, email=email)
        if row is not None and row["state"] == "active":
            raise GatewayError("guest-exists", "there is a guest of that address", "see `gateway guests list`")
        name, now = str(row["id"]) if row else new_id(self.gateway.clock()), self.gateway.clock()
        if row is None:
            await tx.run("add_guest", id=name, mailbox=mailbox, email=email, at=now, content=self._lock(name, details))
        else:
            await tx.run("set_guest", id=name, state="active", content=self._lock(name, details))
        await self.people.note(tx, by, "guest-added", now, mailbox=mailbox, about=name)
        return name

    async def remove(self, tx: Transaction, guest: Guest, by: str) -> int:
        """End a guest: every link of theirs is dead; return how many that were."""
        # The name stays for what they signed; the secret doesn't.
        details = msgspec.structs.replace(guest.details, secret=b"")
        await tx.run("set_guest", id=guest.id, state="left", content=self._lock(guest.id, details))
        links = await tx.all("guest_links_open", guest=guest.id)
        for link in links:
            await end_link(tx, link["id"], "ended")
        await self.people.note(tx, by, "guest-removed", self.gateway.clock(), mailbox=guest.mailbox, about=guest.id)
        return len(links)

    async def enrol(self, tx: Transaction, guest: Guest, by: str) -> str:
        """Give *guest* a new secret for an authenticator app; return the address that an app opens.  The one before ends."""
        secret = otp.new_secret()
        details = msgspec.structs.replace(guest.details, secret=secret)
        await tx.run("set_guest", id=guest.id, state=guest.state, content=self._lock(guest.id, details))
        await tx.run("set_guest_step", id=guest.id, step=0)
        await self.people.note(tx, by, "guest-enrolled", self.gateway.clock(), mailbox=guest.mailbox, about=guest.id)
        return otp.as_link(secret, self.gateway.config.agency, guest.details.email)

    async def find(self, tx: Transaction, guest: str) -> Guest | None:
        """Return the guest *guest*, whatever their state."""
        row = await tx.one("find_guest", id=guest)
        return self.read(row) if row else None

    async def get_at(self, tx: Transaction, email: str, mailbox: MailboxId | None) -> Guest:
        """Return the active guest with the address *email*, of *mailbox* where that is given.

        Raises:
            GatewayError: ``guest-unknown``, ``guest-several``.
        """
        digest = self.digest("email", email.strip().casefold())
        boxes = self.config.mailboxes if mailbox is None else (mailbox,)
        rows = [await tx.one("find_guest_at", mailbox=box, email=digest) for box in boxes]
        found = [self.read(row) for row in rows if row is not None and row["state"] == "active"]
        if not found:
            raise GatewayError("guest-unknown", "there is no such guest", "see `gateway guests list`")
        if len(found) > 1:
            raise GatewayError("guest-several", "they are a guest of several mailboxes", "name one by --mailbox")
        return found[0]

    async def list_all(self, tx: Transaction) -> list[Guest]:
        """Return every guest."""
        return [self.read(row) for row in await tx.all("list_guests")]

    def read(self, row: Row) -> Guest:
        """Return the guest that a row holds."""
        details = _details_in(self.gateway, row)
        return Guest(id=row["id"], mailbox=row["mailbox"], state=row["state"], step=row["step"], details=details)

    def _lock(self, guest: str, details: Details) -> bytes:
        return self.gateway.spool.lock(msgspec.msgpack.encode(details), f"guest {guest}")


async def name_of_guest(gateway: Gateway, tx: Transaction, guest: str) -> str:
    """Return the name of *guest*, whatever their state; empty: there is none."""
    row = await tx.one("find_guest", id=guest)
    return _details_in(gateway, row).name if row else ""


def _details_in(gateway: Gateway, row: Row) -> Details:
    content = gateway.spool.unlock(bytes(row["content"]), f"guest {row['id']}")
    return msgspec.msgpack.decode(content, type=Details)


async def end_link(tx: Transaction, link: str, state: str) -> None:
    """End a link for good: nobody comes in by it, whoever did is out, and a mail that waits isn't sent."""
    await tx.run("end_guest_link", id=link, state=state)
    await tx.run("drop_guest_code", link=link)
    if state != "done":
        await tx.run("drop_guest_visits", link=link)


def check_details(*, name: str, email: str, role: str, variant: str, own: str, phone: str = "") -> Details:
    """Return the details of a guest as they are kept; *own* is the agency that answers for them.

    Raises:
        GatewayError: ``guest-email``, ``guest-phone``, ``guest-variant``, ``person-name``, ``person-role``.
    """
    address = email.strip().casefold()
    if not _ADDRESS.fullmatch(address) or ".." in address.partition("@")[2]:
        raise GatewayError("guest-email", "that is no e-mail address", "give one, as name@example.org")
    if not _PHONE.fullmatch(phone.strip()):
        raise GatewayError("guest-phone", "that is no telephone number", "give it in digits, or none")
    kind, agency = parse_audience(variant, load_policy())
    if kind not in VARIANTS or agency == own:
        raise GatewayError("guest-variant", "no guest gets that kind of copy", "use gp, reference or agency:CODE")
    return Details(name=check_name(name), email=address, role=check_role(role), variant=variant, phone=phone.strip())
