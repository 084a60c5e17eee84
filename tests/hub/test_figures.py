"""The figures that the hub keeps are those that anyone can count from the log, whatever happened in between."""

from __future__ import annotations

import random

import pytest

from hub import figures, sums
from hub.core.statistics import Period
from hub.reports import Question, count_period
from hub.store.base import Store
from tests.county import CAIT, COUNCIL, DAY, HOUR, MASH, NURSES, OFFICERS, PAEDIATRICS, County, Desk, Sent
from tests.hub import adding
from tests.hub.support import hold, minutes

BOXES = (CAIT, NURSES, PAEDIATRICS, OFFICERS)


async def _happen(desk: Desk, chance: random.Random, sent: list[Sent]) -> None:
    """Let one thing happen, of those that change what is owed or taken."""
    county, what = desk.county, chance.randrange(7)
    if what == 0 or not sent:
        held = hold(county, *chance.sample(BOXES, 2))
        await desk.send(held)
        sent.append(held)
    elif what == 1:
        of = chance.choice(sent).header.thread
        full = minutes(county, of, *chance.sample(BOXES, 2))
        await desk.send(full)
        sent.append(full)
    elif what == 2:
        one = chance.choice(sent)
        await desk.take(
            *(county.receipt(one, box, chance.choice(["collected", "filed", "opened"])) for box in one.header.to[:1]),
            by=one.header.to[0].partition("/")[0],
        )
    elif what == 3:
        rows = await desk.rows(chance.choice(sent).header.thread)
        still = [row for row in rows.values() if row.state == "open" and row.duty.debtor == MASH]
        if still:
            await desk.waive(chance.choice(still).id, MASH, state="met_elsewhere", reason="handed_over")
    elif what == 4:
        await desk.withdraw(sent.pop())
    else:
        await desk.tick(chance.choice([HOUR, DAY, 9 * DAY]))


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_kept_is_what_is_counted_anew(quick_desk: Desk, seed: int) -> None:
    """Meetings, minutes, receipts, waivers and withdrawals in any order, followed now and then."""
    chance, sent = random.Random(seed), list[Sent]()
    for _ in range(25):
        await _happen(quick_desk, chance, sent)
        if chance.random() < 0.4:
            await adding.follow(quick_desk.store, quick_desk.registry.snapshot, quick_desk.county.now, 1)
    await adding.check(quick_desk.store, quick_desk.registry.snapshot, quick_desk.county.now)
    await adding.follow(quick_desk.store, quick_desk.registry.snapshot, quick_desk.county.now)
    await adding.check(quick_desk.store, quick_desk.registry.snapshot, quick_desk.county.now)


async def test_figures_are_kept_on_both_databases(desk: Desk) -> None:
    """One meeting, followed before and after its minutes."""
    held = hold(desk.county, CAIT, NURSES)
    await desk.send(held)
    await adding.follow(desk.store, desk.registry.snapshot, desk.county.now)
    await desk.send(minutes(desk.county, held.header.thread, CAIT))
    await adding.follow(desk.store, desk.registry.snapshot, desk.county.now)
    place, _ = await desk.store.read(lambda tx: tx.figure_place())
    assert place == (await desk.store.read(lambda tx: tx.log_head())).size
    named = {(row.agency, row.sent, row.named) for row in await desk.store.read(lambda tx: list(tx.named(0, 99_999)))}
    assert ("northmere-health", 1, 1) in named


async def test_another_sector_begins_anew(desk: Desk) -> None:
    """An agency that counts to another sector than before is not counted in both; a new agency changes nothing."""
    await desk.send(hold(desk.county, CAIT, NURSES))
    await adding.follow(desk.store, desk.registry.snapshot, desk.county.now)
    before = figures.Maker.of(desk.registry.snapshot, desk.county.now)
    moved = {**before.basis.sectors, COUNCIL: "health"}
    other = before._replace(basis=figures.Basis(zone=before.basis.zone, sectors=moved))
    assert await desk.store.read(lambda tx: sums.look(tx, other)) is None
    more = figures.Basis(zone=before.basis.zone, sectors={**before.basis.sectors, "new": "health"})
    assert more.still_holds(before.basis)
    round_ = await desk.store.read(lambda tx: figures._look(tx, other))
    assert round_ is not None
    assert round_.forget


async def test_a_follower_that_is_far_behind_is_not_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures are right all the same: they are counted from the rows."""
    await desk.send(hold(desk.county, CAIT, NURSES))
    monkeypatch.setattr(sums, "look", lambda tx, maker: None)
    asked = Question(Period(0, 9_999_999_999_999))
    tell = await count_period(desk.store, asked, desk.registry.snapshot, desk.county.now)
    assert tell((), lambda _: True).total.owed > 0


async def test_of_two_followers_one_counts(sqlite_store: Store) -> None:
    """Two processes of one hub look at the same leaves: what the second found is dropped."""
    county = County()
    desk = Desk(county, sqlite_store, await county.found(sqlite_store))
    await desk.send(hold(county, CAIT, NURSES))
    maker = figures.Maker.of(desk.registry.snapshot, county.now)
    found = await sqlite_store.read(lambda tx: figures._look(tx, maker))
    assert found is not None
    for _ in range(2):
        await sqlite_store.write(lambda tx: figures.keep(tx, found))
    await adding.check(sqlite_store, desk.registry.snapshot, county.now)
