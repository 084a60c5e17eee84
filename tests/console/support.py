"""People at the console of a real hub, over HTTP, and a quarter of discussions for them to look at."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Final

import msgspec
from multidict import CIMultiDict

from hub import ledger, people
from hub.kit.browsers import COOKIE
from schemas.envelope import DAY
from tests.county import CAIT, HOUR, NURSES, OFFICERS, ORIGIN, PAEDIATRICS, START, Desk, Sent
from tests.hub.support import hold, minutes, note
from tests.web.support import Answer, Site

_CSRF: Final = re.compile(r'name="csrf" value="([^"]+)"')
_TAGS: Final = re.compile(r"<[^>]+>")
# Of 16 discussions, the places at which each health mailbox got the full minutes in time: 8 of 32.
RECEIVED: Final = {NURSES: (0, 3, 6, 9, 12), PAEDIATRICS: (1, 7, 13)}


@dataclass
class Seat:
    """Somebody at the console: their account, and the cookie of their session."""

    site: Site
    account: str
    token: str
    csrf: str = ""
    seen: dict[str, Answer] = field(default_factory=dict)

    async def get(self, path: str) -> Answer:
        """Return the page at *path*, which begins with ``/console``."""
        headers = {"Cookie": f"{COOKIE}={self.token}"} if self.token else {}
        async with self.site.api.session.get(
            self.site.api.base + path, headers=headers, allow_redirects=False
        ) as answer:
            got = Answer(answer.status, CIMultiDict(answer.headers), await answer.read())
        if found := _CSRF.search(got.body.decode("utf-8", "replace")):
            self.csrf = found[1]
        return got

    async def post(self, path: str, fields: dict[str, Any] | None = None, **changes: str) -> Answer:
        """Return the answer to a form of the page that was looked at last; *changes* of headers."""
        if not self.csrf and self.token:
            await self.get("/console/account")
        headers = {"Origin": self.site.hub.config.url} | changes
        if self.token:
            headers["Cookie"] = f"{COOKIE}={self.token}"
        sent = [("csrf", self.csrf)] if self.csrf else []
        for name, value in (fields or {}).items():
            sent += [(name, one) for one in (value if isinstance(value, list | tuple) else [value])]
        async with self.site.api.session.post(
            self.site.api.base + path, data=sent, headers=headers, allow_redirects=False
        ) as answer:
            return Answer(answer.status, CIMultiDict(answer.headers), await answer.read())


def cookies_of(answer: Answer) -> dict[str, str]:
    """Return the cookies that an answer sets."""
    return dict(re.findall(r"(__Host-[a-z]+)=\"?([^;\"]*)", " ".join(answer.headers.getall("Set-Cookie", []))))  # type: ignore[attr-defined]


def text_of(answer: Answer) -> str:
    """Return what a page says, without its tags, spaces folded."""
    return " ".join(unescape(_TAGS.sub(" ", answer.body.decode())).split())


async def seat(site: Site, *roles: str, login: str = "") -> Seat:
    """Return somebody with *roles*, signed in; each time another person."""
    now = site.hub.clock()

    def work(tx: Any) -> tuple[str, str]:
        number = len(tx.accounts(None, 1000))
        name = people.add_account(tx, None, login or f"person-{number}@example.org", f"Person {number}", roles, now)
        return name, people.begin_session(tx, name, "code", now)

    return Seat(site, *await site.hub.store.write(work))


def serve_at(site: Site, origin: str) -> None:
    """Let the console of *site* say that browsers show it at *origin*."""
    console = msgspec.structs.replace(site.hub.config.console, origin=origin)
    site.hub.config = msgspec.structs.replace(site.hub.config, console=console)


async def play_quarter(desk: Desk) -> list[Sent]:
    """Let sixteen discussions of a quarter happen, of which health gets 8 of 32 sets of full minutes; return their records.

    Everything is over at the end but what was never sent; a checkpoint covers it all.
    """
    county, held = desk.county, []
    for place in range(16):
        await _pass_until(desk, START + place * 5 * DAY)
        held.append(await _play(desk, place))
    await _pass_until(desk, START + 100 * DAY)
    await ledger.sign_checkpoint(desk.store, ORIGIN, county.note_signers, county.now)
    return held


async def _pass_until(desk: Desk, moment: int) -> None:
    """Let time pass, and everything that is due happen before anything else does."""
    desk.county.now = moment
    while (await desk.tick()).count:
        pass


async def _play(desk: Desk, place: int) -> Sent:
    county, everyone = desk.county, (CAIT, NURSES, PAEDIATRICS, OFFICERS)
    record = hold(county, *everyone)
    await desk.send(record)
    thread = record.header.thread
    county.now += 3 * HOUR
    decisions = note(county, thread, *everyone)
    await desk.send(decisions)
    for box in everyone:
        await desk.receive(decisions, box, "collected", "filed")
    to = [CAIT, OFFICERS, *(box for box, places in RECEIVED.items() if place in places)]
    full = minutes(county, thread, *to)
    await desk.send(full)
    for box in to:
        await desk.receive(full, box, "collected", "filed")
    return record
