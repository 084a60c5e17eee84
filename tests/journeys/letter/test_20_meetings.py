"""System 20: who must be at a meeting is invited, or two people say why not; a meeting that isn't held is missed.

In 2018 there had been "one meeting since October 2017", and sexual health services had "not been invited".
"""

from __future__ import annotations

from typing import Any

import pytest

from schemas.rules.recurring import thread_of
from tests.gateway.support import payload_of
from tests.journeys.letter.support import (
    CAIT,
    CLINIC,
    DAY,
    EXPLOITATION,
    HEALTH,
    MASH,
    MINDS_TEAM,
    NURSES,
    UNIT,
    Letter,
    Sent,
    discussion,
    iso,
    participant,
)

CADENCE, TOP_RISK, INVITED = "exploitation-meeting", "top-risk-meeting", "sexual-health-invited"


async def convene(letter: Letter, meeting: str, *boxes: str, chair: str = MASH, thread: str | None = None) -> Sent:
    """Let *chair* call a *meeting* of *boxes* for tomorrow."""
    return await letter.send(
        "meeting.convened",
        chair,
        boxes,
        thread=thread,
        meeting_kind=meeting,
        convened_at=iso(letter.now),
        starts_at=iso(letter.now + DAY),
        participants=[participant(box, attendance="invited", confidentiality_accepted=None) for box in (chair, *boxes)],
    )


async def hold(letter: Letter, meeting: str, *boxes: str, chair: str = MASH, **changes: Any) -> Sent:
    """Let *chair* hold a *meeting* now with *boxes*."""
    held = discussion(letter, [chair, *boxes], meeting_kind=meeting) | changes
    return await letter.send("meeting.held", chair, boxes, **held)


async def periods(letter: Letter, rule: str) -> dict[str, set[str]]:
    """Return of each period of *rule* in which states its duties are; ``overdue`` where they are."""
    found: dict[str, set[str]] = {}
    for row in await letter.rows(thread_of(rule), rule):
        late = row.state == "open" and row.duty.due < letter.now
        found.setdefault(row.duty.item, set()).add("overdue" if late else row.state)
    return found


async def never_invited(letter: Letter, rule: str) -> list[tuple[str, str]]:
    """Return the list that the partnership sees: who was not invited, by whom."""
    figures = await letter.report("duties", "2026-07-01 00:00", "2026-08-31 00:00", type="meeting.convened", rule=rule)
    return [(one["creditor"], one["debtor"]) for one in figures["rules"][0]["stuck"]]


async def test_a_meeting_that_nobody_calls_is_missed(letter: Letter) -> None:
    """Given nothing at all, when two weeks pass, then whoever was to meet knows, and a week later the partnership."""
    await letter.until("2026-08-03 00:01")
    assert (await periods(letter, CADENCE))["2026-07-20"] == {"overdue"}
    for mailbox in (MASH, CAIT, NURSES):
        assert await letter.told(mailbox, "overdue", CADENCE)
    assert not await letter.told(UNIT, "overdue", CADENCE)
    await letter.until("2026-08-10 17:01")
    assert await letter.told(UNIT, "overdue", CADENCE)
    # One that is held late is the next period's: the missed one stays missed.
    await hold(letter, "exploitation", CAIT, NURSES)
    assert await periods(letter, CADENCE) == {"2026-07-20": {"overdue"}, "2026-08-03": {"met"}}


async def test_one_meeting_since_october_is_a_figure(letter: Letter) -> None:
    """Given three periods of eight weeks, when one meeting is held, then the figure says one of three, and lists two."""
    await letter.until("2026-10-13 10:00")
    await hold(letter, "top_risk", MASH, NURSES, CLINIC, chair=EXPLOITATION)
    await letter.until("2027-02-01 00:01")
    states = await periods(letter, TOP_RISK)
    assert states == {
        "2026-08-17": {"overdue"},
        "2026-10-12": {"met"},
        "2026-12-07": {"overdue"},
        "2027-02-01": {"open"},
    }
    figures = await letter.report("duties", "2026-08-01 00:00", "2027-02-01 00:00", type="meeting.held", rule=TOP_RISK)
    total = figures["rules"][0]["total"]
    assert (total["owed"], total["met"], total["stuck"]) == (9, 3, 6)
    assert total["in_time_rate"] == pytest.approx(1 / 3, abs=0.001)


async def test_sexual_health_that_is_not_invited_is_owed_an_invitation(letter: Letter) -> None:
    """Given an exploitation meeting without them, when nobody invites them that day, then they know, and it is listed."""
    called = await convene(letter, "exploitation", NURSES, CAIT)
    assert await letter.states(called.thread, INVITED) == {(MASH, CLINIC): "open"}
    assert await letter.told(CLINIC, "owed", INVITED)
    assert await never_invited(letter, INVITED) == []
    await letter.until("2026-07-06 17:01")
    assert await letter.states(called.thread, INVITED) == {(MASH, CLINIC): "overdue"}
    assert await letter.told(CLINIC, "overdue", INVITED)
    assert await letter.told(MASH, "overdue", INVITED)
    assert await never_invited(letter, INVITED) == [(CLINIC, MASH)]
    await convene(letter, "exploitation", CLINIC, NURSES, CAIT, thread=called.thread)
    assert await letter.states(called.thread, INVITED) == {(MASH, CLINIC): "met_late"}
    assert await never_invited(letter, INVITED) == []


async def test_a_meeting_that_was_held_without_a_call_owes_them_its_record(letter: Letter) -> None:
    """Given a meeting that nobody convened through the hub, when it was held without them, then they are owed its record."""
    held = await hold(letter, "exploitation", NURSES, CAIT)
    assert await letter.states(held.thread, "sexual-health-told") == {(MASH, CLINIC): "open"}
    assert await letter.told(CLINIC, "owed", "sexual-health-told")
    await letter.until("2026-07-13 17:01")
    assert await letter.told(CLINIC, "overdue", "sexual-health-told")


async def test_two_people_may_say_why_somebody_is_not_invited(letter: Letter) -> None:
    """Given a meeting without sexual health, when two people give a reason from the list, then it is on record as given up."""
    called = await convene(letter, "exploitation", NURSES, CAIT)
    row = await letter.duty(called.thread, INVITED)
    await letter.waive(row.id, MASH, "handed_over")
    assert await letter.states(called.thread, INVITED) == {(MASH, CLINIC): "open"}
    await letter.waive(row.id, MASH, "not_relevant_to_case")
    assert await letter.states(called.thread, INVITED) == {(MASH, CLINIC): "waived"}
    feed = await letter.town.site.hub.store.read(lambda tx: tx.feed_deliveries(CLINIC, 0, 100))
    (waiver,) = [payload_of(one.entry.payload or b"") for one in feed if one.entry.kind == "waiver"]
    assert (waiver["obligation"], waiver["reason"]) == (row.id, "not_relevant_to_case")
    assert waiver["by"] != waiver["second"]["by"]
    await letter.until("2026-07-06 17:01")
    assert not await letter.told(CLINIC, "overdue", INVITED)
    assert await never_invited(letter, INVITED) == []


@pytest.mark.parametrize(
    ("present", "rule", "missing"), [(NURSES, "police-invited", CAIT), (CAIT, "health-invited", NURSES)]
)
async def test_a_discussion_without_quorum_owes_an_invitation(
    letter: Letter, present: str, rule: str, missing: str
) -> None:
    """Given a strategy discussion, when police or health are not named, then they are owed the invitation the same day."""
    called = await convene(letter, "strategy", present)
    assert await letter.states(called.thread, rule) == {(MASH, missing): "open"}
    await letter.until("2026-07-06 17:01")
    assert await letter.told(missing, "overdue", rule)
    assert await never_invited(letter, rule) == [(missing, MASH)]
    await convene(letter, "strategy", present, missing, thread=called.thread)
    assert await letter.states(called.thread, rule) == {(MASH, missing): "met_late"}


async def test_a_meeting_that_is_called_and_held_in_time_owes_nobody_anything(letter: Letter) -> None:
    """Given everybody invited, when it is held, then cadence and quorum are met, and each reads who came and who did not."""
    await letter.until("2026-07-20 10:00")
    called = await convene(letter, "exploitation", NURSES, CAIT, CLINIC, MINDS_TEAM)
    assert [rule for rule in {row.duty.rule for row in await letter.rows(called.thread)} if "invited" in rule] == []
    await letter.until(DAY)
    people = [
        participant(MASH, role="social_worker"),
        participant(CAIT, role="police_officer"),
        participant(NURSES),
        participant(CLINIC, role="sexual_health_adviser", attendance="apologies"),
    ]
    held = await letter.send(
        "meeting.held",
        MASH,
        [NURSES, CAIT, CLINIC],
        thread=called.thread,
        re=called.id,
        **discussion(letter, [], meeting_kind="exploitation", participants=people),
    )
    message = await letter.receive(CLINIC, held)
    came = {one["role"]: one["attendance"] for one in message["participants"]}
    assert (came["police_officer"], came["sexual_health_adviser"]) == ("attended", "apologies")
    assert (await periods(letter, CADENCE))["2026-07-20"] == {"met"}
    assert await letter.rows(called.thread, "sexual-health-told") == []
    await letter.work(HEALTH)
