"""System 5: nobody closes a child's case while risk is open, unknown or the family does not engage, without being asked.

In 2018: "Of critical concern is the premature closure of work with children", especially for "lack of engagement".
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.letter.support import (
    DAY,
    EXPLOITATION,
    HOUR,
    MANAGERS,
    MASH,
    NURSES,
    UNIT,
    Letter,
    Sent,
    iso,
    sample,
)

CLEAR: dict[str, Any] = {
    "risk_band": "not_at_risk",
    "sub_reason": "needs_met",
    "open_actions": [],
    "open_rhis": [],
    "missing_minutes": [],
}


async def intend(letter: Letter, **changes: Any) -> Sent:
    """Let social care announce that it will close a case, to nurses and police, with a window of two days."""
    return await letter.send(
        "closure.intent",
        MASH,
        [NURSES, EXPLOITATION],
        announced_at=iso(letter.now),
        window_ends=iso(letter.now + 2 * DAY),
        **changes,
    )


async def confirm(letter: Letter, intent: Sent, decision: str = "closed", **changes: Any) -> Sent:
    """Let social care say what it decided, to both."""
    return await letter.send(
        "closure.confirmed",
        MASH,
        [NURSES, EXPLOITATION],
        thread=intent.thread,
        re=intent.id,
        decided_at=iso(letter.now),
        decision=decision,
        next_review="2026-09-01" if decision == "kept_open" else None,
        **changes,
    )


async def test_a_case_that_is_closed_at_once_goes_to_the_partnership(letter: Letter) -> None:
    """Given an intent, when it is confirmed while partners may still object, then that settles nothing and is raised."""
    intent = await intend(letter)
    await confirm(letter, intent)
    assert set((await letter.states(intent.thread, "closure-decided")).values()) == {"open"}
    reconsider = await letter.rows(intent.thread, "closure-reconsidered")
    assert {row.duty.creditor for row in reconsider} == {NURSES, EXPLOITATION}
    await letter.until(HOUR)
    assert await letter.told(UNIT, "overdue", "closure-reconsidered")
    assert await letter.told(MANAGERS, "overdue", "closure-reconsidered")
    kept = await confirm(letter, intent, "kept_open")
    assert kept.thread == intent.thread
    assert set((await letter.states(intent.thread, "closure-decided")).values()) == {"met"}


@pytest.mark.parametrize(
    "changes",
    [
        {"sub_reason": "family_not_engaging"},
        {"risk_band": "unknown"},
        {"risk_band": "moderate"},
        {"open_actions": ["ACT-12"]},
        {"missing_minutes": ["SD-3"]},
    ],
)
async def test_a_case_that_needs_a_second_approver_is_refused_without_one(
    letter: Letter, changes: dict[str, Any]
) -> None:
    """Given open or unknown risk, open work or non-engagement, when nobody approved, then the field is asked for."""
    reason = await letter.refused(
        "closure.intent",
        MASH,
        [NURSES],
        announced_at=iso(letter.now),
        window_ends=iso(letter.now + 2 * DAY),
        second_approver=None,
        engagement_attempts=["Visited twice; nobody was in."],
        **(CLEAR | changes),
    )
    assert reason["code"] == "message-schema"
    assert "second_approver" in reason["message"]


async def test_whoever_sends_it_without_an_approver_all_the_same_owes_one(letter: Letter) -> None:
    """Given software that asks for no approver, when it announces a closing, then the rules make it owe one that day."""
    desk, county = letter.town.site.desk, letter.town.county
    facts = {"band": "unknown", "sub_reason": "family_not_engaging", "open_work": "yes", "approved": "no"}
    sent = county.seal("closure.intent/1", MASH, [NURSES], facts=facts, moments={"window_ends": letter.now + 2 * DAY})
    await desk.send(sent)
    rules = ["closure-approved", "closure-approved-for-work", "closure-approved-without-engagement"]
    for rule in rules:
        assert await letter.states(sent.header.thread, rule) == {(MASH, NURSES): "open"}
    again = county.seal(
        "closure.intent/1",
        MASH,
        [NURSES],
        thread=sent.header.thread,
        re=sent.id,
        facts=facts | {"approved": "yes"},
        moments={"window_ends": letter.now + 2 * DAY},
    )
    await desk.send(again)
    for rule in rules:
        assert await letter.states(sent.header.thread, rule) == {(MASH, NURSES): "met"}


async def test_silence_is_a_lapse_and_no_agreement(letter: Letter) -> None:
    """Given two partners, when one has no objection and one says nothing, then the second window lapses, on record."""
    intent = await intend(letter)
    await letter.receive(NURSES, intent)
    await letter.send(
        "contribution.none", NURSES, [MASH], thread=intent.thread, re=intent.id, stated_at=iso(letter.now)
    )
    await letter.until(2 * DAY + HOUR)
    assert await letter.states(intent.thread, "closure-window") == {
        (NURSES, MASH): "met",
        (EXPLOITATION, MASH): "lapsed",
    }
    await confirm(letter, intent)
    assert set((await letter.states(intent.thread, "closure-decided")).values()) == {"met"}
    assert await letter.rows(intent.thread, "closure-reconsidered") == []


async def test_an_objection_pauses_the_closing_and_goes_up(letter: Letter) -> None:
    """Given an objection, when it is raised, then managers and partnership hear, and closing waits until it is resolved."""
    intent = await intend(letter)
    await letter.receive(NURSES, intent)
    objection = await letter.send(
        "closure.objection",
        NURSES,
        [MASH],
        thread=intent.thread,
        re=intent.id,
        objected_at=iso(letter.now),
        grounds="risk_open",
    )
    states = await letter.states(intent.thread, "closure-decided")
    assert states == {(MASH, NURSES): "superseded", (MASH, EXPLOITATION): "open"}
    for mailbox in (MANAGERS, UNIT):
        assert await letter.told(mailbox, "owed", "objection-resolved")
    await letter.until(2 * DAY + HOUR)
    await confirm(letter, intent)
    # Closed over the objection: that settles nothing, and is with the partnership at once.
    assert await letter.states(intent.thread, "objection-resolved") == {(MASH, NURSES): "open"}
    assert (await letter.states(intent.thread, "closure-decided"))[MASH, EXPLOITATION] == "open"
    await letter.until(1)
    assert await letter.told(UNIT, "overdue", "closure-reconsidered")
    await letter.send(
        "escalation.resolve",
        NURSES,
        [MASH],
        thread=intent.thread,
        re=intent.id,
        resolved_at=iso(letter.now),
        accepted_by_raiser=True,
    )
    assert await letter.states(intent.thread, "objection-resolved") == {(MASH, NURSES): "met"}
    await confirm(letter, intent)
    assert (await letter.states(intent.thread, "closure-decided"))[MASH, EXPLOITATION] == "met"
    assert objection.thread == intent.thread


async def test_closing_over_an_objection_takes_two_people_of_the_partnership(letter: Letter) -> None:
    """Given an objection that nobody accepts, when the partnership overrules it with its reason, then the closing counts."""
    intent = await intend(letter)
    given = {"objected_at": iso(letter.now), "grounds": "risk_open"}
    await letter.send("closure.objection", NURSES, [MASH], thread=intent.thread, re=intent.id, **given)
    await letter.until(2 * DAY + HOUR)
    duty = await letter.duty(intent.thread, "objection-resolved")
    await letter.waive(duty.id, MASH, "overruled_after_escalation")
    assert (await letter.duty(intent.thread, "objection-resolved")).state == "open"
    await letter.waive(duty.id, UNIT, "overruled_after_escalation")
    assert (await letter.duty(intent.thread, "objection-resolved")).state == "waived"
    await confirm(letter, intent)
    assert (await letter.states(intent.thread, "closure-decided"))[MASH, EXPLOITATION] == "met"


async def test_an_objection_that_is_not_answered_is_overdue(letter: Letter) -> None:
    """Given an objection, when social care says nothing for a week, then the objector, managers and partnership know."""
    intent = await intend(letter)
    await letter.send(
        "closure.objection",
        NURSES,
        [MASH],
        thread=intent.thread,
        re=intent.id,
        objected_at=iso(letter.now),
        grounds="not_seen",
    )
    await letter.until(9 * DAY)
    assert await letter.states(intent.thread, "objection-resolved") == {(MASH, NURSES): "overdue"}
    for mailbox in (NURSES, MASH, MANAGERS):
        assert await letter.told(mailbox, "overdue", "objection-resolved")


async def test_a_re_referral_within_twelve_months_links_back(letter: Letter) -> None:
    """Given a closed case, when the same child is referred again, then social care's register names the closed thread."""
    child = sample("closure.intent/1")["child"] | {"nhs_number": "9990000018", "nhs_number_status": "traced"}
    intent = await intend(letter, child=child, **CLEAR)
    await letter.until(2 * DAY + HOUR)
    await confirm(letter, intent)
    await letter.until(100 * DAY)
    again = await letter.send("referral", NURSES, [MASH], referred_at=iso(letter.now), referred_to=MASH, child=child)
    alerts = [one for one in await letter.told(MASH, "register-alert") if one.get("pattern") == "re-referral"]
    assert len(alerts) == 1
    assert alerts[0]["thread"] == again.thread
    assert intent.thread in str(alerts[0])
