"""The manager's page: who has how much, what nobody holds, and giving it to somebody."""

from __future__ import annotations

import asyncio

from tests.county import COUNCIL, DAY, HEALTH, MASH, NURSES, PAEDIATRICS
from tests.gateway.inbox.support import Browser, Office, Shown
from tests.gateway.inbox.test_threads import exclude


async def _holders(office: Office, thread: str) -> list[str]:
    inbox = office.inboxes[HEALTH]
    rows = await inbox.gateway.spool.all("holders_here", thread=thread, mailbox=NURSES, now=inbox.now())
    return [row["person"] for row in rows]


async def _assign(manager: Browser, thread: str, to: str, seen: str = "") -> Shown:
    fields = [("mailbox", NURSES), ("thread", thread), (f"seen {thread}", seen), ("to", to)]
    return await manager.post("/team/assign", fields)


async def test_a_manager_sees_who_has_how_much_and_what_nobody_holds(office: Office) -> None:
    """Unread, held and overdue for each person; what nobody holds is a list of its own."""
    held = await office.hold_meeting()
    await office.send_minutes(held.thread)
    robin = await office.person("robin@example.org")
    manager = await office.signed_in("kim@example.org", duties=("manager",))
    page = await manager.get("/team")
    assert "Nobody holds these" in page.words
    assert "Robin 0 0 0 - -" in page.words
    assert (await _assign(manager, held.thread, robin)).status == 200
    page = await manager.get("/team")
    assert "Nobody holds these" not in page.words
    assert "Robin 2 1 0 today" in page.words


async def test_what_a_team_owes_counts_for_who_holds_it_and_is_listed_where_nobody_does(office: Office) -> None:
    """The council held a meeting and owes its minutes: to everybody until somebody has it, then late in their count."""
    held = await office.hold_meeting()
    sam = await office.person("sam@example.org", agency=COUNCIL, teams=[MASH], role="social_worker")
    manager = await office.signed_in("lee@example.org", agency=COUNCIL, teams=[MASH], duties=("manager",))
    page = await manager.get("/team")
    assert held.thread in page.text
    office.town.county.now += 20 * DAY
    await manager.sign_in("lee@example.org")
    page = await manager.get("/team")
    assert "Overdue" in page.words.partition("Nobody holds these")[2]
    fields = [("mailbox", MASH), ("thread", held.thread), (f"seen {held.thread}", ""), ("to", sam)]
    page = await manager.post("/team/assign", fields)
    assert "Sam 0 1 2" in page.words
    assert held.thread not in page.text


async def test_a_table_can_be_read_and_scrolled_by_keyboard(office: Office) -> None:
    """Each has a caption and headers with their scope, in a region that can take the focus."""
    await office.hold_meeting()
    manager = await office.signed_in("kim@example.org", duties=("manager",))
    page = await manager.get("/team")
    assert (
        page.text.count("<table") == page.text.count("<caption") == page.text.count('tabindex="0" role="region"') == 2
    )
    assert page.text.count("<th ") == page.text.count('<th scope="')


async def test_who_is_away_is_said_with_until_when_and_their_threads_are_anybodys(office: Office) -> None:
    """What somebody who is away holds is listed with what nobody holds."""
    held = await office.hold_meeting()
    robin, alex = await office.person("robin@example.org"), await office.person("alex@example.org")
    manager = await office.signed_in("kim@example.org", duties=("manager",))
    await manager.get("/team")
    await _assign(manager, held.thread, robin)
    now = office.town.county.now
    await office.inboxes[HEALTH].gateway.spool.run("set_away", person=robin, since=now, until=now + DAY, cover=alex)
    page = await manager.get("/team")
    assert "Until tomorrow" in page.words
    assert "Alex covers" in page.words
    assert "Nobody holds these" in page.words
    assert robin in page.text.partition(f'name="seen {held.thread}"')[2][:60]
    await _assign(manager, held.thread, alex, seen=robin)
    assert await _holders(office, held.thread) == [alex]


async def test_the_threads_of_a_person_are_given_on_or_back(office: Office) -> None:
    """A leaver's list: ticked, and given to a colleague or to nobody."""
    held = await office.hold_meeting()
    robin, alex = await office.person("robin@example.org"), await office.person("alex@example.org")
    manager = await office.signed_in("kim@example.org", duties=("manager",))
    await manager.get("/team")
    await _assign(manager, held.thread, robin)
    page = await manager.get(f"/team/people/{robin}")
    assert held.thread in page.text
    await _assign(manager, held.thread, alex, seen=robin)
    assert await _holders(office, held.thread) == [alex]
    await _assign(manager, held.thread, "nobody", seen=alex)
    assert await _holders(office, held.thread) == []


async def test_assigning_what_was_taken_meanwhile_changes_nothing_and_says_who_has_it(office: Office) -> None:
    """A nurse took it on while the manager looked: the manager is told, and nothing is doubled."""
    held = await office.hold_meeting()
    alex = await office.person("alex@example.org")
    nurse = await office.signed_in("robin@example.org")
    manager = await office.signed_in("kim@example.org", duties=("manager",))
    await manager.get("/team")
    await nurse.get(f"/threads/{held.thread}")
    took, gave = await asyncio.gather(
        nurse.post(f"/threads/{held.thread}/take", {"mailbox": NURSES, "seen": ""}),
        _assign(manager, held.thread, alex),
    )
    assert sorted((took.status, gave.status)) == [200, 422]
    second = gave if gave.status == 422 else took
    assert "Somebody else was quicker" in second.words
    assert len(await _holders(office, held.thread)) == 1


async def test_of_several_one_that_changed_keeps_all_as_they_were(office: Office) -> None:
    """All that was ticked is given, or nothing is."""
    first, second = await office.hold_meeting(), await office.hold_meeting()
    alex = await office.person("alex@example.org")
    nurse = await office.signed_in("robin@example.org")
    manager = await office.signed_in("kim@example.org", duties=("manager",))
    await manager.get("/team")
    await nurse.get(f"/threads/{second.thread}")
    await nurse.post(f"/threads/{second.thread}/take", {"mailbox": NURSES, "seen": ""})
    fields = [("mailbox", NURSES), ("to", alex)]
    fields += [pair for one in (first, second) for pair in (("thread", one.thread), (f"seen {one.thread}", ""))]
    assert (await manager.post("/team/assign", fields)).status == 422
    assert await _holders(office, first.thread) == []


async def test_a_thread_goes_only_to_somebody_of_the_team_who_may_have_it(office: Office) -> None:
    """Nobody else's team, nobody who left, nobody who is excluded, and no thread that isn't there."""
    held = await office.hold_meeting()
    robin = await office.person("robin@example.org")
    doctor = await office.person("ada@example.org", teams=[PAEDIATRICS])
    await exclude(office.inboxes[HEALTH], held.thread, "Robin")
    manager = await office.signed_in("kim@example.org", duties=("manager",))
    await manager.get("/team")
    for to, code in ((doctor, "assign-person"), (robin, "assign-excluded"), ("", "assign-what")):
        page = await _assign(manager, held.thread, to)
        assert (page.status, code in page.text) == (422, True)
    assert (await _assign(manager, "AAAAAAAAAAAAAAAAAAAAAA", "nobody")).status == 404
    assert (await manager.get(f"/team/people/{doctor}")).status == 404
    assert await _holders(office, held.thread) == []


async def test_a_manager_who_is_excluded_finds_the_thread_in_no_list_and_no_count(office: Office) -> None:
    """Neither among what nobody holds, nor in what somebody holds, nor in their numbers."""
    held = await office.hold_meeting()
    robin = await office.person("robin@example.org")
    manager = await office.signed_in("kim@example.org", duties=("manager",))
    await manager.get("/team")
    await _assign(manager, held.thread, robin)
    await exclude(office.inboxes[HEALTH], held.thread, "Kim")
    page = await manager.get("/team")
    assert "Robin 0 0 0" in page.words
    assert held.thread not in (await manager.get(f"/team/people/{robin}")).text
    assert (await _assign(manager, held.thread, "nobody", seen=robin)).status == 404
