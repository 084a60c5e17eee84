"""Writing a message on the pages: step by step, to whom it is owed, sent once."""

from __future__ import annotations

import re
from typing import Any

import aiohttp
import pytest

from adapters.base import Document, check_names
from adapters.gateway import filing
from adapters.gateway.inbox.forms.spec import make_form
from adapters.gateway.inbox.forms.values import write_step
from adapters.gateway.inbox.writing.sending import tidy_document
from adapters.gateway.watch import header_of
from schemas.derivation import spell_moment
from tests.county import COUNCIL, EXPLOITATION, HEALTH, MASH, NURSES, SOURCES
from tests.gateway.inbox.support import ORIGIN, Browser, Office, Shown
from tests.gateway.support import CATALOGUE, minutes_full
from tests.schemas import samples

TO = re.compile(r"/write/[\w-]{22}/to")


async def begin(browser: Browser, kind: str, mailbox: str, **about: str) -> Shown:
    """Choose what to write; return the first step."""
    query = "&".join(f"{name}={value}" for name, value in about.items())
    await browser.get(f"/write?{query}" if query else "/write")
    return await browser.post("/write", {"kind": f"{kind} {mailbox}", **about})


async def answer(browser: Browser, kind: str, message: dict[str, Any]) -> Shown:
    """Answer every step as *message* has it; return the page after the last."""
    form = make_form(CATALOGUE, kind)
    shown = browser.last
    assert shown is not None
    for _ in range(40):
        found = re.search(r"/steps/([a-z0-9-]+)", shown.path)
        if found is None:
            return shown
        step = form.step(found[1])
        assert step is not None
        shown = await browser.post(shown.path, [*write_step(step, message).pairs, ("do", "continue")])
        assert shown.status == 200, shown.words
    raise AssertionError("the form never ends")


async def send(browser: Browser) -> Shown:
    """Take what is proposed on the pages after the steps, and send it."""
    shown = browser.last
    assert shown is not None
    assert TO.fullmatch(shown.path), shown.path
    chosen = re.findall(r'name="to" type="checkbox" value="([^"]+)" checked', shown.text)
    shown = await browser.post(shown.path, [*(("to", box) for box in chosen), ("do", "continue")])
    for name in ("sharing", "documents"):
        if shown.path.endswith(name):
            fields = [("do", "continue")]
            if name == "sharing":
                fields += [
                    ("purpose", "child_protection"),
                    ("basis", "CA1989_S47"),
                    ("consent", "not_needed_lawful_basis"),
                ]
            shown = await browser.post(shown.path, fields)
    assert shown.path.endswith("/check"), shown.words
    version = re.search(r'name="version" value="(\d+)"', shown.text)
    assert version is not None, shown.words
    return await browser.post(shown.path.replace("/check", "/send"), {"version": version[1]})


async def test_a_report_is_written_and_reaches_those_whom_the_agreement_names(office: Office) -> None:
    """A nurse writes an information sharing report in steps; it is sealed to the exploitation team, and to nobody else."""
    nurse = await office.signed_in("robin@example.org")
    message = samples.message("info.report/1")
    first = await begin(nurse, "info.report/1", NURSES)
    assert first.status == 200, first.words
    await answer(nurse, "info.report/1", message)
    sent = await send(nurse)
    assert "Sealed, and on its way" in sent.words, sent.words
    (row,) = await office.health.gateway.spool.all("list_sent")
    assert row["state"] == "sealed"
    assert header_of(row).to == (EXPLOITATION,)
    await office.levels(row["envelope"])
    (row,) = await office.health.gateway.spool.all("list_sent")
    assert row["state"] == "accepted"


async def test_pressing_send_twice_sends_it_once(office: Office) -> None:
    """A double click, or the browser's back button, makes no second message."""
    nurse = await office.signed_in("robin@example.org")
    await begin(nurse, "info.report/1", NURSES)
    await answer(nurse, "info.report/1", samples.message("info.report/1"))
    first = await send(nurse)
    again = await nurse.post(first.path.replace("/sent", "/send"), {"version": "1"})
    assert again.path == first.path
    assert len(await office.health.gateway.spool.all("list_sent")) == 1


async def test_a_report_is_not_written_while_a_child_is_at_risk_now(office: Office) -> None:
    """The first question is whether a child is at risk now; yes ends the report and says what to do instead."""
    nurse = await office.signed_in("robin@example.org")
    first = await begin(nurse, "info.report/1", NURSES)
    stopped = await nurse.post(first.path, {"/not_urgent_declared": "yes", "do": "continue"})
    assert "999" in stopped.words
    assert "referral" in stopped.words.lower()
    assert stopped.path == first.path


async def test_what_was_typed_is_kept_encrypted_and_shown_again(office: Office) -> None:
    """Saved and come back to, also what can't be read yet; in the spool's file there is no word of it."""
    nurse = await office.signed_in("robin@example.org")
    first = await begin(nurse, "info.report/1", NURSES)
    step = await nurse.post(first.path, {"/not_urgent_declared": "no", "do": "continue"})
    assert step.path.endswith("/what-happened"), step.path
    saved = await nurse.post(step.path, {"/narrative": "Zebulon came late.", "/obtained_at/day": "99", "do": "later"})
    assert saved.path == "/write"
    assert "Information sharing report" in saved.words
    again = await nurse.get(step.path)
    assert "Zebulon came late." in again.text
    assert 'value="99"' in again.text
    assert b"Zebulon" not in (office.health.gateway.home / "spool.db").read_bytes()


async def test_anothers_draft_is_not_there(office: Office) -> None:
    """A draft is its writer's: a colleague of the same team finds no such page."""
    nurse = await office.signed_in("robin@example.org")
    first = await begin(nurse, "info.report/1", NURSES)
    other = await office.signed_in("kim@example.org")
    assert (await other.get(first.path)).status == 404
    assert (await other.get("/write/AZ82cPQAcQCyhU9FqvXmoA")).status == 404


async def test_a_meeting_is_convened_held_decided_and_minuted(office: Office) -> None:
    """From the invitation each message takes over what the one before said, and its duty is met by who holds the meeting."""
    chair = await office.signed_in(
        "sam@example.org", agency=COUNCIL, teams=(MASH,), role="team_manager", duties=("practitioner",)
    )
    people = [samples.participant(MASH), samples.participant(NURSES)]
    now = spell_moment(office.town.county.now)
    message = samples.message("meeting.convened/1") | {"participants": people, "convened_at": now, "starts_at": now}
    await begin(chair, "meeting.convened/1", MASH)
    await answer(chair, "meeting.convened/1", message)
    sent = await send(chair)
    convened = re.search(r"<strong>([\w-]{22})</strong>", sent.text)
    assert convened is not None
    await office.levels(convened[1])
    page = await begin(chair, "meeting.held/1", MASH, re=convened[1])
    assert page.status == 200, page.words
    held = samples.meeting_held(held_at=now, participants=people, distribution=[])
    await answer(chair, "meeting.held/1", held)
    sent = await send(chair)
    reference = re.search(r"<strong>([\w-]{22})</strong>", sent.text)
    assert reference is not None
    await office.levels(reference[1])
    nurse = await office.signed_in("robin@example.org")
    assert "Owed to you and not here" in (await nurse.get("/")).words
    for kind, made in (
        ("minutes.decisions/1", samples.message("minutes.decisions/1")),
        ("minutes.full/1", minutes_full([MASH, NURSES])),
    ):
        await begin(chair, kind, MASH, re=reference[1])
        shown = chair.last
        assert shown is not None
        await answer(
            chair,
            kind,
            made | {"started_at": now, "participants": people, "distribution": [samples.owed(NURSES)], "actions": []},
        )
        sent = await send(chair)
        assert "Sealed" in sent.words, sent.words
        found = re.search(r"<strong>([\w-]{22})</strong>", sent.text)
        assert found is not None
        await office.levels(found[1])
    assert "Owed to you and not here" not in (await nurse.get("/")).words


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\secret\\minutes.pdf", "minutes.pdf"),
        ("message.json", "document.json"),
        ("a\x00b.pdf", "document.pdf"),
        ("minutes.pdf", "minutes.pdf"),
        ("..", "document.bin"),
        ("", "document.bin"),
        ("x" * 400 + ".pdf", "document.pdf"),
    ],
)
def test_a_document_gets_a_name_that_can_do_nothing(name: str, kept: str) -> None:
    """However a file is called, it is kept under a plain name, and two of one name under two."""
    document = Document(name=name, type="Application/PDF; charset=x", content=b"%PDF-1.7")
    tidy = tidy_document(document, [])
    assert (tidy.name, tidy.type) == (kept, "application/pdf")
    check_names([tidy.name])
    assert tidy_document(document, [kept]).name not in {kept, ""}


async def test_a_document_goes_along_sealed(office: Office) -> None:
    """What is uploaded reaches the recipient's gateway byte for byte, under its name."""
    chair = await office.signed_in("sam@example.org", agency=COUNCIL, teams=(MASH,))
    now = spell_moment(office.town.county.now)
    people = [samples.participant(MASH), samples.participant(NURSES)]
    message = samples.message("meeting.convened/1") | {"participants": people, "convened_at": now, "starts_at": now}
    first = await begin(chair, "meeting.convened/1", MASH)
    after = await answer(chair, "meeting.convened/1", message)
    shown = await chair.get(f"/write/{first.path.split('/')[2]}/documents")
    form = aiohttp.FormData()
    form.add_field("csrf", shown.csrf)
    form.add_field("document", b"%PDF-1.7 Zebulon", filename="plan.pdf", content_type="application/pdf")
    headers = {"Cookie": chair.cookie, "Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
    async with chair.http.post(f"{chair.base}{shown.path}", data=form, headers=headers, allow_redirects=False) as got:
        assert got.status == 303
    assert "plan.pdf" in (await chair.get(shown.path)).words
    await chair.get(after.path)
    sent = await send(chair)
    envelope = re.search(r"<strong>([\w-]{22})</strong>", sent.text)
    assert envelope is not None
    await office.levels(envelope[1])
    row = await office.health.gateway.spool.one("find_incoming", envelope=envelope[1], mailbox=NURSES)
    assert row is not None
    (document,) = filing.read_content(office.health.gateway, row).documents
    assert (document.name, document.content) == ("plan.pdf", b"%PDF-1.7 Zebulon")


async def test_an_action_is_disputed_from_the_minutes_that_name_it(office: Office) -> None:
    """Who has opened the minutes answers them with a dispute; it knows the record already, and goes back to their sender."""
    held = await office.hold_meeting()
    minutes = await office.send_minutes(held.thread)
    nurse = await office.signed_in("robin@example.org")
    await nurse.get(f"/messages/{minutes.envelope}")
    await nurse.post(f"/messages/{minutes.envelope}/open")
    assert "Answer it, dispute it" in (await nurse.get(f"/messages/{minutes.envelope}")).words
    await begin(nurse, "minutes.dispute/1", NURSES, re=minutes.envelope)
    await answer(nurse, "minutes.dispute/1", samples.message("minutes.dispute/1") | {"addressed_to": MASH})
    sent = await send(nurse)
    assert "on its way" in sent.words
    (row,) = await office.health.gateway.spool.all("list_sent")
    assert header_of(row).to == (MASH,)
    assert header_of(row).re == minutes.envelope
    await office.levels(row["envelope"])
    received = await office.council.gateway.spool.one("find_incoming", envelope=row["envelope"], mailbox=MASH)
    assert received is not None
    dispute = filing.read_content(office.council.gateway, received).message
    assert dispute["record_id"] == minutes_full([MASH, NURSES])["record_id"]


async def test_who_reported_follows_from_the_report_and_travels_apart(office: Office) -> None:
    """After a report its sender is offered the message that names who submitted it: its report is known, and it goes to source protection alone."""
    nurse = await office.signed_in("robin@example.org")
    await begin(nurse, "info.report/1", NURSES)
    await answer(nurse, "info.report/1", samples.message("info.report/1"))
    sent = await send(nurse)
    assert "What follows from it Who sent a report" in sent.words
    (report,) = await office.health.gateway.spool.all("list_sent")
    await begin(nurse, "info.report.identity/1", NURSES, re=report["envelope"])
    submitter = samples.message("info.report.identity/1")["submitter"] | {"org": HEALTH}
    await answer(nurse, "info.report.identity/1", {"submitter": submitter})
    await send(nurse)
    rows = {row["type"]: row for row in await office.health.gateway.spool.all("list_sent")}
    assert header_of(rows["info.report.identity/1"]).to == (SOURCES,)
    assert header_of(rows["info.report/1"]).to == (EXPLOITATION,)


async def test_only_its_sender_goes_on_from_a_message(office: Office) -> None:
    """Who received minutes may dispute them and is offered no correction of them."""
    held = await office.hold_meeting()
    minutes = await office.send_minutes(held.thread)
    nurse = await office.signed_in("robin@example.org")
    await nurse.get(f"/messages/{minutes.envelope}")
    await nurse.post(f"/messages/{minutes.envelope}/open")
    page = (await nurse.get(f"/write?re={minutes.envelope}")).text
    assert "minutes.dispute/1" in page
    assert "minutes.correction/1" not in page
