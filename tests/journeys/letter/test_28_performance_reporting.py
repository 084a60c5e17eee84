"""System 28: figures come out every quarter, from the log of what happened, timeliness beside quality.

In 2018 performance reports had broken after a move to another IT system, and nobody counted any more.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hub.core.statistics import Period, count
from hub.reports import rows_from_log
from schemas.rules.recurring import thread_of
from tests.gateway.support import minutes_full
from tests.journeys.letter.support import (
    CAIT,
    MASH,
    NURSES,
    OFFICERS,
    UNIT,
    Letter,
    Sent,
    discussion,
    iso,
    ms,
)

RULE = "quarterly-figures"
SPAN = ("2026-07-01 00:00", "2026-10-01 00:00")


async def minutes(letter: Letter, *boxes: str, **changes: Any) -> Sent:
    """Let social care hold a discussion with nurses and police now, and send its minutes to *boxes* alone."""
    held = await letter.send("meeting.held", MASH, [NURSES, CAIT], **discussion(letter, [MASH, NURSES, CAIT]))
    if not boxes:
        return held
    message = minutes_full([MASH, *boxes], **changes) | {"started_at": iso(letter.now)}
    return await letter.send("minutes.full", MASH, boxes, thread=held.thread, message=message)


async def publish(letter: Letter) -> Sent:
    """Let the partnership publish what the hub's reports say of the third quarter."""
    receipts = await letter.report("receipts", *SPAN, type="minutes.full")
    duties = await letter.report("duties", *SPAN, type="meeting.held", rule="full-minutes")
    total = duties["rules"][0]["total"]
    figures = [
        {
            "figure": "received_rate",
            "kind": "timeliness",
            "definition": receipts["definitions"]["received_rate"],
            "suppressed": False,
            "count": receipts["total"]["received"],
            "of": receipts["total"]["owed"],
        },
        {
            "figure": "faulty_rate",
            "kind": "quality",
            "definition": duties["definitions"]["faulty_rate"],
            "suppressed": False,
            "count": total["declined"] + total["disputed"] + total["corrected"],
            "of": total["messages"],
        },
    ]
    return await letter.send(
        "report.published",
        UNIT,
        [MASH, CAIT, NURSES, OFFICERS],
        published_at=iso(letter.now),
        period_from="2026-07-01",
        period_to="2026-09-30",
        figures=figures,
    )


async def states(letter: Letter) -> dict[str, str]:
    """Return of each who is owed the figures whether they have them; ``overdue`` where they are late."""
    return {
        row.duty.creditor: "overdue" if row.state == "open" and row.duty.due < letter.now else row.state
        for row in await letter.rows(thread_of(RULE), RULE)
    }


async def test_figures_that_stop_coming_are_missed(letter: Letter) -> None:
    """Given a quarter, when nothing is published in twenty working days, then everybody who should have it is told."""
    await letter.until("2026-10-29 17:01")
    assert await states(letter) == dict.fromkeys((MASH, CAIT, NURSES, OFFICERS), "overdue")
    for mailbox in (UNIT, MASH, CAIT, NURSES, OFFICERS):
        assert await letter.told(mailbox, "overdue", RULE)


async def test_published_figures_are_the_hubs_and_meet_the_quarter(letter: Letter) -> None:
    """Given minutes for some and not for others, when the quarter is published, then everybody reads what was counted."""
    await letter.receive(NURSES, await minutes(letter, NURSES))
    await letter.until("2026-10-05 10:00")
    sent = await publish(letter)
    assert await states(letter) == dict.fromkeys((MASH, CAIT, NURSES, OFFICERS), "met")
    timely, sound = (await letter.receive(OFFICERS, sent))["figures"]
    assert (timely["count"], timely["of"]) == (1, 2)
    assert (sound["count"], sound["of"]) == (0, 1)


async def test_speed_alone_is_not_published(letter: Letter) -> None:
    """Given figures of timeliness, when none of quality is beside them, then the report is sent back."""
    speed = {"figure": "received_rate", "kind": "timeliness", "definition": "In time.", "suppressed": False, "count": 1}
    reason = await letter.refused(
        "report.published", UNIT, [MASH], published_at=iso(letter.now), figures=[speed], comment=None
    )
    assert reason["code"] == "message-schema"


async def test_timeliness_and_quality_stand_side_by_side(letter: Letter) -> None:
    """Given minutes in time that are disputed and corrected, when the rule is reported, then both figures show it."""
    sent = await minutes(letter, NURSES)
    await letter.receive(NURSES, sent)
    await letter.send(
        "minutes.dispute", NURSES, [MASH], thread=sent.thread, re=sent.id, raised_at=iso(letter.now), addressed_to=MASH
    )
    message = minutes_full([MASH, NURSES], version=2) | {"started_at": iso(letter.now)}
    await letter.send("minutes.full", MASH, [NURSES], thread=sent.thread, supersedes=sent.id, message=message)
    await letter.until("2026-07-14 09:00")
    figures = await letter.report("duties", *SPAN, type="meeting.held", rule="full-minutes")
    total = figures["rules"][0]["total"]
    assert (total["owed"], total["met"], total["stuck"], total["in_time_rate"]) == (2, 1, 1, 0.5)
    assert (total["messages"], total["disputed"], total["corrected"], total["faulty_rate"]) == (1, 1, 1, 1.0)
    assert {"in_time_rate", "faulty_rate"} <= set(figures["definitions"])


async def test_a_move_loses_no_figure(letter: Letter) -> None:
    """Given the log alone, when everything is counted from it anew, then the figures are those that the hub gives."""
    await letter.receive(NURSES, await minutes(letter, NURSES, CAIT))
    await letter.until("2026-07-08 10:00")
    await minutes(letter)
    await letter.until("2026-08-03 10:00")
    told = await letter.report("receipts", *SPAN, type="minutes.full")
    hub = letter.town.site.hub
    rows, size = await rows_from_log(hub.store)
    period = Period(*map(ms, SPAN))
    anew = count(rows, period, hub.registry.snapshot.directory, letter.now, {"minutes.full"})
    assert size > 0
    assert msgspec.to_builtins(anew.total) == told["total"]
    assert (told["total"]["owed"], told["total"]["received"], told["total"]["missing"]) == (4, 1, 2)


async def test_an_agency_sees_its_own_figures_whole(letter: Letter) -> None:
    """Given the same quarter, when health asks, then it sees what it was owed, and of police nothing."""
    await letter.receive(NURSES, await minutes(letter, NURSES))
    await letter.until("2026-07-14 09:00")
    own = await letter.report(
        "duties", *SPAN, agency=NURSES.partition("/")[0], type="meeting.held", rule="full-minutes"
    )
    assert (own["rules"][0]["total"]["owed"], own["all_parties"]) == (1, False)
    assert CAIT not in str(own)
