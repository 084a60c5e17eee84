"""System 29: children's mental-health services are in each plan: on its distribution, and with a contribution or a reason.

Their absence from meetings about exploitation is among the gaps of 2018.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.support import minutes_full
from tests.gateway.test_cli import command, write_home
from tests.journeys.letter.support import (
    COUNCIL,
    DAY,
    MASH,
    MINDS,
    MINDS_TEAM,
    NURSES,
    Letter,
    Sent,
    discussion,
    iso,
    local,
    participant,
)

CONTRIBUTES, INVITED, MINUTES = "mental-health-contributes", "mental-health-invited", "full-minutes"


async def convene(letter: Letter, *parties: str, **changes: Any) -> Sent:
    """Let social care call a meeting for tomorrow at this time, with *parties*."""
    given = {
        "meeting_id": letter.new_id(),
        "meeting_kind": "exploitation",
        "convened_at": iso(letter.now),
        "starts_at": iso(letter.now + DAY),
        "participants": [participant(box, attendance="invited") for box in (MINDS_TEAM, *parties)],
    }
    return await letter.send("meeting.convened", MASH, **(given | changes))


async def test_a_meeting_about_exploitation_to_which_nobody_asks_them_is_seen(letter: Letter) -> None:
    """Given a meeting without them, when nobody invites them the same day, then they and the chair know, and it is counted."""
    called = await convene(letter, participants=[participant(NURSES, attendance="invited")])
    assert await letter.states(called.thread, INVITED) == {(MASH, MINDS_TEAM): "open"}
    await letter.until("2026-07-06 17:01")
    for mailbox in (MASH, MINDS_TEAM):
        assert len(await letter.told(mailbox, "overdue", INVITED)) == 1
    asked = await convene(letter, NURSES)
    assert await letter.rows(asked.thread, INVITED) == []


async def test_a_meeting_that_begins_without_their_word_is_seen_by_both(letter: Letter) -> None:
    """Given an invitation, when they say nothing before the meeting, then they are warned, and at its moment both know."""
    called = await convene(letter, NURSES)
    assert await letter.states(called.thread, CONTRIBUTES) == {(MINDS_TEAM, MASH): "open"}
    assert local((await letter.duty(called.thread, CONTRIBUTES)).duty.due) == "2026-07-07 09:00"
    await letter.until("2026-07-07 05:01")
    assert await letter.told(MINDS_TEAM, "due-soon", CONTRIBUTES)
    await letter.until("2026-07-07 09:01")
    assert await letter.states(called.thread, CONTRIBUTES) == {(MINDS_TEAM, MASH): "overdue"}
    for mailbox in (MINDS_TEAM, MASH):
        assert len(await letter.told(mailbox, "overdue", CONTRIBUTES)) == 1
    figures = await letter.report(
        "duties", "2026-07-01 00:00", "2026-08-01 00:00", type="meeting.convened", rule=CONTRIBUTES
    )
    assert [one["thread"] for one in figures["rules"][0]["stuck"]] == [called.thread]


async def test_reading_the_invitation_contributes_nothing(letter: Letter) -> None:
    """Given an invitation that a named person confirmed, when that is all, then the contribution is still owed."""
    called = await convene(letter)
    await letter.person(MINDS_TEAM, called, "opened", "acknowledged")
    assert await letter.states(called.thread, "convened-received") == {(MINDS_TEAM, MASH): "met"}
    assert await letter.states(called.thread, CONTRIBUTES) == {(MINDS_TEAM, MASH): "open"}


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("chronology.response", {"answered_at": None}),
        ("contribution.none", {"stated_at": None, "reason": "not_involved"}),
        ("share.declined", {"decided_at": None, "reason_code": "not_relevant"}),
    ],
)
async def test_a_contribution_or_a_reason_settles_it(letter: Letter, kind: str, changes: dict[str, Any]) -> None:
    """Given an invitation, when they contribute, have nothing, or won't share, then that, with its reason, is their word."""
    called = await convene(letter)
    await letter.receive(MINDS_TEAM, called)
    now: dict[str, Any] = {name: value or iso(letter.now) for name, value in changes.items()}
    sent = await letter.send(kind, MINDS_TEAM, [MASH], thread=called.thread, re=called.id, **now)
    assert await letter.states(called.thread, CONTRIBUTES) == {(MINDS_TEAM, MASH): "met"}
    message = await letter.receive(MASH, sent)
    assert message.items() >= now.items()
    await letter.until(DAY + 1)
    assert await letter.told(MASH, "overdue", CONTRIBUTES) == []


async def test_nothing_is_said_in_one_step_and_never_without_a_reason(letter: Letter) -> None:
    """Given an invitation, when they say by one command that there is nothing, then the chair has it, with its reason."""
    called = await convene(letter)
    await letter.receive(MINDS_TEAM, called)
    reason = await letter.refused(
        "contribution.none", MINDS_TEAM, [MASH], thread=called.thread, re=called.id, reason=None
    )
    assert (reason["code"], "`reason`" in reason["message"]) == ("message-schema", True)
    home = write_home(letter.town, MINDS)
    (said,) = await command(home, "answer", called.id, "--type", "contribution.none", "--set", "/stated_by=CLINICIAN-2")
    await letter.work(MINDS, COUNCIL)
    assert await letter.states(called.thread, CONTRIBUTES) == {(MINDS_TEAM, MASH): "met"}
    message = await letter.receive(MASH, Sent(said["envelope"], said["thread"]))
    assert (message["org"], message["reason"]) == (MINDS_TEAM, "nothing_known")


async def test_a_contribution_after_the_meeting_stays_late(letter: Letter) -> None:
    """Given a meeting that went on without them, when they contribute afterwards, then it counts as late."""
    called = await convene(letter)
    await letter.until(DAY + 1)
    await letter.send(
        "chronology.response", MINDS_TEAM, [MASH], thread=called.thread, re=called.id, answered_at=iso(letter.now)
    )
    assert await letter.states(called.thread, CONTRIBUTES) == {(MINDS_TEAM, MASH): "met_late"}


async def test_they_are_owed_the_plan_like_everybody_there(letter: Letter) -> None:
    """Given a discussion that they couldn't come to, when its minutes leave them out, then they and the chair know."""
    there = discussion(letter, [MASH, NURSES])
    there["participants"] = [*there["participants"], participant(MINDS_TEAM, attendance="apologies")]
    held = await letter.send("meeting.held", MASH, [NURSES, MINDS_TEAM], **there)
    assert await letter.states(held.thread, MINUTES) == {(MASH, NURSES): "open", (MASH, MINDS_TEAM): "open"}
    given = minutes_full([MASH, NURSES]) | {"started_at": iso(letter.now)}
    await letter.send("minutes.full", MASH, [NURSES], thread=held.thread, message=given)
    await letter.until("2026-07-13 17:01")
    assert await letter.states(held.thread, MINUTES) == {(MASH, NURSES): "met", (MASH, MINDS_TEAM): "overdue"}
    for mailbox in (MINDS_TEAM, MASH):
        assert len(await letter.told(mailbox, "overdue", MINUTES)) == 1
