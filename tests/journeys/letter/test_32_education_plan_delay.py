"""System 32: social care hears that a child's education, health and care plan is late; that, and nothing else.

What the plan says is for those who make it: here the alert is all.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.support import draft, drop
from tests.journeys.letter.support import (
    MANAGERS,
    MASH,
    NURSES,
    SCHOOL,
    SCHOOL_LEAD,
    UNIT,
    Letter,
    Sent,
    iso,
    local,
    sample,
)

TAKEN = "delay-taken"


async def delay(letter: Letter, to: tuple[str, ...] = (MASH,), **changes: Any) -> Sent:
    """Let education tell now that a plan is late."""
    return await letter.send("plan.delayed", SCHOOL_LEAD, to, **({"noticed_at": iso(letter.now)} | changes))


async def test_a_delay_that_nobody_takes_note_of_is_missed(letter: Letter) -> None:
    """Given a delay, when social care doesn't take it within five working days, then education knows, managers after."""
    sent = await delay(letter)
    assert local((await letter.duty(sent.thread, TAKEN)).duty.due) == "2026-07-13 17:00"
    await letter.until("2026-07-13 17:01")
    assert await letter.states(sent.thread, TAKEN) == {(MASH, SCHOOL_LEAD): "overdue"}
    assert len(await letter.told(SCHOOL_LEAD, "overdue", TAKEN)) == 1
    await letter.until("2026-07-14 17:01")
    for mailbox in (MASH, MANAGERS):
        assert len(await letter.told(mailbox, "overdue", TAKEN)) == 1


async def test_the_delay_arrives_and_is_all_that_does(letter: Letter) -> None:
    """Given a late plan, when it is told, then stage, days and a code for the reason arrive, and the plan is nowhere."""
    sent = await delay(letter, (MASH, UNIT))
    message = await letter.receive(MASH, sent)
    assert set(message) == {"child", "stage", "noticed_at", "was_due_on", "expected_on", "reason", "contact"}
    assert (message["stage"], message["was_due_on"], message["reason"]) == ("draft", "2026-04-01", "advice_outstanding")
    assert set(message["child"]) == {"local_id", "name", "dob", "nhs_number", "nhs_number_status"}
    await letter.receive(UNIT, sent)
    assert set((await letter.states(sent.thread, TAKEN)).values()) == {"met"}


@pytest.mark.parametrize(
    "more",
    [
        {"summary": "Needs one-to-one support."},
        {"child_views": "Does not like the taxi."},
        {"reason": "The psychologist's report says that she is anxious."},
        {"attachments": []},
    ],
)
async def test_what_the_plan_says_cannot_be_put_in(letter: Letter, more: dict[str, Any]) -> None:
    """Given a late plan, when somebody adds what it says, then nothing goes, and the refusal doesn't repeat it."""
    reason = await letter.refused("plan.delayed", SCHOOL_LEAD, [MASH], **more)
    assert reason["code"] == "message-schema"
    assert not any(str(value) in str(reason) for value in more.values() if value)


async def test_the_plan_itself_cannot_be_attached(letter: Letter) -> None:
    """Given a late plan, when somebody attaches it, then nothing goes, and they are told what to leave out."""
    await letter.gateway(SCHOOL)
    home = letter.town.homes[SCHOOL]
    message = sample("plan.delayed/1", noticed_at=iso(letter.now))
    with_plan = draft("plan.delayed/1", SCHOOL_LEAD, message=message, to=[MASH], attachments=["plan.pdf"])
    drop(home, "plan", with_plan, plan_pdf=b"%PDF-1.7 what the child needs")
    await letter.work(SCHOOL)
    reason = json.loads((home / "refused" / "plan" / "reason.json").read_bytes())
    assert reason["code"] == "draft-attachments"
    assert await letter.agents[SCHOOL].gateway.spool.all("list_sent") == []


async def test_it_goes_to_social_care_and_the_partnership_only(letter: Letter) -> None:
    """Given a late plan, when somebody would tell health too, then that is refused before it is sealed."""
    reason = await letter.refused("plan.delayed", SCHOOL_LEAD, [MASH, NURSES])
    assert reason["code"] == "recipient-not-allowed"
