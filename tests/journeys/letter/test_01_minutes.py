"""System 1: strategy-discussion minutes reach everyone who must act on them, and those that don't are missed.

In 2018: "Health practitioners do not receive the minutes of strategy discussions in a timely manner"; an audit found
that only 25% had been received, and nobody had known.
"""

from __future__ import annotations

from tests.gateway.support import minutes_full
from tests.journeys.letter.support import (
    CAIT,
    COUNCIL,
    HEALTH,
    MANAGERS,
    MASH,
    NURSES,
    POLICE,
    UNIT,
    Letter,
    discussion,
    iso,
)
from tests.schemas import samples

RULE = "full-minutes"


def minutes(letter: Letter, *parties: str, version: int = 1, **changes: object) -> dict[str, object]:
    """Return full minutes for *parties*, of a discussion held now."""
    return minutes_full([MASH, *parties], version=version, **changes) | {"started_at": iso(letter.now)}


async def test_minutes_that_nobody_sends_are_missed_by_both_sides(letter: Letter) -> None:
    """Given a discussion, when no minutes are ever sent, then debtor, creditor, manager and partnership are told."""
    await letter.gateway(HEALTH)
    held = await letter.send("meeting.held", MASH, [NURSES, CAIT], **discussion(letter, [MASH, NURSES, CAIT]))
    assert await letter.states(held.thread, RULE) == {(MASH, NURSES): "open", (MASH, CAIT): "open"}
    await letter.until("2026-07-13 17:01")
    assert await letter.states(held.thread, RULE) == {(MASH, NURSES): "overdue", (MASH, CAIT): "overdue"}
    assert len(await letter.told(NURSES, "overdue", RULE)) == 1
    assert len(await letter.told(MASH, "overdue", RULE)) == 2
    await letter.until("2026-07-15 17:01")
    assert len(await letter.told(MANAGERS, "overdue", RULE)) == 2
    assert len(await letter.told(UNIT, "overdue", RULE)) == 2


async def test_minutes_sent_to_some_are_missing_for_the_others(letter: Letter) -> None:
    """Given two who are owed them, when one gets the minutes, then the other is missed, and the figure says a half."""
    held = await letter.send("meeting.held", MASH, [NURSES, CAIT], **discussion(letter, [MASH, NURSES, CAIT]))
    await letter.until("2026-07-07 10:00")
    sent = await letter.send("minutes.full", MASH, [NURSES], thread=held.thread, message=minutes(letter, NURSES))
    await letter.receive(NURSES, sent)
    await letter.until("2026-07-14 09:00")
    assert await letter.states(held.thread, RULE) == {(MASH, NURSES): "met", (MASH, CAIT): "overdue"}
    figures = await letter.report("receipts", "2026-07-01 00:00", "2026-07-31 00:00", type="minutes.full")
    assert (figures["total"]["owed"], figures["total"]["received"]) == (2, 1)
    by_sector = {name: row["received_rate"] for name, row in figures["by_sector"].items()}
    assert by_sector == {"health": 1.0, "police": 0.0}
    assert all(variant["definition"] for variant in figures["variants"])


async def test_late_minutes_count_as_late_and_still_need_a_receipt(letter: Letter) -> None:
    """Given minutes a week late, when they are filed, then the duty is met late, and never counts as in time."""
    held = await letter.send("meeting.held", MASH, [NURSES], **discussion(letter, [MASH, NURSES]))
    await letter.until("2026-07-20 10:00")
    sent = await letter.send("minutes.full", MASH, [NURSES], thread=held.thread, message=minutes(letter, NURSES))
    await letter.receive(NURSES, sent)
    assert await letter.states(held.thread, RULE) == {(MASH, NURSES): "met_late"}
    assert await letter.states(held.thread, "full-received") == {(NURSES, MASH): "met"}


async def test_a_receipt_for_the_wrong_version_clears_nothing(letter: Letter) -> None:
    """Given a second version, when only the first was acknowledged, then the second is still owed its receipt."""
    held = await letter.send("meeting.held", MASH, [NURSES], **discussion(letter, [MASH, NURSES]))
    first = await letter.send("minutes.full", MASH, [NURSES], thread=held.thread, message=minutes(letter, NURSES))
    second = await letter.send(
        "minutes.full",
        MASH,
        [NURSES],
        thread=held.thread,
        supersedes=first.id,
        message=minutes(letter, NURSES, version=2),
    )
    rows = {row.duty.envelope: row.state for row in await letter.rows(held.thread, "full-received")}
    assert rows == {first.id: "superseded", second.id: "open"}
    await letter.work(HEALTH)
    rows = {row.duty.envelope: row.state for row in await letter.rows(held.thread, "full-received")}
    assert rows == {first.id: "superseded", second.id: "met"}
    assert await letter.told(NURSES, "superseded", thread=held.thread)


async def test_an_action_put_down_to_the_wrong_team_can_be_disputed(letter: Letter) -> None:
    """Given minutes with an action that nurses never took on, when they dispute it, then the chair owes an answer."""
    held = await letter.send("meeting.held", MASH, [NURSES], **discussion(letter, [MASH, NURSES]))
    sent = await letter.send("minutes.full", MASH, [NURSES], thread=held.thread, message=minutes(letter, NURSES))
    await letter.receive(NURSES, sent)
    await letter.send(
        "minutes.dispute", NURSES, [MASH], thread=held.thread, re=sent.id, raised_at=iso(letter.now), addressed_to=MASH
    )
    await letter.work(COUNCIL)
    assert await letter.states(held.thread, "dispute-answered") == {(MASH, NURSES): "open"}
    await letter.send(
        "minutes.full",
        MASH,
        [NURSES],
        thread=held.thread,
        supersedes=sent.id,
        message=minutes(letter, NURSES, version=2),
    )
    assert await letter.states(held.thread, "dispute-answered") == {(MASH, NURSES): "met"}


async def test_somebody_who_attended_and_got_nothing_can_say_so(letter: Letter) -> None:
    """Given a discussion that the chair never registered, when an attendee claims it, then the same duty is open."""
    claimed = await letter.send(
        "meeting.claimed",
        NURSES,
        [MASH],
        held_at=iso(letter.now),
        meeting_kind="strategy",
        convened_by=MASH,
    )
    assert await letter.states(claimed.thread, RULE) == {(MASH, NURSES): "open"}
    before = await letter.duty(claimed.thread, RULE)
    await letter.send("meeting.held", MASH, [NURSES], thread=claimed.thread, **discussion(letter, [MASH, NURSES]))
    assert (await letter.duty(claimed.thread, RULE)).id == before.id


async def test_minutes_that_are_sent_reach_everyone_in_time(letter: Letter) -> None:
    """Given note and minutes sent in time to all, when they are filed and acknowledged, then nothing is owed."""
    await letter.gateway(POLICE)
    held = await letter.send("meeting.held", MASH, [NURSES, CAIT], **discussion(letter, [MASH, NURSES, CAIT]))
    note = await letter.send(
        "minutes.decisions",
        MASH,
        [NURSES, CAIT],
        thread=held.thread,
        started_at=iso(letter.now),
        participants=[samples.participant(box) for box in (MASH, NURSES, CAIT)],
        distribution=None,
        actions=[],
    )
    full = await letter.send(
        "minutes.full", MASH, [NURSES, CAIT], thread=held.thread, message=minutes(letter, NURSES, CAIT)
    )
    for mailbox in (NURSES, CAIT):
        await letter.person(mailbox, note, "opened", "acknowledged")
        await letter.person(mailbox, full, "opened", "acknowledged")
    assert {row.state for row in await letter.rows(held.thread) if row.duty.rule in {RULE, "decision-note"}} == {"met"}
    assert {row.state for row in await letter.rows(held.thread, "full-received")} == {"met"}
