"""System 31: social care and mental-health services know when a child is held in a place of safety, within hours.

It was a gap in 2018.
"""

from __future__ import annotations

from typing import Any

from tests.journeys.letter.support import (
    CUSTODY,
    HOUR,
    MANAGERS,
    MASH,
    MINDS_TEAM,
    MINUTE,
    PAEDIATRICS,
    SCHOOL_LEAD,
    Letter,
    Sent,
    iso,
    local,
)

TAKEN, AT_ONCE = "detention-taken", "detention-collected-at-once"
# A Saturday night.
NIGHT = "2026-07-11 23:00"


async def notify(letter: Letter, sender: str = PAEDIATRICS, **changes: Any) -> Sent:
    """Let *sender* tell social care and mental-health services that it holds a child now."""
    given = {"detained_at": iso(letter.now), "expected_until": iso(letter.now + 24 * HOUR)} | changes
    return await letter.send("detention.notice", sender, [MASH, MINDS_TEAM], **given)


async def test_a_notice_that_lies_at_night_is_missed_within_hours(letter: Letter) -> None:
    """Given a child held on a Saturday night, when nobody takes the notice, then minutes and hours ring, not days."""
    await letter.until(NIGHT)
    sent = await notify(letter)
    rows = await letter.rows(sent.thread, TAKEN)
    assert {local(row.duty.due) for row in rows} == {"2026-07-12 03:00"}
    await letter.until(5 * MINUTE + 1)
    assert set((await letter.states(sent.thread, AT_ONCE)).values()) == {"overdue"}
    assert len(await letter.told(PAEDIATRICS, "overdue", AT_ONCE)) == 2
    await letter.until(4 * HOUR)
    assert await letter.states(sent.thread, TAKEN) == {
        (MASH, PAEDIATRICS): "overdue",
        (MINDS_TEAM, PAEDIATRICS): "overdue",
    }
    assert len(await letter.told(PAEDIATRICS, "overdue", TAKEN)) == 2
    await letter.until(4 * HOUR)
    for mailbox in (MASH, MANAGERS):
        assert len(await letter.told(mailbox, "overdue", TAKEN)) == 1


async def test_one_service_does_not_answer_for_the_other(letter: Letter) -> None:
    """Given a notice to both, when only mental-health services take it, then social care alone is late."""
    sent = await notify(letter)
    await letter.receive(MINDS_TEAM, sent)
    await letter.until(4 * HOUR + 1)
    assert await letter.states(sent.thread, TAKEN) == {
        (MASH, PAEDIATRICS): "overdue",
        (MINDS_TEAM, PAEDIATRICS): "met",
    }


async def test_where_since_when_and_by_which_power_is_in_it(letter: Letter) -> None:
    """Given a child in a police cell, when police tell, then place, power and hours arrive; without a place nothing goes."""
    reason = await letter.refused("detention.notice", CUSTODY, [MASH], place=None)
    assert (reason["code"], "`place`" in reason["message"]) == ("message-schema", True)
    held = letter.now - 2 * HOUR
    sent = await notify(letter, CUSTODY, detained_at=iso(held), place_kind="police_station", place="Sampleton station")
    message = await letter.receive(MASH, sent)
    assert (message["power"], message["place_kind"], message["place"]) == (
        "s136",
        "police_station",
        "Sampleton station",
    )
    assert (message["detained_at"], message["expected_until"]) == (iso(held), iso(letter.now + 24 * HOUR))
    await letter.receive(MINDS_TEAM, sent)
    assert set((await letter.states(sent.thread, TAKEN)).values()) == {"met"}
    assert set((await letter.states(sent.thread, AT_ONCE)).values()) == {"met"}
    figures = await letter.report("duties", "2026-07-01 00:00", "2026-08-01 00:00", type="detention.notice", rule=TAKEN)
    (rule,) = figures["rules"]
    assert (rule["total"]["owed"], rule["total"]["met"], rule["total"]["in_time_rate"]) == (2, 2, 1.0)


async def test_it_goes_to_those_who_must_act_and_to_nobody_else(letter: Letter) -> None:
    """Given a detention, when somebody would tell the school too, then that is refused before it is sealed."""
    reason = await letter.refused("detention.notice", PAEDIATRICS, [MASH, SCHOOL_LEAD])
    assert reason["code"] == "recipient-not-allowed"
