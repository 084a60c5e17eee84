"""System 15: school nurses hear when a child's status starts, changes and ends: in need, on a plan, looked after alike.

In 2018 they were not told of children in need as they are of children on a protection plan.
"""

from __future__ import annotations

from typing import Any

import pytest

from adapters.gateway.config import MailboxConfig
from tests.journeys.letter.support import (
    DAY,
    MANAGERS,
    MASH,
    NURSES,
    PAEDIATRICS,
    SCHOOL_NURSES,
    SCHOOL_NURSING,
    Letter,
    Sent,
    discussion,
    iso,
    local,
)

OF_NEED, OF_PLAN, OF_END = "school-nurses-told-of-need", "school-nurses-told", "school-nurses-told-of-end"
TAKEN = "status-taken"


async def find_need(letter: Letter) -> Sent:
    """Let social care decide that a child who was referred is assessed, as a child in need."""
    referral = await letter.send("referral", PAEDIATRICS, [MASH], referred_at=iso(letter.now), origin="electronic")
    return await letter.send(
        "referral.outcome",
        MASH,
        [PAEDIATRICS],
        thread=referral.thread,
        re=referral.id,
        outcome="assessment_required",
        decided_at=iso(letter.now),
    )


async def confer(letter: Letter) -> Sent:
    """Let a conference be held, which puts a child on a plan."""
    held = discussion(letter, [MASH, NURSES], meeting_kind="conference")
    return await letter.send("meeting.held", MASH, [NURSES], **held)


async def notify(letter: Letter, kind: str, change: str, **more: Any) -> Sent:
    """Let social care tell the school nurses that status *kind* starts, changes or ends today; no more than that."""
    return await letter.send(
        "status.notice",
        MASH,
        [SCHOOL_NURSES],
        status_kind=kind,
        change=change,
        decided_at=iso(letter.now),
        effective_on=local(letter.now)[:10],
        content_ceiling="status",
        summary=None,
        category=["neglect"] if kind == "CP" else None,
        **more,
    )


async def test_a_child_in_need_of_whom_nobody_tells_is_missed_as_one_on_a_plan(letter: Letter) -> None:
    """Given one child in need and one on a plan, when the nurses hear of neither, then both are missed by the same day."""
    need, plan = await find_need(letter), await confer(letter)
    for thread, rule in ((need.thread, OF_NEED), (plan.thread, OF_PLAN)):
        row = await letter.duty(thread, rule)
        assert (row.duty.debtor, row.duty.creditor, local(row.duty.due)) == (MASH, SCHOOL_NURSES, "2026-07-08 17:00")
    await letter.until("2026-07-08 17:01")
    for thread, rule in ((need.thread, OF_NEED), (plan.thread, OF_PLAN)):
        assert await letter.states(thread, rule) == {(MASH, SCHOOL_NURSES): "overdue"}
        for mailbox in (MASH, SCHOOL_NURSES):
            assert await letter.told(mailbox, "overdue", rule, thread)
    await letter.until("2026-07-09 17:01")
    assert await letter.told(MANAGERS, "overdue", OF_NEED)


async def test_a_child_who_is_not_in_need_after_all_is_said_to_be_so(letter: Letter) -> None:
    """Given a duty to tell, when social care has nothing to tell, then it says so with a reason, and that settles it."""
    need = await find_need(letter)
    await letter.send(
        "contribution.none", MASH, [SCHOOL_NURSES], thread=need.thread, re=need.id, stated_at=iso(letter.now)
    )
    assert await letter.states(need.thread, OF_NEED) == {(MASH, SCHOOL_NURSES): "met"}


@pytest.mark.parametrize("kind", ["CIN", "CP", "LAC"])
async def test_start_change_and_end_go_by_one_route(letter: Letter, kind: str) -> None:
    """Given a status, when it starts, changes and ends, then the nurses have each notice on record in the same way."""
    start = await notify(letter, kind, "start")
    change = await notify(letter, kind, "change", thread=start.thread)
    end = await notify(letter, kind, "end", thread=start.thread)
    for sent, said in ((start, "start"), (change, "change"), (end, "end")):
        message = await letter.receive(SCHOOL_NURSES, sent)
        assert (message["status_kind"], message["change"]) == (kind, said)
    rows = await letter.rows(start.thread, TAKEN)
    assert {row.duty.envelope for row in rows} == {start.id, change.id, end.id}
    assert {(row.state, row.duty.debtor, row.duty.creditor) for row in rows} == {("met", SCHOOL_NURSES, MASH)}


async def test_a_notice_that_stays_in_the_inbox_is_missed(letter: Letter) -> None:
    """Given nurses without a record system, when nobody opens the notice, then it was collected and still is not taken."""
    by_hand = (MailboxConfig(id=SCHOOL_NURSES, adapter=""),)
    await letter.gateway(SCHOOL_NURSING, mailboxes=by_hand)
    sent = await notify(letter, "CIN", "start")
    await letter.receive(SCHOOL_NURSES, sent)
    await letter.until("2026-07-07 17:01")
    assert await letter.states(sent.thread, TAKEN) == {(SCHOOL_NURSES, MASH): "overdue"}
    for mailbox in (MASH, SCHOOL_NURSES):
        assert await letter.told(mailbox, "overdue", TAKEN)
    await letter.person(SCHOOL_NURSES, sent, "opened", "acknowledged")
    assert await letter.states(sent.thread, TAKEN) == {(SCHOOL_NURSES, MASH): "met_late"}


async def test_the_basis_of_the_lower_threshold_goes_with_it(letter: Letter) -> None:
    """Given a child in need, when the nurses are told, then basis and consent are on the notice; with none it isn't sent."""
    need = await find_need(letter)
    basis = {"basis": ["CA1989_S17"], "consent": "sought_agreed"}
    sent = await notify(letter, "CIN", "start", thread=need.thread, draft=basis)
    await letter.receive(SCHOOL_NURSES, sent)
    held = (await letter.gateway(SCHOOL_NURSING)).gateway
    row = await held.spool.one("find_incoming", envelope=sent.id, mailbox=SCHOOL_NURSES)
    assert row is not None
    content = (held.home / "in" / sent.id / "envelope.json").read_text()
    assert '"CA1989_S17"' in content
    assert '"sought_agreed"' in content
    assert await letter.states(need.thread, OF_NEED) == {(MASH, SCHOOL_NURSES): "met"}
    reason = await letter.refused("status.notice", MASH, [SCHOOL_NURSES], status_kind="CIN", draft={"basis": []})
    assert reason["code"] == "draft-basis"


async def test_the_end_is_told_too(letter: Letter) -> None:
    """Given a case that is closed, when the nurses don't hear that the status ended, then that is missed like its start."""
    intent = await letter.send(
        "closure.intent",
        MASH,
        [NURSES],
        announced_at=iso(letter.now),
        window_ends=iso(letter.now + 2 * DAY),
        risk_band="not_at_risk",
        sub_reason="needs_met",
        open_actions=[],
        open_rhis=[],
        missing_minutes=[],
    )
    await letter.until(3 * DAY)
    closed: dict[str, Any] = {"decided_at": iso(letter.now), "decision": "closed", "next_review": None}
    await letter.send("closure.confirmed", MASH, [NURSES], thread=intent.thread, re=intent.id, **closed)
    await letter.until("2026-07-13 17:01")
    assert await letter.states(intent.thread, OF_END) == {(MASH, SCHOOL_NURSES): "overdue"}
    assert await letter.told(SCHOOL_NURSES, "overdue", OF_END)
    await notify(letter, "CIN", "end", thread=intent.thread)
    assert await letter.states(intent.thread, OF_END) == {(MASH, SCHOOL_NURSES): "met_late"}
