"""Being told that something waits: by whom, when, by which channel, once, and in words that say nothing else."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web
from aiosmtpd.controller import Controller
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk, jwt
from standardwebhooks.webhooks import Webhook

from adapters.base import Notice
from adapters.durable import write_file
from adapters.errors import GatewayError
from adapters.gateway import exclusions
from adapters.gateway.inbox.notify.channels import may_push
from adapters.gateway.inbox.notify.config import HookConfig, MailConfig, NotifyConfig
from adapters.gateway.inbox.notify.notifier import Notifier, load_severities
from adapters.gateway.inbox.notify.timing import HOUR, is_quiet, next_hour, retry_after, told_at
from adapters.gateway.inbox.notify.words import Told, make_hook, make_mail, say
from keys.digests import from_b64u
from schemas.statements import NoticeCode
from tests.county import DAY, HEALTH, MASH, NURSES
from tests.gateway.inbox.support import Office, find_free_port, open_office
from tests.gateway.support import Town, minutes_full

LONDON = ZoneInfo("Europe/London")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class Post:
    """A real mail server that keeps what it is given; ``refuse``: so many times it says that it is busy first."""

    port: int
    refuse: int = 0
    mails: list[tuple[list[str], str]] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 aiosmtpd's name
        """Take one mail."""
        if self.refuse:
            self.refuse -= 1
            return "451 busy"
        self.mails.append((envelope.rcpt_tos, envelope.content.decode()))
        return "250 OK"


@dataclass
class Ear:
    """A real web server that hears webhooks and pushes."""

    port: int = 0
    status: int = 204
    heard: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    async def hear(self, request: web.Request) -> web.Response:
        """Keep what came."""
        self.heard.append((request.path, dict(request.headers), await request.read()))
        return web.Response(status=self.status)


@asynccontextmanager
async def mail_server() -> AsyncIterator[Post]:
    """Give a mail server on a free port."""
    post = Post(find_free_port())
    controller = Controller(post, hostname="127.0.0.1", port=post.port)
    await asyncio.to_thread(controller.start)
    try:
        yield post
    finally:
        await asyncio.to_thread(controller.stop)


@asynccontextmanager
async def web_server() -> AsyncIterator[Ear]:
    """Give a web server on a free port."""
    ear = Ear()
    app = web.Application()
    app.router.add_post("/{path:.*}", ear.hear)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    ear.port = runner.addresses[0][1]
    try:
        yield ear
    finally:
        await runner.cleanup()


@dataclass
class Desk:
    """An office whose people are told."""

    office: Office
    notifier: Notifier
    post: Post
    ear: Ear

    async def until(self, hour: int) -> None:
        """Let time pass until it is *hour* o'clock in London."""
        county = self.office.town.county
        county.now = next_hour(county.now + HOUR, (hour,), LONDON)


@pytest.fixture
async def told(town: Town) -> AsyncIterator[Desk]:
    """Give an office with all channels."""
    async with mail_server() as post, web_server() as ear:
        config = NotifyConfig(
            mail=MailConfig(host="127.0.0.1", port=post.port, security="none", sender="inbox@northmere.test"),
            webhook=HookConfig(url=f"http://127.0.0.1:{ear.port}/hook", secret_file="hook-secret"),
            push_hosts=("localhost", "*.push.example.org"), contact="mailto:it@northmere.test",
        )  # fmt: skip
        async with open_office(town, notify=config) as office:
            write_file(office.health.gateway.home / "hook-secret", SECRET.encode())
            notifier = Notifier(office.inboxes[HEALTH], config)
            await notifier.round()
            yield Desk(office, notifier, post, ear)


# ---- the whole way


async def test_who_is_of_the_team_is_told_once_of_what_arrived(told: Desk) -> None:
    """Both nurses get one mail of one item at nine in the morning, nobody of another team; a second round sends none."""
    await told.office.person("robin@example.org")
    await told.office.person("kim@example.org")
    await told.office.person("ada@example.org", duties=("administrator",), teams=())
    await told.office.hold_meeting()
    await told.notifier.round()
    await told.notifier.round()
    assert sorted(to for (to,), _ in told.post.mails) == ["kim@example.org", "robin@example.org"]
    assert all("You have 1 item in the safeguarding hub" in text for _, text in told.post.mails)
    assert len({re.search(r"Message-ID: (\S+)", text)[1] for _, text in told.post.mails}) == 2  # type: ignore[index]


async def test_what_is_overdue_is_told_to_who_holds_the_thread(told: Desk) -> None:
    """Minutes that nobody sent alarm the nurse who holds the thread, and not her colleague."""
    held = await told.office.hold_meeting()
    robin = await told.office.signed_in("robin@example.org")
    await robin.get(f"/messages/{held.envelope}")
    await robin.post(f"/messages/{held.envelope}/open")
    await told.office.person("kim@example.org")
    await told.notifier.round()
    told.post.mails.clear()
    told.office.town.county.now += 8 * DAY
    await told.until(10)
    await told.office.health.run_once()
    await told.notifier.round()
    assert {to for (to,), _ in told.post.mails} == {"robin@example.org"}


async def test_a_colleague_who_covers_is_told_instead(told: Desk) -> None:
    """Whoever holds it is away: who covers for them is told, and they are not."""
    held = await told.office.hold_meeting()
    robin = await told.office.signed_in("robin@example.org")
    await robin.get(f"/messages/{held.envelope}")
    await robin.post(f"/messages/{held.envelope}/open")
    kim = await told.office.person("kim@example.org")
    await told.office.person("sam@example.org")
    await told.notifier.round()
    told.post.mails.clear()
    spool, now = told.office.health.gateway.spool, told.office.town.county.now
    row = await spool.one("find_login", login=told.office.inboxes[HEALTH].people.digest("login", "robin@example.org"))
    assert row is not None
    await spool.run("set_away", person=row["id"], since=now - 1, until=now + 9 * DAY, cover=kim)
    await told.office.send_minutes(held.thread)
    await told.notifier.round()
    assert {to for (to,), _ in told.post.mails} == {"kim@example.org"}


async def test_who_is_excluded_is_told_nothing(told: Desk) -> None:
    """Somebody who may not open what belongs to a thread isn't told that something of it came."""
    await told.office.person("robin@example.org", name="Robin Sample")
    await told.office.person("kim@example.org", name="Kim Placeholder")
    held = await told.office.hold_meeting()
    await told.notifier.round()
    told.post.mails.clear()
    gateway = told.office.health.gateway
    await gateway.spool.run(
        "add_exclusion", thread=held.thread, person=exclusions.pseudonym(gateway, "Robin Sample"), state="excluded",
        at=gateway.clock(), details=b"",
    )  # fmt: skip
    await told.office.send_minutes(held.thread)
    await told.notifier.round()
    assert {to for (to,), _ in told.post.mails} == {"kim@example.org"}


async def test_at_night_only_what_is_urgent_is_told(told: Desk) -> None:
    """What arrives at eleven in the evening waits for seven; what is urgent doesn't."""
    await told.office.person("robin@example.org")
    await told.until(23)
    held = await told.office.hold_meeting()
    await told.notifier.round()
    assert told.post.mails == []
    urgent = minutes_full([MASH, NURSES], urgent=True)
    await told.office.send("minutes.full/1", urgent, thread=held.thread)
    await told.notifier.round()
    assert len(told.post.mails) == 1
    assert "You have 2 items" in told.post.mails[0][1]
    told.post.mails.clear()
    await told.office.send_minutes(held.thread)
    await told.notifier.round()
    assert told.post.mails == []
    await told.until(7)
    await told.notifier.round()
    assert len(told.post.mails) == 1


async def test_a_mail_server_that_is_away_gets_it_later_and_once(told: Desk) -> None:
    """Busy twice, then back: the mail is taken once, under one Message-ID."""
    await told.office.person("robin@example.org")
    told.post.refuse = 2
    await told.office.hold_meeting()
    for _ in range(4):
        await told.notifier.round()
        told.office.town.county.now += 10 * 60_000
    assert len(told.post.mails) == 1
    await told.notifier.round()
    assert len(told.post.mails) == 1


async def test_what_can_not_be_told_is_given_up_and_that_is_told(told: Desk) -> None:
    """After days of trying the notification ends, and a notice says so."""
    await told.office.person("robin@example.org")
    told.post.refuse = 10_000
    await told.office.hold_meeting()
    for _ in range(8):
        await told.notifier.round()
        told.office.town.county.now += 12 * HOUR
    notices = await told.office.health.gateway.spool.all("untold_notices", limit=100)
    assert "notification-failed" in {row["code"] for row in notices}


@pytest.mark.parametrize("step", ["look", "plan", "send"])
async def test_killed_between_two_steps_it_is_told_all_the_same_and_once(
    told: Desk, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round that dies after any of its steps leaves the next one to go on; nobody is told twice."""
    await told.office.person("robin@example.org")
    await told.office.hold_meeting()
    name = {"look": "_plan", "plan": "_send", "send": "_note"}[step]

    async def die(*args: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as killed:
        killed.setattr(Notifier, name, die)
        with pytest.raises(RuntimeError):
            await told.notifier.round()
    again = Notifier(told.office.inboxes[HEALTH], told.notifier._config)
    await again.round()
    ids = {re.search(r"Message-ID: (\S+)", text)[1] for _, text in told.post.mails}  # type: ignore[index]
    # Between the server's answer and our commit nobody can know: the same mail under the same id may come once more.
    assert len(ids) == 1
    assert len(told.post.mails) <= (2 if step == "send" else 1)


async def test_a_webhook_is_signed_as_the_standard_says(told: Desk) -> None:
    """The library of the standard verifies it; it holds a number, a reference, an address and an opaque id."""
    person = await told.office.person("robin@example.org")
    await told.office.hold_meeting()
    await told.notifier.round()
    ((path, headers, body),) = told.ear.heard
    assert path == "/hook"
    Webhook(SECRET).verify(body, headers)
    said = json.loads(body)
    assert said["type"] == "inbox.items"
    assert set(said["data"]) == {"items", "reference", "address", "person"}
    assert (said["data"]["items"], said["data"]["person"]) == (1, person)


async def test_a_browser_is_woken_with_an_empty_body_and_a_token(told: Desk) -> None:
    """The push has no byte; its token verifies by the key in its header, for this push service, with a contact."""
    nurse = await told.office.signed_in("robin@example.org")
    await nurse.get("/account/notifications")
    endpoint = f"http://localhost:{told.ear.port}/push/abc"
    shown = await nurse.post("/account/push", {"subscription": json.dumps({"endpoint": endpoint, "keys": {}})})
    assert "1 of your browsers is woken" in shown.words
    await told.office.hold_meeting()
    await told.notifier.round()
    (_, headers, body) = next(one for one in told.ear.heard if one[0].startswith("/push"))
    assert body == b""
    assert {"TTL", "Urgency", "Topic"} <= set(headers)
    token, key = re.fullmatch(r"vapid t=(\S+), k=(\S+)", headers["Authorization"]).groups()  # type: ignore[union-attr]
    point = from_b64u(key)
    x, y = (urlsafe_b64encode(part).rstrip(b"=").decode() for part in (point[1:33], point[33:]))
    claims = jwt.decode(
        token, jwk.ECKey.import_key({"kty": "EC", "crv": "P-256", "x": x, "y": y}), algorithms=["ES256"]
    ).claims
    assert claims["aud"] == f"http://localhost:{told.ear.port}"
    assert claims["sub"] == "mailto:it@northmere.test"
    assert 0 < claims["exp"] - told.office.town.county.now // 1000 <= 24 * 3600


async def test_a_browser_that_is_gone_is_forgotten(told: Desk) -> None:
    """A push service that says 410 isn't asked again."""
    nurse = await told.office.signed_in("robin@example.org")
    await nurse.get("/account/notifications")
    await nurse.post(
        "/account/push", {"subscription": json.dumps({"endpoint": f"http://localhost:{told.ear.port}/push/abc"})}
    )
    told.ear.status = 410
    await told.office.hold_meeting()
    await told.notifier.round()
    assert "None of your browsers" in (await nurse.get("/account/notifications")).words


@pytest.mark.parametrize(
    "endpoint",
    ["http://10.0.0.1/x", "https://evil.example.org/push.example.org", "file:///etc/passwd", "https://push.example.org.evil.test/", "", "x" * 2000],
)  # fmt: skip
async def test_a_push_address_that_is_not_listed_is_refused(told: Desk, endpoint: str) -> None:
    """A browser can't make the gateway call whatever address inside the agency it likes."""
    nurse = await told.office.signed_in("robin@example.org")
    await nurse.get("/account/notifications")
    shown = await nurse.post("/account/push", {"subscription": json.dumps({"endpoint": endpoint})})
    assert shown.status == 422
    assert await told.office.health.gateway.spool.all("list_tell_push", person="x") == []
    assert not may_push(endpoint, ("localhost", "*.push.example.org"))


async def test_a_secret_that_is_not_there_is_named(town: Town) -> None:
    """Started without the webhook's secret, the notifier says which file it lacks."""
    config = NotifyConfig(webhook=HookConfig(url="http://127.0.0.1:9/", secret_file="none"))
    async with open_office(town, notify=config) as office:
        with pytest.raises(GatewayError) as caught:
            Notifier(office.inboxes[HEALTH], config)
        assert caught.value.code == "notify-secret"


async def test_one_chooses_the_digest_and_no_mail(told: Desk) -> None:
    """Who wants to be told together is told at the next of those hours; who wants no mail gets none."""
    nurse = await told.office.signed_in("robin@example.org")
    await nurse.get("/account/notifications")
    await nurse.post("/account/notifications", {"email": "yes", "when": "digest"})
    await told.until(9)
    await told.office.hold_meeting()
    await told.notifier.round()
    assert told.post.mails == []
    await told.until(13)
    await told.notifier.round()
    assert len(told.post.mails) == 1
    await nurse.sign_in("robin@example.org")
    await nurse.get("/account/notifications")
    await nurse.post("/account/notifications", {"email": "no", "when": "at_once"})
    await told.office.hold_meeting()
    await told.notifier.round()
    assert len(told.post.mails) == 1


# ---- words


NAMES = st.text(min_size=1, max_size=40)


@given(items=st.integers(1, 999), reference=st.from_regex(r"[A-Za-z0-9_-]{24}", fullmatch=True), secret=NAMES)
def test_no_word_of_anything_else_can_get_out(items: int, reference: str, secret: str) -> None:
    """What leaves is a function of the number, the reference and the configured address: everything else is constant."""
    told = Told(items=items, reference=reference, address="https://inbox.northmere.test", at=1_783_324_800_000)
    other = Told(items=1, reference="A" * 24, address="https://inbox.northmere.test", at=1_783_324_800_000)

    def bare(text: str, one: Told) -> str:
        return text.replace(say(one.items), "SAY").replace(one.reference, "REF")

    mails = [
        bare(make_mail(one, sender="inbox@northmere.test", to="x@example.org").as_string(), one)
        for one in (told, other)
    ]
    assert mails[0] == mails[1]
    hooks = [bare(make_hook(one, "P").decode(), one).replace(f'"items":{one.items}', "") for one in (told, other)]
    assert hooks[0] == hooks[1]
    assert set(Told.__dataclass_fields__) == {"items", "reference", "address", "at"}


async def test_nothing_of_a_message_is_in_any_byte_that_leaves(told: Desk) -> None:
    """With a child's name, a service, a team and a type in play, none of them is in a mail, a webhook or a push."""
    await told.office.person("robin@example.org", name="Robin Sample")
    held = await told.office.hold_meeting()
    await told.office.send_minutes(held.thread)
    await told.notifier.round()
    left = "\n".join(
        [text for _, text in told.post.mails] + [f"{headers}{body!r}" for _, headers, body in told.ear.heard]
    )
    for word in (
        "Zebulon",
        "minutes",
        "meeting",
        "northmere-health",
        "sampleton",
        "mash",
        "Robin",
        held.thread,
        held.envelope,
        "child",
    ):
        assert word.lower() not in left.lower().replace("inbox@northmere.test", "").replace("robin@example.org", ""), (
            word
        )


# ---- when


def moment(text: str) -> int:
    """Return the milliseconds of a London time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=LONDON).astimezone(UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("at", "quiet"),
    [("2026-07-06T06:59", True), ("2026-07-06T07:00", False), ("2026-07-06T19:59", False), ("2026-07-06T20:00", True), ("2026-12-06T06:59", True), ("2026-12-06T07:00", False)],
)  # fmt: skip
def test_quiet_hours_are_local_in_summer_and_winter(at: str, quiet: bool) -> None:
    """From eight in the evening until seven, by the clock on the wall."""
    assert is_quiet(moment(at), 20, 7, LONDON) is quiet


@given(now=st.integers(moment("2026-03-20T00:00"), moment("2026-11-05T00:00")), ago=st.integers(0, 5 * DAY))
def test_nobody_waits_longer_than_the_rules_say(now: int, ago: int) -> None:
    """Urgent: now. Soon: at most eleven hours and the change of clocks. Digest: at most a day; never in quiet hours."""
    quiet, digest = (20, 7), (8, 13)
    for urgent, soon, most in ((True, True, 0), (True, False, 0), (False, True, 12 * HOUR), (False, False, 25 * HOUR)):
        due = told_at(now - ago, now, urgent=urgent, soon=soon, quiet=quiet, digest=digest, zone=LONDON)
        assert now <= due <= now + most
        assert urgent or not is_quiet(due, *quiet, LONDON)


def test_tries_come_ever_less_often() -> None:
    """From a minute to four hours."""
    spans = [retry_after(tries) for tries in range(1, 9)]
    assert spans == sorted(spans)
    assert (spans[0], spans[-1]) == (60_000, 4 * HOUR)


def test_every_notice_has_a_severity() -> None:
    """Each code of the hub and of the gateway is told at some time, or by name to nobody."""
    table = load_severities()
    own = set(re.findall(r"`([a-z]+-[a-z-]+)`", Notice.__doc__ or ""))
    assert not set(table.notices) & table.silent
    assert set(table.notices) | table.silent == set(get_args(NoticeCode)) | own
