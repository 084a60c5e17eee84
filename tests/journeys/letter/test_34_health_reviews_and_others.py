"""System 34: looked-after health, emergency departments, youth offending and named practices can send and receive.

They were strengths in 2018: health reviews of looked-after children, liaison in emergency departments, initial checks by
the youth offending service, named practices.  Each has an address of its own here, and one message there and back.
"""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from tests.county import EXAMPLES
from tests.gateway.support import minutes_full
from tests.journeys.letter.support import (
    COUNTY,
    DAY,
    EMERGENCY,
    GP,
    HOUR,
    LOOKED_AFTER,
    MANAGERS,
    MASH,
    NURSES,
    YOUTH_DESK,
    Letter,
    Sent,
    discussion,
    iso,
)
from tests.schemas import samples

PLACES = (LOOKED_AFTER, EMERGENCY, YOUTH_DESK, GP)
SUMMARY = {"marks": ["do_not_show_online"]}


async def assign_review(letter: Letter) -> tuple[Sent, dict[str, Any]]:
    """Let social care ask the looked-after health team for a review within twenty days."""
    action = {
        "action_id": letter.new_id(),
        "owner_role": LOOKED_AFTER,
        "due_at": iso(letter.now + 20 * DAY),
        "description": "Review the child's health.",
    }
    return await letter.send("action.assign", MASH, [LOOKED_AFTER], assigned_at=iso(letter.now), **action), action


async def ask(letter: Letter, hours: int) -> Sent:
    """Let the youth offending service ask social care about a child, to be answered in *hours*."""
    return await letter.send(
        "check.child.request",
        YOUTH_DESK,
        [MASH],
        reason_code="assessment",
        linked_event_kind="assessment",
        requested_at=iso(letter.now),
        needed_by=iso(letter.now + hours * HOUR),
        urgent=None,
    )


async def hold(letter: Letter) -> Sent:
    """Let social care hold a discussion with nurses, of which the practice is owed a summary."""
    parties = discussion(letter, [MASH, NURSES], distribution=[samples.owed(GP, "statutory", "gp_summary")])
    return await letter.send("meeting.held", MASH, [NURSES, GP], **parties)


def summary(letter: Letter) -> dict[str, Any]:
    """Return the summary of the discussion's minutes that a practice may have."""
    names = [
        "record_id",
        "version",
        "status",
        "child",
        "immediate_safety",
        "s47_decision",
        "enquiry_mode",
        "approved_by",
        "approved_at",
    ]
    whole = samples.minutes_full()
    chosen = {name: whole[name] for name in names}
    return chosen | {"variant": "gp_summary", "started_at": iso(letter.now), "actions": [], "icpc_needed": False}


@pytest.mark.parametrize("mailbox", PLACES)
def test_each_has_an_address_in_the_reference_directory(mailbox: str) -> None:
    """Given the directory of Exampleshire, when one looks for them, then each has a mailbox with somebody answerable."""
    county = tomllib.loads((EXAMPLES / "county.toml").read_text())
    boxes = {box["id"]: box for agency in county["agencies"] for box in agency["mailboxes"]}
    assert boxes[mailbox]["manager"] in boxes
    assert any(mailbox == box for _, own in COUNTY.values() for box, _, _ in own)


async def test_a_health_review_that_is_not_done_is_missed(letter: Letter) -> None:
    """Given a review that social care asked for, when it isn't done by its date, then team and social care hear of it."""
    asked, _ = await assign_review(letter)
    await letter.until(20 * DAY + 1)
    assert await letter.states(asked.thread, "action-done") == {(LOOKED_AFTER, MASH): "overdue"}
    assert await letter.told(LOOKED_AFTER, "overdue", "action-done")
    assert await letter.told(MASH, "overdue", "action-done")


async def test_looked_after_health_hears_of_the_child_and_says_that_the_review_is_done(letter: Letter) -> None:
    """Given a child who comes to be looked after, when health reviews the child, then both have it in their records."""
    status = await letter.send(
        "status.notice",
        MASH,
        [LOOKED_AFTER],
        status_kind="LAC",
        category=None,
        decided_at=iso(letter.now),
        effective_on=iso(letter.now)[:10],
    )
    assert (await letter.receive(LOOKED_AFTER, status))["status_kind"] == "LAC"
    assert await letter.states(status.thread, "status-taken") == {(LOOKED_AFTER, MASH): "met"}
    asked, action = await assign_review(letter)
    await letter.receive(LOOKED_AFTER, asked)
    done = await letter.send(
        "action.complete",
        LOOKED_AFTER,
        [MASH],
        thread=asked.thread,
        re=asked.id,
        completed_at=iso(letter.now),
        evidence="Seen on Monday; the report is on file.",
        **action,
    )
    assert (await letter.receive(MASH, done))["evidence"].startswith("Seen on Monday")
    assert await letter.states(asked.thread, "action-done") == {(LOOKED_AFTER, MASH): "met"}


async def test_an_emergency_department_refers_at_night_and_hears_what_was_decided(letter: Letter) -> None:
    """Given a child seen at night, when the department refers and social care decides, then both know, in time."""
    await letter.until("2026-07-11 02:00")
    referral = await letter.send(
        "referral",
        EMERGENCY,
        [MASH],
        referred_at=iso(letter.now),
        child_seen_at=iso(letter.now),
        origin="electronic",
        recorded_at=None,
    )
    await letter.receive(MASH, referral)
    await letter.until("2026-07-13 11:00")
    outcome = await letter.send(
        "referral.outcome",
        MASH,
        [EMERGENCY],
        thread=referral.thread,
        re=referral.id,
        outcome="assessment_required",
        decided_at=iso(letter.now),
    )
    assert (await letter.receive(EMERGENCY, outcome))["outcome"] == "assessment_required"
    assert await letter.states(referral.thread, "referral-decided") == {(MASH, EMERGENCY): "met"}
    assert await letter.states(referral.thread, "referral-outcome-received") == {(EMERGENCY, MASH): "met"}


async def test_an_initial_check_that_nobody_answers_is_missed_before_it_is_too_late(letter: Letter) -> None:
    """Given a check by youth offending, when social care says nothing, then it is warned, and then both sides hear."""
    asked = await ask(letter, 24)
    await letter.until(20 * HOUR + 1)
    assert await letter.told(MASH, "due-soon", "child-check-answered")
    await letter.until(4 * HOUR)
    assert await letter.states(asked.thread, "child-check-answered") == {(MASH, YOUTH_DESK): "overdue"}
    assert await letter.told(YOUTH_DESK, "overdue", "child-check-answered")
    await letter.until("2026-07-08 17:01")
    assert await letter.told(MANAGERS, "overdue", "child-check-answered")


async def test_youth_offending_asks_and_has_its_answer(letter: Letter) -> None:
    """Given a check by youth offending, when social care answers what it knows, then it is there in time."""
    asked = await ask(letter, 24)
    request = await letter.receive(MASH, asked)
    assert "circumstances" not in request
    answered = await letter.send(
        "check.child.response",
        MASH,
        [YOUTH_DESK],
        thread=asked.thread,
        re=asked.id,
        check_id=request["check_id"],
        answered_at=iso(letter.now),
        result="known_current",
        since="2025-11-01",
        supervising_contact="SW-1",
        delete_after=None,
    )
    assert (await letter.receive(YOUTH_DESK, answered))["result"] == "known_current"
    assert await letter.states(asked.thread, "child-check-answered") == {(MASH, YOUTH_DESK): "met"}


async def test_a_practice_that_hears_nothing_is_missed_as_anybody_else_is(letter: Letter) -> None:
    """Given a discussion, when the practice has no summary after five working days, then both sides hear of it."""
    held = await hold(letter)
    await letter.until("2026-07-13 17:01")
    assert (await letter.states(held.thread, "full-minutes"))[MASH, GP] == "overdue"
    assert await letter.told(GP, "overdue", "full-minutes")


async def test_a_practice_has_the_summary_and_no_more(letter: Letter) -> None:
    """Given minutes, when they go to the practice in full or unmarked, then they come back; the summary is its due."""
    held = await hold(letter)
    whole = minutes_full([MASH, NURSES, GP]) | {"started_at": iso(letter.now)}
    for to, message, marks in (([NURSES, GP], whole, SUMMARY), ([GP], summary(letter), {})):
        reason = await letter.refused("minutes.full", MASH, to, thread=held.thread, message=message, draft=marks)
        assert reason["code"] == "handling-ceiling"
        assert "gp_summary" in reason["hint"]
    full = await letter.send("minutes.full", MASH, [NURSES], thread=held.thread, message=whole)
    short = await letter.send("minutes.full", MASH, [GP], thread=held.thread, message=summary(letter), draft=SUMMARY)
    assert "Zebulon" in str(await letter.receive(NURSES, full))
    message = await letter.receive(GP, short)
    assert message["variant"] == "gp_summary"
    assert not {"history", "information_blocks", "adults", "analysis"} & set(message)
    assert await letter.states(held.thread, "full-minutes") == {(MASH, NURSES): "met", (MASH, GP): "met"}
    assert (await letter.states(held.thread, "full-received"))[GP, MASH] == "met"


async def test_a_practice_answers_what_it_is_asked(letter: Letter) -> None:
    """Given a chronology that is asked for, when the practice has nothing, then it says so, and that is an answer."""
    asked = await letter.send(
        "chronology.request",
        MASH,
        [GP],
        requested_at=iso(letter.now),
        needed_by=iso(letter.now + 7 * DAY),
        urgent=None,
    )
    await letter.receive(GP, asked)
    answered = await letter.send(
        "chronology.response",
        GP,
        [MASH],
        thread=asked.thread,
        re=asked.id,
        answered_at=iso(letter.now),
        nil_return=True,
        rows=None,
    )
    assert (await letter.receive(MASH, answered))["nil_return"]
    assert await letter.states(asked.thread, "chronology-answered") == {(GP, MASH): "met"}


async def test_a_practice_that_is_in_no_directory_is_sent_nothing(letter: Letter) -> None:
    """Given a practice without an address here, when minutes are to go to it, then the sender hears so, at once."""
    reason = await letter.refused(
        "minutes.full", MASH, ["elsewhere-surgery/safeguarding-lead"], message=summary(letter), draft=SUMMARY
    )
    assert reason["code"] == "recipient-unknown"
