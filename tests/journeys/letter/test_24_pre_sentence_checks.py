"""System 24: whoever writes a report for a court asks social care about the child, and has the answer before the hearing.

In 2018 one of the two bodies that probation then was asked, the other did not; and courts may go on without an answer.
"""

from __future__ import annotations

from typing import Any

from tests.journeys.letter.support import HOUR, MANAGERS, MASH, OFFICERS, UNIT, YOUTH_DESK, Letter, Sent, iso, local, ms

ANSWERED, ADULT = "child-check-answered", "adult-check-answered"


async def ask(letter: Letter, hearing: str, sender: str = OFFICERS, **changes: Any) -> Sent:
    """Let *sender* ask social care about a child before *hearing* (local)."""
    given = {
        "requested_at": iso(letter.now),
        "needed_by": iso(ms(hearing)),
        "linked_event": "HEARING-7",
        "urgent": None,
    }
    return await letter.send("check.child.request", sender, [MASH], **(given | changes))


async def answer(letter: Letter, asked: Sent, to: str = OFFICERS, **result: Any) -> Sent:
    """Let social care answer: known, with a contact, unless *result* says otherwise."""
    known = {"result": "known_current", "since": "2026-02-01", "supervising_contact": "SW-1", "delete_after": None}
    given = {"answered_at": iso(letter.now), **(known | result)}
    return await letter.send("check.child.response", MASH, [to], thread=asked.thread, re=asked.id, **given)


async def test_a_hearing_that_comes_before_the_answer_is_seen_by_both(letter: Letter) -> None:
    """Given a hearing, when social care has said nothing, then it is warned before it, and at its moment both are told."""
    asked = await ask(letter, "2026-07-08 14:00")
    await letter.until("2026-07-08 10:01")
    assert await letter.told(MASH, "due-soon", ANSWERED)
    assert await letter.told(OFFICERS, "overdue", ANSWERED) == []
    await letter.until("2026-07-08 14:01")
    assert await letter.states(asked.thread, ANSWERED) == {(MASH, OFFICERS): "overdue"}
    for mailbox in (MASH, OFFICERS):
        assert len(await letter.told(mailbox, "overdue", ANSWERED)) == 1
    await letter.until("2026-07-15 17:01")
    for mailbox in (MANAGERS, UNIT):
        assert await letter.told(mailbox, "overdue", ANSWERED)


async def test_an_answer_after_the_hearing_stays_late(letter: Letter) -> None:
    """Given a court that went on without it, when the answer comes, then it counts as late and in no figure as in time."""
    asked = await ask(letter, "2026-07-08 14:00")
    early = await ask(letter, "2026-07-20 10:00")
    await letter.until("2026-07-09 09:00")
    late = await answer(letter, asked)
    await answer(letter, early)
    assert (await letter.receive(OFFICERS, late))["supervising_contact"] == "SW-1"
    assert await letter.states(asked.thread, ANSWERED) == {(MASH, OFFICERS): "met_late"}
    assert await letter.states(early.thread, ANSWERED) == {(MASH, OFFICERS): "met"}
    figures = await letter.report(
        "duties", "2026-07-01 00:00", "2026-08-01 00:00", type="check.child.request", rule=ANSWERED
    )
    (rule,) = figures["rules"]
    assert (rule["total"]["owed"], rule["total"]["met"], rule["total"]["met_late"]) == (2, 1, 1)


async def test_the_court_date_is_the_deadline_whatever_the_day(letter: Letter) -> None:
    """Given a Saturday court and a hearing in two hours, when they are asked for, then they are due then and not later."""
    saturday = await ask(letter, "2026-07-11 10:00")
    soon = await ask(letter, "2026-07-06 11:00", urgent=True)
    assert local((await letter.duty(saturday.thread, ANSWERED)).duty.due) == "2026-07-11 10:00"
    assert local((await letter.duty(soon.thread, ANSWERED)).duty.due) == "2026-07-06 11:00"
    await letter.until(2 * HOUR + 1)
    assert await letter.states(soon.thread, ANSWERED) == {(MASH, OFFICERS): "overdue"}
    assert await letter.states(saturday.thread, ANSWERED) == {(MASH, OFFICERS): "open"}


async def test_a_receipt_is_no_answer_and_not_known_is_one(letter: Letter) -> None:
    """Given a question that was read, when nobody answers, then it is owed; that the child isn't known settles it."""
    asked = await ask(letter, "2026-07-08 14:00")
    await letter.person(MASH, asked, "opened", "acknowledged")
    assert await letter.states(asked.thread, ANSWERED) == {(MASH, OFFICERS): "open"}
    await answer(letter, asked, result="not_known", since=None, supervising_contact=None, delete_after="2026-08-05")
    assert await letter.states(asked.thread, ANSWERED) == {(MASH, OFFICERS): "met"}


async def test_an_adjourned_hearing_has_its_new_date(letter: Letter) -> None:
    """Given a question that waits, when the court adjourns and it is asked anew, then only the new date counts."""
    asked = await ask(letter, "2026-07-08 14:00")
    await ask(letter, "2026-07-15 14:00", thread=asked.thread, supersedes=asked.id)
    rows = await letter.rows(asked.thread, ANSWERED)
    assert sorted((local(row.duty.due), row.state) for row in rows) == [
        ("2026-07-08 14:00", "superseded"),
        ("2026-07-15 14:00", "open"),
    ]
    await letter.until("2026-07-08 14:01")
    assert await letter.told(MASH, "overdue", ANSWERED) == []


async def test_every_body_that_writes_reports_asks_in_the_same_way(letter: Letter) -> None:
    """Given the youth offending team, when it asks as probation does, then it is owed its answer in the same way."""
    asked = await ask(letter, "2026-07-08 14:00", YOUTH_DESK)
    assert await letter.states(asked.thread, ANSWERED) == {(MASH, YOUTH_DESK): "open"}
    answered = await answer(letter, asked, YOUTH_DESK, result="known_past", supervising_contact=None)
    assert (await letter.receive(YOUTH_DESK, answered))["result"] == "known_past"
    assert await letter.states(asked.thread, ANSWERED) == {(MASH, YOUTH_DESK): "met"}


async def test_social_care_asks_probation_in_turn(letter: Letter) -> None:
    """Given a sentenced adult, when social care asks by the hearing's date, then probation is as late as social care would be."""
    asked = await letter.send(
        "check.adult.request",
        MASH,
        [OFFICERS],
        requested_at=iso(letter.now),
        needed_by=iso(ms("2026-07-08 14:00")),
        reason_code="pre_sentence",
        linked_event_kind="sentence_hearing",
        urgent=None,
    )
    await letter.until("2026-07-08 14:01")
    assert await letter.states(asked.thread, ADULT) == {(OFFICERS, MASH): "overdue"}
    for mailbox in (MASH, OFFICERS):
        assert await letter.told(mailbox, "overdue", ADULT)
    await letter.send(
        "check.adult.response",
        OFFICERS,
        [MASH],
        thread=asked.thread,
        re=asked.id,
        answered_at=iso(letter.now),
        urgent=None,
    )
    assert await letter.states(asked.thread, ADULT) == {(OFFICERS, MASH): "met_late"}
