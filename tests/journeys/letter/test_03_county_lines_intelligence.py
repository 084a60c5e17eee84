"""System 3: what agencies know of county lines is collected, shared, analysed and acted on, and what is stuck is seen.

In 2018 partners "have not asked questions, interrogated known information"; police were left with a "single-agency response".
"""

from __future__ import annotations

from typing import Any

import pytest

from schemas.rules.recurring import thread_of
from tests.gateway.test_cli import command, write_home
from tests.journeys.letter.support import (
    DAY,
    EXPLOITATION,
    MASH,
    NURSES,
    OFFICERS,
    POLICE,
    PUBLIC_PROTECTION,
    SCHOOL,
    SCHOOL_LEAD,
    UNIT,
    Letter,
    Sent,
    iso,
    local,
    participant,
    sample,
)

SHARED, ANALYSED, ACTED_ON = STAGES = "intelligence-shared", "intelligence-analysed", "intelligence-acted-on"
SUMMER = ("2026-07-01 00:00", "2026-10-01 00:00")
PLAIN = {"grade_scheme": "3x5x2", "grade": "2C", "handling_code": "P", "handling_conditions": []}


async def collect(letter: Letter, **changes: Any) -> tuple[Sent, str]:
    """Let a school tell police of a car by its gate; return what was sent and the item's id."""
    item = letter.new_id()
    given = {"item_id": item, "collected_at": iso(letter.now), "police_part": None} | changes
    return await letter.send("intel.item", SCHOOL_LEAD, [EXPLOITATION], **given), item


async def act(letter: Letter, sent: Sent, item: str, stage: str, **what: Any) -> Sent:
    """Let police tell the school how far they have come."""
    given = {"item_id": item, "stage": stage, "at": iso(letter.now), "digest_id": None} | what
    return await letter.send("intel.action", EXPLOITATION, [SCHOOL_LEAD], thread=sent.thread, re=sent.id, **given)


def digest(letter: Letter, *items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a digest issued now, of *items*."""
    known = sample("intel.digest/1")["items"][0]
    entries = [known | PLAIN | {"item_id": letter.new_id()} | item for item in items or ({},)]
    return sample("intel.digest/1", digest_id=letter.new_id(), issued_at=iso(letter.now), items=entries) | changes


async def stages(letter: Letter, sent: Sent) -> list[str]:
    """Return the state of each stage of an item."""
    return [(await letter.states(sent.thread, rule))[EXPLOITATION, SCHOOL_LEAD] for rule in STAGES]


async def test_an_item_that_lies_is_stuck_stage_by_stage(letter: Letter) -> None:
    """Given an item, when nobody does anything, then each stage in turn is late, listed as stuck, and goes up."""
    sent, _ = await collect(letter)
    dues = [local((await letter.duty(sent.thread, rule)).duty.due) for rule in STAGES]
    assert dues == ["2026-07-08 17:00", "2026-07-13 17:00", "2026-08-03 17:00"]
    await letter.until("2026-07-13 17:01")
    assert await stages(letter, sent) == ["overdue", "overdue", "open"]
    for mailbox in (EXPLOITATION, SCHOOL_LEAD):
        assert await letter.told(mailbox, "overdue", ANALYSED)
    await letter.until("2026-08-10 17:01")
    for mailbox in (PUBLIC_PROTECTION, UNIT):
        assert await letter.told(mailbox, "overdue", ACTED_ON)
    figures = await letter.report("duties", *SUMMER, type="intel.item")
    found = {rule["rule"]: [one["thread"] for one in rule["stuck"]] for rule in figures["rules"]}
    assert {rule: found[rule] for rule in STAGES} == {rule: [sent.thread] for rule in STAGES}


async def test_each_stage_is_timed_and_settles_those_before_it(letter: Letter) -> None:
    """Given three items, when one is shared, one analysed and one acted on, then each counts at its stage, with its hours."""
    (first, one), (second, two), (third, three) = [await collect(letter) for _ in range(3)]
    await letter.until(DAY)
    await act(letter, first, one, "shared", digest_id=letter.new_id())
    await act(letter, second, two, "analysed", finding="The same car at two schools.")
    done = await act(letter, third, three, "acted_on", done="The car is watched.", done_by=EXPLOITATION)
    assert await stages(letter, first) == ["met", "open", "open"]
    assert await stages(letter, second) == ["met", "met", "open"]
    assert await stages(letter, third) == ["met", "met", "met"]
    assert (await letter.receive(SCHOOL_LEAD, done))["done"] == "The car is watched."
    figures = await letter.report("duties", *SUMMER, type="intel.item")
    told = {rule["rule"]: (rule["total"]["met"], rule["total"]["median_hours"]) for rule in figures["rules"]}
    assert [told[rule] for rule in STAGES] == [(3, 24.0), (2, 24.0), (1, 24.0)]


async def test_no_action_ends_an_item_once_it_has_a_reason(letter: Letter) -> None:
    """Given an item, when police mean to do nothing, then that can't be sent without a reason, and with one it is the end."""
    sent, item = await collect(letter)
    given = {"item_id": item, "stage": "no_action", "at": iso(letter.now), "digest_id": None}
    reason = await letter.refused("intel.action", EXPLOITATION, [SCHOOL_LEAD], thread=sent.thread, re=sent.id, **given)
    assert (reason["code"], "no_action_reason" in reason["message"]) == ("message-schema", True)
    assert await stages(letter, sent) == ["open", "open", "open"]
    await act(letter, sent, item, "no_action", no_action_reason="already_known")
    assert await stages(letter, sent) == ["met", "met", "met"]


async def test_a_week_without_a_digest_is_missed(letter: Letter) -> None:
    """Given the calendar, when police send a digest one week and none the next, then the second is missed, by both."""
    await letter.until("2026-07-15 10:00")
    thread = thread_of("weekly-digest")
    to = [MASH, NURSES, OFFICERS]
    assert set(await letter.states(thread, "weekly-digest")) == {(EXPLOITATION, box) for box in to}
    sent = await letter.send("intel.digest", EXPLOITATION, to, message=digest(letter))
    assert set((await letter.states(thread, "weekly-digest")).values()) == {"met"}
    assert (await letter.receive(MASH, sent))["items"][0]["handling_code"] == "P"
    await letter.until("2026-07-27 00:01")
    rows = [row for row in await letter.rows(thread, "weekly-digest") if row.duty.creditor == MASH]
    late = sorted((row.duty.due, row.state) for row in rows)[:2]
    assert [(local(due), state) for due, state in late] == [("2026-07-19 23:59", "met"), ("2026-07-26 23:59", "open")]
    for mailbox in (MASH, EXPLOITATION):
        assert await letter.told(mailbox, "overdue", "weekly-digest")


async def test_each_meeting_about_exploitation_has_its_digest(letter: Letter) -> None:
    """Given an exploitation meeting, when it begins without a digest, then both know; in the other it came in time."""
    starts = letter.now + 3 * DAY
    meetings = [
        await letter.send(
            "meeting.convened",
            MASH,
            [NURSES],
            meeting_kind="exploitation",
            convened_at=iso(letter.now),
            starts_at=iso(starts),
            participants=[participant(NURSES, attendance="invited")],
        )
        for _ in range(2)
    ]
    await letter.send("intel.digest", EXPLOITATION, [MASH], thread=meetings[0].thread, message=digest(letter))
    await letter.until(3 * DAY + 1)
    rule = "digest-for-meeting"
    assert await letter.states(meetings[0].thread, rule) == {(EXPLOITATION, MASH): "met"}
    assert await letter.states(meetings[1].thread, rule) == {(EXPLOITATION, MASH): "overdue"}
    for mailbox in (EXPLOITATION, MASH):
        assert await letter.told(mailbox, "overdue", rule, thread=meetings[1].thread)


@pytest.mark.parametrize(
    ("given", "marks", "says"),
    [
        ({"grade_scheme": "5x5x5", "grade": "B3", "handling_code": "4"}, [], "originating agency only"),
        ({}, ["no_onward_copy"], "comes from a message that may not go on"),
    ],
)
async def test_handling_conditions_go_with_what_is_shared_again(
    letter: Letter, given: dict[str, Any], marks: list[str], says: str
) -> None:
    """Given a code or a mark against it, when police share an item, then it is refused; urgent, it goes with a warning."""
    sent, item = await collect(letter, draft={"marks": marks})
    await letter.receive(EXPLOITATION, sent)
    message = digest(letter, given | {"item_id": item})
    reason = await letter.refused("intel.digest", EXPLOITATION, [MASH], message=message)
    assert reason["code"] == "handling-forbids"
    assert says in reason["message"]
    assert "Cars wait" not in str(reason)
    urgent = await letter.send("intel.digest", EXPLOITATION, [MASH], message=message | {"urgent": True})
    assert (await letter.receive(MASH, urgent))["items"][0]["item_id"] == item
    (warned,) = await letter.told(EXPLOITATION, "handling-warning")
    assert (warned["reason"], warned["envelope"]) == ("handling-forbids", urgent.id)


async def test_what_police_need_to_know_is_asked_and_answered(letter: Letter) -> None:
    """Given a question to three, when one answers, one has nothing and one is silent, then the silence alone is late."""
    asked = await letter.send(
        "intel.requirement",
        EXPLOITATION,
        [SCHOOL_LEAD, NURSES, OFFICERS],
        raised_at=iso(letter.now),
        needed_by=iso(letter.now + 2 * DAY),
    )
    await collect(letter, thread=asked.thread, re=asked.id)
    await letter.send(
        "contribution.none",
        NURSES,
        [EXPLOITATION],
        thread=asked.thread,
        re=asked.id,
        stated_at=iso(letter.now),
        reason="nothing_known",
    )
    await letter.until(2 * DAY + 1)
    rule = "requirement-answered"
    assert await letter.states(asked.thread, rule) == {
        (SCHOOL_LEAD, EXPLOITATION): "met",
        (NURSES, EXPLOITATION): "met",
        (OFFICERS, EXPLOITATION): "overdue",
    }
    for mailbox in (OFFICERS, EXPLOITATION):
        assert await letter.told(mailbox, "overdue", rule)


async def test_the_picture_shows_no_small_count(letter: Letter) -> None:
    """Given six items of one theme and two of another, when police draw the picture, then two is left out, and no text shows."""
    for number in range(8):
        themes = ["CCE_county_lines"] if number < 6 else ["CCE_county_lines", "trafficking"]
        sent, item = await collect(letter, attributable=True, themes=themes, text="Zebulon was seen.")
        await letter.receive(EXPLOITATION, sent)
        if number < 2:
            await act(letter, sent, item, "shared", digest_id=letter.new_id())
    home = write_home(letter.town, POLICE)
    told = await command(home, "picture", "--from", "2026-07-01", "--to", "2026-10-01")
    assert (told["total"], told["by_agency"]) == (8, {SCHOOL: 8})
    assert told["by_theme"] == {"CCE_county_lines": 8, "trafficking": None}
    # Two of eight: the six others would give them back.
    assert (told["by_stage"]["shared"], told["by_stage"]["collected"]) == (None, None)
    assert "Zebulon" not in str(told)
