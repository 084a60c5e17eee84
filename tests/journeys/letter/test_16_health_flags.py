"""System 16: trusts are asked to flag a child by the agreed score, and say each year what they can flag, and did.

In 2018 trusts were "at different stages" of flagging, and of using the risk assessment.
"""

from __future__ import annotations

from typing import Any

from schemas.rules.recurring import thread_of
from tests.journeys.letter.support import (
    COUNCIL,
    DAY,
    EMERGENCY,
    EXPLOITATION,
    HEALTH,
    HOUR,
    MASH,
    MINUTE,
    NURSES,
    UNIT,
    Letter,
    Sent,
    answer_flag,
    iso,
    local,
)

ASKED, SET, YEARLY = "health-flag-requested", "flag-set", "yearly-capability"
YEAR = thread_of(YEARLY)


async def agree(letter: Letter) -> Sent:
    """Let social care agree on a moderate risk now, with the trust."""
    given = {"agreed_at": iso(letter.now), "band": "moderate", "review_by": "2026-10-01", "dissent": None}
    return await letter.send("risk.agreed", MASH, [NURSES], **given)


async def asked(letter: Letter, agreed: Sent) -> tuple[Sent, dict[str, Any]]:
    """Return the request that followed by itself from *agreed* to the trust, and its message."""
    agent = await letter.gateway(HEALTH)
    await letter.work()
    (row,) = [
        row
        for row in await agent.gateway.spool.all("list_incoming")
        if (row["type"], row["thread"]) == ("flag.request/1", agreed.thread)
    ]
    request = Sent(row["envelope"], row["thread"])
    return request, await letter.receive(NURSES, request)


def state(*capabilities: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the changes to a trust's statement that make it say *capabilities*."""
    return {"org": HEALTH, "capabilities": list(capabilities), "review_by": "2027-12-31"} | changes


async def test_a_trust_that_nobody_asks_is_missed_the_same_day(letter: Letter) -> None:
    """Given a risk that is agreed, when people have to ask the trust and nobody does, then both sides hear that evening."""
    await letter.gateway(COUNCIL, by_hand=("flag.request",))
    agreed = await agree(letter)
    row = await letter.duty(agreed.thread, ASKED)
    assert (row.duty.debtor, row.duty.creditor, local(row.duty.due)) == (MASH, NURSES, "2026-07-06 17:00")
    await letter.until(8 * HOUR + MINUTE)
    assert await letter.states(agreed.thread, ASKED) == {(MASH, NURSES): "overdue"}
    assert await letter.told(MASH, "overdue", ASKED)
    assert await letter.told(NURSES, "overdue", ASKED)


async def test_a_trust_that_can_flag_is_asked_at_once_and_does(letter: Letter) -> None:
    """Given an agreed risk, when the trust sets its flag and sees it there, then its duty is met, and no other one's."""
    agreed = await agree(letter)
    request, message = await asked(letter, agreed)
    assert message["system_owner"] == NURSES
    assert await letter.states(agreed.thread, ASKED) == {(MASH, NURSES): "met"}
    await answer_flag(letter, request, message)
    assert await letter.states(agreed.thread, SET) == {(NURSES, MASH): "met", (EXPLOITATION, MASH): "open"}
    assert await letter.states(agreed.thread, "flag-reviewed") == {(NURSES, MASH): "open"}


async def test_a_trust_that_cannot_flag_says_so_and_a_person_does_it(letter: Letter) -> None:
    """Given a system that can't, when the trust says so, then the flag is waived for a task that somebody has to do."""
    agreed = await agree(letter)
    request, message = await asked(letter, agreed)
    without = {"set_at": None, "read_back_at": None, "review_by": None}
    declined = await answer_flag(
        letter, request, message, answer="declined", declined_reason="system_unable", **without
    )
    assert (await letter.receive(MASH, declined))["declined_reason"] == "system_unable"
    (row,) = [row for row in await letter.rows(agreed.thread, SET) if row.duty.debtor == NURSES]
    assert row.state == "open"
    await letter.waive(row.id, MASH, "flag_declined")
    assert (await letter.states(agreed.thread, SET))[NURSES, MASH] == "waived"
    action = {"action_id": letter.new_id(), "owner_role": NURSES, "due_at": iso(letter.now + 3 * DAY)}
    task = await letter.send(
        "action.assign",
        MASH,
        [NURSES],
        thread=agreed.thread,
        assigned_at=iso(letter.now),
        description="Put an alert on the paper record of each clinic.",
        **action,
    )
    assert await letter.states(agreed.thread, "action-done") == {(NURSES, MASH): "open"}
    await letter.send(
        "action.complete",
        NURSES,
        [MASH],
        thread=agreed.thread,
        re=task.id,
        completed_at=iso(letter.now),
        evidence="Done in both clinics.",
        **action,
    )
    assert await letter.states(agreed.thread, "action-done") == {(NURSES, MASH): "met"}


async def test_a_year_in_which_a_trust_says_nothing_is_missed(letter: Letter) -> None:
    """Given a new year, when the trust states nothing, then trust and partnership hear of it at the end of February."""
    await letter.until("2027-01-01 00:01")
    row = await letter.duty(YEAR, YEARLY)
    assert (row.duty.debtor, row.duty.creditor, local(row.duty.due)) == (NURSES, UNIT, "2027-02-26 17:00")
    await letter.until("2027-02-26 17:01")
    assert await letter.states(YEAR, YEARLY) == {(NURSES, UNIT): "overdue"}
    for mailbox in (NURSES, UNIT):
        assert await letter.told(mailbox, "overdue", YEARLY)


async def test_a_statement_says_what_each_system_can_and_how_often_the_scheme_was_used(letter: Letter) -> None:
    """Given a trust at different stages, when it states so, then partnership and social care can read uses and returns."""
    await letter.until("2027-01-04 10:00")
    by_hand = {"system": "Emergency department system", "flag_kind": "CSE", "ability": "by_hand"}
    reason = await letter.refused("capability.statement", NURSES, [UNIT], **state(by_hand))
    assert reason["code"] == "message-schema"
    assert "task_inbox" in reason["message"]
    sent = await letter.send(
        "capability.statement",
        NURSES,
        [UNIT, MASH],
        stated_at=iso(letter.now),
        **state(
            by_hand | {"task_inbox": EMERGENCY},
            {"system": "Ward system", "flag_kind": "CSE", "ability": "not_able"},
            {"system": "Community system", "flag_kind": "CSE", "ability": "automatic"},
        ),
    )
    assert await letter.states(YEAR, YEARLY) == {(NURSES, UNIT): "met"}
    for mailbox in (UNIT, MASH):
        message = await letter.receive(mailbox, sent)
        assert [one["ability"] for one in message["capabilities"]] == ["by_hand", "not_able", "automatic"]
        (use,) = message["scheme_uses"]
        assert (use["scheme_id"], use["uses"], use["re_presentations"]) == ("ce-example", 17, 6)
