"""System 11: that a child is missing is known at once, at any hour, and each time counts.

It worked in 2018: notifications were "passed swiftly" and "immediately entered".  What is shown is that it stays so, and
what would be seen if it didn't.
"""

from __future__ import annotations

from typing import Any

import pytest

from adapters.gateway.register.store import entry_of
from tests.journeys.letter.support import (
    COUNCIL,
    DAY,
    EXPLOITATION,
    HOUR,
    MANAGERS,
    MASH,
    MINUTE,
    POLICE,
    Letter,
    Sent,
    iso,
    local,
)

TAKEN, AT_ONCE = "missing-report-taken", "missing-report-collected-at-once"
# A Saturday night in the summer holidays.
NIGHT = "2026-08-01 23:30"


async def report(letter: Letter, episode: str | None = None, **changes: Any) -> Sent:
    """Let police report a child missing now, in a thread of the episode's own."""
    given = {
        "episode_id": episode or letter.new_id(),
        "reported_at": iso(letter.now),
        "last_seen_at": iso(letter.now - 2 * HOUR),
    }
    return await letter.send("missing.report", EXPLOITATION, [MASH], **(given | changes))


async def say(letter: Letter, kind: str, reported: Sent, episode: str, **changes: Any) -> Sent:
    """Let police say what is new of an episode that it reported."""
    moment = {"missing.update": "updated_at", "missing.return": "returned_at"}[kind]
    given = {"episode_id": episode, moment: iso(letter.now)}
    return await letter.send(kind, EXPLOITATION, [MASH], thread=reported.thread, re=reported.id, **(given | changes))


async def entries(letter: Letter, agency: str, thread: str) -> list[tuple[str, str]]:
    """Return kind and state of what *agency*'s register has of *thread*, but for when the child was seen."""
    agent = await letter.gateway(agency)
    await letter.work(agency)
    rows = await agent.gateway.register.all("entries_in_thread", thread=thread)
    return sorted((one.kind, one.state) for one in map(entry_of, rows) if one.kind != "sighting")


async def test_a_report_that_lies_there_at_night_is_missed_within_minutes(letter: Letter) -> None:
    """Given a report on a Saturday night, when nobody takes it, then both sides hear at once, and the manager by morning."""
    await letter.until(NIGHT)
    reported = await report(letter)
    assert local((await letter.duty(reported.thread, TAKEN)).duty.due) == "2026-08-02 03:30"
    await letter.until(5 * MINUTE + 1)
    assert await letter.states(reported.thread, AT_ONCE) == {(MASH, EXPLOITATION): "overdue"}
    assert await letter.told(EXPLOITATION, "overdue", AT_ONCE)
    await letter.until(4 * HOUR)
    assert await letter.states(reported.thread, TAKEN) == {(MASH, EXPLOITATION): "overdue"}
    assert await letter.told(EXPLOITATION, "overdue", TAKEN)
    await letter.until(4 * HOUR)
    assert await letter.told(MANAGERS, "overdue", AT_ONCE)
    assert await letter.told(MANAGERS, "overdue", TAKEN)
    # By now its gateway is on, and what it takes is late.
    assert await letter.states(reported.thread, TAKEN) == {(MASH, EXPLOITATION): "met_late"}


async def test_the_time_from_police_to_the_record_is_measured(letter: Letter) -> None:
    """Given a report at night, when it is filed in half an hour, then that is what the figure says."""
    await letter.until(NIGHT)
    reported = await report(letter)
    await letter.until(30 * MINUTE)
    message = await letter.receive(MASH, reported)
    assert (message["missing_type"], message["exploitation_marker"]) == ("M", True)
    assert await letter.states(reported.thread, TAKEN) == {(MASH, EXPLOITATION): "met"}
    figures = await letter.report("duties", "2026-08-01 00:00", "2026-09-01 00:00", type="missing.report", rule=TAKEN)
    (rule,) = figures["rules"]
    assert (rule["total"]["met"], rule["total"]["median_hours"]) == (1, 0.5)


async def test_every_episode_counts_by_itself(letter: Letter) -> None:
    """Given three episodes of one child, when the third comes, then each had its own clocks, and both sides are alerted."""
    threads = []
    for _ in range(3):
        episode = letter.new_id()
        reported = await report(letter, episode)
        await letter.receive(MASH, reported)
        await letter.until(8 * HOUR)
        await say(letter, "missing.return", reported, episode)
        threads.append(reported.thread)
        await letter.until(10 * DAY)
    assert len(set(threads)) == 3
    for thread in threads:
        assert [row.state for row in await letter.rows(thread, TAKEN)] == ["met"]
        assert len(await letter.rows(thread, "interview-assigned")) == 1
        assert await entries(letter, COUNCIL, thread) == [("episode", "returned"), ("rhi", "open")]
    for mailbox in (MASH, EXPLOITATION):
        (alert,) = [one for one in await letter.told(mailbox, "register-alert") if one["pattern"] == "missing-again"]
        assert (alert["thread"], alert["earlier"]) == (threads[2], threads[:2])
    figures = await letter.report("duties", "2026-07-01 00:00", "2026-09-01 00:00", type="missing.report", rule=TAKEN)
    assert figures["rules"][0]["total"]["owed"] == 3


async def test_a_change_of_kind_ends_one_episode_begins_the_next_and_is_no_return(letter: Letter) -> None:
    """Given a child missing from care, when the absence becomes an away without authorisation, then no interview is due."""
    first, second = letter.new_id(), letter.new_id()
    reported = await report(letter, first)
    await letter.until(2 * HOUR)
    changed = await say(
        letter,
        "missing.update",
        reported,
        first,
        missing_type="A",
        change="kind_changed",
        next_episode_id=second,
        detail=None,
    )
    await letter.receive(MASH, changed)
    assert await letter.states(changed.thread, "missing-update-taken") == {(MASH, EXPLOITATION): "met"}
    assert not await letter.rows(changed.thread, "interview-assigned")
    for agency in (COUNCIL, POLICE):
        assert await entries(letter, agency, changed.thread) == [("episode", "closed"), ("episode", "open")]
    # Only the return starts the clock, once, of the episode that it ends.
    await letter.until(30 * HOUR)
    assert not await letter.rows(changed.thread, "interview-assigned")
    await say(letter, "missing.return", reported, second, missing_type="A")
    row = await letter.duty(changed.thread, "interview-assigned")
    assert (row.state, row.duty.due - letter.now) == ("open", 24 * HOUR)
    assert await entries(letter, COUNCIL, changed.thread) == [
        ("episode", "closed"),
        ("episode", "returned"),
        ("rhi", "open"),
    ]


async def test_a_change_of_kind_names_the_episode_that_begins(letter: Letter) -> None:
    """Given a change between missing and away, when no next episode is named, then it is sent back with the field."""
    reason = await letter.refused("missing.update", EXPLOITATION, [MASH], change="kind_changed", detail=None)
    assert reason["code"] == "message-schema"
    assert "next_episode_id" in reason["message"]


@pytest.mark.parametrize("kind", ["missing.report", "missing.update", "missing.return"])
async def test_each_step_is_owed_a_receipt_of_its_own(letter: Letter, kind: str) -> None:
    """Given an episode, when any message of it is only collected, then a person or the record has still to take it."""
    episode = letter.new_id()
    reported = await report(letter, episode)
    sent = reported if kind == "missing.report" else await say(letter, kind, reported, episode)
    rule = f"{kind.replace('.', '-')}-taken"
    (row,) = [row for row in await letter.rows(sent.thread, rule) if row.duty.envelope == sent.id]
    assert (row.state, row.duty.due - letter.now) == ("open", 4 * HOUR)
    await letter.receive(MASH, sent)
    (row,) = [row for row in await letter.rows(sent.thread, rule) if row.duty.envelope == sent.id]
    assert row.state == "met"
