"""System 19: stepping a child down or up is not done until a named lead has taken over.

In 2018 cases were "'stepped down' … prematurely", and nobody coordinated what came after.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.letter.support import (
    DAY,
    EARLY_HELP,
    HOUR,
    MANAGERS,
    MASH,
    MINUTE,
    NURSES,
    SCHOOL_LEAD,
    UNIT,
    Letter,
    Sent,
    assign_action,
    iso,
    sample,
)

ACCEPTED = "handover-accepted"
WINDOW = 2 * DAY


async def offer(
    letter: Letter, thread: str | None = None, sender: str = MASH, to: str = EARLY_HELP, **more: Any
) -> Sent:
    """Let *sender* offer the lead to *to*, which has five days to answer."""
    return await letter.send(
        "handover.offer",
        sender,
        [to],
        thread=thread,
        receiving_team=to,
        offered_at=iso(letter.now),
        respond_by=iso(letter.now + 5 * DAY),
        **more,
    )


async def accept(letter: Letter, offered: Sent, sender: str = EARLY_HELP, *to: str) -> Sent:
    """Let a named lead of *sender* take over."""
    return await letter.send(
        "handover.accept", sender, to or [MASH], thread=offered.thread, re=offered.id, accepted_at=iso(letter.now)
    )


async def step_down(letter: Letter, **changes: Any) -> Sent:
    """Let social care announce to the nurses that a case is to be stepped down."""
    clear = {"risk_band": "not_at_risk", "open_actions": [], "open_rhis": [], "missing_minutes": []}
    given = {"sub_reason": "stepped_down", "receiving_lead": "EH-5", "window_ends": iso(letter.now + WINDOW)}
    return await letter.send("closure.intent", MASH, [NURSES], announced_at=iso(letter.now), **clear | given | changes)


async def confirm(letter: Letter, intent: Sent, sender: str = MASH) -> None:
    """Let social care say that the case is closed."""
    await letter.send(
        "closure.confirmed",
        sender,
        [NURSES],
        thread=intent.thread,
        re=intent.id,
        decided_at=iso(letter.now),
        decision="closed",
        next_review=None,
    )


async def test_an_offer_that_nobody_takes_leaves_everything_where_it_is(letter: Letter) -> None:
    """Given an offer, when nobody accepts, then it is overdue, known to both and managers, and the originator has all."""
    action = await assign_action(letter, 30)
    offered = await offer(letter, action.thread)
    await letter.receive(EARLY_HELP, offered)
    await letter.until(5 * DAY + HOUR)
    assert await letter.states(action.thread, ACCEPTED) == {(EARLY_HELP, MASH): "overdue"}
    assert await letter.told(EARLY_HELP, "overdue", ACCEPTED)
    assert await letter.told(MASH, "overdue", ACCEPTED)
    assert await letter.states(action.thread, "action-done") == {(NURSES, MASH): "open"}
    await letter.until("2026-07-20 17:01")
    for mailbox in (MANAGERS, UNIT):
        assert await letter.told(mailbox, "overdue", ACCEPTED)


async def test_a_lead_who_took_over_before_is_asked_for_nothing(letter: Letter) -> None:
    """Given a handover that a lead accepted, when the case is closed in its thread, then no offer is owed any more."""
    offered = await offer(letter)
    await accept(letter, offered)
    intent = await step_down(letter, thread=offered.thread)
    assert await letter.states(intent.thread, "handover-offered") == {(MASH, EARLY_HELP): "met"}
    await letter.until(WINDOW + HOUR)
    await confirm(letter, intent)
    assert await letter.states(intent.thread, "closure-decided") == {(MASH, NURSES): "met"}
    assert await letter.rows(intent.thread, "closure-reconsidered") == []


async def test_a_case_that_is_closed_before_anybody_takes_over_goes_to_the_partnership(letter: Letter) -> None:
    """Given a step-down, when it is confirmed before a lead accepts, then that counts for nothing and is raised."""
    intent = await step_down(letter)
    assert await letter.states(intent.thread, "handover-offered") == {(MASH, EARLY_HELP): "open"}
    await letter.until(WINDOW + HOUR)
    offered = await offer(letter, intent.thread)
    assert await letter.states(intent.thread, "handover-offered") == {(MASH, EARLY_HELP): "met"}
    await confirm(letter, intent)
    assert await letter.states(intent.thread, "closure-decided") == {(MASH, NURSES): "open"}
    assert await letter.states(intent.thread, "closure-reconsidered") == {(MASH, NURSES): "open"}
    await letter.until(MINUTE)
    for mailbox in (UNIT, MANAGERS, NURSES):
        assert await letter.told(mailbox, "overdue", "closure-reconsidered")
    # Once a lead has taken over, the same word counts.
    await accept(letter, offered)
    await confirm(letter, intent)
    assert (EARLY_HELP, NURSES) in await letter.states(intent.thread, "closure-decided")
    assert (await letter.states(intent.thread, "closure-decided"))[EARLY_HELP, NURSES] == "met"


async def test_a_step_down_that_is_offered_to_nobody_is_missed(letter: Letter) -> None:
    """Given a step-down, when it is offered to no team, then early help and social care are told after two days."""
    intent = await step_down(letter)
    assert await letter.told(EARLY_HELP, "owed", "handover-offered")
    await letter.until("2026-07-08 17:01")
    assert await letter.states(intent.thread, "handover-offered") == {(MASH, EARLY_HELP): "overdue"}
    assert await letter.told(EARLY_HELP, "overdue", "handover-offered")
    assert await letter.told(MASH, "overdue", "handover-offered")


async def test_whoever_declines_leaves_the_originator_with_it(letter: Letter) -> None:
    """Given an offer, when it is declined, then nothing has moved, and the next team can be offered it."""
    action = await assign_action(letter, 30)
    offered = await offer(letter, action.thread)
    declined = await letter.send(
        "handover.decline",
        EARLY_HELP,
        [MASH],
        thread=offered.thread,
        re=offered.id,
        declined_at=iso(letter.now),
        reason="threshold_exceeded",
        suggested_team=SCHOOL_LEAD,
    )
    assert await letter.states(action.thread, ACCEPTED) == {(EARLY_HELP, MASH): "open"}
    assert await letter.states(action.thread, "action-done") == {(NURSES, MASH): "open"}
    assert (await letter.receive(MASH, declined))["reason"] == "threshold_exceeded"
    assert await letter.states(action.thread, "handover-decline-received") == {(MASH, EARLY_HELP): "met"}
    again = await offer(letter, action.thread, to=SCHOOL_LEAD)
    await accept(letter, again, SCHOOL_LEAD)
    states = await letter.states(action.thread, ACCEPTED)
    assert states[SCHOOL_LEAD, MASH] == "met"
    assert (await letter.states(action.thread, "action-done"))[NURSES, SCHOOL_LEAD] == "open"


@pytest.mark.parametrize(
    ("giver", "taker", "direction"), [(MASH, EARLY_HELP, "step_down"), (EARLY_HELP, MASH, "step_up")]
)
async def test_a_named_lead_takes_everything_over(letter: Letter, giver: str, taker: str, direction: str) -> None:
    """Given an offer down or up, when a named lead accepts, then what is owed to the one is owed to the other, and told."""
    offered = await offer(letter, sender=giver, to=taker, direction=direction)
    action = await letter.send(
        "action.assign",
        giver,
        [NURSES],
        thread=offered.thread,
        action_id=letter.new_id(),
        assigned_at=iso(letter.now),
        owner_role=NURSES,
        due_at=iso(letter.now + 30 * DAY),
    )
    taken = await accept(letter, offered, taker, giver, MANAGERS)
    assert (await letter.receive(giver, taken))["lead"] == "EH-5"
    assert await letter.states(action.thread, ACCEPTED) == {(taker, giver): "met"}
    assert await letter.states(action.thread, "action-done") == {(NURSES, giver): "superseded", (NURSES, taker): "open"}
    (owed,) = await letter.told(taker, "owed", "action-done")
    assert owed["thread"] == action.thread
    assert len(await letter.told(NURSES, "owed", "action-done")) == 2


async def test_an_acceptance_names_a_lead(letter: Letter) -> None:
    """Given an offer, when a team accepts without a name, then it is sent back and nothing has moved."""
    offered = await offer(letter)
    message = sample("handover.accept/1", lead=None)
    reason = await letter.refused("handover.accept", EARLY_HELP, [MASH], thread=offered.thread, message=message)
    assert reason["code"] == "message-schema"
    assert "lead" in reason["message"]
    assert await letter.states(offered.thread, ACCEPTED) == {(EARLY_HELP, MASH): "open"}


async def test_a_child_who_comes_back_is_linked(letter: Letter) -> None:
    """Given a child who was stepped down, when they are referred again within the year, then the handover is named."""
    child = sample("handover.offer/1")["child"]
    offered = await offer(letter, child=child)
    await accept(letter, offered)
    await letter.until(90 * DAY)
    again = await letter.send("referral", NURSES, [MASH], referred_at=iso(letter.now), referred_to=MASH, child=child)
    (alert,) = [
        one for one in await letter.told(MASH, "register-alert") if one.get("pattern") == "back-after-step-down"
    ]
    assert alert["thread"] == again.thread
    assert alert["earlier"] == [offered.thread]
