"""System 14: social care and the substance-misuse service tell each other as little as matters, and always something.

In 2018 systems for sharing "are not in place".
"""

from __future__ import annotations

from typing import Any

from tests.journeys.letter.support import COUNCIL, DAY, MASH, RECOVERY, RECOVERY_DESK, UNIT, Letter, Sent, iso, local

ANSWERED = "service-check-answered"
KNOWN = {
    "result": "known_current",
    "since": "2026-01-10",
    "supervising_contact": "KEYWORKER-4",
    "children_in_household": "yes",
    "risk_note": "Uses at home while the children are there.",
}


async def ask(letter: Letter, sender: str = MASH, to: str = RECOVERY_DESK, **changes: Any) -> Sent:
    """Let *sender* ask whether a parent is known, for tomorrow at this time."""
    given = {"requested_at": iso(letter.now), "needed_by": iso(letter.now + DAY), "urgent": None}
    return await letter.send("check.service.request", sender, [to], **(given | changes))


async def answer(
    letter: Letter, asked: Sent, result: dict[str, Any], sender: str = RECOVERY_DESK, to: str = MASH, **more: Any
) -> Sent:
    """Let *sender* answer with *result*, and nothing else."""
    empty = dict.fromkeys(("since", "risk_note", "children_in_household"))
    given = {"answered_at": iso(letter.now), **empty, **result}
    return await letter.send("check.service.response", sender, [to], thread=asked.thread, re=asked.id, **given, **more)


async def test_a_question_that_nobody_answers_is_missed_by_both_sides(letter: Letter) -> None:
    """Given a question, when the service says nothing, then both sides are told when it was needed, partnership later."""
    asked = await ask(letter)
    row = await letter.duty(asked.thread, ANSWERED)
    assert local(row.duty.due) == "2026-07-07 09:00"
    await letter.until("2026-07-07 05:30")
    assert await letter.told(RECOVERY_DESK, "due-soon", ANSWERED)
    await letter.until("2026-07-07 09:01")
    assert await letter.states(asked.thread, ANSWERED) == {(RECOVERY_DESK, MASH): "overdue"}
    for mailbox in (RECOVERY_DESK, MASH):
        assert await letter.told(mailbox, "overdue", ANSWERED)
    await letter.until("2026-07-14 17:01")
    assert await letter.told(UNIT, "overdue", ANSWERED)


async def test_returning_the_question_is_no_answer(letter: Letter) -> None:
    """Given a service that returns the question, when it gives no reason, then the asker is told and it is missed."""
    asked = await ask(letter)
    await letter.person(RECOVERY_DESK, asked, "opened", "declined", code="not_needed")
    assert await letter.told(MASH, "returned", thread=asked.thread)
    assert await letter.states(asked.thread, ANSWERED) == {(RECOVERY_DESK, MASH): "open"}
    await letter.until("2026-07-07 09:01")
    assert await letter.states(asked.thread, ANSWERED) == {(RECOVERY_DESK, MASH): "overdue"}


async def test_a_refusal_counts_once_it_has_its_reason(letter: Letter) -> None:
    """Given a refusal, when it says why and who reviews it, then it is an answer; without a reason it can't be sent."""
    asked = await ask(letter)
    await letter.receive(RECOVERY_DESK, asked)
    given: dict[str, Any] = {"requested_what": "check", "decided_at": iso(letter.now)}
    bare = await letter.refused(
        "share.declined", RECOVERY_DESK, [MASH], thread=asked.thread, re=asked.id, reason_code=None, **given
    )
    assert bare["code"] == "message-schema"
    assert "reason_code" in bare["message"]
    assert await letter.states(asked.thread, ANSWERED) == {(RECOVERY_DESK, MASH): "open"}
    declined = await letter.send(
        "share.declined",
        RECOVERY_DESK,
        [MASH],
        thread=asked.thread,
        re=asked.id,
        reason_code="more_detrimental_to_child",
        **given,
    )
    assert await letter.states(asked.thread, ANSWERED) == {(RECOVERY_DESK, MASH): "met"}
    assert (await letter.receive(MASH, declined))["reason_code"] == "more_detrimental_to_child"


async def test_what_is_asked_says_why_it_may_be_answered(letter: Letter) -> None:
    """Given a question, when it arrives, then it has identifiers and the law in plain words, and no more can be put in."""
    prompt = (
        "Since September 2026 you must tell what helps to safeguard a child, unless that would harm the child more."
    )
    asked = await ask(letter, basis_prompt=prompt)
    message = await letter.receive(RECOVERY_DESK, asked)
    assert message["basis_prompt"] == prompt
    assert {"concern", "history", "adults"}.isdisjoint(message["person"])
    reason = await letter.refused(
        "check.service.request", MASH, [RECOVERY_DESK], concern="Seen drunk at the school gate."
    )
    assert reason["code"] == "message-schema"


async def test_the_answer_says_as_little_as_matters(letter: Letter) -> None:
    """Given a known parent, when the service answers, then it is whether, since when, whom to ask, children and risk."""
    asked = await ask(letter)
    await letter.receive(RECOVERY_DESK, asked)
    reason = await letter.refused(
        "check.service.response",
        RECOVERY_DESK,
        [MASH],
        thread=asked.thread,
        re=asked.id,
        **KNOWN,
        treatment="Methadone.",
    )
    assert reason["code"] == "message-schema"
    assert "Methadone" not in str(reason)
    answered = await answer(letter, asked, KNOWN)
    assert await letter.states(asked.thread, ANSWERED) == {(RECOVERY_DESK, MASH): "met"}
    message = await letter.receive(MASH, answered)
    assert {name: message[name] for name in KNOWN} == KNOWN
    assert set(message) - set(KNOWN) == {"check_id", "answered_at"}


async def test_not_known_is_an_answer_and_is_forgotten(letter: Letter) -> None:
    """Given somebody whom the service doesn't know, when that was said and its day is over, then nobody has it any more."""
    asked = await ask(letter)
    await letter.receive(RECOVERY_DESK, asked)
    unknown = {"result": "not_known", "delete_after": "2026-08-05"}
    answered = await answer(letter, asked, unknown, draft={"retention": "negative"})
    assert await letter.states(asked.thread, ANSWERED) == {(RECOVERY_DESK, MASH): "met"}
    assert (await letter.receive(MASH, answered))["result"] == "not_known"
    await letter.until("2026-08-06 09:00")
    await letter.work(COUNCIL, RECOVERY)
    council, recovery = letter.agents[COUNCIL].gateway, letter.agents[RECOVERY].gateway
    assert not (council.home / "in" / answered.id).exists()
    held = await council.spool.one("find_incoming", envelope=answered.id, mailbox=MASH)
    sent = await recovery.spool.one("find_sent", envelope=answered.id)
    assert held is not None
    assert sent is not None
    assert (held["content"], sent["content_key"]) == (None, None)


async def test_the_service_asks_social_care_in_the_same_way(letter: Letter) -> None:
    """Given a parent in treatment, when the service asks whether the children are known, then social care owes an answer."""
    asked = await ask(letter, RECOVERY_DESK, MASH)
    assert await letter.states(asked.thread, ANSWERED) == {(MASH, RECOVERY_DESK): "open"}
    await letter.receive(MASH, asked)
    await letter.until("2026-07-07 09:01")
    assert await letter.told(MASH, "overdue", ANSWERED)
    await answer(letter, asked, {"result": "known_past", "since": "2025-03-01"}, MASH, RECOVERY_DESK)
    assert await letter.states(asked.thread, ANSWERED) == {(MASH, RECOVERY_DESK): "met_late"}
