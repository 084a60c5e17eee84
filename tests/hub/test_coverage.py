"""Coverage: who is on the hub, who is never named, what recurs and was missed."""

from __future__ import annotations

from hub import coverage, overview
from hub.figures import Maker
from hub.overview import Choice
from hub.store.base import Store
from hub.store.figures import Sum
from schemas.rules.counting import OWES_SEND, SENT
from tests.county import CAIT, COUNCIL, DAY, HEALTH, HOUR, NURSES, PARTNERSHIP, POLICE, PROBATION, County, Desk
from tests.hub import adding
from tests.hub.support import hold, minutes


async def test_where_each_agency_stands(desk: Desk) -> None:
    """Without a key it is not on the hub; with one, it depends on when its gateway called."""
    snapshot, now = desk.registry.snapshot, desk.county.now
    seen = {COUNCIL: now - HOUR, POLICE: now - 2 * DAY}
    found = {one.agency: one.standing for one in coverage.members(snapshot, seen, now)}
    assert (found[COUNCIL], found[POLICE], found[HEALTH]) == ("on", "silent", "never-seen")
    later = {one.agency: one for one in coverage.members(snapshot, seen, now + 4000 * DAY)}
    assert later[COUNCIL].standing == "not-enrolled"
    assert not later[COUNCIL].is_on


async def test_agencies_that_are_not_on_the_hub_are_told_apart_in_each_figure(desk: Desk) -> None:
    """What health is owed stays in the figure, and stands beside the figure without it."""
    held = hold(desk.county, CAIT, NURSES)
    await desk.send(held)
    sent = minutes(desk.county, held.header.thread, CAIT)
    await desk.send(sent)
    await desk.receive(sent, CAIT, "collected", "filed")
    await desk.tick(60 * DAY)
    await adding.follow(desk.store, desk.registry.snapshot, desk.county.now)
    maker = Maker.of(desk.registry.snapshot, desk.county.now)
    this = overview.month_at(maker, desk.county.now)
    months = await overview.read_months(desk.store, desk.registry.snapshot, this - 11, this + 1, desk.county.now)
    assert months.behind == 0
    told = {one.family: one for one in coverage.effects(months.rows, {COUNCIL, POLICE})}
    full = told["minutes.full"]
    assert (full.whole.owed, full.whole.received, full.whole.received_rate) == (2, 1, 0.5)
    assert (full.within.owed, full.within.received, full.within.received_rate) == (1, 1, 1.0)
    found = overview.oversee(months.rows, Choice("minutes", sector="health"), maker.sector_of)
    assert list(found.by_agency) == [HEALTH]
    assert found.by_type["minutes.full"].missing == 1
    assert found.by_debtor[COUNCIL].owed == found.total.owed


async def test_who_is_never_named_comes_first(desk: Desk) -> None:
    """Police and health were at the meeting; probation never was at any."""
    await desk.send(hold(desk.county, CAIT, NURSES))
    await adding.follow(desk.store, desk.registry.snapshot, desk.county.now)
    rows = await desk.store.read(lambda tx: list(tx.named(0, 99_999)))
    found = coverage.invited(rows, [HEALTH, POLICE, PROBATION, PARTNERSHIP])
    assert [(one.agency, one.meetings) for one in found[:2]] == [(PARTNERSHIP, 0), (PROBATION, 0)]
    assert {one.agency: one.meetings for one in found[2:]} == {HEALTH: 1, POLICE: 1}


async def test_what_recurs_is_shown_period_by_period(sqlite_store: Store) -> None:
    """Nothing was sent in three months, so that every period of every rhythm is missed."""
    county = County(whole=True)
    desk = Desk(county, sqlite_store, await county.found(sqlite_store))
    for _ in range(9):
        await desk.tick(10 * DAY)
    while (await desk.tick()).count:
        pass
    found = await sqlite_store.read(lambda tx: list(coverage.rhythms(tx, desk.registry.snapshot, county.now)))
    weekly = next(one for one in found if one.rule == "weekly-digest")
    assert len(weekly.periods) == coverage.PERIODS
    assert weekly.periods[0].starts > weekly.periods[-1].starts
    assert all(one.owed and one.missed == one.owed and not one.met for one in weekly.periods)


def test_answers_to_consultations_by_who_was_asked() -> None:
    """Only what answers a question counts, by the agency that owes the answer."""
    rows = [
        Sum(1, 1, 1, "check.adult.response", COUNCIL, PROBATION, SENT, 2),
        Sum(1, 1, 1, "check.adult.response", COUNCIL, PROBATION, OWES_SEND, 1),
        Sum(1, 1, 1, "minutes.full", HEALTH, COUNCIL, SENT, 5),
    ]
    ((key, row),) = coverage.answered(rows).items()
    assert key == ("check.adult.response", PROBATION)
    assert (row.owed, row.sent, row.missing) == (3, 2, 1)
