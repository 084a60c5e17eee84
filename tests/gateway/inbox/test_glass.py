"""Breaking the glass: what it takes, what it opens and for how long, who is told, and who judges it."""

from __future__ import annotations

import json

from adapters.gateway.inbox.context import Inbox
from tests.county import HEALTH, HOUR, NURSES
from tests.gateway.inbox.support import Browser, Office
from tests.gateway.inbox.test_threads import exclude


async def _held_by_robin(office: Office) -> tuple[str, str, Browser]:
    """Return thread and envelope of a meeting that Robin has taken on, and the browser of Alex, a colleague."""
    held = await office.hold_meeting()
    robin, alex = await office.signed_in("robin@example.org"), await office.signed_in("alex@example.org")
    await robin.get("/")
    await robin.post(f"/threads/{held.thread}/take", {"mailbox": NURSES, "seen": ""})
    return held.thread, held.envelope, alex


async def _rows(inbox: Inbox) -> list[dict[str, object]]:
    return [dict(row) for row in await inbox.gateway.spool.all("unreviewed_glass", limit=9)]


async def test_what_a_colleague_holds_opens_with_a_reason_for_a_day(office: Office) -> None:
    """Not without one; not afterwards; and breaking it twice is breaking it once."""
    thread, envelope, alex = await _held_by_robin(office)
    assert (await alex.post(f"/messages/{envelope}/open")).status == 404
    await alex.get(f"/threads/{thread}/break-glass")
    assert (await alex.post(f"/threads/{thread}/break-glass", {"reason": "curious"})).status == 422
    assert (await alex.post(f"/messages/{envelope}/open")).status == 404
    await alex.get(f"/threads/{thread}/break-glass")
    for _ in range(2):
        page = await alex.post(f"/threads/{thread}/break-glass", {"reason": "child_at_risk_now"})
        assert page.status == 200
    assert len(await _rows(office.inboxes[HEALTH])) == 1
    assert (await alex.post(f"/messages/{envelope}/open")).status == 200
    assert (await alex.get(f"/messages/{envelope}")).status == 200
    office.town.county.now += 24 * HOUR
    await alex.sign_in("alex@example.org")
    assert (await alex.post(f"/messages/{envelope}/open")).status == 404


async def test_it_is_written_down_and_told_before_anything_is_opened(office: Office) -> None:
    """The agency's log has who and why; a notice names reviewers and holder by reference, and nothing else."""
    reviewer = await office.person("kit@example.org", duties=("reviewer",), teams=())
    thread, _, alex = await _held_by_robin(office)
    await alex.get(f"/threads/{thread}/break-glass")
    await alex.post(f"/threads/{thread}/break-glass", {"reason": "colleague_away"})
    inbox = office.inboxes[HEALTH]
    (event,) = [
        row for row in await inbox.gateway.spool.all("events_in", thread=thread) if row["action"] == "break-glass"
    ]
    assert event["code"] == "colleague_away"
    (notice,) = [row for row in await inbox.gateway.spool.all("list_notices") if row["code"] == "glass-broken"]
    details = json.loads(notice["details"])
    assert details["reviewers"] == [reviewer]
    assert len(details["holders"]) == 1
    assert set(details) == {"glass", "thread", "reason", "person", "until", "holders", "reviewers"}
    assert "Alex" not in str(details)


async def test_a_second_person_reviews_it_once_and_sees_no_content(office: Office) -> None:
    """Who, when, why and which thread; the verdict stays, whoever comes after."""
    thread, envelope, alex = await _held_by_robin(office)
    await alex.get(f"/threads/{thread}/break-glass")
    await alex.post(f"/threads/{thread}/break-glass", {"reason": "child_at_risk_now"})
    ((glass),) = await _rows(office.inboxes[HEALTH])
    reviewer = await office.signed_in("kit@example.org", duties=("reviewer",), teams=())
    page = await reviewer.get("/review")
    assert "Alex" in page.words
    assert "A child may be at risk now" in page.words
    assert thread in page.text
    assert envelope not in page.text
    assert (await reviewer.get(f"/threads/{thread}")).status == 404
    await reviewer.get("/review")
    assert (await reviewer.post(f"/review/{glass['id']}", {"verdict": "perhaps"})).status == 422
    await reviewer.get("/review")
    for _ in range(2):
        page = await reviewer.post(f"/review/{glass['id']}", {"verdict": "not_justified"})
        assert "Nothing waits for review" in page.words
        assert "Not justified" in page.words
    other = await office.signed_in("jo@example.org", duties=("reviewer",), teams=())
    await other.get("/review")
    assert (await other.post(f"/review/{glass['id']}", {"verdict": "justified"})).status == 422
    assert "Not justified" in (await other.get("/review")).words
    notices = [row["code"] for row in await office.inboxes[HEALTH].gateway.spool.all("list_notices")]
    assert notices.count("glass-not-justified") == 1


async def test_nobody_reviews_their_own(office: Office) -> None:
    """A practitioner who is a reviewer too sees theirs, and that another has to judge it."""
    held = await office.hold_meeting()
    robin = await office.signed_in("robin@example.org")
    await robin.get("/")
    await robin.post(f"/threads/{held.thread}/take", {"mailbox": NURSES, "seen": ""})
    alex = await office.signed_in("alex@example.org", duties=("practitioner", "reviewer"))
    await alex.get(f"/threads/{held.thread}/break-glass")
    await alex.post(f"/threads/{held.thread}/break-glass", {"reason": "colleague_away"})
    page = await alex.get("/review")
    assert "another reviewer has to judge it" in page.words
    ((glass),) = await _rows(office.inboxes[HEALTH])
    await alex.get("/review")
    assert (await alex.post(f"/review/{glass['id']}", {"verdict": "justified"})).status == 422
    assert len(await _rows(office.inboxes[HEALTH])) == 1


async def test_a_reviewer_who_is_excluded_is_told_of_nothing(office: Office) -> None:
    """Neither that it happened nor that there is such a thread."""
    thread, _, alex = await _held_by_robin(office)
    await alex.get(f"/threads/{thread}/break-glass")
    await alex.post(f"/threads/{thread}/break-glass", {"reason": "court_or_inquiry"})
    ((glass),) = await _rows(office.inboxes[HEALTH])
    await exclude(office.inboxes[HEALTH], thread, "Kit")
    reviewer = await office.signed_in("kit@example.org", duties=("reviewer",), teams=())
    assert thread not in (await reviewer.get("/review")).text
    assert (await reviewer.post(f"/review/{glass['id']}", {"verdict": "justified"})).status == 404
