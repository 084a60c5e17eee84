"""What the console asks of the figures: how much of what was owed was received, over months and by whom.

Everything here is counted from the sums of months, so that a year costs some thousand rows.

Source: domain 1 (a figure for any week and agency) and 8.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Final, NamedTuple, TypeVar

from hub import sums
from hub.figures import Maker
from hub.registry import Snapshot
from hub.store.base import Store
from hub.store.figures import Sum
from hub.store.transaction import Transaction
from schemas.identifiers import AgencyId, Moment
from schemas.rules.figures import Row, row_of
from schemas.rules.periods import month_of_day

# What an audit found of the records of strategy discussions that health practitioners should have received.
IN_2018: Final = 0.25
Name = TypeVar("Name", bound=Hashable)


class Months(NamedTuple):
    """What fell due in some months, and how far the log is counted: ``counted`` of ``size`` entries."""

    rows: tuple[Sum, ...]
    counted: int
    size: int

    @property
    def behind(self) -> int:
        """Return how many entries are not counted yet."""
        return self.size - self.counted


class Choice(NamedTuple):
    """Which of it is asked about; nothing means all.

    ``type`` is a family or the beginning of several: ``minutes`` is every kind of minutes.
    """

    type: str = ""
    agency: AgencyId = ""
    sector: str = ""
    debtor: AgencyId = ""

    def takes(self, one: Sum, sector_of: Callable[[str], str]) -> bool:
        """Answer whether *one* is asked about."""
        return (
            is_of(one.family, self.type)
            and self.agency in ("", one.creditor)
            and self.debtor in ("", one.debtor)
            and self.sector in ("", sector_of(one.creditor))
        )


class Overview(NamedTuple):
    """What is owed in all, by month of the due moment, by agency and sector that is owed it, by type and by who owes it."""

    total: Row
    by_month: Mapping[int, Row]
    by_agency: Mapping[str, Row]
    by_sector: Mapping[str, Row]
    by_type: Mapping[str, Row]
    by_debtor: Mapping[str, Row]


def is_of(family: str, asked: str) -> bool:
    """Answer whether *family* is *asked* or one of its kinds; of nothing asked, everything is."""
    return not asked or family == asked or family.startswith(f"{asked}.")


def month_at(maker: Maker, at: Moment) -> int:
    """Return the month of *at* as the figures count months."""
    return month_of_day(maker.days.local(at)[0])


async def read_months(store: Store, snapshot: Snapshot, first: int, past: int, now: Moment) -> Months:
    """Return what fell or falls due from the month *first* to before *past*, as it is at *now*."""
    maker = Maker.of(snapshot, now)

    def look(tx: Transaction) -> Months:
        fresh = sums.look(tx, maker)
        found = sums.count_months(tx, first, past, now, fresh)
        size = tx.log_head().size
        return Months(found.units, tx.figure_place()[0] if fresh is None else size, size)

    return await store.read(look)


def oversee(rows: Iterable[Sum], choice: Choice, sector_of: Callable[[str], str]) -> Overview:
    """Return what *choice* asks about of *rows*."""
    chosen = [one for one in rows if choice.takes(one, sector_of)]
    return Overview(
        total=next(iter(group(chosen, lambda _: "").values()), row_of({})),
        by_month=group(chosen, lambda one: one.bucket),
        by_agency=group(chosen, lambda one: one.creditor),
        by_sector=group(chosen, lambda one: sector_of(one.creditor)),
        by_type=group(chosen, lambda one: one.family),
        by_debtor=group(chosen, lambda one: one.debtor),
    )


def group(rows: Iterable[Sum], name_of: Callable[[Sum], Name]) -> dict[Name, Row]:
    """Return the counts of *rows* by the name that each has, in the names' order."""
    groups: defaultdict[Name, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    for one in rows:
        groups[name_of(one)][one.facts] += one.amount
    return {name: row_of(groups[name]) for name in sorted(groups, key=str) if any(groups[name].values())}
