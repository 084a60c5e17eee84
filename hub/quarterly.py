"""The report of one quarter that a safeguarding board gets: fit for anyone, so that no count points at a child.

It shows of each type what anybody who is a party to nothing would be shown: the same counts are left out, so that the
two can't be subtracted from each other.  Only quarters that are over are reported.

Source: domain 9.7; docs/decisions/suppression.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from hub import sums
from hub.core.releasing import find_gaps, release
from hub.core.statistics import Period
from hub.figures import Maker
from hub.registry import Snapshot
from hub.reports import Question, rows_from_store, tell_rows
from hub.store.base import Store
from hub.store.transaction import Transaction
from hub.sums import Counted
from schemas.identifiers import Moment
from schemas.rules.clocks import OpenDays, day_of
from schemas.rules.figures import Figures
from schemas.rules.periods import month_of_day

# The counts that are sums of whole classes: see hub.core.releasing.
SHOWN: Final = ("owed", "sent", "received", "received_rate", "missing")
Shown = Mapping[str, Any]


class Quarter(NamedTuple):
    """A calendar quarter; ``number`` counts quarters from the year 0."""

    number: int

    @property
    def name(self) -> str:
        """Return its name, such as ``2026-Q3``."""
        return f"{self.number // 4:04}-Q{self.number % 4 + 1}"

    @classmethod
    def of(cls, days: OpenDays, at: Moment) -> Quarter:
        """Return the quarter of *at*."""
        return cls(month_of_day(days.local(at)[0]) // 3)

    @classmethod
    def parse(cls, text: str) -> Quarter | None:
        """Return the quarter that *text* names, or nothing."""
        year, _, number = text.partition("-Q")
        if not (len(year) == 4 and year.isascii() and year.isdecimal() and number in ("1", "2", "3", "4")):
            return None
        return cls(int(year) * 4 + int(number) - 1)

    def period(self, days: OpenDays) -> Period:
        """Return its first moment and the first after it."""
        return Period(_begin(days, self.number), _begin(days, self.number + 1))


def _begin(days: OpenDays, number: int) -> Moment:
    return days.moment(day_of(f"{number // 4:04}-{number % 4 * 3 + 1:02}-01"), 0)


class Part(NamedTuple):
    """One type: its counts in all, by sector, by agency and by week of the due moment; what is left out is ``None``."""

    family: str
    total: Shown
    by_sector: Mapping[str, Shown]
    by_agency: Mapping[str, Shown]
    by_week: Mapping[str, Shown]


class Report(NamedTuple):
    """The report of ``quarter`` as it stands at ``at``, over ``size`` entries of the log."""

    quarter: Quarter
    at: Moment
    size: int
    least: int
    parts: tuple[Part, ...]


async def report_quarter(store: Store, snapshot: Snapshot, quarter: Quarter, now: Moment) -> Report | None:
    """Return the report of *quarter* at *now*; ``None``: it is not over."""
    maker = Maker.of(snapshot, now)
    period, least = quarter.period(maker.days), snapshot.rules_at(now).agreement.suppress_below
    if period.end > now:
        return None

    def look(tx: Transaction) -> tuple[Counted | None, int]:
        fresh = sums.look(tx, maker)
        months = quarter.number * 3, quarter.number * 3 + 3
        counted = None if fresh is None else sums.count_weeks(tx, *months, now, fresh)
        return counted, tx.log_head().size

    counted, size = await store.read(look)
    if counted is None:
        tell = tell_rows(await store.read(lambda tx: rows_from_store(tx, period)), Question(period), snapshot, now)
        found = {family: tell({family}, lambda _: True) for family in tell((), lambda _: True).by_type}
    else:
        found = {family: one.figures(now, maker.sector_of) for family, one in counted.by_family().items()}
    parts = (_part(family, figures, maker, least) for family, figures in sorted(found.items()) if figures.total.owed)
    return Report(quarter, now, size, least, tuple(parts))


def _part(family: str, figures: Figures, maker: Maker, least: int) -> Part:
    gaps = {family: find_gaps(figures, maker.sector_of, least)}
    told = release(figures, figures, gaps, family, lambda _: False)
    return Part(
        family,
        _shown(told["total"]),
        *({name: _shown(row) for name, row in told[f"by_{group}"].items()} for group in ("sector", "agency", "week")),
    )


def _shown(row: Mapping[str, Any]) -> Shown:
    return {column: row[column] for column in SHOWN}


def cells(report: Report) -> Iterator[list[str]]:
    """Yield the report's rows for a table that programs read, the heads first; what is left out is empty."""
    yield ["quarter", "type", "by", "name", *SHOWN]
    for part in report.parts:
        for by, rows in (
            ("total", {"": part.total}),
            ("sector", part.by_sector),
            ("agency", part.by_agency),
            ("week", part.by_week),
        ):
            for name, row in rows.items():
                counts = ["" if row[column] is None else str(row[column]) for column in SHOWN]
                yield [report.quarter.name, part.family, by, name, *counts]
