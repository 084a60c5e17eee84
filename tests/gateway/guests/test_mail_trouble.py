"""The mail server of a guest is slow, full, wrong or cut off: the mail waits, goes once, and no receipt says more than is true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from adapters.gateway.inbox.notify import channels
from adapters.gateway.inbox.notify.config import MailConfig
from hub.store.base import Store
from tests.county import DAY
from tests.gateway.guests.support import SENDER, county_with_practice, message_ids, open_practice
from tests.gateway.inbox.support import find_free_port
from tests.gateway.inbox.test_notify import Post
from tests.gateway.inbox.test_notify_leaving import guarded_server, make_certificate
from tests.gateway.support import open_town


@dataclass
class Troubled(Post):
    """A mail server that does what ``ways`` say before it behaves: `full`, `slow`, `wrong`, `half`, `took-then-hung-up`."""

    ways: list[str] = field(default_factory=list)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        """Take the recipient, unless its mailbox is full or nobody answers."""
        if "full" in self.ways:
            self.ways.remove("full")
            return "452 4.2.2 mailbox full"
        if "slow" in self.ways:
            self.ways.remove("slow")
            await asyncio.sleep(60)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Take the mail, or end the line before or after."""
        way = self.ways.pop(0) if self.ways else ""
        if way == "wrong":
            return "<html>proxy"
        if way != "half":
            self.mails.append((envelope.rcpt_tos, envelope.content.decode()))
        if way:
            server.transport.abort()
        return "250 OK"


@asynccontextmanager
async def troubled_server(way: str) -> AsyncIterator[Troubled]:
    """Give one on a free port."""
    post = Troubled(find_free_port(), ways=[way])
    controller = Controller(post, hostname="127.0.0.1", port=post.port)
    await asyncio.to_thread(controller.start)
    try:
        yield post
    finally:
        await asyncio.to_thread(controller.stop)


@pytest.mark.parametrize(
    ("way", "mails"), [("full", 1), ("slow", 1), ("wrong", 1), ("half", 1), ("took-then-hung-up", 2)]
)
async def test_a_mail_that_was_not_surely_taken_goes_again_and_is_the_same(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, mails: int
) -> None:
    """One link and one Message-ID, whatever the server did; until somebody reads it the sender hears `collected` and no more."""
    monkeypatch.setattr(channels, "SECONDS", 0.5)
    async with (
        troubled_server(way) as post,
        open_town(sqlite_store, tmp_path, county_with_practice()) as town,
        open_practice(town, post) as practice,
    ):
        guest = await practice.add()
        sent = await practice.send()
        assert len(post.mails) == mails - 1
        for _ in range(2):
            practice.wait(DAY)
            await practice.inviter.round()
        assert post.ways == []
        assert len(post.mails) == mails
        assert len(set(message_ids(post.mails))) == 1
        assert len(await practice.spool.all("guest_links_to", guest=guest.id, envelope=sent.envelope)) == 1
        assert await practice.levels(sent.envelope) == ["collected"]


async def test_to_a_server_whose_certificate_has_expired_nothing_is_sent(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mail waits, though it is the certificate that is trusted."""
    certificate = make_certificate(tmp_path, ends=timedelta(hours=-1))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with (
        guarded_server(certificate) as post,
        open_town(sqlite_store, tmp_path, county_with_practice()) as town,
        open_practice(town, post, mail=MailConfig(host="127.0.0.1", port=post.port, sender=SENDER)) as practice,
    ):
        await practice.add()
        sent = await practice.send()
        assert post.mails == []
        assert await practice.levels(sent.envelope) == ["collected"]
