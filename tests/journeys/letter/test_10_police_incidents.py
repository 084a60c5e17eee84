"""System 10: of each police incident with a child whose case is open social care has a notice, and each month is counted.

In 2018 police in one case "failed to share the majority of criminal incidents", and nobody could have known.
"""

from __future__ import annotations

from typing import Any

import pytest

from schemas.rules.recurring import thread_of
from tests.journeys.letter.support import (
    AREA,
    CAIT,
    DAY,
    HOUR,
    MANAGERS,
    MASH,
    MINUTE,
    PUBLIC_PROTECTION,
    UNIT,
    Letter,
    Sent,
    iso,
    local,
)

MONTHLY = "monthly-reconciliation"
MONTH = thread_of(MONTHLY)
UNSENT = [{"incident_ref": f"EX-26-{number:04}", "reason": "overlooked"} for number in range(9)]


async def notify(letter: Letter, number: int, grade: str = "green", **changes: Any) -> Sent:
    """Let police tell social care of an incident that happened now, in a thread of its own."""
    given = {"incident_ref": f"EX-26-{number}", "occurred_at": iso(letter.now), "grade": grade}
    return await letter.send("incident.notice", CAIT, [MASH], **(given | changes))


async def reconcile(letter: Letter, **changes: Any) -> Sent:
    """Let police say how many incidents of July there were, and of how many a notice was sent."""
    given = {"period_from": "2026-07-01", "period_to": "2026-07-31", "reconciled_at": iso(letter.now)}
    return await letter.send("incident.reconciliation", CAIT, [MASH, UNIT], **(given | changes))


async def test_a_month_that_nobody_reconciles_is_missed(letter: Letter) -> None:
    """Given a month, when police count nothing, then police, social care, partnership and managers hear of it."""
    await letter.until("2026-08-01 00:01")
    rows = await letter.rows(MONTH)
    assert {(row.duty.debtor, row.duty.creditor) for row in rows} == {(CAIT, MASH), (CAIT, UNIT)}
    assert {(row.duty.item, local(row.duty.due)) for row in rows} == {("2026-08-01", "2026-08-14 17:00")}
    await letter.until("2026-08-14 17:01")
    for mailbox in (CAIT, MASH, UNIT):
        assert await letter.told(mailbox, "overdue", MONTHLY)
    await letter.until("2026-08-17 17:01")
    assert await letter.told(PUBLIC_PROTECTION, "overdue", MONTHLY)
    # The next month's count doesn't make up for this one's.
    await letter.until("2026-09-07 10:00")
    await reconcile(letter, period_from="2026-08-01", period_to="2026-08-31", occurred=3, sent=3, unsent=[], cause=None)
    states = {(row.duty.item, row.duty.creditor): row.state for row in await letter.rows(MONTH)}
    assert states == {
        ("2026-08-01", MASH): "open",
        ("2026-08-01", UNIT): "open",
        ("2026-09-01", MASH): "met",
        ("2026-09-01", UNIT): "met",
    }
    figures = await letter.report(
        "duties", "2026-08-01 00:00", "2026-10-01 00:00", type="incident.reconciliation", rule=MONTHLY
    )
    (rule,) = figures["rules"]
    assert (rule["total"]["owed"], rule["total"]["met"], rule["total"]["stuck"]) == (4, 2, 2)


async def test_the_majority_that_was_not_shared_is_counted(letter: Letter) -> None:
    """Given twelve incidents and three notices, when the month is counted, then each that is missing has its reason."""
    await letter.until("2026-08-05 10:00")
    reason = await letter.refused(
        "incident.reconciliation", CAIT, [MASH, UNIT], occurred=12, sent=3, unsent=UNSENT, cause=None
    )
    assert reason["code"] == "message-schema"
    assert "cause" in reason["message"]
    sent = await reconcile(letter, occurred=12, sent=3, unsent=UNSENT, cause="Not linked to the open case.")
    for mailbox in (MASH, UNIT):
        message = await letter.receive(mailbox, sent)
        assert (message["sent"], message["occurred"], len(message["unsent"])) == (3, 12, 9)
    assert {row.state for row in await letter.rows(MONTH)} == {"met"}
    assert await letter.states(sent.thread, "reconciliation-received") == {(MASH, CAIT): "met", (UNIT, CAIT): "met"}


@pytest.mark.parametrize(("grade", "hours"), [("red", 4), ("amber", 24), ("green", 72)])
async def test_a_notice_that_lies_there_is_missed_by_its_grade(letter: Letter, grade: str, hours: int) -> None:
    """Given a notice on a Friday night, when nobody takes it, then its grade says when police and social care hear so."""
    await letter.until("2026-07-10 23:30")
    notice = await notify(letter, 1, grade)
    rule = f"incident-{grade}-taken"
    (row,) = [row for row in await letter.rows(notice.thread) if row.duty.kind == "receipt"]
    assert (row.duty.rule, row.duty.due - letter.now) == (rule, hours * HOUR)
    await letter.until(hours * HOUR + MINUTE)
    assert await letter.states(notice.thread, rule) == {(MASH, CAIT): "overdue"}
    for mailbox in (CAIT, MASH):
        assert await letter.told(mailbox, "overdue", rule)
    assert await letter.states(notice.thread, rule) == {(MASH, CAIT): "met_late"}


async def test_a_notice_that_is_filed_in_the_record_is_taken(letter: Letter) -> None:
    """Given an urgent notice, when social care's record system files it at night, then nothing is owed any more."""
    await letter.until("2026-07-11 02:00")
    notice = await notify(letter, 2, "red", urgent=True)
    message = await letter.receive(MASH, notice)
    assert (message["incident_ref"], message["child_part"]) == ("EX-26-2", "present")
    assert {(row.duty.rule, row.state) for row in await letter.rows(notice.thread)} == {
        ("incident-red-taken", "met"),
        ("incident-collected-at-once", "met"),
    }


async def test_two_low_grades_are_two_low_grades(letter: Letter) -> None:
    """Given two low grades and one that is higher, when the third comes, then nobody is troubled by an escalation."""
    for number, grade in enumerate(("green", "amber", "green")):
        notice = await notify(letter, number, grade)
        await letter.receive(MASH, notice)
        await letter.until(10 * DAY)
    assert not await letter.told(MASH, "register-alert")
    assert not await letter.rows(notice.thread, "escalation-answered")


@pytest.mark.parametrize(("mailbox", "to"), [(MASH, {MANAGERS}), (AREA, {MANAGERS, MASH})])
async def test_three_low_grades_in_three_months_escalate(letter: Letter, mailbox: str, to: set[str]) -> None:
    """Given three low grades of one child in three threads, when the third comes, then its team escalates by itself."""
    notices = []
    for number in range(3):
        notice = await letter.send(
            "incident.notice",
            CAIT,
            [mailbox],
            incident_ref=f"EX-26-{number}",
            occurred_at=iso(letter.now),
            grade="green",
        )
        await letter.receive(mailbox, notice)
        notices.append(notice)
        await letter.until(20 * DAY)
    (alert,) = await letter.told(mailbox, "register-alert")
    assert (alert["pattern"], alert["thread"]) == ("three-low-grades", notices[2].thread)
    assert alert["earlier"] == [notices[0].thread, notices[1].thread]
    assert "Robin" not in str(alert)
    assert await letter.states(notices[2].thread, "escalation-answered") == {(box, mailbox): "overdue" for box in to}
    raised = await letter.receive(MANAGERS, Sent(alert["sent"], notices[2].thread))
    assert raised["subject"] == notices[2].id
    assert raised["history"] == [notices[0].id, notices[1].id]
    assert "three greens in three months" in raised["detail"]
    for box in to:
        assert await letter.told(box, "overdue", "escalation-answered")
