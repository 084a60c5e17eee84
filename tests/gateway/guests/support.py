"""A practice without a gateway, for which the trust answers: its guests, their mail, their browsers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from email import message_from_string
from pathlib import Path
from typing import Any

import aiohttp

from adapters.base import Outgoing, parse_draft
from adapters.gateway.config import MailboxConfig
from adapters.gateway.errands import ask_withdrawal
from adapters.gateway.guests.book import Book, Guest, check_details
from adapters.gateway.guests.codes import give_code
from adapters.gateway.guests.config import GuestsConfig
from adapters.gateway.guests.inviting import Inviter
from adapters.gateway.inbox.app import Server, make_inbox
from adapters.gateway.inbox.config import InboxConfig
from adapters.gateway.inbox.notify.config import MailConfig, NotifyConfig
from adapters.gateway.outgoing import Spooled, take_now
from adapters.gateway.spool import Row
from hub.store.base import Store
from schemas.strict_json import dump
from tests.county import AGENCIES, COUNCIL, HEALTH, MASH, NURSES, PAEDIATRICS, County
from tests.gateway.inbox.support import ORIGIN, Browser, Office, Shown, find_free_port
from tests.gateway.inbox.test_notify import Post, mail_server
from tests.gateway.support import Town, draft, minutes_full, open_town, settle

WILLOW = f"{HEALTH}/willow-practice"
SENDER = "inbox@northmere.test"
LEE, KIT = "lee@willow.test", "kit@willow.test"


def county_with_practice() -> County:
    """Return the county in which the trust answers for a practice."""
    roles, boxes = AGENCIES[HEALTH]
    return County(agencies=dict(AGENCIES) | {HEALTH: (roles, (*boxes, (WILLOW, (), NURSES)))})


@dataclass
class Practice:
    """An office with guests: the mail server that they are written to by, and their book."""

    office: Office
    post: Post
    inviter: Inviter
    book: Book
    sent: int = 0

    @property
    def spool(self) -> Any:
        """Return the trust's spool."""
        return self.office.health.gateway.spool

    def wait(self, milliseconds: int) -> None:
        """Let time pass."""
        self.office.town.county.now += milliseconds

    async def add(self, email: str = LEE, *, name: str = "Lee Sample", variant: str = "gp") -> Guest:
        """Add a guest."""
        details = check_details(
            name=name, email=email, role="general_practitioner", variant=variant, own=HEALTH, phone="01632 960001"
        )

        async def work(tx: Any) -> Guest:
            found = await self.book.find(tx, await self.book.add(tx, WILLOW, details, "test"))
            assert found is not None
            return found

        guest: Guest = await self.spool.write(work)
        return guest

    async def send(self, message: Mapping[str, Any] | None = None, **changes: Any) -> Spooled:
        """Have the council send the practice full minutes, and every guest be written to; *changes* are the envelope's."""
        value = draft("minutes.full/1", MASH, message=minutes_full([MASH, WILLOW], **(message or {})), **changes)
        self.sent += 1
        sent = await take_now(
            self.office.council.gateway, "test", Outgoing(key=f"{self.sent}", draft=parse_draft(dump(value)))
        )
        assert await self.office.council.run_once() == 0
        assert await self.office.health.run_once() == 0
        await self.inviter.round()
        return sent

    async def withdraw(self, sent: Spooled) -> None:
        """Have the council take back what it sent, and the trust hear of it."""
        await ask_withdrawal(self.office.council.gateway, sent.envelope, "misdirected")
        await settle(self.office.council, self.office.health, rounds=1)

    def link(self, number: int = -1, to: str = LEE) -> str:
        """Return the path of the link in a mail to somebody, by default the last one."""
        mails = [text for (address,), text in self.post.mails if address == to]
        found = re.search(rf"{re.escape(self.office.inboxes[HEALTH].config.origin)}(/guest/\S+)", mails[number])
        assert found is not None, mails[number]
        return found[1]

    async def link_row(self, guest: Guest, envelope: str) -> Row:
        """Return the link of *guest* to *envelope* that holds, else the last."""
        rows: list[Row] = await self.spool.all("guest_links_to", guest=guest.id, envelope=envelope)
        # The county's clock stands still meanwhile: those of one moment have no order.
        return ([row for row in rows if row["state"] in {"open", "used"}] or rows)[-1]

    async def code(self, guest: Guest, envelope: str) -> str:
        """Return the code that the desk reads out."""
        row = await self.link_row(guest, envelope)
        code: str = await self.spool.write(lambda tx: give_code(self.book, tx, row, "desk"))
        return code

    async def enter(self, guest: Guest, envelope: str, browser: Browser | None = None) -> Browser:
        """Return a browser that has given the right code."""
        browser = browser or self.office.browser()
        path = self.link(to=guest.details.email)
        assert (await browser.get(path)).status == 200
        shown = await browser.post(path, {"code": await self.code(guest, envelope)})
        assert (shown.status, shown.path) == (200, "/guest/item"), shown.words
        return browser

    async def levels(self, envelope: str) -> list[str]:
        """Return the receipt levels that the sender has heard of from the practice's mailbox, in order."""
        await settle(self.office.health, self.office.council, rounds=1)
        heard = await self.office.council.gateway.spool.all("heard_of", envelope=envelope)
        return [row["level"] for row in heard if row["mailbox"] == WILLOW]

    async def notices(self, prefix: str = "guest-") -> list[str]:
        """Return the codes of what the desk was told."""
        rows = await self.spool.all("list_notices")
        return [row["code"] for row in rows if row["code"].startswith(prefix) and row["mailbox"] == NURSES]

    async def press(self, browser: Browser, button: str, **fields: str) -> Shown:
        """Press a button of the item's page."""
        await browser.get("/guest/item")
        return await browser.post(f"/guest/item/{button}", fields)


def message_ids(mails: Sequence[tuple[list[str], str]]) -> list[str]:
    """Return the Message-ID of each mail."""
    return [str(message_from_string(text)["Message-ID"]) for _, text in mails]


@asynccontextmanager
async def open_practice(
    town: Town, post: Post, *, served: bool = False, mail: MailConfig | None = None, **settings: Any
) -> AsyncIterator[Practice]:
    """Give the council's and the trust's gateways; the trust answers for a practice and writes by *post*."""
    mail = mail or MailConfig(host="127.0.0.1", port=post.port, security="none", sender=SENDER)
    guests = GuestsConfig(mailboxes=(WILLOW,), desk=NURSES, telephone="01632 960000", **settings)
    async with AsyncExitStack() as stack:
        port = find_free_port() if served else 0
        origin = f"http://localhost:{port}" if served else ORIGIN
        config = InboxConfig(port=port, origin=origin, notify=NotifyConfig(mail=mail), guests=guests)
        boxes = (MailboxConfig(id=NURSES), MailboxConfig(id=PAEDIATRICS), MailboxConfig(id=WILLOW, adapter=""))
        council = await stack.enter_async_context(town.agent(COUNCIL))
        health = await stack.enter_async_context(town.agent(HEALTH, inbox=config, mailboxes=boxes))
        inbox = make_inbox(health.gateway, health.watch, config)
        server = await stack.enter_async_context(Server(inbox))
        http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        await settle(council, health)
        office = Office(town, council, health, {HEALTH: inbox}, {HEALTH: server.port}, http)
        book = Book(health.gateway, guests)
        yield Practice(office, post, Inviter(inbox, book, mail), book)


@asynccontextmanager
async def practice_over(store: Store, tmp: Path, **settings: Any) -> AsyncIterator[Practice]:
    """Give a practice over a hub of its own."""
    async with (
        mail_server() as post,
        open_town(store, tmp, county_with_practice()) as town,
        open_practice(town, post, **settings) as opened,
    ):
        yield opened
