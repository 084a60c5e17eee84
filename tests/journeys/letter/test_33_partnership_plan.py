"""System 33: every action of the partnership's plan has an owner and a date, and is done when that is shown.

In 2018 the written statement of action was due on 16 October.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.letter.support import DAY, EXPLOITATION, MANAGERS, MASH, NURSES, UNIT, Letter, Sent, iso, local, ms

RULE = "plan-action-done"
DUE = "2026-10-16 17:00"


async def state(
    letter: Letter, sender: str, how_far: str, action: str, thread: str | None = None, due: str = DUE, **changes: Any
) -> Sent:
    """Let *sender* say how far *action*, which social care owns, has come."""
    reasons = {"evidence": None} if how_far != "evidenced" else {}
    return await letter.send(
        "plan.action",
        sender,
        [MASH] if sender == UNIT else [UNIT],
        thread=thread,
        action_id=action,
        owner_role=MASH,
        due_at=iso(ms(due)),
        state=how_far,
        stated_at=iso(letter.now),
        **reasons | changes,
    )


async def test_a_statement_that_nobody_writes_is_missed(letter: Letter) -> None:
    """Given an action of the plan, when its day passes, then it was warned of, and owner, partnership and managers know."""
    planned = await state(letter, UNIT, "not_started", letter.new_id())
    assert await letter.told(MASH, "owed", RULE)
    await letter.until("2026-10-12 09:00")
    assert await letter.told(MASH, "due-soon", RULE)
    await letter.until("2026-10-16 17:01")
    assert await letter.states(planned.thread, RULE) == {(MASH, UNIT): "overdue"}
    assert await letter.told(MASH, "overdue", RULE)
    assert await letter.told(UNIT, "overdue", RULE)
    await letter.until("2026-10-19 17:01")
    assert await letter.told(MANAGERS, "overdue", RULE)
    figures = await letter.report("duties", "2026-10-01 00:00", "2026-11-01 00:00", type="plan.action", rule=RULE)
    (stuck,) = figures["rules"][0]["stuck"]
    assert (stuck["debtor"], stuck["due"]) == (MASH, ms(DUE))


async def test_being_at_it_is_not_having_done_it(letter: Letter) -> None:
    """Given an action, when its owner reports progress and a later date, then the date that was agreed still counts."""
    action = letter.new_id()
    planned = await state(letter, UNIT, "not_started", action)
    await letter.until("2026-10-01 09:00")
    await state(letter, MASH, "in_progress", action, planned.thread, due="2027-01-29 17:00")
    row = await letter.duty(planned.thread, RULE)
    assert (row.state, local(row.duty.due)) == ("open", DUE)
    await letter.until("2026-10-16 17:01")
    assert await letter.states(planned.thread, RULE) == {(MASH, UNIT): "overdue"}


async def test_the_partnership_may_agree_to_another_date(letter: Letter) -> None:
    """Given an action, when the partnership dates it anew, then the new date counts, and its owner is told."""
    action = letter.new_id()
    planned = await state(letter, UNIT, "not_started", action)
    await letter.until(DAY)
    await state(letter, UNIT, "in_progress", action, planned.thread, due="2026-11-20 17:00")
    row = await letter.duty(planned.thread, RULE)
    assert (row.state, local(row.duty.due)) == ("open", "2026-11-20 17:00")
    await letter.until("2026-10-16 17:01")
    assert not await letter.told(MASH, "overdue", RULE)
    await letter.until("2026-11-20 17:01")
    assert await letter.told(MASH, "overdue", RULE)


async def test_nobody_else_does_an_owners_action(letter: Letter) -> None:
    """Given an action of social care, when police or the partnership say that it is complete, then it is still owed."""
    action = letter.new_id()
    planned = await state(letter, UNIT, "not_started", action)
    await state(letter, EXPLOITATION, "complete", action, planned.thread)
    await state(letter, UNIT, "complete", action, planned.thread)
    assert await letter.states(planned.thread, RULE) == {(MASH, UNIT): "open"}


@pytest.mark.parametrize(("how_far", "field"), [("evidenced", "evidence"), ("cancelled", "state_reason")])
async def test_what_is_claimed_is_shown(letter: Letter, how_far: str, field: str) -> None:
    """Given an action, when it is said to work, or given up, without evidence or reason, then that is sent back."""
    reason = await letter.refused("plan.action", MASH, [UNIT], state=how_far, stated_at=iso(letter.now), evidence=None)
    assert reason["code"] == "message-schema"
    assert field in reason["message"]


async def test_an_action_that_is_shown_to_work_is_met(letter: Letter) -> None:
    """Given two actions of one plan, when one is evidenced in time, then that one is met, and the other is still owed."""
    first, second = letter.new_id(), letter.new_id()
    planned = await state(letter, UNIT, "not_started", first)
    await state(letter, UNIT, "not_started", second, planned.thread)
    done = await state(letter, MASH, "evidenced", first, planned.thread)
    assert (await letter.receive(UNIT, done))["evidence"]
    rows = {row.duty.item: row.state for row in await letter.rows(planned.thread, RULE)}
    assert rows == {first: "met", second: "open"}
    assert not await letter.told(NURSES, "owed", RULE)
