"""System 17: what is not resolved goes up, stage by stage, until whoever raised it is content; an unseen child is seen.

In 2018 a tuition agency "did not escalate" that a child was not seen, who was out of education for over a year.
"""

from __future__ import annotations

from typing import Any

from tests.journeys.letter.support import (
    DAY,
    HOUR,
    MANAGERS,
    MASH,
    SCHOOL_LEAD,
    UNIT,
    Letter,
    Sent,
    iso,
    local,
)

RESOLVED = {1: "escalation-resolved", 2: "escalation-resolved-second", 3: "escalation-resolved-last"}
FURTHER = "escalation-taken-further"


async def escalate(letter: Letter, stage: int, before: Sent | None = None, **changes: Any) -> Sent:
    """Let the school raise *stage*, in the thread of the stage *before*, with two days to answer; managers from the second."""
    return await letter.send(
        "escalation.raise",
        SCHOOL_LEAD,
        [MASH] if stage == 1 else [MASH, MANAGERS],
        thread=before.thread if before else None,
        re=before.id if before else None,
        stage=stage,
        raised_at=iso(letter.now),
        respond_by=iso(letter.now + 2 * DAY),
        history=[before.id] if before else [],
        raised_by="DSL-1",
        **changes,
    )


async def resolve(letter: Letter, sender: str, about: Sent, *, accepted: bool) -> None:
    """Let *sender* say that it is resolved, and whether whoever raised it accepts that."""
    await letter.send(
        "escalation.resolve",
        sender,
        [MASH] if sender == SCHOOL_LEAD else [SCHOOL_LEAD],
        thread=about.thread,
        re=about.id,
        resolved_at=iso(letter.now),
        accepted_by_raiser=accepted,
        accepted_by="DSL-1" if accepted else None,
    )


async def not_seen(letter: Letter) -> Sent:
    """Let the school tell social care of a child whom nobody has seen for forty days."""
    return await letter.send(
        "child.not_seen",
        SCHOOL_LEAD,
        [MASH],
        noticed_at=iso(letter.now),
        last_seen_on=iso(letter.now - 40 * DAY)[:10],
        not_seen_days=40,
    )


async def test_whoever_raises_it_and_lets_it_lie_owes_the_next_stage(letter: Letter) -> None:
    """Given an escalation without an answer, when the school takes it no further, then both sides hear of that too."""
    raised = await escalate(letter, 1)
    assert await letter.states(raised.thread, FURTHER) == {(SCHOOL_LEAD, MASH): "open"}
    await letter.until("2026-07-20 17:01")
    assert await letter.states(raised.thread, FURTHER) == {(SCHOOL_LEAD, MASH): "overdue"}
    assert await letter.told(SCHOOL_LEAD, "overdue", FURTHER)
    assert await letter.told(MASH, "overdue", FURTHER)
    assert await letter.states(raised.thread, RESOLVED[1]) == {(MASH, SCHOOL_LEAD): "overdue"}
    for mailbox in (MASH, SCHOOL_LEAD, MANAGERS, UNIT):
        assert await letter.told(mailbox, "overdue", RESOLVED[1])


async def test_an_answer_resolves_nothing(letter: Letter) -> None:
    """Given an escalation, when social care responds, then the answer is met, and it stays visible until resolved."""
    raised = await escalate(letter, 1)
    assert (await letter.receive(MASH, raised))["raised_by"] == "DSL-1"
    await letter.send(
        "escalation.respond",
        MASH,
        [SCHOOL_LEAD],
        thread=raised.thread,
        re=raised.id,
        stage=1,
        responded_at=iso(letter.now),
    )
    assert await letter.states(raised.thread, "escalation-answered") == {(MASH, SCHOOL_LEAD): "met"}
    await letter.until(2 * DAY + 1)
    assert await letter.states(raised.thread, RESOLVED[1]) == {(MASH, SCHOOL_LEAD): "overdue"}
    assert await letter.told(SCHOOL_LEAD, "overdue", RESOLVED[1])


async def test_only_the_raisers_word_resolves_it(letter: Letter) -> None:
    """Given a resolution, when social care says that the school accepts, then nothing is met until the school does."""
    raised = await escalate(letter, 1)
    await resolve(letter, MASH, raised, accepted=False)
    await resolve(letter, MASH, raised, accepted=True)
    assert await letter.states(raised.thread, RESOLVED[1]) == {(MASH, SCHOOL_LEAD): "open"}
    await resolve(letter, SCHOOL_LEAD, raised, accepted=False)
    assert await letter.states(raised.thread, RESOLVED[1]) == {(MASH, SCHOOL_LEAD): "open"}
    await resolve(letter, SCHOOL_LEAD, raised, accepted=True)
    assert await letter.states(raised.thread, RESOLVED[1]) == {(MASH, SCHOOL_LEAD): "met"}
    assert await letter.states(raised.thread, FURTHER) == {(SCHOOL_LEAD, MASH): "met"}


async def test_each_stage_has_a_clock_of_its_own(letter: Letter) -> None:
    """Given a first stage that is late, when the second is raised, then managers owe it too, and the first stays late."""
    first = await escalate(letter, 1)
    await letter.until("2026-07-09 10:00")
    second = await escalate(letter, 2, first)
    assert await letter.states(first.thread, RESOLVED[1]) == {(MASH, SCHOOL_LEAD): "overdue"}
    states = await letter.states(first.thread, RESOLVED[2])
    assert states == {(MASH, SCHOOL_LEAD): "open", (MANAGERS, SCHOOL_LEAD): "open"}
    assert {local(row.duty.due) for row in await letter.rows(first.thread, RESOLVED[2])} == {"2026-07-11 10:00"}
    further = {
        row.duty.item: row.state for row in await letter.rows(first.thread, FURTHER) if row.duty.creditor == MASH
    }
    assert further == {first.id: "met", second.id: "open"}
    await letter.until("2026-07-13 10:00")
    third = await escalate(letter, 3, second)
    assert set((await letter.states(first.thread, RESOLVED[2])).values()) == {"overdue"}
    assert set((await letter.states(first.thread, RESOLVED[3])).values()) == {"open"}
    assert {row.state for row in await letter.rows(first.thread, FURTHER) if row.duty.item == second.id} == {"met"}
    figures = await letter.report("duties", "2026-07-01 00:00", "2026-07-31 00:00", type="escalation.raise")
    stuck = {one["rule"]: one["total"]["stuck"] for one in figures["rules"]}
    assert (stuck[RESOLVED[1]], stuck[RESOLVED[2]], stuck[RESOLVED[3]]) == (1, 2, 0)
    assert third.thread == first.thread


async def test_a_stage_says_what_was_tried_before(letter: Letter) -> None:
    """Given a second stage, when it names nothing that was tried, then it is sent back with the field that is missing."""
    reason = await letter.refused(
        "escalation.raise", SCHOOL_LEAD, [MASH], stage=2, raised_at=iso(letter.now), history=[]
    )
    assert reason["code"] == "message-schema"
    assert "history" in reason["message"]


async def test_a_person_takes_it_that_nobody_has_seen_a_child(letter: Letter) -> None:
    """Given that a child is not seen, when only software files it, then a person's word is owed, and overdue in a day."""
    told = await not_seen(letter)
    await letter.receive(MASH, told)
    await letter.until("2026-07-07 17:01")
    assert await letter.states(told.thread, "not-seen-taken") == {(MASH, SCHOOL_LEAD): "overdue"}
    assert await letter.told(SCHOOL_LEAD, "overdue", "not-seen-taken")
    await letter.person(MASH, told, "opened", "acknowledged")
    assert await letter.states(told.thread, "not-seen-taken") == {(MASH, SCHOOL_LEAD): "met_late"}


async def test_a_child_who_is_still_not_seen_comes_up_again(letter: Letter) -> None:
    """Given that a child is not seen, when nobody sees the child in two weeks, then school and social care are alerted."""
    told = await not_seen(letter)
    await letter.receive(MASH, told)
    await letter.until("2026-07-20 16:00")
    for mailbox in (SCHOOL_LEAD, MASH):
        assert not await letter.told(mailbox, "register-alert", thread=told.thread)
    await letter.until(2 * HOUR)
    for mailbox in (SCHOOL_LEAD, MASH):
        (alert,) = await letter.told(mailbox, "register-alert", thread=told.thread)
        assert alert["pattern"] == "still-not-seen"
        assert "Robin" not in str(alert)
