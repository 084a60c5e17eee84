"""People of two agencies at their gateways' pages, as browsers without script: forms, redirects, one cookie."""

from __future__ import annotations

import html
import re
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import yarl

from adapters.base import Outgoing, parse_draft
from adapters.gateway import outgoing
from adapters.gateway.agent import Agent
from adapters.gateway.inbox.access import Duty
from adapters.gateway.inbox.app import Server, make_inbox
from adapters.gateway.inbox.config import InboxConfig
from adapters.gateway.inbox.context import Inbox
from adapters.gateway.inbox.people import check_details
from keys.passwords import hash_password
from schemas.strict_json import dump
from tests.county import COUNCIL, HEALTH, MASH, NURSES
from tests.gateway.support import Town, draft, meeting_held, minutes_full, settle

PASSWORD = "three fictional words"
STORED = hash_password(PASSWORD)
ORIGIN = "http://localhost"


@dataclass(frozen=True, slots=True)
class Shown:
    """One page as it came."""

    status: int
    text: str
    path: str
    headers: Mapping[str, str]

    @property
    def words(self) -> str:
        """Return what a reader sees, without tags, spaces made one."""
        bare = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", self.text, flags=re.DOTALL)
        return " ".join(html.unescape(bare).split())

    @property
    def csrf(self) -> str:
        """Return the token that the page's forms carry."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.text)
        return found[1] if found else ""


@dataclass
class Browser:
    """One person's browser at one inbox; it follows redirects and keeps its cookies, in ``cookie`` as it sends them."""

    http: aiohttp.ClientSession
    base: str
    cookie: str = ""
    last: Shown | None = None

    async def get(self, path: str, **headers: str) -> Shown:
        """Return the page at *path*."""
        return await self._ask("GET", path, headers, None)

    async def post(
        self, path: str, fields: Sequence[tuple[str, str]] | Mapping[str, str] = (), **headers: str
    ) -> Shown:
        """Send a form to *path* as the last page would."""
        pairs = list(fields.items() if isinstance(fields, Mapping) else fields)
        if self.last is not None and "csrf" not in dict(pairs):
            pairs.append(("csrf", self.last.csrf))
        return await self._ask("POST", path, {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"} | headers, pairs)

    def _keep(self, pair: str) -> None:
        name, _, value = pair.partition("=")
        kept = dict(one.split("=", 1) for one in self.cookie.split("; ") if one)
        kept.pop(name, None)
        if value not in {"", '""'}:
            kept[name] = value
        self.cookie = "; ".join(f"{one}={value}" for one, value in kept.items())

    async def sign_in(self, login: str, password: str = PASSWORD) -> Shown:
        """Sign in as somebody."""
        await self.get("/sign-in")
        return await self.post("/sign-in", {"login": login, "password": password})

    async def _ask(self, method: str, path: str, headers: Mapping[str, str], fields: Any) -> Shown:
        for _ in range(6):
            sent = dict(headers) | ({"Cookie": self.cookie} if self.cookie else {})
            data = aiohttp.FormData(fields)() if method == "POST" else None
            async with self.http.request(
                method, yarl.URL(self.base + path, encoded=True), data=data, headers=sent, allow_redirects=False
            ) as answer:
                for value in answer.headers.getall("Set-Cookie", []):
                    self._keep(value.split(";")[0])
                if answer.status in {302, 303}:
                    method, path, fields = "GET", answer.headers["Location"], None
                    continue
                self.last = Shown(answer.status, await answer.text(), path, dict(answer.headers))
                return self.last
        raise AssertionError("it redirects for ever")


@dataclass
class Office:
    """Two gateways with their inboxes, over one hub."""

    town: Town
    council: Agent
    health: Agent
    inboxes: dict[str, Inbox]
    ports: dict[str, int]
    http: aiohttp.ClientSession
    envelopes: dict[str, str] = field(default_factory=dict)

    def browser(self, agency: str = HEALTH) -> Browser:
        """Return a new browser at the inbox of *agency*."""
        return Browser(self.http, f"http://127.0.0.1:{self.ports[agency]}")

    async def person(
        self, login: str, *, agency: str = HEALTH, name: str = "", duties: Sequence[Duty] = ("practitioner",),
        teams: Sequence[str] = (NURSES,), role: str = "school_nurse",
    ) -> str:  # fmt: skip
        """Add somebody; return their id."""
        inbox = self.inboxes[agency]
        details = check_details(name=name or login.split("@", maxsplit=1)[0].title(), login=login, role=role)
        return await inbox.gateway.spool.write(
            lambda tx: inbox.people.add(tx, details, duties, teams, inbox.now(), password=STORED)
        )

    async def signed_in(self, login: str, **who: Any) -> Browser:
        """Add somebody, and return their browser, signed in."""
        await self.person(login, **who)
        browser = self.browser(who.get("agency", HEALTH))
        shown = await browser.sign_in(login)
        assert shown.status == 200, shown.words
        return browser

    async def send(self, kind: str, message: Mapping[str, Any] | None = None, **changes: Any) -> outgoing.Spooled:
        """Have the council's MASH send a message, and both gateways do what follows."""
        value = draft(kind, MASH, message=message, **changes)
        key = f"test {len(self.envelopes)}"
        sent = await outgoing.take_now(
            self.council.gateway, "test", Outgoing(key=key, draft=parse_draft(dump(value)))
        )  # fmt: skip
        self.envelopes[key] = sent.envelope
        await settle(self.council, self.health)
        return sent

    async def hold_meeting(self, *parties: str) -> outgoing.Spooled:
        """Have a strategy discussion be held with *parties*."""
        return await self.send("meeting.held/1", meeting_held([MASH, *(parties or (NURSES,))]))

    async def send_minutes(self, thread: str, **changes: Any) -> outgoing.Spooled:
        """Send the full minutes of the discussion of *thread*."""
        return await self.send("minutes.full/1", minutes_full([MASH, NURSES]), thread=thread, **changes)

    async def levels(self, envelope: str) -> list[str]:
        """Return the receipt levels that the sender has heard of for *envelope*, in order."""
        await settle(self.council, self.health)
        return [row["level"] for row in await self.council.gateway.spool.all("heard_of", envelope=envelope)]


def find_free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@asynccontextmanager
async def open_office(
    town: Town, *, served: bool = False, hub: str = "", other: str = HEALTH, **settings: Any
) -> AsyncIterator[Office]:
    """Give the council's and the trust's gateways with inboxes, which people file from by hand.

    *served*: under the address at which it listens, as a real browser needs it.  *hub*: reached there instead.  *other*:
    the agency that is there in the trust's place, under its name.
    """
    async with AsyncExitStack() as stack:
        agents: dict[str, Agent] = {}
        for agency in (COUNCIL, other):
            port = find_free_port() if served else 0
            origin = f"http://localhost:{port}" if served else ORIGIN
            config = InboxConfig(port=port, origin=origin, **settings)
            agents[agency] = await stack.enter_async_context(town.agent(agency, inbox=config, hub=hub or town.base))
        inboxes = {
            agency: make_inbox(agent.gateway, agent.watch, agent.gateway.config.inbox)
            for agency, agent in agents.items()
            if agent.gateway.config.inbox is not None
        }
        servers = {agency: await stack.enter_async_context(Server(inbox)) for agency, inbox in inboxes.items()}
        http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        await settle(*agents.values())
        yield Office(
            town, agents[COUNCIL], agents[other], inboxes, {name: one.port for name, one in servers.items()}, http
        )
