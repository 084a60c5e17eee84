"""Duties that move with the work and end by word, on a real store: each step once, nothing lost, and the log verifies."""

from __future__ import annotations

from pathlib import Path

import msgspec

from adapters.gateway.watch import topic_of, topic_of_notice
from schemas.statements import Notice
from tests.county import CAIT, COUNCIL, DAY, HEALTH, HOUR, MASH, NURSES, PARTNERSHIP, UNIT, Desk, Sent
from tests.hub.support import OFFICE, TYPE, hold, minutes
from tests.hub.watching import held_by, watch_of

FRAME = f"""
partnership = "{PARTNERSHIP}"
in_force_from = 2026-01-01
calendar = "office"
roles = ["partnership"]
{OFFICE}"""
RULES = """
[[types."meeting.held".opens]]
name = "full-minutes"
send = { type = "minutes.full", by = "sender", to = "recipients", within = "48 hours" }
warn = ["12 hours before"]
ladder = [
  { after = "0 hours", to = ["debtor", "creditor"] },
  { after = "48 hours", to = ["debtor", "creditor"] },
  { after = "96 hours", to = ["debtor", "creditor", "role:partnership"] },
]
[[types."case.transferred".rehomes]]
giver = "sender"
taker = "recipients"
[[types."case.closed".ends]]
rules = "full-minutes"
"""
TEXT = FRAME + "".join(
    TYPE.format(name=name) for name in ("meeting.held", "minutes.full", "case.transferred", "case.closed")
)
MINUTES = "full-minutes"


async def begin(desk: Desk) -> Sent:
    """Agree on the rules, and have the council hold a discussion with the nurses."""
    await desk.next_agreement(TEXT + RULES)
    await desk.send(held := hold(desk.county, NURSES))
    return held


def send(desk: Desk, kind: str, held: Sent, sender: str, *to: str) -> Sent:
    """Return an envelope in the thread of *held*."""
    return desk.county.seal(f"{kind}/1", sender, to, thread=held.header.thread)


async def steps(desk: Desk, box: str) -> list[tuple[str, int]]:
    """Return what the clock told *box*, in order: of whose duty, and which step."""
    return [(one["debtor"], one["step"]) for one in await desk.notices(box, "due-soon", "overdue")]


async def test_there_and_back_takes_no_step_twice_and_loses_nothing(desk: Desk) -> None:
    """The council hands over to police after the warning, and has the work back after the first alarm."""
    held = await begin(desk)
    thread = held.header.thread
    await desk.tick(40 * HOUR)
    await desk.send(send(desk, "case.transferred", held, MASH, CAIT))
    assert await desk.duties(thread) == {(MINUTES, MASH, NURSES): "superseded", (MINUTES, CAIT, NURSES): "open"}
    rows = await desk.rows(thread)
    assert rows[MINUTES, CAIT, NURSES].duty.due == rows[MINUTES, MASH, NURSES].duty.due
    assert len(await desk.notices(CAIT, "owed")) == 1
    await desk.tick(20 * HOUR)
    await desk.send(send(desk, "case.transferred", held, CAIT, MASH))
    assert await desk.duties(thread) == {(MINUTES, MASH, NURSES): "open", (MINUTES, CAIT, NURSES): "superseded"}
    await desk.tick(60 * HOUR)
    await desk.send(send(desk, "case.transferred", held, MASH, CAIT))
    await desk.tick(90 * HOUR)
    assert await steps(desk, NURSES) == [(MASH, 0), (CAIT, 1), (MASH, 2), (CAIT, 3)]
    assert [one["debtor"] for one in await desk.notices(UNIT, "overdue")] == [CAIT]
    await desk.send(minutes(desk.county, thread, NURSES, by=MASH))
    assert (await desk.duties(thread))[MINUTES, CAIT, NURSES] == "open"
    await desk.send(minutes(desk.county, thread, NURSES, by=CAIT))
    assert await desk.duties(thread) == {(MINUTES, MASH, NURSES): "superseded", (MINUTES, CAIT, NURSES): "met_late"}
    opened = [leaf["mailbox"] for leaf in await desk.leaves("obligation-opened") if leaf["rule"] == MINUTES]
    assert opened == [MASH, CAIT, MASH, CAIT]


async def test_a_creditor_hands_over_what_it_is_owed(desk: Desk) -> None:
    """Whoever takes the case over gets the minutes; what was sent to its giver meets nothing any more."""
    held = await begin(desk)
    await desk.send(send(desk, "case.transferred", held, NURSES, CAIT))
    assert (await desk.duties(held.header.thread))[MINUTES, MASH, CAIT] == "open"
    await desk.send(minutes(desk.county, held.header.thread, NURSES))
    assert (await desk.duties(held.header.thread))[MINUTES, MASH, CAIT] == "open"
    await desk.send(minutes(desk.county, held.header.thread, CAIT))
    assert (await desk.duties(held.header.thread))[MINUTES, MASH, CAIT] == "met"


async def test_a_party_ends_its_duty_and_it_may_begin_anew(desk: Desk) -> None:
    """A stranger's word ends nothing; a meeting that is registered again owes its minutes again, by a new clock."""
    held = await begin(desk)
    thread = held.header.thread
    await desk.send(send(desk, "case.closed", held, CAIT, MASH))
    assert (await desk.duties(thread))[MINUTES, MASH, NURSES] == "open"
    await desk.tick(50 * HOUR)
    await desk.send(send(desk, "case.closed", held, MASH, CAIT))
    assert (await desk.duties(thread))[MINUTES, MASH, NURSES] == "superseded"
    await desk.tick(90 * DAY)
    assert len(await desk.notices(NURSES, "overdue")) == 1
    await desk.send(hold(desk.county, NURSES, thread=thread))
    assert (await desk.duties(thread))[MINUTES, MASH, NURSES] == "open"
    assert len(await desk.notices(NURSES, "owed")) == 2
    await desk.tick(50 * HOUR)
    assert len(await desk.notices(NURSES, "overdue")) == 2


async def test_the_watch_of_a_party_throughout_agrees_with_the_hub(quick_desk: Desk, tmp_path: Path) -> None:
    """The nurses hear of each move: same duties, states and steps as at the hub, and each alarm rings once."""
    desk, held = quick_desk, await begin(quick_desk)
    thread, versions = held.header.thread, quick_desk.registry.snapshot.rules
    async with watch_of(HEALTH, tmp_path, desk.registry.snapshot.directory) as watched:
        await watched.see(held.header, desk.county.now, versions)
        for pause, giver, taker in ((40, MASH, CAIT), (20, CAIT, MASH), (60, MASH, CAIT), (90, CAIT, MASH)):
            await desk.tick(pause * HOUR)
            await watched.look(desk.county.now, versions)
            await desk.send(moved := send(desk, "case.transferred", held, giver, taker, NURSES))
            await watched.see(moved.header, desk.county.now, versions)
            assert await watched.duties() == await held_by(desk.store, thread)
        assert await watched.alarms() == await steps(desk, NURSES) == [(MASH, 0), (CAIT, 1), (MASH, 2), (CAIT, 3)]


async def test_the_watch_of_whoever_gave_it_away_falls_silent(quick_desk: Desk, tmp_path: Path) -> None:
    """What the council owes no more rings no alarm at the council."""
    desk, held = quick_desk, await begin(quick_desk)
    versions = desk.registry.snapshot.rules
    async with watch_of(COUNCIL, tmp_path, desk.registry.snapshot.directory) as watched:
        await watched.see(held.header, desk.county.now, versions)
        moved = send(desk, "case.transferred", held, MASH, CAIT)
        await watched.see(moved.header, desk.county.now, versions)
        assert [state for _, state, _ in (await watched.duties()).values()] == ["superseded"]
        assert await watched.look(desk.county.now + 30 * DAY, versions) == 0


async def test_an_alarm_of_a_duty_that_began_anew_is_not_taken_for_the_old_one(
    quick_desk: Desk, tmp_path: Path
) -> None:
    """What was told of the first meeting's minutes says nothing about the second's."""
    desk, held = quick_desk, await begin(quick_desk)
    versions = desk.registry.snapshot.rules
    async with watch_of(COUNCIL, tmp_path, desk.registry.snapshot.directory) as watched:
        for turn in (1, 2):
            await watched.see(held.header, desk.county.now, versions)
            desk.county.now += 50 * HOUR
            await watched.look(desk.county.now, versions)
            assert sorted(step for _, step in await watched.alarms()) == [0] * turn + [1] * turn
            closed = send(desk, "case.closed", held, MASH, CAIT)
            await watched.see(closed.header, desk.county.now, versions)
            held = hold(desk.county, NURSES, thread=held.header.thread)


async def test_that_something_is_owed_again_is_told_again(quick_desk: Desk) -> None:
    """A gateway knows an alarm by its step; what has no step is news each time, however often a duty comes back."""
    desk, held = quick_desk, await begin(quick_desk)
    for giver, taker in ((MASH, CAIT), (CAIT, MASH)):
        await desk.send(send(desk, "case.transferred", held, giver, taker))
    await desk.tick(50 * HOUR)
    said = [msgspec.convert(one, Notice) for one in await desk.notices(NURSES, "owed", "due-soon", "overdue")]
    assert [(one.notice, one.step) for one in said] == [
        ("owed", None),
        ("owed", None),
        ("owed", None),
        ("due-soon", 0),
        ("overdue", 1),
    ]
    topics = [topic_of_notice(one, NURSES) for one in said]
    assert len(set(topics)) == len(topics)
    (row,) = [row for row in (await desk.rows(held.header.thread)).values() if row.state == "open"]
    assert topics[-1] == topic_of(row.id, row.duty.due, 1, "overdue", NURSES)
