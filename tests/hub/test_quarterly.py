"""The board's report of a quarter: small counts are left out as they are for anybody who is a party to nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hub import reports
from hub.quarterly import SHOWN, Quarter, cells, report_quarter
from hub.reports import Question
from schemas.rules.periods import UTC as PLAIN
from schemas.rules.periods import days_of
from tests.county import CAIT, DAY, NURSES, OFFICERS, PAEDIATRICS, Desk
from tests.hub import adding
from tests.hub.support import hold, minutes

THIRD = Quarter(2026 * 4 + 2)


async def _meet(desk: Desk, times: int) -> None:
    """Hold *times* meetings; probation is sent all minutes, police all but two, health two."""
    for place in range(times):
        held = hold(desk.county, CAIT, NURSES, PAEDIATRICS, OFFICERS)
        await desk.send(held)
        to = [OFFICERS, *([CAIT] if place > 1 else [NURSES])]
        full = minutes(desk.county, held.header.thread, *to)
        await desk.send(full)
        for box in to:
            await desk.receive(full, box, "collected", "filed")
    await desk.tick(100 * DAY)
    while (await desk.tick()).count:
        pass


@pytest.mark.parametrize("followed", [False, True])
async def test_it_shows_what_anybody_would_be_shown(quick_desk: Desk, followed: bool) -> None:
    """The same counts, the same gaps, so that one can't be subtracted from the other."""
    desk = quick_desk
    await _meet(desk, 9)
    snapshot, now = desk.registry.snapshot, desk.county.now
    if followed:
        await adding.follow(desk.store, snapshot, now)
    report = await report_quarter(desk.store, snapshot, THIRD, now)
    assert report is not None
    period = THIRD.period(days_of(snapshot.rules_at(now).agreement))
    (part,) = (one for one in report.parts if one.family == "minutes.full")
    asked = Question(period, frozenset({"minutes.full"}))
    tell = await reports.count_period(desk.store, asked, snapshot, now)
    told = reports.report_receipts(tell, asked, snapshot, now, (lambda _: False,))
    assert told["others_shown"]
    for group, rows in (("sector", part.by_sector), ("agency", part.by_agency), ("week", part.by_week)):
        assert rows == {name: {column: row[column] for column in SHOWN} for name, row in told[f"by_{group}"].items()}
    # Two that health received are few, and so are two that police didn't: each takes another count with it.
    gone = [row[column] for row in part.by_sector.values() for column in ("received", "missing") if row[column] is None]
    assert len(gone) >= 2
    assert part.by_sector["health"]["received"] is None
    empty = [row for row in cells(report) if row[1:4] == ["minutes.full", "sector", "health"]]
    assert empty[0][6] == ""


async def test_a_quarter_that_is_not_over_has_no_report(quick_desk: Desk) -> None:
    """What is still open today could be subtracted from what is shown tomorrow."""
    snapshot, now = quick_desk.registry.snapshot, quick_desk.county.now
    assert await report_quarter(quick_desk.store, snapshot, THIRD, now) is None
    before = await report_quarter(quick_desk.store, snapshot, Quarter(THIRD.number - 1), now)
    assert before is not None
    assert before.parts == ()


def test_quarters_have_names_and_ends() -> None:
    """A name leads back to its quarter, and nothing else does."""
    assert (THIRD.name, Quarter.parse("2026-Q3")) == ("2026-Q3", THIRD)
    assert [Quarter.parse(text) for text in ("2026-Q0", "2026-Q5", "26-Q1", "2026", "")] == [None] * 5
    period = Quarter.parse("2026-Q4")
    assert period is not None
    start, end = period.period(PLAIN)
    assert datetime.fromtimestamp(start / 1000, UTC).date().isoformat() == "2026-10-01"
    assert datetime.fromtimestamp(end / 1000, UTC).date().isoformat() == "2027-01-01"
    assert Quarter.of(PLAIN, start) == Quarter.of(PLAIN, end - 1) == period
