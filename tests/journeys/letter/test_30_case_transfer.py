"""System 30: a case that goes to another team takes along what is owed and what is awaited, and everybody is told.

In 2018 this worked: cases went from the front door to area teams without anything being lost.
"""

from __future__ import annotations

import json
from typing import Any

from schemas.identifiers import agency_of
from tests.gateway.support import minutes_full
from tests.journeys.letter.support import (
    AREA,
    CAIT,
    DAY,
    HOUR,
    MANAGERS,
    MASH,
    NURSES,
    UNIT,
    Letter,
    Sent,
    discussion,
    iso,
)
from tests.journeys.letter.test_19_step_down_handover import accept, offer

MINUTES, ACTION = "full-minutes", "action-done"


async def begin(letter: Letter) -> tuple[Sent, str]:
    """Let MASH hold a discussion and assign an action to the nurses; return the discussion and the action's id."""
    held = await letter.send("meeting.held", MASH, [NURSES, CAIT], **discussion(letter, [MASH, NURSES, CAIT]))
    action = letter.new_id()
    await letter.send(
        "action.assign",
        MASH,
        [NURSES],
        thread=held.thread,
        action_id=action,
        assigned_at=iso(letter.now),
        owner_role=NURSES,
        due_at=iso(letter.now + 10 * DAY),
    )
    return held, action


async def transfer(letter: Letter, thread: str, giver: str = MASH, taker: str = AREA) -> Sent:
    """Let *giver* give the case to *taker*, and tell nurses and police."""
    return await letter.send(
        "case.transferred",
        giver,
        [taker, NURSES, CAIT],
        thread=thread,
        kind="allocation",
        transferred_at=iso(letter.now),
        from_team=giver,
        to_team=taker,
        open_items=[],
        written_notice_at=None,
    )


async def complete(letter: Letter, thread: str, action: str, to: str) -> None:
    """Let the nurses say to *to* that the action is done."""
    await letter.send(
        "action.complete",
        NURSES,
        [to],
        thread=thread,
        action_id=action,
        owner_role=NURSES,
        due_at=iso(letter.now + DAY),
        completed_at=iso(letter.now),
    )


async def send_minutes(letter: Letter, thread: str, sender: str) -> Sent:
    """Let *sender* send the minutes to both."""
    message = minutes_full([MASH, NURSES, CAIT]) | {"started_at": iso(letter.now)}
    return await letter.send("minutes.full", sender, [NURSES, CAIT], thread=thread, message=message)


async def open_duties(letter: Letter, thread: str) -> set[tuple[str, str, str]]:
    """Return what somebody still owes to send, with by whom and to whom."""
    rows = await letter.rows(thread)
    return {
        (one.duty.rule, one.duty.debtor, one.duty.creditor)
        for one in rows
        if one.state == "open" and one.duty.kind == "send"
    }


async def watched(letter: Letter, mailbox: str, rule: str) -> set[tuple[str, str, str]]:
    """Return what the gateway of *mailbox*'s agency knows of duties under *rule* without asking the hub."""
    agent = await letter.gateway(agency_of(mailbox))
    rows = await agent.gateway.spool.write(lambda tx: tx.all("list_obligations"))
    duties = [(json.loads(row["duty"]), row["state"]) for row in rows]
    return {(duty["debtor"], duty["creditor"], state) for duty, state in duties if duty["rule"] == rule}


async def count(letter: Letter, mailbox: str, code: str, rule: str) -> int:
    """Return how many notices *code* of duties of *rule* there are for *mailbox*."""
    return len(await letter.told(mailbox, code, rule))


async def test_a_transfer_that_nobody_takes_receipt_of_is_missed(letter: Letter) -> None:
    """Given a transfer, when partners take no receipt in a day, then it is known of each that it may write to the old team."""
    held, _ = await begin(letter)
    given = await transfer(letter, held.thread)
    await letter.until("2026-07-07 17:01")
    states = await letter.states(held.thread, "transfer-received")
    # The new team is of the same agency, whose records have it.
    assert states == {(AREA, MASH): "met", (NURSES, MASH): "overdue", (CAIT, MASH): "overdue"}
    assert await letter.told(NURSES, "overdue", "transfer-received")
    assert (await letter.receive(NURSES, given))["to_team"] == AREA
    assert (await letter.states(held.thread, "transfer-received"))[NURSES, MASH] == "met_late"


async def test_what_the_old_team_owed_and_awaited_is_the_new_teams(letter: Letter) -> None:
    """Given minutes owed and an action awaited, when the case is transferred, then all of it moves, and all are told."""
    held, action = await begin(letter)
    before = await open_duties(letter, held.thread)
    dues = {row.duty.rule: row.duty.due for row in await letter.rows(held.thread)}
    await transfer(letter, held.thread)
    after = await open_duties(letter, held.thread)
    assert after == {tuple(AREA if part == MASH else part for part in duty) for duty in before}
    assert (MINUTES, AREA, CAIT) in after
    assert (ACTION, NURSES, AREA) in after
    assert {row.duty.rule: row.duty.due for row in await letter.rows(held.thread) if row.state == "open"}.items() <= {
        **dues,
        "transfer-received": (await letter.rows(held.thread, "transfer-received"))[0].duty.due,
    }.items()
    assert await count(letter, AREA, "owed", MINUTES) == 2
    assert await count(letter, CAIT, "owed", MINUTES) == 2
    assert await count(letter, NURSES, "owed", ACTION) == 2
    # What is answered to the old team by mistake is not yet answered.
    await complete(letter, held.thread, action, MASH)
    assert (ACTION, NURSES, AREA) in await open_duties(letter, held.thread)
    await complete(letter, held.thread, action, AREA)
    await send_minutes(letter, held.thread, AREA)
    left = {rule for rule, *_ in await open_duties(letter, held.thread)}
    assert left.isdisjoint({MINUTES, ACTION})


async def test_every_gateways_own_watch_follows_the_case(letter: Letter) -> None:
    """Given a lead at an agency that was not at the meeting, when they accept the case, then their gateway rings for it."""
    held = await letter.send("meeting.held", MASH, [CAIT], **discussion(letter, [MASH, CAIT]))
    await letter.work(agency_of(CAIT), agency_of(NURSES))
    assert await watched(letter, CAIT, MINUTES) == {(MASH, CAIT, "open")}
    offered = await offer(letter, held.thread, to=NURSES)
    await transfer(letter, held.thread, taker=NURSES)
    await letter.work(rounds=3)
    # Neither an offer nor the sender's word hands work to another agency.
    assert await watched(letter, NURSES, MINUTES) == set()
    await accept(letter, offered, NURSES)
    await letter.work(rounds=3)
    assert await watched(letter, NURSES, MINUTES) == {(NURSES, CAIT, "open")}
    for box in (CAIT, MASH):
        assert (MASH, CAIT, "superseded") in await watched(letter, box, MINUTES)
    assert (NURSES, CAIT, "open") in await watched(letter, CAIT, MINUTES)
    await letter.until(30 * DAY)
    steps = [one["step"] for one in await letter.told(NURSES, "overdue", MINUTES)]
    assert len(steps) == len(set(steps)) > 0
    assert await count(letter, MASH, "overdue", MINUTES) == 0


async def test_what_the_new_team_lets_lie_is_its_own(letter: Letter) -> None:
    """Given a transfer, when the new team sends no minutes, then it is told, and the old team is not."""
    held, _ = await begin(letter)
    await transfer(letter, held.thread)
    await letter.until("2026-07-13 17:01")
    assert await count(letter, AREA, "overdue", MINUTES) == 2
    assert await count(letter, MASH, "overdue", MINUTES) == 0
    assert await count(letter, NURSES, "overdue", MINUTES) == 1
    figures = await letter.report("duties", "2026-07-01 00:00", "2026-07-31 00:00", type="meeting.held", rule=MINUTES)
    assert {one["debtor"] for one in figures["rules"][0]["stuck"]} == {AREA}
    assert figures["rules"][0]["total"]["owed"] == 2


async def test_there_and_back_again_tells_nothing_twice_and_loses_nothing(letter: Letter) -> None:
    """Given an overdue duty, when the case goes away and comes back, then each step was told once, and it is still owed."""
    held, action = await begin(letter)
    before = await open_duties(letter, held.thread)
    await letter.until("2026-07-13 17:01")
    assert await count(letter, CAIT, "overdue", MINUTES) == 1
    await transfer(letter, held.thread)
    await letter.until(HOUR)
    assert await count(letter, CAIT, "overdue", MINUTES) == 1
    await letter.until("2026-07-14 17:01")
    assert await count(letter, MANAGERS, "overdue", MINUTES) == 2
    await transfer(letter, held.thread, AREA, MASH)
    assert await open_duties(letter, held.thread) == before
    await letter.until("2026-07-15 17:01")
    assert await count(letter, MANAGERS, "overdue", MINUTES) == 2
    assert await count(letter, UNIT, "overdue", MINUTES) == 2
    assert await count(letter, CAIT, "overdue", MINUTES) == 1
    await send_minutes(letter, held.thread, MASH)
    await complete(letter, held.thread, action, MASH)
    states: dict[Any, str] = await letter.states(held.thread, MINUTES)
    assert states == {
        (MASH, NURSES): "met_late",
        (MASH, CAIT): "met_late",
        (AREA, NURSES): "superseded",
        (AREA, CAIT): "superseded",
    }
    assert (await letter.states(held.thread, ACTION))[NURSES, MASH] == "met"
