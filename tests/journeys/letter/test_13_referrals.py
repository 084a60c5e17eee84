"""System 13: a referral, on paper too, is decided within a working day, and whoever referred the child hears of it.

In 2018 the area was "reliant on the use of paper-based referrals", and how well probation's staff knew the criteria
varied with their grade.
"""

from __future__ import annotations

from typing import Any

from tests.journeys.letter.support import (
    HOUR,
    MANAGERS,
    MASH,
    MINUTE,
    OFFICERS,
    PAEDIATRICS,
    UNIT,
    Letter,
    Sent,
    iso,
    local,
    ms,
)

DECIDED, COMPLETE = "referral-decided", "assessment-complete"


async def refer(letter: Letter, sender: str = PAEDIATRICS, **changes: Any) -> Sent:
    """Let *sender* refer a child to social care now."""
    given: dict[str, Any] = {
        "referred_at": iso(letter.now),
        "child_seen_at": iso(letter.now),
        "origin": "electronic",
        "recorded_at": None,
    }
    return await letter.send("referral", sender, [MASH], **(given | changes))


async def decide(letter: Letter, referral: Sent, outcome: str, to: str = PAEDIATRICS) -> Sent:
    """Let social care say what it decided."""
    return await letter.send(
        "referral.outcome",
        MASH,
        [to],
        thread=referral.thread,
        re=referral.id,
        outcome=outcome,
        decided_at=iso(letter.now),
    )


async def test_a_referral_that_nobody_decides_is_missed_by_both_sides(letter: Letter) -> None:
    """Given a referral, when no decision comes, then social care, referrer, manager and partnership are told in turn."""
    referral = await refer(letter)
    row = await letter.duty(referral.thread, DECIDED)
    assert local(row.duty.due) == "2026-07-07 17:00"
    await letter.until("2026-07-07 17:01")
    assert await letter.states(referral.thread, DECIDED) == {(MASH, PAEDIATRICS): "overdue"}
    for mailbox in (MASH, PAEDIATRICS):
        assert len(await letter.told(mailbox, "overdue", DECIDED)) == 1
    await letter.until("2026-07-14 17:01")
    for mailbox in (MANAGERS, UNIT):
        assert await letter.told(mailbox, "overdue", DECIDED)
    figures = await letter.report("duties", "2026-07-01 00:00", "2026-08-01 00:00", type="referral", rule=DECIDED)
    (rule,) = figures["rules"]
    assert (rule["total"]["owed"], rule["total"]["met"], rule["total"]["stuck"]) == (1, 0, 1)


async def test_paper_counts_from_when_it_was_written(letter: Letter) -> None:
    """Given paper of last Thursday, when it is keyed on Monday, then its decision is late already, and both times show."""
    written = ms("2026-07-02 14:00")
    referral = await refer(letter, referred_at=iso(written), origin="paper", recorded_at=iso(letter.now))
    row = await letter.duty(referral.thread, DECIDED)
    assert (row.state, local(row.duty.due)) == ("open", "2026-07-03 17:00")
    await letter.until(MINUTE)
    assert await letter.told(PAEDIATRICS, "overdue", DECIDED)
    assert await letter.told(MASH, "overdue", DECIDED)
    message = await letter.receive(MASH, referral)
    assert (message["referred_at"], message["recorded_at"]) == (iso(written), iso(letter.now - MINUTE))
    await decide(letter, referral, "nfa")
    assert await letter.states(referral.thread, DECIDED) == {(MASH, PAEDIATRICS): "met_late"}


async def test_paper_without_the_time_of_keying_is_refused(letter: Letter) -> None:
    """Given paper, when it is entered without saying when that was, then the sender's own gateway says what is missing."""
    reason = await letter.refused("referral", PAEDIATRICS, [MASH], origin="paper", recorded_at=None)
    assert reason["code"] == "message-schema"
    assert "recorded_at" in reason["message"]


async def test_an_acknowledgement_decides_nothing(letter: Letter) -> None:
    """Given a referral that was filed and acknowledged, when the day ends, then the decision is owed as before."""
    referral = await refer(letter)
    await letter.receive(MASH, referral)
    await letter.person(MASH, referral, "opened", "acknowledged")
    await letter.send(
        "referral.ack", MASH, [PAEDIATRICS], thread=referral.thread, re=referral.id, received_at=iso(letter.now)
    )
    assert await letter.states(referral.thread, DECIDED) == {(MASH, PAEDIATRICS): "open"}
    await letter.until("2026-07-07 17:01")
    assert await letter.states(referral.thread, DECIDED) == {(MASH, PAEDIATRICS): "overdue"}


async def test_the_referrer_hears_and_the_assessment_has_45_days(letter: Letter) -> None:
    """Given an assessment, when it is decided on, then the referrer has the decision; the end is owed in 45 working days."""
    referral = await refer(letter)
    await letter.until("2026-07-07 11:00")
    first = await decide(letter, referral, "assessment_required")
    assert await letter.states(referral.thread, DECIDED) == {(MASH, PAEDIATRICS): "met"}
    assert (await letter.receive(PAEDIATRICS, first))["rationale"]
    assert await letter.states(referral.thread, "referral-outcome-received") == {(PAEDIATRICS, MASH): "met"}
    row = await letter.duty(referral.thread, COMPLETE)
    # The 45th working day after 6 July, the holiday of 31 August left out.
    assert (row.state, local(row.duty.due)) == ("open", "2026-09-08 17:00")
    await letter.until("2026-09-08 17:01")
    for mailbox in (MASH, PAEDIATRICS):
        assert await letter.told(mailbox, "overdue", COMPLETE)
    await decide(letter, referral, "step_down_early_help")
    assert await letter.states(referral.thread, COMPLETE) == {(MASH, PAEDIATRICS): "met_late"}


async def test_immediate_danger_waits_for_no_formality(letter: Letter) -> None:
    """Given danger now, when basis, reasons and time of keying are missing, then it goes; otherwise it would be refused."""
    bare: dict[str, Any] = {
        "origin": "phone",
        "recorded_at": None,
        "parents_aware": False,
        "parents_aware_reason": None,
        "adults": None,
    }
    assert (await letter.refused("referral", PAEDIATRICS, [MASH], **bare))["code"] == "message-schema"
    danger = bare | {"immediate_danger": True, "draft": {"basis": []}}
    referral = await refer(letter, **danger)
    told = await letter.told(PAEDIATRICS, "handling-warning", thread=referral.thread)
    assert [one["reason"] for one in told] == ["draft-basis"]
    # Nobody at social care looks: that is known within minutes, whatever the hour.
    collected = "referral-collected-at-once"
    assert await letter.states(referral.thread, collected) == {(MASH, PAEDIATRICS): "open"}
    await letter.until(6 * MINUTE)
    assert await letter.states(referral.thread, collected) == {(MASH, PAEDIATRICS): "overdue"}
    assert await letter.told(PAEDIATRICS, "overdue", collected)
    assert (await letter.receive(MASH, referral))["immediate_danger"] is True
    assert await letter.states(referral.thread, collected) == {(MASH, PAEDIATRICS): "met_late"}


async def test_whoever_refers_need_not_know_the_criteria(letter: Letter) -> None:
    """Given an officer who doesn't know the thresholds, when they refer, then it is decided, and they hear, as anybody."""
    referral = await refer(
        letter,
        OFFICERS,
        threshold_level=None,
        abuse_categories=None,
        contact_source="7",
        contact_source_local="probation",
    )
    assert "threshold_level" not in await letter.receive(MASH, referral)
    await letter.until(HOUR)
    outcome = await decide(letter, referral, "advice_signpost", to=OFFICERS)
    await letter.receive(OFFICERS, outcome)
    assert {row.state for row in await letter.rows(referral.thread)} == {"met"}
