"""The figures that are kept, held against those that are counted anew, whatever has happened to the log."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from hub import figures, sums
from hub.core.statistics import Period, Rows, count, sector_of
from hub.registry import Snapshot
from hub.reports import Question, count_period, rows_from_log, rows_from_store, tell_rows
from hub.store.base import Store
from hub.store.transaction import Transaction
from schemas.identifiers import Moment, agency_of
from schemas.rules.counting import HasParties
from schemas.rules.figures import Figures, row_of
from schemas.rules.periods import days_of, month_of, name_of_month

ALWAYS = Period(0, 9_999_999_999_999)


async def follow(store: Store, snapshot: Snapshot, now: Moment, rounds: int = 10_000) -> None:
    """Count what the log has, in at most *rounds* rounds."""
    for _ in range(rounds):
        if not await figures.follow(store, snapshot, now):
            return


def periods(rows: Rows, snapshot: Snapshot, now: Moment) -> Iterator[Period]:
    """Yield all time, and periods that begin and end on days on which something is due."""
    days = days_of(snapshot.rules_at(now).agreement)
    yield ALWAYS
    due = sorted({days.local(row.due)[0] for row in rows.duties if row.kind == "send"})
    for place, day in enumerate(due[:3]):
        yield Period(days.moment(day, 0), days.moment(day + 1, 0))
        yield Period(days.moment(day, 0), days.moment(due[-1 - place] + 1, 0))


async def check(store: Store, snapshot: Snapshot, now: Moment) -> None:
    """Hold what is kept against what the log and the rows say, at *now* and later, for all parties and for some."""
    logged, _ = await rows_from_log(store)
    for period in periods(logged, snapshot, now):
        stored = await store.read(lambda tx, period=period: rows_from_store(tx, period))  # type: ignore[misc]
        for at in (now, now + 40 * 86_400_000):
            asked = Question(period)
            kept, anew = await count_period(store, asked, snapshot, at), tell_rows(stored, asked, snapshot, at)
            told = anew((), lambda _: True)
            assert kept((), lambda _: True) == told
            assert count(logged, period, snapshot.directory, at, days=days_of(snapshot.rules_at(at).agreement)) == told
            for family in list(told.by_type)[:2]:
                assert kept({family}, _is_odd) == _without_records(anew({family}, _is_odd), kept({family}, _is_odd))
        await _check_sector(store, snapshot, now, Question(period, sector="health"), stored)
    await _check_months(store, snapshot, now, logged)


async def _check_sector(store: Store, snapshot: Snapshot, now: Moment, asked: Question, stored: Rows) -> None:
    """Of one sector, whole records are told too."""
    find = sector_of(snapshot.directory)
    kept, anew = await count_period(store, asked, snapshot, now), tell_rows(stored, asked, snapshot, now)
    assert kept((), lambda row: find(row.creditor) == "health") == anew((), lambda row: find(row.creditor) == "health")


def _is_odd(row: HasParties) -> bool:
    return (len(agency_of(row.debtor)) + len(row.creditor)) % 2 == 1


def _without_records(anew: Figures, kept: Figures) -> Figures:
    """Return *anew* with *kept*'s whole records, which are told by sector alone."""
    variants = tuple(
        mine if one.name.startswith("received_by_all") else one
        for one, mine in zip(anew.variants, kept.variants, strict=True)
    )
    return msgspec.structs.replace(anew, variants=variants)


async def _check_months(store: Store, snapshot: Snapshot, now: Moment, logged: Rows) -> None:
    maker = figures.Maker.of(snapshot, now)

    def look(tx: Transaction) -> sums.Counted:
        return sums.count_months(tx, 0, 9999 * 12, now, sums.look(tx, maker))

    counted = await store.read(look)
    months: dict[str, dict[int, int]] = {}
    for one in counted.units:
        facts = months.setdefault(name_of_month(one.bucket), {})
        facts[one.facts] = facts.get(one.facts, 0) + one.amount
    told = count(logged, ALWAYS, snapshot.directory, now, days=maker.days)
    assert row_of(
        {fact: sum(of.get(fact, 0) for of in months.values()) for of_ in months.values() for fact in of_}
    ) == (told.total)
    due = {month_of(maker.days, row.due) for row in logged.duties if row.kind == "send"}
    assert {name for name, facts in months.items() if any(facts.values())} <= due
