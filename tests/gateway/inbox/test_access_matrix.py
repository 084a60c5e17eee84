"""Every page and every button, by whoever presses it, in whichever relation to the thread, at the running gateway.

What is refused is refused with the one page that is also there for what does not exist.
"""

from __future__ import annotations

import asyncio
import io
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, get_args

import msgspec
import pytest
import yarl
from PIL import Image

from adapters.base import Document, Outgoing, Spooled, parse_draft
from adapters.gateway import exclusions
from adapters.gateway.inbox.access import Duty, Relation
from adapters.gateway.inbox.app import ROUTES
from adapters.gateway.inbox.forms.answers import list_steps
from adapters.gateway.inbox.forms.spec import make_form
from adapters.gateway.inbox.notify.config import NotifyConfig
from adapters.gateway.inbox.writing.drafts import Saved
from adapters.gateway.outgoing import take_now
from schemas.strict_json import dump
from tests.county import HEALTH, MASH, NURSES, PAEDIATRICS
from tests.gateway.inbox.support import Browser, Office, open_office
from tests.gateway.support import Town, draft, meeting_held, settle

DUTIES: tuple[Duty, ...] = get_args(Duty)
RELATIONS: tuple[Relation, ...] = get_args(Relation)
IN_TEAM = "holder unheld colleague glass"
ANY = "holder unheld colleague glass outside excluded"
KIND = "child.not_seen/1"
DRAFT = "a-draft"
NOWHERE = "AAAAAAAAAAAAAAAAAAAAAA"


@dataclass(frozen=True)
class Decision:
    """Who may, by duty, in which relations; and what the form says.  ``None`` for *allowed*: nobody need be signed in."""

    allowed: dict[str, str] | None
    fields: dict[str, str] = field(default_factory=dict)


def _each(duties: str, relations: str) -> dict[str, str]:
    return dict.fromkeys(duties.split(), relations)


WORKS = "practitioner manager"
OPENS = {"practitioner": "holder unheld glass", "manager": IN_TEAM}
EVERYBODY = _each(" ".join(DUTIES), ANY)
KEEPS = _each("administrator", ANY)
MATRIX: dict[str, Decision] = {
    "GET /sign-in": Decision(None),
    "POST /sign-in": Decision(None),
    "POST /sign-out": Decision(None),
    "GET /sign-in/oidc": Decision(None),
    "GET /sign-in/oidc/back": Decision(None),
    "POST /sign-in/passkey": Decision(None),
    "POST /sign-in/passkey/options": Decision(None),
    "GET /push-worker.js": Decision(None),
    "GET /welcome": Decision(None),
    "POST /welcome": Decision(None),
    "GET /welcome/choose": Decision(None),
    "POST /welcome/password": Decision(None),
    "POST /welcome/passkey": Decision(None),
    "POST /welcome/passkey/options": Decision(None),
    **{
        key: Decision(EVERYBODY)
        for key in (
            "GET /account",
            "GET /account/password",
            "POST /account/password",
            "POST /account/passkeys",
            "POST /account/passkeys/options",
            "POST /account/passkeys/remove",
            "POST /account/sessions/end",
            "GET /account/notifications",
            "POST /account/notifications",
            "POST /account/push",
            "POST /account/push/remove",
            "GET /account/away",
            "POST /account/away",
            "POST /account/back",
        )
    },
    **{
        key: Decision(KEEPS)
        for key in (
            "GET /people",
            "GET /people/add",
            "POST /people/add",
            "GET /people/{person}",
            "POST /people/{person}",
            "POST /people/{person}/code",
            "POST /people/{person}/sessions/end",
            "GET /people/{person}/leave",
            "POST /people/{person}/leave",
            "POST /people/{person}/return",
        )
    },
    "GET /": Decision(EVERYBODY),
    "GET /events": Decision(EVERYBODY),
    "GET /messages/{envelope}": Decision(_each(WORKS, IN_TEAM)),
    "POST /messages/{envelope}/open": Decision(OPENS),
    "POST /messages/{envelope}/acknowledge": Decision(OPENS),
    "GET /messages/{envelope}/decline": Decision(OPENS),
    "POST /messages/{envelope}/decline": Decision(OPENS, {"code": "conflict"}),
    "GET /messages/{envelope}/documents/{number}": Decision(OPENS),
    "GET /messages/{envelope}/documents/{number}/pages/{page}": Decision(OPENS),
    "GET /messages/{envelope}/documents/{number}/file": Decision({"practitioner": "holder unheld", "manager": IN_TEAM}),
    "GET /messages/{envelope}/copy": Decision({"practitioner": "holder unheld", "manager": IN_TEAM}),
    "POST /messages/{envelope}/copy": Decision({"practitioner": "holder unheld", "manager": IN_TEAM}),
    # Who may answer is told that a meeting has no such answer; to anybody else it isn't there.
    "GET /messages/{envelope}/answers/{family}": Decision(OPENS),
    "POST /messages/{envelope}/answers/{family}": Decision(OPENS),
    "GET /write": Decision(_each(WORKS, ANY)),
    "POST /write": Decision(OPENS, {"kind": f"{KIND} {NURSES}", "thread": "{thread}"}),
    # A draft is its writer's alone, as long as they may answer in the thread that it belongs to.
    "GET /write/{draft}": Decision(OPENS),
    "GET /write/{draft}/steps/{step}": Decision(OPENS),
    "POST /write/{draft}/steps/{step}": Decision(OPENS),
    "GET /write/{draft}/to": Decision(OPENS),
    "POST /write/{draft}/to": Decision(OPENS),
    "GET /write/{draft}/sharing": Decision(OPENS),
    "POST /write/{draft}/sharing": Decision(OPENS),
    "GET /write/{draft}/documents": Decision(OPENS),
    "POST /write/{draft}/documents": Decision(OPENS),
    "GET /write/{draft}/check": Decision(OPENS),
    "POST /write/{draft}/send": Decision(OPENS),
    "GET /write/{draft}/sent": Decision(OPENS),
    "POST /write/{draft}/discard": Decision(OPENS),
    "GET /threads/{thread}": Decision(_each(WORKS, IN_TEAM)),
    # Who holds it and takes it on again has pressed twice.
    "POST /threads/{thread}/take": Decision(
        {"practitioner": "holder unheld", "manager": IN_TEAM}, {"mailbox": NURSES, "seen": "{seen}"}
    ),
    "POST /threads/{thread}/release": Decision(_each(WORKS, "holder"), {"mailbox": NURSES, "seen": "{seen}"}),
    "GET /threads/{thread}/break-glass": Decision({"practitioner": "colleague"}),
    # Where it is broken already, breaking it again does nothing.
    "POST /threads/{thread}/break-glass": Decision(
        {"practitioner": "colleague glass", "manager": "glass"}, {"reason": "colleague_away"}
    ),
    "GET /review": Decision(_each("reviewer", ANY)),
    "POST /review/{glass}": Decision(_each("reviewer", f"{IN_TEAM} outside"), {"verdict": "justified"}),
    "GET /search": Decision(_each(WORKS, ANY)),
    "POST /search": Decision(_each(WORKS, ANY), {"words": "zebulon"}),
    "GET /receipts": Decision(_each(WORKS, ANY)),
    # This office is no clinic: its checks are tried where there is one.
    "GET /checks": Decision({}),
    "POST /checks": Decision({}),
    # This office has no guests: the desk's pages are tried where there are some.
    "GET /guests": Decision({}),
    "POST /guests/{link}/code": Decision({}),
    "POST /guests/{link}/send": Decision({}),
    "GET /team": Decision(_each("manager", ANY)),
    "GET /team/people/{person}": Decision(_each("manager", f"{IN_TEAM} excluded")),
    "POST /team/assign": Decision(
        _each("manager", IN_TEAM),
        {"mailbox": NURSES, "thread": "{thread}", "to": "{person}", "seen {thread}": "{seen}"},
    ),
}


def _in_app() -> dict[str, str]:
    """Return what the app answers: method and path of each, by how the matrix names it."""
    found = {f"GET {route.path}": route.path for route in ROUTES if route.show is not None}
    return found | {f"POST {route.path}": route.path for route in ROUTES if route.do is not None}


def test_every_route_is_decided() -> None:
    """A page or a button that nobody decided about can't be added unseen, and none is decided that isn't there."""
    assert sorted(_in_app()) == sorted(MATRIX)
    public = {key for route in ROUTES if route.public for key in (f"GET {route.path}", f"POST {route.path}")}
    assert {key for key, one in MATRIX.items() if one.allowed is None} == public & set(_in_app())


@dataclass
class Stage:
    """One message of one thread, one person of each duty, a colleague, and a way to put people into relations."""

    office: Office
    envelope: str
    thread: str
    colleague: str
    people: dict[Duty, str]
    browsers: dict[Duty, Browser]
    step: str
    nobody: dict[Duty, str] = field(default_factory=dict)

    async def sign_in(self, duty: Duty) -> None:
        """Have the person of *duty* sign in, and look at the page for what isn't there."""
        await self.browsers[duty].sign_in(f"{duty}@example.org")
        self.nobody[duty] = (await self.browsers[duty].get(f"/threads/{NOWHERE}")).text

    async def put(self, duty: Duty, relation: Relation) -> str:
        """Make the person of *duty* relate to the thread as *relation*; return what a page would show of its holders."""
        holders = {"holder": [self.people[duty]], "unheld": []}.get(relation, [self.colleague])
        # Not on the loop: a page of the gateway's may hold the database meanwhile.
        await asyncio.to_thread(self._put, duty, relation, holders)
        return " ".join(sorted(holders))

    def _put(self, duty: Duty, relation: Relation, holders: list[str]) -> None:
        inbox, person = self.office.inboxes[HEALTH], self.people[duty]
        now, about = inbox.now(), (self.thread, NURSES)
        excluded = exclusions.pseudonym(inbox.gateway, duty.title())
        with closing(sqlite3.connect(inbox.gateway.home / "spool.db", timeout=30)) as db:
            db.execute("PRAGMA synchronous = OFF")
            db.execute("BEGIN IMMEDIATE")
            for table in ("holder", "glass", "exclusion", "saved"):
                db.execute(f"DELETE FROM {table}")
            db.execute("UPDATE person SET state = 'active'")
            db.execute("DELETE FROM person_team WHERE person = ?", (person,))
            team = PAEDIATRICS if relation == "outside" else NURSES
            db.execute("INSERT INTO person_team VALUES (?, ?)", (person, team))
            db.executemany("INSERT INTO holder VALUES (?, ?, ?, ?, ?)", [(*about, one, now, one) for one in holders])
            # What waits for review is the colleague's; the person's own lets them in.
            add = "INSERT INTO glass (id, person, thread, mailbox, at, until, reason) VALUES (?, ?, ?, ?, ?, ?, 'x')"
            db.execute(add, ("glass-of-another", self.colleague, *about, now, now + 1000))
            if relation == "glass":
                db.execute(add, ("glass-of-theirs", person, *about, now, now + 1000))
            if relation == "excluded":
                add = "INSERT INTO exclusion (thread, person, state, at, details) VALUES (?, ?, 'excluded', ?, x'')"
                db.execute(add, (self.thread, excluded, now))
            add = "INSERT INTO saved (id, person, mailbox, type, thread, at, content) VALUES (?, ?, ?, ?, ?, ?, ?)"
            content = inbox.gateway.spool.lock(msgspec.msgpack.encode(Saved()), f"draft {DRAFT}")
            db.execute(add, (DRAFT, person, NURSES, KIND, self.thread, now, content))
            db.commit()

    def fill(self, text: str, seen: str) -> str:
        """Return *text* with what it names in its place."""
        values = {
            "{envelope}": self.envelope, "{thread}": self.thread, "{person}": self.colleague, "{glass}": "glass-of-another",
            "{seen}": seen, "{draft}": DRAFT, "{step}": self.step, "{number}": "1", "{page}": "1",
            "{link}": NOWHERE,
            "{family}": "check.adult.response",
        }  # fmt: skip
        for name, value in values.items():
            text = text.replace(name, value)
        assert "{" not in text, "the matrix names something that the stage doesn't have"
        return text


@pytest.fixture
async def stage(town: Town) -> AsyncIterator[Stage]:
    """Give a meeting that was told to the nurses, and somebody of each duty signed in, with every page configured."""
    async with open_office(town, notify=NotifyConfig()) as office:
        yield await _set_stage(office)


async def _set_stage(office: Office) -> Stage:
    held = await _send_picture(office)
    colleague = await office.person("colleague@example.org")
    people = {duty: await office.person(f"{duty}@example.org", name=duty.title(), duties=[duty]) for duty in DUTIES}
    browsers = {duty: office.browser() for duty in DUTIES}
    catalogue = office.health.gateway.catalogue
    step = list_steps(make_form(catalogue, KIND, frozenset({"health"})), {}, (), ())[0].step.name
    stage = Stage(office, held.envelope, held.thread, colleague, people, browsers, step)
    for duty in DUTIES:
        await stage.sign_in(duty)
        # Its documents are for who has opened the message, so whoever may has.
        await stage.put(duty, "unheld")
        await stage.browsers[duty].post(f"/messages/{held.envelope}/open")
    return stage


async def _send_picture(office: Office) -> Spooled:
    """Have the council tell of a meeting, with a picture."""
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    document = Document(name="plan.png", type="image/png", content=picture.getvalue())
    told = draft("meeting.held/1", MASH, message=meeting_held([MASH, NURSES]), attachments=[document.name])
    drafted = Outgoing(key="picture", draft=parse_draft(dump(told)), documents=(document,))
    sent = await take_now(office.council.gateway, "test", drafted)
    await settle(office.council, office.health)
    return sent


async def _ask(browser: Browser, key: str, path: str, fields: Sequence[tuple[str, str]]) -> tuple[int, str, str]:
    """Return status, text and final path of what *key* answers; of a stream, a picture or a file, the status alone."""
    if key.startswith("POST"):
        shown = await browser.post(path, fields)
        return shown.status, shown.text, shown.path
    headers = {"Cookie": browser.cookie} if browser.cookie else {}
    if browser.cookie:
        async with browser.http.get(yarl.URL(browser.base + path, encoded=True), headers=headers) as answer:
            if answer.content_type != "text/html":
                return answer.status, "", path
    shown = await browser.get(path)
    return shown.status, shown.text, shown.path


@pytest.mark.slow
@pytest.mark.parametrize("duty", DUTIES)
async def test_each_cell_answers_as_decided(stage: Stage, duty: Duty) -> None:
    """Each page and button in each relation: allowed, or the page for what isn't there, to the byte."""
    wrong = []
    for relation in RELATIONS:
        seen = await stage.put(duty, relation)
        for key in sorted(key for key, one in MATRIX.items() if one.allowed is not None):
            if key.startswith("POST"):
                # Looking comes first and changes nothing; what was done before is undone.
                seen = await stage.put(duty, relation)
            decision = MATRIX[key]
            fields = [(stage.fill(name, seen), stage.fill(value, seen)) for name, value in decision.fields.items()]
            status, text, final = await _ask(stage.browsers[duty], key, stage.fill(_in_app()[key], seen), fields)
            if final.startswith("/sign-in"):
                # What ends the session has done so, for who may.
                await stage.sign_in(duty)
            is_allowed = relation in (decision.allowed or {}).get(duty, "").split()
            is_nobodys = status == 404 and text == stage.nobody[duty]
            if is_allowed == is_nobodys or status >= 500 or (status == 404 and not is_nobodys):
                wrong.append((key, relation, status))
    assert wrong == [], wrong


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_who_is_not_signed_in_is_asked_to_wherever_they_go(stage: Stage, method: str) -> None:
    """No page and no button says anything else, whether what it names is there or not."""
    browser = stage.office.browser()
    await stage.put("practitioner", "holder")
    for key, decision in MATRIX.items():
        if decision.allowed is None or not key.startswith(method):
            continue
        path = stage.fill(_in_app()[key], "")
        for asked in (path, path.replace(stage.envelope, NOWHERE).replace(stage.thread, NOWHERE)):
            status, _, final = await _ask(browser, key, asked, [])
            assert (status, yarl.URL(final).path) == (200, "/sign-in"), key


async def test_what_is_forbidden_and_what_is_not_there_differ_in_nothing_but_the_time(stage: Stage) -> None:
    """Status, headers and text, for a message, a thread, a review and a person."""
    seen = await stage.put("practitioner", "outside")
    browser = stage.browsers["practitioner"]

    async def answer(path: str) -> tuple[int, Any, str]:
        shown = await browser.get(path)
        return shown.status, {name: value for name, value in shown.headers.items() if name != "Date"}, shown.text

    for pattern in ("/messages/{envelope}", "/threads/{thread}", "/threads/{thread}/break-glass"):
        there = await answer(stage.fill(pattern, seen))
        assert there[0] == 404
        for other in (NOWHERE, "%2e%2e", "x" * 300):
            path = pattern.replace("{envelope}", other).replace("{thread}", other)
            assert await answer(path) == there
