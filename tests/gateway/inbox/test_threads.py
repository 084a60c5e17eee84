"""A thread's page: what came and went, what is owed, who holds it, who looked; and nothing of what is in it."""

from __future__ import annotations

from adapters.gateway.inbox.context import Inbox
from tests.county import COUNCIL, DAY, HEALTH, MASH, NURSES, PAEDIATRICS
from tests.gateway.inbox.support import Office


async def exclude(inbox: Inbox, thread: str, name: str) -> None:
    """Record that the person *name* may know nothing of *thread*."""
    from adapters.gateway import exclusions

    await inbox.gateway.spool.run(
        "add_exclusion", thread=thread, person=exclusions.pseudonym(inbox.gateway, name), state="excluded",
        at=inbox.now(), details=b"",
    )  # fmt: skip


async def test_the_history_has_what_came_what_is_owed_and_what_was_said_of_it(office: Office) -> None:
    """A nurse sees both messages, the receipts that her own agency gave, and that the minutes were owed and came."""
    held = await office.hold_meeting()
    nurse = await office.signed_in("robin@example.org")
    page = await nurse.get(f"/threads/{held.thread}")
    assert page.status == 200
    assert "Owed" in page.words
    minutes = await office.send_minutes(held.thread)
    await nurse.get("/")
    await nurse.post(f"/messages/{minutes.envelope}/open")
    page = await nurse.get(f"/threads/{held.thread}")
    assert page.text.count(f"/messages/{minutes.envelope}") == 1
    assert f"/messages/{held.envelope}" in page.text
    assert "Came in time" in page.words
    assert "opened by a person" in page.words
    assert "Robin holds it" in page.words
    assert "Zebulon" not in page.text
    assert "Who looked" not in page.words


async def test_who_has_it_is_shown_where_it_was_sent_from_and_nowhere_else(office: Office) -> None:
    """The council sees how far each recipient got; the nurse sees nothing of what the paediatricians did."""
    held = await office.hold_meeting(NURSES, PAEDIATRICS)
    doctor = await office.signed_in("ada@example.org", teams=[PAEDIATRICS])
    await doctor.get("/")
    await doctor.post(f"/messages/{held.envelope}/open")
    await doctor.post(f"/messages/{held.envelope}/decline", {"code": "conflict"})
    await office.levels(held.envelope)
    worker = await office.signed_in("sam@example.org", agency=COUNCIL, teams=[MASH], role="social_worker")
    page = await worker.get(f"/threads/{held.thread}")
    assert "Declined" in page.words
    assert "a conflict of interest" in page.words
    assert page.words.count("Collected by their gateway") == 2
    nurse = await office.signed_in("robin@example.org")
    page = await nurse.get(f"/threads/{held.thread}")
    assert page.status == 200
    assert "eclined" not in page.words
    assert "opened by a person" not in page.words


async def test_versions_point_at_each_other(office: Office) -> None:
    """What was replaced says so, and so does what replaced it."""
    held = await office.hold_meeting()
    first = await office.send_minutes(held.thread)
    await office.send_minutes(held.thread, supersedes=first.envelope)
    nurse = await office.signed_in("robin@example.org")
    page = await nurse.get(f"/threads/{held.thread}")
    assert page.words.count("Replaced by a later version") == 1
    assert page.words.count("Replaces an earlier version") == 1


async def test_the_log_of_who_looked_is_for_managers(office: Office) -> None:
    """A manager sees by name who opened it, when, and who gave it to whom."""
    held = await office.hold_meeting()
    nurse = await office.signed_in("robin@example.org")
    await nurse.get("/")
    await nurse.post(f"/messages/{held.envelope}/open")
    manager = await office.signed_in("kim@example.org", duties=("manager",))
    page = await manager.get(f"/threads/{held.thread}")
    assert "Robin opened a message" in page.words


async def test_what_came_late_is_said_to_be_late(office: Office) -> None:
    """Minutes that come after they were due stay late."""
    held = await office.hold_meeting()
    office.town.county.now += 30 * DAY
    await office.send_minutes(held.thread)
    nurse = await office.signed_in("robin@example.org")
    assert "Came late" in (await nurse.get(f"/threads/{held.thread}")).words


async def test_a_thread_is_taken_on_and_given_back(office: Office) -> None:
    """Taking twice is taking once; what is given back is anybody's again."""
    held = await office.hold_meeting()
    nurse, colleague = await office.signed_in("robin@example.org"), await office.signed_in("alex@example.org")
    path = f"/threads/{held.thread}"
    await nurse.get(path)
    await nurse.post(f"{path}/take", {"mailbox": NURSES, "seen": ""})
    page = await nurse.post(f"{path}/take", {"mailbox": NURSES, "seen": ""})
    assert page.status == 200
    assert "Robin holds it" in page.words
    rows = await office.inboxes[HEALTH].gateway.spool.all("events_in", thread=held.thread)
    assert [row["action"] for row in rows] == ["taken"]
    assert "Open it although a colleague holds it" in (await colleague.get(path)).words
    assert "New for you" not in (await colleague.get("/")).words
    await nurse.get(path)
    await nurse.post(f"{path}/release", {"mailbox": NURSES, "seen": await _seen(office, held.thread)})
    assert "Nobody holds it" in (await nurse.get(path)).words
    assert "New for you (1)" in (await colleague.get("/")).words


async def _seen(office: Office, thread: str) -> str:
    from adapters.gateway.inbox.holding import find_held

    inbox = office.inboxes[HEALTH]
    return (await inbox.gateway.spool.write(lambda tx: find_held(inbox, tx, thread, NURSES))).seen


async def test_who_presses_second_is_told_who_has_it(office: Office) -> None:
    """Two nurses look at the same page and both take it on: one holds it, the other is told."""
    held = await office.hold_meeting()
    first, second = await office.signed_in("robin@example.org"), await office.signed_in("alex@example.org")
    path = f"/threads/{held.thread}"
    await first.get(path)
    await second.get(path)
    await first.post(f"{path}/take", {"mailbox": NURSES, "seen": ""})
    page = await second.post(f"{path}/take", {"mailbox": NURSES, "seen": ""})
    assert page.status == 422
    assert "Robin holds it now" in page.words
    holders = await office.inboxes[HEALTH].gateway.spool.all(
        "holders_here", thread=held.thread, mailbox=NURSES, now=office.inboxes[HEALTH].now()
    )
    assert len(holders) == 1


async def test_who_is_excluded_finds_nothing_of_the_thread(office: Office) -> None:
    """Its page, its messages and what can be done with it are as if they weren't there."""
    held = await office.hold_meeting()
    await exclude(office.inboxes[HEALTH], held.thread, "Robin")
    nurse = await office.signed_in("robin@example.org")
    unknown = await nurse.get("/threads/AAAAAAAAAAAAAAAAAAAAAA")
    page = await nurse.get(f"/threads/{held.thread}")
    assert (page.status, page.text) == (404, unknown.text)
    assert (await nurse.post(f"/threads/{held.thread}/take", {"mailbox": NURSES, "seen": ""})).status == 404


async def test_who_had_opened_it_and_holds_it_no_longer_sees_its_cover_alone(office: Office) -> None:
    """Given to a colleague, it is the colleague's to open; that it is there stays known to the team."""
    held = await office.hold_meeting()
    nurse = await office.signed_in("robin@example.org")
    alex = await office.person("alex@example.org")
    manager = await office.signed_in("kim@example.org", duties=("manager",))
    await nurse.get("/")
    page = await nurse.post(f"/messages/{held.envelope}/open")
    assert "Take receipt" in page.words
    await manager.get("/team")
    seen = await _seen(office, held.thread)
    fields = [("mailbox", NURSES), ("thread", held.thread), (f"seen {held.thread}", seen), ("to", alex)]
    assert (await manager.post("/team/assign", fields)).status == 200
    page = await nurse.get(f"/messages/{held.envelope}")
    assert page.status == 200
    assert "A colleague holds it now" in page.words
    assert "Take receipt" not in page.words
    assert "Open it " not in page.words
