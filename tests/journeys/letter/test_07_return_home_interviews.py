"""System 7: a child who comes back is spoken to within 72 hours, and what is learned reaches the plan and the police.

In 2018 most children "wait too long"; arrangements were "poorly understood" and "not consistently used to inform planning".
"""

from __future__ import annotations

import pytest

from tests.journeys.letter.support import (
    AREA,
    EXPLOITATION,
    HOUR,
    MASH,
    YOUTH_DESK,
    Letter,
    Sent,
    iso,
    local,
    ms,
)

RULE = "interview-held"


async def come_back(letter: Letter) -> tuple[Sent, Sent, str]:
    """Let a child come back now and social care assign the interview; return both messages and the episode."""
    episode = letter.new_id()
    back = await letter.send("missing.return", EXPLOITATION, [MASH], episode_id=episode, returned_at=iso(letter.now))
    assigned = await letter.send(
        "rhi.assign",
        MASH,
        [YOUTH_DESK, AREA],
        thread=back.thread,
        re=back.id,
        episode_id=episode,
        provider=YOUTH_DESK,
        social_worker_inbox=AREA,
        returned_at=iso(letter.now),
        due_at=iso(letter.now + 72 * HOUR),
    )
    return back, assigned, episode


async def test_an_interview_that_nobody_assigns_is_missed_within_a_day(letter: Letter) -> None:
    """Given a return, when social care names no provider, then police and social care are told after 24 hours."""
    back = await letter.send("missing.return", EXPLOITATION, [MASH], returned_at=iso(letter.now))
    await letter.until(24 * HOUR + 1)
    assert await letter.states(back.thread, "interview-assigned") == {(MASH, EXPLOITATION): "overdue"}
    assert await letter.told(EXPLOITATION, "overdue", "interview-assigned")


@pytest.mark.parametrize(
    ("returned", "due"),
    [
        ("2026-10-24 12:00", "2026-10-27 11:00"),
        ("2027-03-27 12:00", "2027-03-30 13:00"),
        ("2026-12-24 18:00", "2026-12-27 18:00"),
    ],
)
async def test_72_hours_are_72_hours(letter: Letter, returned: str, due: str) -> None:
    """Given a return before a clock change or over Christmas, when it is assigned, then 72 elapsed hours count."""
    await letter.until(returned)
    back, _, _ = await come_back(letter)
    rows = await letter.rows(back.thread, RULE)
    assert {local(row.duty.due) for row in rows} == {due}
    assert {row.duty.due - letter.now for row in rows} == {72 * HOUR}


async def test_an_interview_that_is_late_is_seen_while_there_is_time(letter: Letter) -> None:
    """Given an assigned interview, when nothing comes, then there is a warning a day before, and then it is overdue."""
    back, _, _ = await come_back(letter)
    await letter.until(49 * HOUR)
    assert await letter.told(YOUTH_DESK, "due-soon", RULE)
    await letter.until(24 * HOUR)
    assert set((await letter.states(back.thread, RULE)).values()) == {"overdue"}
    assert await letter.told(AREA, "overdue", RULE)


async def test_an_offer_is_no_interview(letter: Letter) -> None:
    """Given an offer, when there is no result yet, then the interview is still owed."""
    back, assigned, episode = await come_back(letter)
    await letter.send(
        "rhi.offer",
        YOUTH_DESK,
        [MASH],
        thread=back.thread,
        re=assigned.id,
        episode_id=episode,
        provider=YOUTH_DESK,
        offered_at=iso(letter.now),
    )
    assert set((await letter.states(back.thread, RULE)).values()) == {"open"}


async def test_the_plan_part_and_the_intelligence_part_go_different_ways(letter: Letter) -> None:
    """Given a held interview, when both parts are sent, then the social worker has one, police the other, nobody both."""
    back, assigned, episode = await come_back(letter)
    await letter.until(30 * HOUR)
    result = await letter.send(
        "rhi.result",
        YOUTH_DESK,
        [MASH, AREA],
        thread=back.thread,
        re=assigned.id,
        episode_id=episode,
        provider=YOUTH_DESK,
        reported_at=iso(letter.now),
        held_at=iso(letter.now - HOUR),
        offered_at=iso(letter.now - 20 * HOUR),
        outcome="conducted",
        accepted=True,
        plan_part="Wants to move school.",
    )
    intelligence = await letter.send(
        "rhi.intel",
        YOUTH_DESK,
        [EXPLOITATION],
        thread=back.thread,
        re=assigned.id,
        episode_id=episode,
        provider=YOUTH_DESK,
        obtained_at=iso(letter.now),
        intel_part="A grey van by the station.",
    )
    assert set((await letter.states(back.thread, RULE)).values()) == {"met"}
    assert "Wants to move school." in str(await letter.receive(AREA, result))
    assert "grey van" not in str(await letter.receive(AREA, result))
    assert "grey van" in str(await letter.receive(EXPLOITATION, intelligence))
    assert "move school" not in str(await letter.receive(EXPLOITATION, intelligence))
    assert await letter.states(back.thread, "interview-filed") == {(MASH, YOUTH_DESK): "met", (AREA, YOUTH_DESK): "met"}
    figures = await letter.report("duties", "2026-07-01 00:00", "2026-07-31 00:00", type="rhi.assign", rule=RULE)
    assert figures["rules"], figures


def test_the_clock_counts_hours_and_no_days() -> None:
    """The fixtures of the domain: 24 October 2026 noon and 27 March 2027 noon, London."""
    assert ms("2026-10-27 11:00") - ms("2026-10-24 12:00") == 72 * HOUR
    assert ms("2027-03-30 13:00") - ms("2027-03-27 12:00") == 72 * HOUR
