"""Notifications when something goes wrong: refused, away, late at night, covered by somebody who has left, or very many."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from aiosmtpd.controller import Controller

from adapters.durable import write_file
from adapters.errors import GatewayError
from adapters.gateway import exclusions
from adapters.gateway.inbox.accounts import Accounts
from adapters.gateway.inbox.notify.config import HookConfig, MailConfig, NotifyConfig
from adapters.gateway.inbox.notify.notifier import SOURCES, Notifier
from keys.digests import from_b64u, new_id
from tests.county import COUNCIL, DAY, HEALTH, HOUR, MASH, NURSES
from tests.gateway.inbox.support import Office, find_free_port, open_office
from tests.gateway.inbox.test_notify import SECRET, Desk, mail_server, web_server
from tests.gateway.support import Town, settle

MINUTE = 60_000


@pytest.fixture
async def desk(town: Town) -> AsyncIterator[Desk]:
    """Give an office whose people are told by mail and by their browsers."""
    async with mail_server() as post, web_server() as ear:
        config = NotifyConfig(
            mail=MailConfig(host="127.0.0.1", port=post.port, security="none", sender="inbox@northmere.test"),
            push_hosts=("localhost",), contact="mailto:it@northmere.test",
        )  # fmt: skip
        async with open_office(town, notify=config) as office:
            notifier = Notifier(office.inboxes[HEALTH], config)
            await notifier.round()
            yield Desk(office, notifier, post, ear)


async def wake_browser(desk: Desk, login: str = "robin@example.org") -> None:
    """Add somebody whose browser is woken, and who gets no mail."""
    nurse = await desk.office.signed_in(login)
    await nurse.get("/account/notifications")
    endpoint = f"http://localhost:{desk.ear.port}/push/{login}"
    await nurse.post("/account/push", {"subscription": json.dumps({"endpoint": endpoint})})
    await nurse.post("/account/notifications", {"email": "no", "when": "at_once"})


async def hold(desk: Desk, thread: str, person: str) -> None:
    """Have *person* hold *thread*."""
    inbox = desk.office.inboxes[HEALTH]
    await inbox.gateway.spool.run("add_holder", thread=thread, mailbox=NURSES, person=person, at=inbox.now(), by=person)


def claims_of(authorization: str) -> dict[str, Any]:
    """Return what the token of a push says, unchecked."""
    token = re.fullmatch(r"vapid t=(\S+), k=\S+", authorization)
    assert token is not None
    return dict(msgspec.json.decode(from_b64u(token[1].split(".")[1])))


# ---- pushes


async def test_a_push_that_is_tried_again_a_day_later_has_a_token_that_is_valid_then(desk: Desk) -> None:
    """The token is of the try, not of the message: else a push service that was away refuses it for ever."""
    await wake_browser(desk)
    desk.ear.status = 503
    await desk.office.hold_meeting()
    await desk.notifier.round()
    desk.ear.status = 201
    desk.office.town.county.now += DAY
    await desk.notifier.round()
    first, second = (claims_of(headers["Authorization"]) for _, headers, _ in desk.ear.heard)
    assert first["exp"] + 24 * 3600 == second["exp"]
    assert 0 < second["exp"] - desk.office.town.county.now // 1000 <= 24 * 3600


async def test_a_later_push_takes_the_place_of_one_that_still_waits(desk: Desk) -> None:
    """Two wakings of one browser have one topic: what it missed overnight is one waking, not ten (RFC 8030, 5.4)."""
    await wake_browser(desk)
    await desk.office.hold_meeting()
    await desk.notifier.round()
    await desk.office.hold_meeting()
    await desk.notifier.round()
    topics = [headers["Topic"] for _, headers, _ in desk.ear.heard]
    assert len(topics) == 2
    assert len(set(topics)) == 1
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,32}", topics[0])


@pytest.mark.parametrize("endpoint", ["https://[localhost/x", "https://localhost:port/x", "https://robin@localhost/x"])
async def test_a_push_address_that_is_none_is_refused(desk: Desk, endpoint: str) -> None:
    """What can't be read as an address is the browser's mistake, and no failure of the page."""
    nurse = await desk.office.signed_in("robin@example.org")
    await nurse.get("/account/notifications")
    assert (await nurse.post("/account/push", {"subscription": json.dumps({"endpoint": endpoint})})).status == 422


# ---- mail


@dataclass
class Refuser:
    """A mail server that knows no recipient."""

    asked: int = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        """Refuse one."""
        self.asked += 1
        return "550 no such user here"


async def test_a_server_that_refuses_a_recipient_is_asked_for_days_and_then_that_is_told(town: Town) -> None:
    """A refusal may be the server's mistake: nothing is dropped in silence."""
    refuser = Refuser()
    port = find_free_port()
    controller = Controller(refuser, hostname="127.0.0.1", port=port)
    await asyncio.to_thread(controller.start)
    try:
        config = NotifyConfig(mail=MailConfig(host="127.0.0.1", port=port, security="none", sender="i@northmere.test"))
        async with open_office(town, notify=config) as office:
            notifier = Notifier(office.inboxes[HEALTH], config)
            await notifier.round()
            await office.person("robin@example.org")
            await office.hold_meeting()
            for _ in range(8):
                await notifier.round()
                town.county.now += 12 * HOUR
            assert refuser.asked > 2
            notices = await office.health.gateway.spool.all("list_notices")
            assert "notification-failed" in {row["code"] for row in notices}
    finally:
        await asyncio.to_thread(controller.stop)


@dataclass
class Wall:
    """A port that hangs up on whoever calls."""

    port: int = 0
    calls: list[int] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hang up."""
        self.calls.append(1)
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def wall() -> AsyncIterator[Wall]:
    """Give a port that hangs up."""
    one = Wall()
    server = await asyncio.start_server(one.answer, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    async with server:
        yield one


async def test_a_server_that_is_away_is_called_once_a_round(town: Town) -> None:
    """Were it called for each of a thousand mails, the urgent push behind them would wait for hours."""
    async with wall() as away:
        config = NotifyConfig(
            mail=MailConfig(host="127.0.0.1", port=away.port, security="none", sender="inbox@northmere.test")
        )
        async with open_office(town, notify=config) as office:
            notifier = Notifier(office.inboxes[HEALTH], config)
            await notifier.round()
            for name in ("robin", "kim", "sam"):
                await office.person(f"{name}@example.org")
            await office.hold_meeting()
            await notifier.round()
            assert len(away.calls) == 1
            town.county.now += 10 * MINUTE
            await notifier.round()
            assert len(away.calls) == 2
            waiting = await office.health.gateway.spool.all("due_tell_messages", now=2**53, limit=9)
            assert [row["state"] for row in waiting] == ["waiting"] * 3


async def test_one_that_can_not_even_be_rendered_keeps_nothing_behind_it(desk: Desk) -> None:
    """Whatever is wrong with one person's subscription, the others are told."""
    await wake_browser(desk, "kim@example.org")
    spool = desk.office.health.gateway.spool
    (row,) = await spool.all("list_tell_push", person=await person_of(desk.office, "kim@example.org"))
    await spool.run("add_tell_push", id=row["id"], person=row["person"], at=0, content=b"altered")
    await desk.office.person("robin@example.org")
    await desk.office.hold_meeting()
    await desk.notifier.round()
    assert [to for (to,), _ in desk.post.mails] == ["robin@example.org"]


async def person_of(office: Office, login: str) -> str:
    """Return the id of who signs in as *login* at the trust."""
    inbox = office.inboxes[HEALTH]
    row = await inbox.gateway.spool.one("find_login", login=inbox.people.digest("login", login))
    assert row is not None
    return str(row["id"])


async def test_a_mail_says_nothing_of_the_machine_that_sends_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The greeting names the sender's domain: a machine's own name may name the agency or a service."""
    greeted: list[str] = []

    async def greet(server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]) -> list[str]:
        greeted.append(hostname)
        session.host_name = hostname
        return responses

    desk.post.handle_EHLO = greet  # type: ignore[attr-defined]
    await desk.office.person("robin@example.org")
    await desk.office.hold_meeting()
    await desk.notifier.round()
    assert greeted == ["northmere.test"]


# ---- when


async def test_a_try_that_failed_in_the_evening_waits_for_the_morning(desk: Desk) -> None:
    """Quiet hours hold for what is tried again as well."""
    await desk.office.person("robin@example.org")
    await desk.until(19)
    desk.office.town.county.now += 59 * MINUTE
    desk.post.refuse = 1
    await desk.office.hold_meeting()
    await desk.notifier.round()
    assert (desk.post.refuse, desk.post.mails) == (0, [])
    await desk.until(23)
    await desk.notifier.round()
    assert desk.post.mails == []
    await desk.until(7)
    await desk.notifier.round()
    assert len(desk.post.mails) == 1


async def test_what_comes_within_a_digest_s_hour_waits_for_the_next(desk: Desk) -> None:
    """Told together means together: not one mail for each item that comes between eight and nine."""
    nurse = await desk.office.signed_in("robin@example.org")
    await nurse.get("/account/notifications")
    await nurse.post("/account/notifications", {"email": "yes", "when": "digest"})
    await desk.until(8)
    desk.office.town.county.now += 5 * MINUTE
    for _ in range(3):
        await desk.office.hold_meeting()
        await desk.notifier.round()
        desk.office.town.county.now += 5 * MINUTE
    assert desk.post.mails == []
    await desk.until(13)
    await desk.notifier.round()
    ((_, text),) = desk.post.mails
    assert "You have 3 items" in text


# ---- who


async def test_who_covers_and_has_left_is_not_told_but_the_team_is(desk: Desk) -> None:
    """The holder is away, and who was to cover has left: the rest of the team is told."""
    robin, kim = [await desk.office.person(f"{name}@example.org") for name in ("robin", "kim")]
    await desk.office.person("sam@example.org")
    inbox = desk.office.inboxes[HEALTH]
    held = await desk.office.hold_meeting()
    await hold(desk, held.thread, robin)
    await desk.notifier.round()
    desk.post.mails.clear()
    accounts, now = Accounts(inbox.gateway, inbox.people), inbox.now()
    await inbox.gateway.spool.run("set_away", person=robin, since=now - 1, until=now + 9 * DAY, cover=kim)
    await inbox.gateway.spool.write(lambda tx: accounts.leave(tx, kim, new_id(now)))
    await desk.notifier.round()
    desk.post.mails.clear()
    await desk.office.send_minutes(held.thread)
    await desk.notifier.round()
    assert [to for (to,), _ in desk.post.mails] == ["sam@example.org"]


async def test_who_covers_and_is_away_too_is_covered_in_turn(desk: Desk) -> None:
    """Robin's cover is Kim, Kim's is Sam: Sam is told; two who cover for each other end in the rest of the team."""
    robin, kim, sam = [await desk.office.person(f"{name}@example.org") for name in ("robin", "kim", "sam")]
    await desk.office.person("ash@example.org")
    spool, now = desk.office.health.gateway.spool, desk.office.town.county.now
    held = await desk.office.hold_meeting()
    await hold(desk, held.thread, robin)
    await desk.notifier.round()
    for away, cover in ((robin, kim), (kim, sam)):
        await spool.run("set_away", person=away, since=now - 1, until=now + 9 * DAY, cover=cover)
    desk.post.mails.clear()
    await desk.office.send_minutes(held.thread)
    await desk.notifier.round()
    assert [to for (to,), _ in desk.post.mails] == ["sam@example.org"]
    await spool.run("set_away", person=kim, since=now - 1, until=now + 9 * DAY, cover=robin)
    desk.post.mails.clear()
    await desk.office.send_minutes(held.thread)
    await desk.notifier.round()
    assert sorted(to for (to,), _ in desk.post.mails) == ["ash@example.org", "sam@example.org"]


async def test_a_team_that_is_all_away_is_told_all_the_same(desk: Desk) -> None:
    """Nobody covers, nobody else is there: better somebody on holiday is told than nobody."""
    robin = await desk.office.person("robin@example.org")
    spool, now = desk.office.health.gateway.spool, desk.office.town.county.now
    await spool.run("set_away", person=robin, since=now - 1, until=now + 9 * DAY, cover=None)
    await desk.office.hold_meeting()
    await desk.notifier.round()
    assert [to for (to,), _ in desk.post.mails] == ["robin@example.org"]


async def test_what_waits_for_the_morning_is_not_told_to_who_is_excluded_by_then(desk: Desk) -> None:
    """Excluded overnight, Robin learns nothing of the thread; Kim, of the same team, is told."""
    await desk.office.person("robin@example.org", name="Robin Sample")
    await desk.office.person("kim@example.org", name="Kim Placeholder")
    gateway = desk.office.health.gateway
    await desk.until(23)
    held = await desk.office.hold_meeting()
    await desk.notifier.round()
    await gateway.spool.run(
        "add_exclusion", thread=held.thread, person=exclusions.pseudonym(gateway, "Robin Sample"), state="excluded",
        at=gateway.clock(), details=b"",
    )  # fmt: skip
    await desk.until(7)
    await desk.notifier.round()
    assert [to for (to,), _ in desk.post.mails] == ["kim@example.org"]


async def test_what_waits_for_the_morning_goes_to_who_covers_by_then(desk: Desk) -> None:
    """Who is told is settled when it is time to tell: nobody's absence swallows what came the evening before."""
    robin, _ = [await desk.office.person(f"{name}@example.org") for name in ("robin", "kim")]
    spool = desk.office.health.gateway.spool
    held = await desk.office.hold_meeting()
    await hold(desk, held.thread, robin)
    await desk.notifier.round()
    desk.post.mails.clear()
    await desk.until(23)
    await desk.office.send_minutes(held.thread)
    await desk.notifier.round()
    kim, now = await person_of(desk.office, "kim@example.org"), desk.office.town.county.now
    await spool.run("set_away", person=robin, since=now, until=now + 9 * DAY, cover=kim)
    await desk.until(7)
    await desk.notifier.round()
    assert [to for (to,), _ in desk.post.mails] == ["kim@example.org"]


# ---- how much


async def test_what_is_declined_is_one_item_for_its_sender(desk: Desk) -> None:
    """The recipient's receipt and the hub's word that it came back are one thing that happened."""
    office = desk.office
    notifier = Notifier(office.inboxes[COUNCIL], desk.notifier._config)
    await notifier.round()
    await office.person("ada@example.org", agency=COUNCIL, teams=(MASH,), role="social_worker")
    held = await office.hold_meeting()
    await notifier.round()
    desk.post.mails.clear()
    nurse = await office.signed_in("robin@example.org")
    await nurse.get(f"/messages/{held.envelope}/decline")
    await nurse.post(f"/messages/{held.envelope}/decline", {"code": "wrong_recipient"})
    await settle(office.health, office.council)
    heard = await office.council.gateway.spool.all("heard_of", envelope=held.envelope)
    assert heard[-1]["level"] == "declined"
    await notifier.round()
    (text,) = [text for (to,), text in desk.post.mails if to == "ada@example.org"]
    assert "You have 1 item in" in text


async def test_what_was_looked_at_is_not_looked_at_again(desk: Desk) -> None:
    """The place in each source goes past what nobody is told of: a year of receipts isn't read every two seconds."""
    office = desk.office
    notifier = Notifier(office.inboxes[COUNCIL], desk.notifier._config)
    await notifier.round()
    held = await office.hold_meeting()
    nurse = await office.signed_in("robin@example.org")
    await nurse.get(f"/messages/{held.envelope}")
    await nurse.post(f"/messages/{held.envelope}/open")
    await settle(office.health, office.council)
    for one, agent in ((notifier, office.council), (desk.notifier, office.health)):
        await one.round()
        for source in SOURCES:
            place = await agent.gateway.spool.one("tell_place_of", source=source)
            last = await agent.gateway.spool.one(f"last_of_{source}")
            assert place is not None
            assert last is not None
            assert place["at"] == last["at"], source


async def test_a_secret_that_is_none_is_named(town: Town) -> None:
    """A webhook's secret that isn't base64 is said to be that, before anything runs."""
    config = NotifyConfig(webhook=HookConfig(url="http://127.0.0.1:9/", secret_file="hook-secret"))
    async with open_office(town, notify=config) as office:
        for content in (b"", b"whsec_", b"whsec_!"):
            write_file(office.health.gateway.home / "hook-secret", content)
            with pytest.raises(GatewayError) as caught:
                Notifier(office.inboxes[HEALTH], config)
            assert caught.value.code == "notify-secret"
        write_file(office.health.gateway.home / "hook-secret", SECRET.encode())
        Notifier(office.inboxes[HEALTH], config)
