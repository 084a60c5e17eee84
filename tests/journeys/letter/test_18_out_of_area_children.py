"""System 18: a child from elsewhere is a child: the authority of the place acts, the home authority is told.

In 2018 there was an "unhelpful distinction" about children who only "spend some time" in the county.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.letter.support import (
    DAY,
    MANAGERS,
    MASH,
    NURSES,
    OTHERTON_MASH,
    UNIT,
    Letter,
    Sent,
    assign_action,
    discussion,
    iso,
    local,
)

CONFERENCE = "transfer-in-conference"


async def refer(letter: Letter, home: str | None = OTHERTON_MASH) -> Sent:
    """Let nurses refer a child to the authority of the place; *home* is the child's own."""
    return await letter.send(
        "referral", NURSES, [MASH], referred_at=iso(letter.now), referred_to=MASH, home_la_inbox=home
    )


async def give(letter: Letter, thread: str, written: int) -> Sent:
    """Let social care give a child on a plan to Otherton, of which it gave notice in writing at *written*."""
    return await letter.send(
        "case.transferred",
        MASH,
        [OTHERTON_MASH, NURSES],
        thread=thread,
        kind="authority",
        transferred_at=iso(letter.now),
        written_notice_at=iso(written),
        from_team=MASH,
        to_team=OTHERTON_MASH,
        open_items=[],
    )


async def confer(letter: Letter, chair: str, thread: str, *others: str) -> Sent:
    """Let *chair* hold a conference of this child with *others*."""
    held: dict[str, Any] = discussion(letter, [chair, *others], meeting_kind="conference")
    return await letter.send("meeting.held", chair, others, thread=thread, **held)


async def test_a_home_authority_that_nobody_tells_is_missed(letter: Letter) -> None:
    """Given a referral of a child from elsewhere, when the home authority hears nothing in a day, then both are told."""
    referral = await refer(letter)
    rule = "home-authority-told"
    assert await letter.states(referral.thread, rule) == {(MASH, OTHERTON_MASH): "open"}
    assert await letter.told(OTHERTON_MASH, "owed", rule)
    await letter.until("2026-07-07 17:01")
    assert await letter.states(referral.thread, rule) == {(MASH, OTHERTON_MASH): "overdue"}
    assert await letter.told(OTHERTON_MASH, "overdue", rule)
    assert await letter.told(MASH, "overdue", rule)


async def test_the_clocks_make_no_distinction(letter: Letter) -> None:
    """Given a local child and one from elsewhere, when both are referred, then the same is owed for both by the same moment."""
    ours, theirs = await refer(letter, None), await refer(letter)
    rules = ("referral-decided", "assessment-complete")
    found = [
        [row.duty.due for row in await letter.rows(one.thread) if row.duty.rule in rules] for one in (ours, theirs)
    ]
    assert found[0] == found[1]
    assert len(found[0]) == 2
    assert await letter.rows(ours.thread, "home-authority-told") == []


async def test_the_place_acts_and_the_home_authority_takes_it(letter: Letter) -> None:
    """Given a referral, when the home authority is told, then that is met, and a person there still has to take it."""
    referral = await refer(letter)
    notice = await letter.send(
        "case.home_notice",
        MASH,
        [OTHERTON_MASH],
        thread=referral.thread,
        re=referral.id,
        kind="referral",
        happened_at=iso(letter.now),
        host_contact=MASH,
        answer_by=iso(letter.now + DAY),
    )
    assert await letter.states(referral.thread, "home-authority-told") == {(MASH, OTHERTON_MASH): "met"}
    # Telling home hands nothing over: the authority of the place has to decide.
    assert await letter.states(referral.thread, "referral-decided") == {(MASH, NURSES): "open"}
    message = await letter.receive(OTHERTON_MASH, notice)
    assert (message["host_contact"], message["child"]["host_la"]) == (MASH, "X99000002")
    assert await letter.states(referral.thread, "home-notice-taken") == {(OTHERTON_MASH, MASH): "open"}
    await letter.person(OTHERTON_MASH, notice, "opened", "acknowledged")
    assert await letter.states(referral.thread, "home-notice-taken") == {(OTHERTON_MASH, MASH): "met"}


@pytest.mark.parametrize(
    ("written", "due"),
    [("2026-07-06 09:30", "2026-07-27 17:00"), ("2026-12-23 10:00", "2027-01-18 17:00")],
)
async def test_fifteen_working_days_count_from_the_written_notice(letter: Letter, written: str, due: str) -> None:
    """Given a notice in writing, when the case is given two days later, then the conference is due from the notice."""
    await letter.until(written)
    notice = letter.now
    await letter.until(2 * DAY)
    given = await give(letter, letter.new_id(), notice)
    row = await letter.duty(given.thread, CONFERENCE)
    assert (row.duty.debtor, row.duty.creditor, local(row.duty.due)) == (OTHERTON_MASH, MASH, due)


async def test_a_transfer_without_a_conference_stays_where_it_is_and_is_missed(letter: Letter) -> None:
    """Given a transfer, when no conference is held, then the originator still owes everything, and both are told."""
    referral = await refer(letter, None)
    await give(letter, referral.thread, letter.now)
    assert await letter.states(referral.thread, "referral-decided") == {(MASH, NURSES): "open"}
    # A conference of the originator's own is no transfer-in conference.
    await confer(letter, MASH, referral.thread, NURSES, OTHERTON_MASH)
    await letter.until("2026-07-27 17:01")
    assert await letter.states(referral.thread, CONFERENCE) == {(OTHERTON_MASH, MASH): "overdue"}
    assert await letter.states(referral.thread, "referral-decided") == {(MASH, NURSES): "overdue"}
    assert await letter.told(OTHERTON_MASH, "overdue", CONFERENCE)
    assert await letter.told(MASH, "overdue", CONFERENCE)
    await letter.until("2026-08-03 17:01")
    assert await letter.told(UNIT, "overdue", CONFERENCE)


async def test_the_receiving_authoritys_conference_takes_everything_over(letter: Letter) -> None:
    """Given a transfer, when the receiver holds its conference, then it owes and is owed what the originator had."""
    action = await assign_action(letter, 60)
    await confer(letter, MASH, action.thread, NURSES)
    await give(letter, action.thread, letter.now)
    assert await letter.states(action.thread, "action-done") == {(NURSES, MASH): "open"}
    assert await letter.states(action.thread, "first-core-group") == {(MASH, NURSES): "open"}
    await letter.until(3 * DAY)
    before = {row.duty.rule: row.duty.due for row in await letter.rows(action.thread) if row.duty.kind == "send"}
    await confer(letter, OTHERTON_MASH, action.thread, MASH, NURSES)
    assert await letter.states(action.thread, CONFERENCE) == {(OTHERTON_MASH, MASH): "met"}
    assert await letter.states(action.thread, "action-done") == {
        (NURSES, MASH): "superseded",
        (NURSES, OTHERTON_MASH): "open",
    }
    groups = await letter.rows(action.thread, "first-core-group")
    moved = {(row.duty.debtor, row.duty.creditor): row for row in groups}
    assert moved[MASH, NURSES].state == "superseded"
    assert moved[OTHERTON_MASH, NURSES].state == "open"
    # The clock goes on: nobody gains time by giving a child away.
    assert moved[OTHERTON_MASH, NURSES].duty.due == before["first-core-group"]
    open_ones = [
        row.duty for row in await letter.rows(action.thread) if row.state == "open" and row.duty.kind == "send"
    ]
    assert MASH not in {duty.debtor for duty in open_ones}
    assert await letter.told(OTHERTON_MASH, "owed", "action-done")
    assert await letter.told(NURSES, "owed", "action-done")
    assert not await letter.told(MANAGERS, "overdue", CONFERENCE)
