"""The figures that an audit asks for: of what was owed, what was sent, taken receipt of, late and missing.

"Received" has no one meaning and no one denominator, so every way to count it is published beside its definition.

Source: protocol 5 (the clear figures); domain 8 (the audit figure).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from schemas.identifiers import Code, MailboxId, Moment, ObligationId, ThreadId
from schemas.rules import counting
from schemas.rules.clocks import OpenDays
from schemas.rules.counting import Facts, Groups, Keep, count
from schemas.rules.periods import UTC, week_of
from schemas.rules.units import DutyRow, Taken, Unit, find_units


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen value that is written out whole, zeros included."""


class Row(Answer, frozen=True, kw_only=True):
    """Counts of units; what each means is in :data:`COLUMNS`."""

    owed: int
    sent: int
    collected: int
    filed: int
    opened: int
    acknowledged: int
    late: int
    missing: int
    untaken: int
    pending: int
    elsewhere: int
    waived: int
    received: int
    received_rate: float | None
    received_in_the_end: int


COLUMNS: Final[Mapping[str, str]] = {
    "owed": "records owed to a mailbox, sent or not; without those waived",
    "sent": "of these, sent through the hub, in time or late, or by other means",
    "collected": "the recipient's gateway has it, verified and opened by machine",
    "filed": "it is in the recipient's record system",
    "opened": "a named person has displayed it",
    "acknowledged": "a named person has confirmed that they have it",
    "late": "sent through the hub after the due moment",
    "missing": "past due and not sent",
    "untaken": "sent, and the receipt owed for it is past due",
    "pending": "not received, and nobody is late yet",
    "elsewhere": "sent by other means: part of sent, never of received",
    "waived": "owed no more, by a signed waiver; not part of owed",
    "received": "the receipt owed for it was given by the deadline",
    "received_rate": "received ÷ owed; absent where nothing was owed",
    "received_in_the_end": "the receipt owed for its newest version was given, in time or late",
}


class Missing(Answer, frozen=True, kw_only=True):
    """One thing that somebody waits for: what, from whom, for whom, since when."""

    obligation: ObligationId
    thread: ThreadId
    type: str
    debtor: MailboxId
    creditor: MailboxId
    due: Moment

    @classmethod
    def of(cls, row: DutyRow) -> Missing:
        """Return what *row* waits for."""
        return cls(
            obligation=row.id, thread=row.thread, type=row.family, debtor=row.debtor, creditor=row.creditor, due=row.due
        )


class Variant(Answer, frozen=True, kw_only=True):
    """One way to count "received": ``count`` of ``of``, and in words what both mean."""

    name: Code
    definition: str
    count: int
    of: int
    rate: float | None


class Figures(Answer, frozen=True, kw_only=True):
    """The figures as a whole, by agency and sector of the creditor, by type and by ISO week of the due moment."""

    total: Row
    by_agency: Mapping[str, Row]
    by_sector: Mapping[str, Row]
    by_type: Mapping[str, Row]
    by_week: Mapping[str, Row]
    variants: tuple[Variant, ...]
    missing: tuple[Missing, ...]
    untaken: tuple[Missing, ...]


VARIANTS: Final[tuple[tuple[Code, str, int], ...]] = (
    (
        "received_by_deadline",
        (
            "the receipt owed for it was given in time, and it was sent in time or the receipt came before a message "
            "sent at the last moment would have had to be receipted; of all that was owed, sent or not"
        ),
        counting.RECEIVED,
    ),
    (
        "received_eventually",
        "the receipt owed for its newest version was given, in time or late; of all that was owed",
        counting.RECEIVED_EVER,
    ),
    (
        "filed_or_acknowledged_by_deadline",
        "by that deadline it was in the record system or confirmed by a named person; of all that was owed",
        counting.CLEARED_BY,
    ),
    (
        "opened_by_deadline",
        "by that deadline a named person had displayed it; of all that was owed",
        counting.OPENED_BY,
    ),
    (
        "collected_by_deadline",
        "by that deadline the recipient's gateway had it, verified and opened by machine; of all that was owed",
        counting.COLLECTED_BY,
    ),
    (
        "sent_by_deadline",
        "it was sent through the hub in time, whether taken or not; of all that was owed",
        counting.IN_TIME,
    ),
    (
        "filed_or_acknowledged",
        "by now it is in the record system or confirmed by a named person; of all that was owed",
        counting.FILED | counting.ACKNOWLEDGED,
    ),
    ("filed", "by now it is in the recipient's record system; of all that was owed", counting.FILED),
    (
        "acknowledged",
        "by now a named person has confirmed that they have it; of all that was owed",
        counting.ACKNOWLEDGED,
    ),
    ("opened", "by now a named person has displayed it; of all that was owed", counting.OPENED),
    (
        "collected",
        "by now the recipient's gateway has it, verified and opened by machine; of all that was owed",
        counting.COLLECTED,
    ),
    (
        "sent_or_met_elsewhere",
        "it was sent through the hub, in time or late, or by other means; of all that was owed",
        counting.SENT,
    ),
)


class Records(NamedTuple):
    """Whole records, each owed to one mailbox or several: how many were owed, and received by all that were owed them."""

    owed: int
    received: int
    received_ever: int


def tally(
    duties: Iterable[DutyRow],
    taken: Iterable[Taken],
    now: Moment,
    sector_of: Callable[[MailboxId], str],
    families: Collection[str],
    days: OpenDays = UTC,
    keep: Keep = lambda _: True,
    is_asked: Callable[[DutyRow], bool] = lambda _: True,
) -> Figures:
    """Return the figures at *now* for what *families* of type were owed by *duties*.

    *duties* hold the send duties asked about with the receipt duties of their threads, whatever these receipts' due
    moments; *taken* the receipts of those threads; *sector_of* says to which sector a mailbox counts; *days* in whose
    weeks; *is_asked* by which duties a unit is looked for; *keep* which units count, by the duty that speaks for each.
    """
    units = [unit for unit in find_units(list(duties), taken, families, is_asked) if keep(unit.send)]
    groups = Groups()
    for unit in units:
        send = unit.send
        groups.add(send.creditor, send.family, week_of(days, send.due), counting.facts_at(unit, now))
    return compose(
        groups,
        sector_of,
        count_records(unit for unit in units if unit.send.state != "waived"),
        missing=(Missing.of(unit.send) for unit in units if unit.is_missing(now)),
        untaken=(Missing.of(unit.send) for unit in units if unit.is_untaken(now)),
    )


def count_records(owed: Iterable[Unit]) -> Records:
    """Return how many records *owed* are units of, and how many of these were received by all."""
    records: dict[tuple[tuple[str, str], str], list[Unit]] = defaultdict(list)
    for unit in owed:
        records[unit.send.scope, unit.send.family].append(unit)
    return Records(
        owed=len(records),
        received=sum(all(unit.received for unit in units) for units in records.values()),
        received_ever=sum(all(unit.received_ever for unit in units) for units in records.values()),
    )


def compose(
    groups: Groups,
    sector_of: Callable[[str], str],
    records: Records,
    missing: Iterable[Missing],
    untaken: Iterable[Missing],
) -> Figures:
    """Return as figures what was added up; *sector_of* says to which sector an agency counts."""
    sectors: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for agency, facts in groups.by_agency.items():
        for fact, amount in facts.items():
            sectors[sector_of(agency)][fact] += amount
    return Figures(
        total=row_of(groups.total),
        by_agency=_rows(groups.by_agency),
        by_sector=_rows(sectors),
        by_type=_rows(groups.by_type),
        by_week=_rows(groups.by_week),
        variants=(
            *(_variant(name, text, count(groups.total, bits), count(groups.total, 0)) for name, text, bits in VARIANTS),
            *_other_variants(groups.total, records),
        ),
        missing=_list(missing),
        untaken=_list(untaken),
    )


def rate(count: int, of: int) -> float | None:
    """Return *count* ÷ *of*; of nothing there is no share, neither none nor all."""
    return round(count / of, 4) if of else None


def row_of(facts: Facts) -> Row:
    """Return the counts of units of which *facts* tells."""
    owed, received = count(facts, 0), count(facts, counting.RECEIVED)
    return Row(
        owed=owed,
        sent=count(facts, counting.SENT),
        collected=count(facts, counting.COLLECTED),
        filed=count(facts, counting.FILED),
        opened=count(facts, counting.OPENED),
        acknowledged=count(facts, counting.ACKNOWLEDGED),
        late=count(facts, counting.LATE),
        missing=count(facts, counting.OWES_SEND, but_not=counting.PENDING),
        untaken=count(facts, counting.OWES_RECEIPT, but_not=counting.PENDING),
        pending=count(facts, counting.PENDING),
        elsewhere=count(facts, counting.ELSEWHERE),
        waived=sum(amount for fact, amount in facts.items() if fact & counting.WAIVED),
        received=received,
        received_rate=rate(received, owed),
        received_in_the_end=count(facts, counting.RECEIVED_EVER),
    )


def _rows(groups: Mapping[str, Facts]) -> dict[str, Row]:
    return {name: row_of(groups[name]) for name in sorted(groups) if any(groups[name].values())}


def _variant(name: Code, definition: str, counted: int, of: int) -> Variant:
    return Variant(name=name, definition=definition, count=counted, of=of, rate=rate(counted, of))


def _other_variants(facts: Facts, records: Records) -> tuple[Variant, ...]:
    """Return the variants with another denominator than all that was owed."""
    received, through = count(facts, counting.RECEIVED), count(facts, counting.THROUGH)
    return (
        _variant(
            "received_of_those_due",
            "as received_by_deadline, leaving out what nobody is late with yet",
            received,
            count(facts, 0, but_not=counting.PENDING),
        ),
        _variant(
            "received_of_those_sent",
            "as received_by_deadline, counting only what was sent through the hub: what most products would show",
            # Nothing is received that wasn't sent.
            received,
            through,
        ),
        _variant(
            "collected_of_those_sent",
            "as collected, counting only what was sent through the hub: what a delivery report would show",
            count(facts, counting.COLLECTED),
            through,
        ),
        _variant(
            "received_by_all",
            "records that every mailbox owed them received by the deadline; of all records owed to anyone",
            records.received,
            records.owed,
        ),
        _variant(
            "received_by_all_eventually",
            "records of whose newest version every mailbox owed it has given the receipt; of all records owed to anyone",
            records.received_ever,
            records.owed,
        ),
    )


def _list(waits: Iterable[Missing]) -> tuple[Missing, ...]:
    return tuple(sorted(waits, key=lambda one: (one.due, one.thread, one.type, one.creditor, one.obligation)))
