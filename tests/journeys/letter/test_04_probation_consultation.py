"""System 4: probation is asked about every adult before a strategy discussion, whether anybody thinks of it or not.

In 2018 probation was "seldom consulted unless it is already known that they have been involved": "room for error".
"""

from __future__ import annotations

from typing import Any

import pytest

from adapters.gateway.errands import Confirmed, ask_waiver
from schemas.strict_json import MalformedError
from tests.gateway.support import minutes_full
from tests.gateway.test_cli import command, write_home
from tests.gateway.test_followups import arrived
from tests.journeys.letter.support import (
    CAIT,
    COUNCIL,
    DAY,
    HOUR,
    MANAGERS,
    MASH,
    NURSES,
    OFFICERS,
    PROBATION,
    UNIT,
    Letter,
    Sent,
    iso,
    participant,
)
from tests.schemas import samples

ASKED, ANSWERED = "probation-asked", "adult-check-answered"
LINK = ("linked_event", "linked_event_kind")
ADULTS = [{"name": "Alex Sample", "dob": "1985-01-02"}, {"name": "Kim Placeholder"}]


async def convene(letter: Letter, adults: list[dict[str, str]], **changes: Any) -> Sent:
    """Let social care call a strategy discussion for tomorrow at this time, with *adults* listed."""
    given = {
        "meeting_id": letter.new_id(),
        "convened_at": iso(letter.now),
        "starts_at": iso(letter.now + DAY),
        "participants": [participant(box, attendance="invited") for box in (NURSES, CAIT)],
        "adults": adults or None,
    }
    return await letter.send("meeting.convened", MASH, **(given | changes))


async def checks(letter: Letter, called: Sent) -> list[dict[str, Any]]:
    """Return the questions about *called* that probation has filed, with their messages."""
    await letter.gateway(PROBATION)
    await letter.work()
    found = arrived(letter.town.homes[PROBATION], "check.adult.request/1")
    return [one for one in found if one["thread"] == called.thread]


async def nil_return(letter: Letter, question: dict[str, Any]) -> str:
    """Let probation say "not known here" in one step; return the answer's id."""
    home = write_home(letter.town, PROBATION)
    (said,) = await command(home, "answer", question["envelope"], "--type", "check.adult.response")
    await letter.work(PROBATION, COUNCIL)
    return str(said["envelope"])


async def test_a_discussion_that_asks_nobody_is_seen_the_same_day(letter: Letter) -> None:
    """Given a discussion without adults listed, when the day ends, then chair and probation see that it wasn't asked."""
    called = await convene(letter, [])
    assert await letter.states(called.thread, ASKED) == {(MASH, OFFICERS): "open"}
    await letter.until("2026-07-06 17:01")
    assert await letter.states(called.thread, ASKED) == {(MASH, OFFICERS): "overdue"}
    for mailbox in (MASH, OFFICERS):
        assert await letter.told(mailbox, "overdue", ASKED)
    await letter.until("2026-07-07 17:01")
    assert await letter.told(MANAGERS, "overdue", ASKED)


async def test_convening_asks_about_each_adult_by_itself(letter: Letter) -> None:
    """Given two adults, when the discussion is called, then probation has a question on each, identifiers only."""
    called = await convene(letter, ADULTS)
    asked = await checks(letter, called)
    assert sorted(one["message"]["person"]["name"] for one in asked) == ["Alex Sample", "Kim Placeholder"]
    assert {one["message"]["needed_by"] for one in asked} == {iso(letter.now + DAY)}
    assert await letter.states(called.thread, ASKED) == {(MASH, OFFICERS): "met"}
    assert [row.state for row in await letter.rows(called.thread, ANSWERED)] == ["open", "open"]
    # Of the child nothing, until the adult is known: the question has no place for it.
    about = {name for one in asked for name in one["message"]}
    assert about == {"check_id", "check_kind", "requested_at", "person", "reason_code", *LINK, "needed_by"}
    for extra in ({"child": samples.child_reference()}, {"history": "Missing twice."}):
        reason = await letter.refused("check.adult.request", MASH, [OFFICERS], thread=called.thread, **extra)
        assert reason["code"] == "message-schema"


async def test_a_discussion_that_begins_without_the_answer_is_seen_by_both(letter: Letter) -> None:
    """Given questions on two adults, when only one is answered before the discussion, then both sides see the other."""
    called = await convene(letter, ADULTS)
    (first, _) = await checks(letter, called)
    await letter.until(20 * HOUR + 1)
    assert await letter.told(OFFICERS, "due-soon", ANSWERED)
    await letter.send(
        "check.adult.response",
        OFFICERS,
        [MASH],
        thread=called.thread,
        re=first["envelope"],
        answered_at=iso(letter.now),
        urgent=None,
    )
    await letter.until(4 * HOUR)
    assert sorted(row.state for row in await letter.rows(called.thread, ANSWERED)) == ["met", "open"]
    for mailbox in (OFFICERS, MASH):
        assert len(await letter.told(mailbox, "overdue", ANSWERED)) == 1
    await letter.until(7 * DAY)
    assert await letter.told(UNIT, "overdue", ANSWERED)


async def test_not_known_is_said_in_one_step_and_then_forgotten(letter: Letter) -> None:
    """Given an adult whom probation doesn't know, when it says so and its day is over, then nobody holds that any more."""
    called = await convene(letter, ADULTS[:1])
    (question,) = await checks(letter, called)
    answer = await nil_return(letter, question)
    assert await letter.states(called.thread, ANSWERED) == {(OFFICERS, MASH): "met"}
    (told,) = arrived(letter.town.homes[COUNCIL], "check.adult.response/1")
    assert (told["envelope"], told["message"]["result"], told["retention"]) == (answer, "not_known", "negative")
    store = letter.town.site.hub.store
    assert await store.read(lambda tx: tx.body(answer)) is not None
    await letter.until(DAY + 1)
    assert await store.read(lambda tx: tx.body(answer)) is None
    await letter.until(60 * DAY)
    await letter.work(COUNCIL, PROBATION)
    council, probation = letter.agents[COUNCIL].gateway, letter.agents[PROBATION].gateway
    held = await council.spool.one("find_incoming", envelope=answer, mailbox=MASH)
    sent = await probation.spool.one("find_sent", envelope=answer)
    assert held is not None
    assert sent is not None
    assert (held["content"], sent["draft"], sent["body"], sent["content_key"]) == (None, None, None, None)
    assert not (council.home / "in" / answer).exists()
    assert await letter.told(MASH, "delete-due", thread=called.thread)


async def test_a_known_adult_brings_who_supervises_and_what_is_forbidden(letter: Letter) -> None:
    """Given an adult under supervision, when probation answers, then officer, risk and restrictions reach the chair."""
    called = await convene(letter, ADULTS[:1])
    (question,) = await checks(letter, called)
    given = {"thread": called.thread, "re": question["envelope"], "answered_at": iso(letter.now), "urgent": None}
    reason = await letter.refused("check.adult.response", OFFICERS, [MASH], supervising_contact=None, **given)
    assert (reason["code"], "supervising_contact" in reason["message"]) == ("message-schema", True)
    answered = await letter.send("check.adult.response", OFFICERS, [MASH], **given)
    told = await letter.receive(MASH, answered)
    assert (told["supervising_contact"], told["risk_level"], told["will_attend"]) == ("PO-12", "high", True)
    # The record says of each adult whether probation was asked, and why where it wasn't.
    adult = samples.adult(check_state="not_needed")
    record = minutes_full([MASH, NURSES]) | {"adults": [adult]}
    reason = await letter.refused("minutes.full", MASH, [NURSES], thread=called.thread, message=record)
    assert (reason["code"], "check_reason" in reason["message"]) == ("message-schema", True)


async def test_where_no_adult_is_known_two_people_say_so(letter: Letter) -> None:
    """Given a discussion without any adult, when two people give that reason, then it isn't owed; one, or another, won't do."""
    called = await convene(letter, [])
    duty = await letter.duty(called.thread, ASKED)
    council = (await letter.gateway(COUNCIL)).gateway
    with pytest.raises(MalformedError):
        await ask_waiver(
            council,
            duty.id,
            "waived",
            mailbox=MASH,
            reason="no_adult_known",
            by=Confirmed("Alex Sample", "team_manager"),
            second=None,
        )
    await letter.waive(duty.id, MASH, "handed_over")
    assert await letter.states(called.thread, ASKED) == {(MASH, OFFICERS): "open"}
    await letter.waive(duty.id, MASH, "no_adult_known")
    assert await letter.states(called.thread, ASKED) == {(MASH, OFFICERS): "waived"}
    await letter.until("2026-07-07 17:01")
    assert await letter.told(OFFICERS, "overdue", ASKED) == []


async def test_how_often_probation_was_consulted_is_a_figure(letter: Letter) -> None:
    """Given four discussions, when one is answered, one not, one asks nobody and one has no adult, then it is a third."""
    answered = await convene(letter, ADULTS[:1])
    silent, nobody, none = [await convene(letter, adults) for adults in (ADULTS[:1], [], [])]
    await letter.waive((await letter.duty(none.thread, ASKED)).id, MASH, "no_adult_known")
    (question,) = await checks(letter, answered)
    await nil_return(letter, question)
    await letter.until(2 * DAY)
    figures = await letter.report("duties", "2026-07-01 00:00", "2026-08-01 00:00", type="meeting.convened", rule=ASKED)
    (rule,) = figures["rules"]
    total = rule["total"]
    assert (total["owed"], total["met"], total["stuck"], total["waived"]) == (3, 2, 1, 1)
    assert (total["threads"], total["threads_followed"]) == (3, 1)
    assert total["followed_rate"] == pytest.approx(1 / 3, abs=0.001)
    assert [one["thread"] for one in rule["stuck"]] == [nobody.thread]
    assert await letter.states(silent.thread, ANSWERED) == {(OFFICERS, MASH): "overdue"}
