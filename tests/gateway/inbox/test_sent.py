"""What was sent, and how far it got: newest first, in pages, what is missing standing out."""

from __future__ import annotations

import pytest

from adapters.gateway.inbox import sent
from tests.county import COUNCIL, DAY, MASH, NURSES, PAEDIATRICS
from tests.gateway.inbox.support import Office
from tests.gateway.inbox.test_threads import exclude


async def test_each_recipient_has_the_level_that_they_reached(office: Office) -> None:
    """One opened it, another declined it and said why."""
    await office.hold_meeting(NURSES, PAEDIATRICS)
    worker = await office.signed_in("sam@example.org", agency=COUNCIL, teams=[MASH], role="social_worker")
    page = await worker.get("/receipts")
    assert page.words.count("Filed in their records") == 2
    nurse = await office.signed_in("robin@example.org")
    await nurse.get("/")
    (envelope,) = office.envelopes.values()
    await nurse.post(f"/messages/{envelope}/open")
    doctor = await office.signed_in("ada@example.org", teams=[PAEDIATRICS])
    await doctor.get("/")
    await doctor.post(f"/messages/{envelope}/open")
    await doctor.post(f"/messages/{envelope}/decline", {"code": "not_known_here"})
    await office.levels(envelope)
    page = await worker.get("/receipts")
    assert "Opened by a person" in page.words
    assert "Declined" in page.words
    assert "the person is not known there" in page.words


async def test_a_receipt_that_is_owed_and_not_here_stands_out(office: Office) -> None:
    """With by when; and afterwards that it is overdue."""
    held = await office.hold_meeting()
    await office.send_minutes(held.thread)
    worker = await office.signed_in("sam@example.org", agency=COUNCIL, teams=[MASH], role="social_worker")
    spool = office.council.gateway.spool
    for row in await spool.all("list_obligations"):
        if row["kind"] == "receipt":
            await spool.run("reopen_obligation", id=row["id"], step=0, next_at=None)
    page = await worker.get("/receipts")
    assert "Receipt awaited Due tomorrow" in page.words
    office.town.county.now += 3 * DAY
    await worker.sign_in("sam@example.org")
    page = await worker.get("/receipts")
    assert "Receipt overdue Was due" in page.words


async def test_pages_follow_each_other_without_a_gap(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every message is on one page, newest first, whatever was sent meanwhile; what one may not know of is on none."""
    monkeypatch.setattr(sent, "LIMIT", 2)
    threads = []
    for _ in range(6):
        office.town.county.now += 1000
        threads.append((await office.hold_meeting()).thread)
    worker = await office.signed_in("sam@example.org", agency=COUNCIL, teams=[MASH], role="social_worker")
    await exclude(office.inboxes[COUNCIL], threads[4], "Sam")
    await exclude(office.inboxes[COUNCIL], threads[3], "Sam")
    seen, path = list[str](), "/receipts"
    for turn in range(4):
        page = await worker.get(path)
        seen += [one for one in reversed(threads) if one in page.text]
        if turn == 0:
            await office.hold_meeting()
        _, found, rest = page.text.partition("/receipts?after=")
        if not found:
            break
        path = found + rest.partition('"')[0]
    assert seen == [threads[5], threads[2], threads[1], threads[0]]


async def test_a_place_that_is_not_theirs_begins_at_the_newest(office: Office) -> None:
    """What is typed into the address shows nothing else."""
    await office.hold_meeting()
    worker = await office.signed_in("sam@example.org", agency=COUNCIL, teams=[MASH], role="social_worker")
    page = await worker.get("/receipts?after=AAAAAAAAAAAAAAAAAAAAAA")
    assert page.status == 200
    assert "Filed in their records" in page.words
