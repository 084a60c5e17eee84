"""The mail with the link: once, in fixed words, on a protected line; and what becomes of it when nobody comes."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass, field
from email import message_from_string
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
from aiosmtpd.controller import Controller

from adapters.errors import GatewayError
from adapters.gateway import exclusions
from adapters.gateway.config import MailboxConfig
from adapters.gateway.guests.config import GuestsConfig, check_guests
from adapters.gateway.guests.inviting import Inviter, is_for_good
from adapters.gateway.guests.links import send_link
from adapters.gateway.inbox.notify.config import MailConfig
from hub.store.base import Store
from keys.digests import sha256_b64u
from tests.county import DAY, HOUR, NURSES
from tests.gateway.guests.support import (
    KIT,
    LEE,
    SENDER,
    WILLOW,
    Practice,
    county_with_practice,
    message_ids,
    open_practice,
)
from tests.gateway.inbox.support import find_free_port
from tests.gateway.inbox.test_notify import Post
from tests.gateway.inbox.test_notify_leaving import guarded_server, make_certificate
from tests.gateway.support import open_town

PLANTED = ("Zebulon", "minutes", "sampleton", "mash", "willow-practice", "Lee Sample", "strategy")


async def test_the_mail_says_nothing_but_that_something_waits(
    practice: Practice, caplog: pytest.LogCaptureFixture
) -> None:
    """To one address, from one without a name: a number, the link, a random reference; and the log has none of it."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("gateway").propagate = True
    guest = await practice.add()
    await practice.send()
    ((to, text),) = practice.post.mails
    mail = message_from_string(text)
    assert to == [LEE]
    assert mail["Subject"] == "You have 1 item in the safeguarding hub"
    assert {name for name in mail.keys() if not name.startswith("X-")} == {
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
        "Content-Transfer-Encoding",
    }  # fmt: skip
    assert re.fullmatch(
        r"You have 1 item in the safeguarding hub\.\s+http://localhost/guest/[\w-]{43}\s+Reference: [\w-]{24}\s*",
        mail.get_payload(),
    )
    bare = text.replace(LEE, "")
    assert [word for word in PLANTED if word.casefold() in bare.casefold()] == []
    token = practice.link().rpartition("/")[2]
    browser = await practice.enter(guest, (await practice.spool.all("list_incoming"))[-1]["envelope"])
    await practice.press(browser, "open")
    await practice.office.browser().post(f"/guest/{token}", {"code": "123456"})
    said = "\n".join(one.getMessage() for one in caplog.records if one.name.startswith(("gateway", "aiohttp")))
    assert [word for word in (*PLANTED, LEE, token) if word in said] == []


async def test_only_the_digest_of_a_link_is_kept_once_it_is_sent(practice: Practice) -> None:
    """While the mail server is away the link waits, sealed; afterwards nothing here could make it again."""
    guest = await practice.add()
    practice.post.refuse = 1
    sent = await practice.send()
    waiting = await practice.link_row(guest, sent.envelope)
    assert (waiting["mail"], practice.post.mails) == ("waiting", [])
    practice.wait(60_000)
    await practice.inviter.round()
    token = practice.link().rpartition("/")[2]
    row = await practice.link_row(guest, sent.envelope)
    assert (row["mail"], row["content"], row["token"]) == ("sent", None, sha256_b64u(token.encode()))
    assert token.encode() not in bytes(waiting["content"])
    raw = (practice.office.health.gateway.home / "spool.db").read_bytes()
    assert [word for word in (token, LEE, "Lee Sample", "01632 960001") if word.encode() in raw] == []


async def test_a_mail_that_is_tried_again_is_the_same_one(practice: Practice) -> None:
    """Busy three times: taken once, under one Message-ID, with one link; further rounds send none."""
    await practice.add()
    practice.post.refuse = 3
    await practice.send()
    for _ in range(6):
        practice.wait(HOUR // 2)
        await practice.inviter.round()
    assert len(practice.post.mails) == 1
    assert await practice.notices() == []


async def test_killed_between_the_servers_yes_and_the_commit_the_same_mail_goes_again(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can know whether it was heard: twice at most, one Message-ID, one link."""
    await practice.add()

    async def die(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as killed:
        killed.setattr(Inviter, "_note", die)
        with pytest.raises(RuntimeError):
            await practice.send()
    await practice.inviter.round()
    await practice.inviter.round()
    assert len(practice.post.mails) == 2
    assert len(set(message_ids(practice.post.mails))) == 1
    assert practice.link(0) == practice.link(1)


async def test_two_rounds_at_once_make_one_link(practice: Practice) -> None:
    """A second gateway by mistake: at most the same mail twice."""
    guest = await practice.add()
    practice.post.refuse = 1
    sent = await practice.send()
    practice.wait(60_000)
    await asyncio.gather(practice.inviter.round(), practice.inviter.round())
    assert len(set(message_ids(practice.post.mails))) == 1
    assert len(await practice.spool.all("guest_links_to", guest=guest.id, envelope=sent.envelope)) == 1


async def test_every_guest_has_their_own_link(practice: Practice) -> None:
    """Two named people, two mails, two links; somebody added later gets one to what nobody has taken receipt of."""
    await practice.add()
    await practice.send()
    await practice.add(KIT, name="Kit Placeholder")
    await practice.inviter.round()
    assert sorted(to for (to,), _ in practice.post.mails) == [KIT, LEE]
    assert practice.link(to=LEE) != practice.link(to=KIT)


async def test_who_comes_back_and_what_counts_again_gets_a_link(practice: Practice) -> None:
    """A guest who was removed and is added again; a version whose successor was withdrawn."""
    guest = await practice.add()
    sent = await practice.send()
    await practice.spool.write(lambda tx: practice.book.remove(tx, guest, "test"))
    await practice.add()
    await practice.inviter.round()
    assert len(practice.post.mails) == 2
    newer = await practice.send({"version": 2}, thread=sent.thread, supersedes=sent.envelope)
    assert len(practice.post.mails) == 3
    assert "can't be used" in (await practice.office.browser().get(practice.link(1))).words
    await practice.withdraw(newer)
    await practice.inviter.round()
    await practice.inviter.round()
    assert len(practice.post.mails) == 4
    await practice.enter(guest, sent.envelope)


async def test_a_link_that_ended_unread_is_followed_by_one_and_then_told(practice: Practice) -> None:
    """After three days a new one by itself; after three more the desk is told, the duty rings all the while."""
    guest = await practice.add()
    sent = await practice.send()
    practice.wait(73 * HOUR)
    await practice.inviter.round()
    assert len(practice.post.mails) == 2
    assert practice.link(0) != practice.link(1)
    assert "can't be used" in (await practice.office.browser().get(practice.link(0))).words
    practice.wait(73 * HOUR)
    assert await practice.office.health.run_once() == 0
    await practice.inviter.round()
    await practice.inviter.round()
    assert await practice.notices() == ["guest-expired"]
    rung = [row for row in await practice.spool.all("list_notices") if row["code"] in {"overdue", "due-soon"}]
    assert WILLOW in {row["mailbox"] for row in rung}
    # By hand there is always another; what it leads to is as before.
    await practice.spool.write(lambda tx: send_link(practice.book, tx, guest, sent.envelope, "desk"))
    await practice.inviter.round()
    browser = await practice.enter(guest, sent.envelope)
    assert "Open the message" in (await browser.get("/guest/item")).words


async def test_what_a_colleague_took_receipt_of_is_no_more_reminded_of(practice: Practice) -> None:
    """One of two guests acknowledges: the other's link ends quietly, since nothing is owed any more."""
    lee = await practice.add()
    await practice.add(KIT, name="Kit Placeholder")
    sent = await practice.send()
    browser = await practice.enter(lee, sent.envelope)
    for button in ("open", "acknowledge"):
        await practice.press(browser, button)
    for _ in range(3):
        practice.wait(73 * HOUR)
        await practice.inviter.round()
    assert len(practice.post.mails) == 2
    assert await practice.notices() == []


async def test_who_read_and_said_nothing_gets_another_link(practice: Practice) -> None:
    """Opened, the page closed, the half hour over: the next link leads back to it, and it can be acknowledged."""
    guest = await practice.add()
    sent = await practice.send()
    await practice.press(await practice.enter(guest, sent.envelope), "open")
    practice.wait(HOUR)
    await practice.inviter.round()
    assert len(practice.post.mails) == 2
    browser = await practice.enter(guest, sent.envelope)
    assert "has been told" in (await practice.press(browser, "acknowledge")).words
    assert await practice.levels(sent.envelope) == ["collected", "opened", "acknowledged"]


async def test_a_decline_goes_back_to_the_sender_with_its_reason(practice: Practice) -> None:
    """Without a reason nothing is said; with one the link is used up, and no reminder follows."""
    guest = await practice.add()
    sent = await practice.send()
    browser = await practice.enter(guest, sent.envelope)
    await practice.press(browser, "open")
    assert (await practice.press(browser, "decline", code="conflict")).status == 422
    csrf = (await browser.get("/guest/item")).csrf
    for fields in ({"code": "not_known_here"}, {"code": "wrong_recipient"}):
        assert "has been told" in (await browser.post("/guest/item/decline", {"csrf": csrf, **fields})).words
    assert "has been told" in (await browser.post("/guest/item/acknowledge", {"csrf": csrf})).words
    assert await practice.levels(sent.envelope) == ["collected", "opened", "declined"]
    practice.wait(30 * DAY)
    await practice.inviter.round()
    assert len(practice.post.mails) == 1
    assert await practice.notices() == []


async def test_nothing_under_embargo_is_written_of(practice: Practice) -> None:
    """The mail goes when the embargo's moment has come, and not before."""
    await practice.add()
    await practice.send({"embargo_until": "2026-07-07T08:00:00Z"})
    assert practice.post.mails == []
    practice.wait(DAY)
    assert await practice.office.health.run_once() == 0
    await practice.inviter.round()
    assert len(practice.post.mails) == 1


async def test_what_such_a_reader_may_not_have_is_no_link_but_a_notice(practice: Practice) -> None:
    """A message that must not be shown to a practice at all, and a guest who is excluded from a thread."""
    await practice.add()
    await practice.send(marks=["tipping_off_risk"])
    assert practice.post.mails == []
    assert await practice.notices() == ["guest-barred"]
    gateway = practice.office.health.gateway
    sent = await practice.send()
    await gateway.spool.run(
        "add_exclusion", thread=sent.thread, person=exclusions.pseudonym(gateway, "Lee Sample"), state="excluded",
        at=gateway.clock(), details=b"",
    )  # fmt: skip
    await practice.send(thread=sent.thread)
    assert len(practice.post.mails) == 1
    assert await practice.notices() == ["guest-barred"] * 2


@dataclass
class Picky:
    """A mail server that knows some recipients, and takes no mail with a word in it."""

    unknown: set[str] = field(default_factory=set)
    taken: list[str] = field(default_factory=list)
    asked: int = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        """Refuse who is unknown."""
        self.asked += 1
        if address in self.unknown:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Take one."""
        self.taken += envelope.rcpt_tos
        return "250 OK"


async def test_an_address_that_is_refused_for_good_is_told_and_not_tried_again(
    sqlite_store: Store, tmp_path: Path
) -> None:
    """550 for one guest: the desk hears of it at once; the other guest's mail goes."""
    picky, port = Picky({LEE}), find_free_port()
    controller = Controller(picky, hostname="127.0.0.1", port=port)
    await asyncio.to_thread(controller.start)
    try:
        async with (
            open_town(sqlite_store, tmp_path, county_with_practice()) as town,
            open_practice(town, Post(port)) as practice,
        ):
            lee = await practice.add()
            await practice.add(KIT, name="Kit Placeholder")
            sent = await practice.send()
            practice.wait(DAY)
            await practice.inviter.round()
            assert (picky.taken, picky.asked) == ([KIT], 2)
            assert await practice.notices() == ["guest-unreachable"]
            assert (await practice.link_row(lee, sent.envelope))["state"] == "unreachable"
    finally:
        await asyncio.to_thread(controller.stop)


async def test_a_server_that_never_answers_is_told_when_the_link_ends(practice: Practice) -> None:
    """Days of trying: no second link under another Message-ID, but a notice."""
    guest = await practice.add()
    practice.post.refuse = 10_000
    sent = await practice.send()
    for _ in range(4):
        practice.wait(DAY)
        await practice.inviter.round()
    assert await practice.notices() == ["guest-unreachable"]
    assert len(await practice.spool.all("guest_links_to", guest=guest.id, envelope=sent.envelope)) == 1


async def test_a_mail_whose_link_is_dead_is_not_sent(practice: Practice) -> None:
    """The guest was removed while the mail waited."""
    guest = await practice.add()
    practice.post.refuse = 1
    await practice.send()
    await practice.spool.write(lambda tx: practice.book.remove(tx, guest, "test"))
    practice.wait(DAY)
    await practice.inviter.round()
    assert practice.post.mails == []


@pytest.mark.parametrize(("offers", "taken"), [(True, 1), (False, 0)], ids=["starttls", "a-server-without-it"])
async def test_the_mail_leaves_only_on_a_protected_line(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offers: bool, taken: int
) -> None:
    """STARTTLS, which is the default; a server that can't gets nothing."""
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with (
        guarded_server(certificate if offers else None) as post,
        open_town(sqlite_store, tmp_path, county_with_practice()) as town,
        open_practice(town, post, mail=MailConfig(host="127.0.0.1", port=post.port, sender=SENDER)) as practice,
    ):
        await practice.add()
        await practice.send()
        assert len(post.mails) == taken


async def test_a_running_gateway_writes_by_itself(practice: Practice) -> None:
    """What a gateway does beside serving the pages has a round of invitations and a sweep, by its configuration."""
    async with practice.office.health._serve_inbox() as beside:
        inviting, sweeping = (one for one in beside if "guest" in one[0])
        await practice.add()
        await practice.send()
        practice.post.mails.clear()
        await practice.add(KIT, name="Kit Placeholder")
        await inviting[1]()
        await sweeping[1]()
        assert [to for to, _ in practice.post.mails] == [[KIT]]


def test_which_refusals_are_for_good() -> None:
    """A recipient, or the mail, by 5yz; not what is busy, nor what is our own to put right."""
    refused = [aiosmtplib.SMTPRecipientRefused(code, "", LEE) for code in (550, 451)]
    assert is_for_good(aiosmtplib.SMTPRecipientsRefused(refused[:1]))
    assert not is_for_good(aiosmtplib.SMTPRecipientsRefused(refused[1:]))
    assert is_for_good(aiosmtplib.SMTPDataError(554, ""))
    for error in (
        aiosmtplib.SMTPDataError(451, ""), aiosmtplib.SMTPSenderRefused(550, "", SENDER),
        aiosmtplib.SMTPAuthenticationError(535, ""), OSError(), TimeoutError(),
    ):  # fmt: skip
        assert not is_for_good(error)


@pytest.mark.parametrize("wrong", ["unserved", "desk", "adapter", "mail"])
def test_a_configuration_that_can_not_work_is_refused(wrong: str) -> None:
    """Each mistake by itself, at the start."""
    boxes = [MailboxConfig(id=NURSES), MailboxConfig(id=WILLOW, adapter="folder" if wrong == "adapter" else "")]
    desk = WILLOW if wrong == "desk" else NURSES
    guests = GuestsConfig(mailboxes=(WILLOW,), desk=desk)
    with pytest.raises(GatewayError) as caught:
        check_guests(guests, boxes[: 1 if wrong == "unserved" else 2], has_mail=wrong != "mail")
    assert caught.value.code == "config"
    check_guests(
        GuestsConfig(mailboxes=(WILLOW,), desk=NURSES), [boxes[0], MailboxConfig(id=WILLOW, adapter="")], has_mail=True
    )
