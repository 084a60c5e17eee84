"""Figures of any period as sums of what was added up before, to the unit what counting it anew would give.

Which of a unit's duties speaks for it depends on the period that is asked about: the best of those that fall due in it.
So what a unit counts for is a function of the period's first and last day; that function is written as a sum over
spans of days, of which each counts where it lies wholly in the period.  Nearly all have one day and need one span.

Source: protocol 5 (the clear figures).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

from schemas.identifiers import AgencyId, MailboxId, Moment, ObligationId, agency_of
from schemas.rules import counting
from schemas.rules.units import Unit

OWED: Final = 0
NOT_RECEIVED: Final = 1
NEVER_RECEIVED: Final = 2
# Records of creditors of every sector.
EVERY_SECTOR: Final = ""
T = TypeVar("T", bound=Hashable)


class Part(NamedTuple):
    """What one unit counts for on ``day``, the local day on which the duty that speaks for it is due.

    ``waits_until``, ``obligation`` and ``due`` are set where somebody still has to do something.
    """

    day: int
    family: str
    creditor: MailboxId
    debtor: MailboxId
    facts: int
    waits_until: Moment | None = None
    obligation: ObligationId = ""
    due: Moment = 0


class RecordPart(NamedTuple):
    """What one record counts for among those owed to ``sector``: ``fact`` is one of the constants above."""

    family: str
    sector: str
    fact: int


class Spans(NamedTuple):
    """Of one scope, how often each part counts in a period that holds the days from the first to the last."""

    units: Counter[tuple[int, int, Part]]
    records: Counter[tuple[int, int, RecordPart]]


def spread(days: Sequence[int], parts_of: Callable[[int, int], Iterable[T]]) -> Counter[tuple[int, int, T]]:
    """Return as spans what *parts_of* the first and last day of a period gives.

    *days*: those, in order, on which anything changes.  The sum over all spans inside a period is what *parts_of* it
    gives (Möbius inversion over intervals).
    """
    spans: Counter[tuple[int, int, T]] = Counter()
    for first, low in enumerate(days):
        for last in range(first, len(days)):
            for begin, end, sign in (
                (first, last, 1),
                (first + 1, last, -1),
                (first, last - 1, -1),
                (first + 1, last - 1, 1),
            ):
                if begin <= end:
                    for part in parts_of(days[begin], days[end]):
                        spans[low, days[last], part] += sign
    return Counter({span: times for span, times in spans.items() if times})


def spread_scope(
    ranked: Iterable[Sequence[Unit]], day_of: Callable[[Moment], int], sector_of: Callable[[AgencyId], str]
) -> Spans:
    """Return what the units of one scope count for; of each, *ranked* has it as each of its duties tells it."""
    units: Counter[tuple[int, int, Part]] = Counter()
    records: defaultdict[str, list[Sequence[tuple[int, Unit]]]] = defaultdict(list)
    for same in ranked:
        placed = [(day_of(unit.send.due), unit) for unit in same]
        units.update(spread(_days(placed), lambda low, high, placed=placed: _parts(_spoken(placed, low, high))))  # type: ignore[misc]
        records[same[0].send.family].append(placed)
    whole: Counter[tuple[int, int, RecordPart]] = Counter()
    for family, members in records.items():
        days = sorted({day for placed in members for day, _ in placed})
        whole.update(
            spread(
                days,
                lambda low, high, family=family, members=members: _record(family, members, low, high, sector_of),  # type: ignore[misc]
            )
        )
    return Spans(units, whole)


def _days(placed: Iterable[tuple[int, Unit]]) -> list[int]:
    return sorted({day for day, _ in placed})


def _spoken(placed: Iterable[tuple[int, Unit]], low: int, high: int) -> tuple[int, Unit] | None:
    return next((one for one in placed if low <= one[0] <= high), None)


def _parts(spoken: tuple[int, Unit] | None) -> Iterable[Part]:
    if spoken is None:
        raise AssertionError("a span begins and ends on days that have a unit")
    day, unit = spoken
    send, until = unit.send, unit.waits_until
    part = Part(day, send.family, send.creditor, send.debtor, counting.facts_of(unit))
    yield part if until is None else part._replace(waits_until=until, obligation=send.id, due=send.due)


def _record(
    family: str,
    members: Iterable[Sequence[tuple[int, Unit]]],
    low: int,
    high: int,
    sector_of: Callable[[AgencyId], str],
) -> Iterable[RecordPart]:
    spoken = [one[1] for placed in members if (one := _spoken(placed, low, high)) is not None]
    sectors: defaultdict[str, list[Unit]] = defaultdict(list)
    for unit in spoken:
        if unit.send.state != "waived":
            sectors[EVERY_SECTOR].append(unit)
            sectors[sector_of(agency_of(unit.send.creditor))].append(unit)
    for sector, units in sectors.items():
        yield RecordPart(family, sector, OWED)
        if not all(unit.received for unit in units):
            yield RecordPart(family, sector, NOT_RECEIVED)
        if not all(unit.received_ever for unit in units):
            yield RecordPart(family, sector, NEVER_RECEIVED)
