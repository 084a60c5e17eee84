"""System 12: the agencies agree on one risk of a child, say by which scheme, who dissents, and assess it again in time.

It worked in 2018: discussions were held "to agree on a shared risk score".
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.letter.support import (
    DAY,
    EXPLOITATION,
    HEALTH,
    MANAGERS,
    MASH,
    NURSES,
    UNIT,
    Letter,
    Sent,
    iso,
    local,
)

AGREED, AGAIN = "risk-agreed", "risk-reassessed"


async def propose(letter: Letter, sender: str, thread: str, assessment: str, **changes: Any) -> Sent:
    """Let *sender* propose a child's risk to social care."""
    given = {"assessment_id": assessment, "proposed_at": iso(letter.now)}
    return await letter.send("risk.proposed", sender, [MASH], thread=thread, **(given | changes))


async def agree(letter: Letter, thread: str, assessment: str, **changes: Any) -> Sent:
    """Let social care say what was agreed, to both who proposed."""
    given = {"assessment_id": assessment, "agreed_at": iso(letter.now), "review_by": "2026-10-06"}
    return await letter.send("risk.agreed", MASH, [NURSES, EXPLOITATION], thread=thread, **(given | changes))


async def test_proposals_on_which_nobody_agrees_are_missed(letter: Letter) -> None:
    """Given two proposals, when no score is agreed, then social care is late with both, and each side hears of it."""
    thread, assessment = letter.new_id(), letter.new_id()
    await propose(letter, NURSES, thread, assessment, band="significant")
    await propose(letter, EXPLOITATION, thread, assessment)
    assert await letter.states(thread, AGREED) == {(MASH, NURSES): "open", (MASH, EXPLOITATION): "open"}
    await letter.until("2026-07-16 17:01")
    assert await letter.told(MASH, "due-soon", AGREED)
    await letter.until("2026-07-20 17:01")
    assert set((await letter.states(thread, AGREED)).values()) == {"overdue"}
    for mailbox in (NURSES, EXPLOITATION):
        assert len(await letter.told(mailbox, "overdue", AGREED)) == 1
    await letter.until("2026-07-21 17:01")
    assert len(await letter.told(MANAGERS, "overdue", AGREED)) == 2


async def test_what_is_agreed_says_scheme_version_evidence_and_dissent(letter: Letter) -> None:
    """Given proposals that differ, when one band is agreed, then all have it with its scheme, its evidence, the dissent."""
    thread, assessment = letter.new_id(), letter.new_id()
    for sender, band in ((NURSES, "significant"), (EXPLOITATION, "moderate")):
        await propose(letter, sender, thread, assessment, band=band)
    agreed = await agree(letter, thread, assessment, dissent=["Health would say significant."])
    assert await letter.states(thread, AGREED) == {(MASH, NURSES): "met", (MASH, EXPLOITATION): "met"}
    for mailbox in (NURSES, EXPLOITATION):
        message = await letter.receive(mailbox, agreed)
        assert (message["scheme_id"], message["scheme_version"], message["band"]) == ("ce-example", "2026", "moderate")
        assert message["dissent"] == ["Health would say significant."]
        assert [item["evidence_date"] for item in message["items"] if item["present"]] == ["2026-04-01"]
    assert await letter.states(thread, "risk-received") == {(NURSES, MASH): "met", (EXPLOITATION, MASH): "met"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scheme_version": None}, "scheme_version"),
        ({"items": [{"item": "missing", "present": True}]}, "evidence_date"),
        ({"override_reason": None}, "override_reason"),
        ({"agreed_by": []}, "agreed_by"),
        ({"review_by": None}, "review_by"),
    ],
)
async def test_a_score_that_nobody_could_compare_is_sent_back(
    letter: Letter, changes: dict[str, Any], field: str
) -> None:
    """Given an agreed score without version, evidence, reason, people or review, when it is sent, then that is asked for."""
    reason = await letter.refused("risk.agreed", MASH, [NURSES], **changes)
    assert reason["code"] == "message-schema"
    assert field in reason["message"]


async def test_a_risk_that_nobody_assesses_again_is_missed_after_three_months(letter: Letter) -> None:
    """Given an agreed risk, when three months pass, then there is a warning before, and then it is overdue."""
    thread = letter.new_id()
    await agree(letter, thread, letter.new_id())
    rows = await letter.rows(thread, AGAIN)
    assert {local(row.duty.due)[:10] for row in rows} == {"2026-10-06"}
    await letter.until("2026-09-23 09:00")
    assert await letter.told(MASH, "due-soon", AGAIN)
    await letter.until("2026-10-07 09:00")
    assert await letter.states(thread, AGAIN) == {(MASH, NURSES): "overdue", (MASH, EXPLOITATION): "overdue"}
    assert await letter.told(NURSES, "overdue", AGAIN)
    await letter.until("2026-10-14 09:00")
    assert await letter.told(UNIT, "overdue", AGAIN)


async def test_a_repeat_keeps_the_rhythm_and_no_risk_ends_it(letter: Letter) -> None:
    """Given a risk, when it is agreed anew in time, then the next is due three months on; without risk nothing is."""
    thread = letter.new_id()
    first = await agree(letter, thread, letter.new_id())
    await letter.until(80 * DAY)
    second = await agree(letter, thread, letter.new_id(), re=first.id, band="mild", review_by="2026-12-20")
    states = {row.duty.item: row.state for row in await letter.rows(thread, AGAIN)}
    assert states == {first.id: "met", second.id: "open"}
    (due,) = {local(row.duty.due)[:10] for row in await letter.rows(thread, AGAIN) if row.duty.item == second.id}
    assert due == "2026-12-24"
    await letter.until(80 * DAY)
    await agree(letter, thread, letter.new_id(), re=second.id, band="not_at_risk", review_by="2027-03-01")
    states = {row.duty.item: row.state for row in await letter.rows(thread, AGAIN)}
    assert states == {first.id: "met", second.id: "met"}


async def test_closing_the_case_ends_the_rhythm(letter: Letter) -> None:
    """Given a mild risk, when the case is closed after its window, then nobody owes another assessment."""
    thread = letter.new_id()
    agreed = await agree(letter, thread, letter.new_id(), band="mild")
    assert set((await letter.states(thread, AGAIN)).values()) == {"open"}
    intent = await letter.send(
        "closure.intent",
        MASH,
        [NURSES, EXPLOITATION],
        thread=thread,
        re=agreed.id,
        announced_at=iso(letter.now),
        window_ends=iso(letter.now + 2 * DAY),
        risk_band="mild",
        sub_reason="needs_met",
        open_actions=[],
        open_rhis=[],
        missing_minutes=[],
    )
    confirm = {"thread": thread, "re": intent.id, "decision": "closed", "next_review": None}
    await letter.send("closure.confirmed", MASH, [NURSES, EXPLOITATION], decided_at=iso(letter.now), **confirm)
    assert set((await letter.states(thread, AGAIN)).values()) == {"open"}
    await letter.until(3 * DAY)
    await letter.send("closure.confirmed", MASH, [NURSES, EXPLOITATION], decided_at=iso(letter.now), **confirm)
    assert set((await letter.states(thread, AGAIN)).values()) == {"superseded"}
    await letter.work(HEALTH)
    await letter.until("2026-10-07 09:00")
    assert not await letter.told(NURSES, "overdue", AGAIN)
