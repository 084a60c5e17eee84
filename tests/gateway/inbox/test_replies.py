"""An answer that needs no words: one button, after a look at what it says; once, and for whom it may be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.base import Outgoing, parse_draft
from adapters.gateway import exclusions, outgoing
from adapters.gateway.inbox import replies
from schemas.derivation import Derivations, spell_day
from schemas.identifiers import family_of
from schemas.strict_json import dump
from tests.county import COUNCIL, DAY, MASH, NURSES, OFFICERS, PROBATION
from tests.gateway.inbox.support import Browser, Office, Shown, open_office
from tests.gateway.support import HELD_AT, Town, draft, settle
from tests.gateway.test_cli import command, write_home
from tests.schemas import samples

TOMORROW = "2026-07-07T09:00:00Z"
FAMILY = "check.adult.response"


@pytest.fixture
async def desk(town: Town) -> AsyncIterator[Office]:
    """Give the council's inbox and probation's."""
    async with open_office(town, other=PROBATION) as opened:
        yield opened


async def ask(desk: Office) -> str:
    """Have the council ask probation about an adult; return the envelope."""
    message = samples.message("check.adult.request/1", requested_at=HELD_AT, needed_by=TOMORROW)
    sent = await desk.send("check.adult.request/1", message, to=[OFFICERS])
    return sent.envelope


async def officer(desk: Office, login: str = "pat@example.org", **who: Any) -> Browser:
    """Return the browser of somebody at the probation desk."""
    about = {"agency": PROBATION, "teams": (OFFICERS,), "role": "probation_officer"} | who
    return await desk.signed_in(login, **about)


async def open_it(browser: Browser, envelope: str) -> Shown:
    """Have somebody open a message; return its page."""
    await browser.get(f"/messages/{envelope}")
    return await browser.post(f"/messages/{envelope}/open")


async def answers(desk: Office) -> list[dict[str, Any]]:
    """Return what is in probation's outbox."""
    return [dict(row) for row in await desk.health.gateway.spool.all("list_sent")]


def test_every_answer_that_needs_no_words_has_its_button() -> None:
    """What the derivations make without a person's words, and no more, stands in the file of buttons."""
    pairs = Derivations.load().pairs()
    wordless = {
        family_of(one.target)
        for one in pairs
        if one.by == "any" and not (one.automatic or one.needs or one.each) and family_of(one.target) != "risklist.ack"
    }
    assert set(replies._load()) == wordless


async def test_not_known_here_is_one_button_and_a_look(desk: Office) -> None:
    """Opened, the message offers it; the next page says what goes, to whom and until when; the button sends it."""
    envelope = await ask(desk)
    pat = await officer(desk)
    assert "Answer in one step" not in (await pat.get(f"/messages/{envelope}")).words
    assert "Answer: not known here" in (await open_it(pat, envelope)).words
    page = await pat.get(f"/messages/{envelope}/answers/{FAMILY}")
    last = spell_day(desk.town.county.now + 60 * DAY)
    for words in ("Not known", "Look in your record system first", "is deleted after 4 September 2026"):
        assert words in page.words
    assert last == "2026-09-04"
    assert await answers(desk) == []
    told = await pat.post(f"/messages/{envelope}/answers/{FAMILY}")
    assert (told.status, told.path) == (200, f"/messages/{envelope}")
    assert "was given by your team" in told.words
    assert "Answer: not known here" not in told.words
    await settle(desk.health, desk.council)
    (sent,) = await answers(desk)
    assert sent["state"] == "accepted"
    duties = await desk.town.site.desk.duties(sent["thread"])
    assert duties["adult-check-answered", OFFICERS, MASH] == "met"
    chair = await desk.signed_in("sam@example.org", agency=COUNCIL, teams=(MASH,))
    read = await open_it(chair, sent["envelope"])
    assert "Not known" in read.words
    assert "4 September 2026" in read.words


async def test_it_is_sent_once_however_often_and_wherever_it_is_said(desk: Office) -> None:
    """Pressed twice at once, pressed again, and given at the command line: one envelope, written down once."""
    home = write_home(desk.town, PROBATION)
    envelope = await ask(desk)
    pat = await officer(desk)
    await open_it(pat, envelope)
    path = f"/messages/{envelope}/answers/{FAMILY}"
    await pat.get(path)
    pressed = await asyncio.gather(pat.post(path), pat.post(path))
    assert [one.status for one in pressed] == [200, 200]
    assert (await pat.post(path)).path == f"/messages/{envelope}"
    (said,) = await command(home, "answer", envelope, "--type", FAMILY)
    await settle(desk.health, desk.council)
    (sent,) = await answers(desk)
    assert said["envelope"] == sent["envelope"]
    events = await desk.health.gateway.spool.all("events_in", thread=sent["thread"])
    assert [one["action"] for one in events].count("sent") == 1
    assert (await pat.get(path)).path == f"/messages/{envelope}"


async def test_an_answer_that_was_written_otherwise_is_found(desk: Office) -> None:
    """Once somebody wrote that the person is known, nobody can say by one press that they aren't."""
    envelope = await ask(desk)
    pat = await officer(desk)
    await open_it(pat, envelope)
    thread = (await desk.health.gateway.spool.all("find_for_any", envelope=envelope))[0]["thread"]
    message = {
        "check_id": samples.message("check.adult.request/1")["check_id"], "answered_at": HELD_AT, "result": "known_past",
        "since": "2025-11-01",
    }  # fmt: skip
    written = draft("check.adult.response/1", OFFICERS, to=[MASH], thread=thread, re=envelope, message=message)
    await outgoing.take_now(desk.health.gateway, "test", Outgoing(key="known", draft=parse_draft(dump(written))))
    page = await pat.get(f"/messages/{envelope}")
    assert "was given by your team" in page.words
    assert (await pat.post(f"/messages/{envelope}/answers/{FAMILY}")).path == f"/messages/{envelope}"
    assert len(await answers(desk)) == 1


async def test_only_who_may_answer_and_has_opened_it_is_offered_it(desk: Office) -> None:
    """Who hasn't opened it, a colleague of its holder, somebody excluded and another team's: nothing is sent for them."""
    envelope = await ask(desk)
    path = f"/messages/{envelope}/answers/{FAMILY}"
    pat = await officer(desk)
    unopened = await pat.get(path)
    assert (unopened.status, "You have not opened it yet" in unopened.words) == (422, True)
    kim = await officer(desk, "kim@example.org", name="Kim Placeholder")
    await open_it(kim, envelope)
    for other in (pat, await officer(desk, "lee@example.org", teams=())):
        assert (await other.get(path)).status == 404
        assert (await other.post(path)).status == 404
    gateway = desk.health.gateway
    thread = (await gateway.spool.all("find_for_any", envelope=envelope))[0]["thread"]
    await gateway.spool.run(
        "add_exclusion", thread=thread, person=exclusions.pseudonym(gateway, "Kim Placeholder"), state="excluded",
        at=gateway.clock(), details=b"",
    )  # fmt: skip
    assert (await kim.get(path)).status == 404
    assert (await kim.post(path)).status == 404
    assert await answers(desk) == []


async def test_an_answer_that_needs_words_has_no_button(office: Office) -> None:
    """Nobody objects by a press: that takes grounds, and asking for it all the same is refused in words."""
    sent = await office.send("closure.intent/1", samples.message("closure.intent/1"), to=[NURSES])
    nurse = await office.signed_in("robin@example.org")
    assert "Answer in one step" not in (await open_it(nurse, sent.envelope)).words
    refused = await nurse.post(f"/messages/{sent.envelope}/answers/closure.objection")
    assert refused.status == 422
    assert "no such answer in one step" in refused.words


async def test_a_chronology_of_nothing_is_answered_in_one_step(office: Office) -> None:
    """What nobody has to tell is told by a press; it is no negative about a person, and says nothing of a last day."""
    message = samples.message("chronology.request/1")
    sent = await office.send("chronology.request/1", message, to=[NURSES])
    nurse = await office.signed_in("robin@example.org")
    await open_it(nurse, sent.envelope)
    path = f"/messages/{sent.envelope}/answers/chronology.response"
    assert "is deleted after" not in (await nurse.get(path)).words
    assert "was given by your team" in (await nurse.post(path)).words
    await settle(office.health, office.council)
    arrived = await office.council.gateway.spool.all("list_incoming")
    assert [(row["type"], row["thread"]) for row in arrived] == [("chronology.response/1", sent.thread)]
