"""The figures that an audit asks for: of what was owed, what was sent, taken receipt of, late and missing.

"Received" has no one meaning and no one denominator, so every way to count it is published beside its definition.

Source: protocol 5 (the clear figures); domain 8 (the audit figure).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

import msgspec

from schemas.identifiers import Code, MailboxId, Moment, ObligationId, ThreadId, agency_of
from schemas.rules.clocks import OpenDays
from schemas.rules.periods import UTC, week_of
from schemas.rules.units import COLLECTED, SENT, DutyRow, Taken, Unit, find_units

CLEARED: Final = frozenset({"filed", "acknowledged"})


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


VARIANTS: Final[tuple[tuple[Code, str, Callable[[Unit], bool]], ...]] = (
    (
        "received_by_deadline",
        (
            "the receipt owed for it was given in time, and it was sent in time or the receipt came before a message "
            "sent at the last moment would have had to be receipted; of all that was owed, sent or not"
        ),
        lambda unit: unit.received,
    ),
    (
        "received_eventually",
        "the receipt owed for its newest version was given, in time or late; of all that was owed",
        lambda unit: unit.received_ever,
    ),
    (
        "filed_or_acknowledged_by_deadline",
        "by that deadline it was in the record system or confirmed by a named person; of all that was owed",
        lambda unit: unit.had(CLEARED),
    ),
    (
        "opened_by_deadline",
        "by that deadline a named person had displayed it; of all that was owed",
        lambda unit: unit.had({"opened"}),
    ),
    (
        "collected_by_deadline",
        "by that deadline the recipient's gateway had it, verified and opened by machine; of all that was owed",
        lambda unit: unit.had(COLLECTED),
    ),
    (
        "sent_by_deadline",
        "it was sent through the hub in time, whether taken or not; of all that was owed",
        lambda unit: unit.send.state == "met",
    ),
    (
        "filed_or_acknowledged",
        "by now it is in the record system or confirmed by a named person; of all that was owed",
        lambda unit: unit.has(CLEARED),
    ),
    ("filed", "by now it is in the recipient's record system; of all that was owed", lambda unit: unit.has({"filed"})),
    (
        "acknowledged",
        "by now a named person has confirmed that they have it; of all that was owed",
        lambda unit: unit.has({"acknowledged"}),
    ),
    ("opened", "by now a named person has displayed it; of all that was owed", lambda unit: unit.has({"opened"})),
    (
        "collected",
        "by now the recipient's gateway has it, verified and opened by machine; of all that was owed",
        lambda unit: unit.has(COLLECTED),
    ),
    (
        "sent_or_met_elsewhere",
        "it was sent through the hub, in time or late, or by other means; of all that was owed",
        lambda unit: unit.sent,
    ),
)


def tally(
    duties: Iterable[DutyRow],
    taken: Iterable[Taken],
    now: Moment,
    sector_of: Callable[[MailboxId], str],
    families: Collection[str],
    days: OpenDays = UTC,
    keep: Callable[[DutyRow], bool] = lambda _: True,
) -> Figures:
    """Return the figures at *now* for what *families* of type were owed by *duties*.

    *duties* hold the send duties asked about with the receipt duties of their threads, whatever these receipts' due
    moments; *taken* the receipts of those threads; *sector_of* says to which sector a mailbox counts; *days* in whose
    weeks; *keep* which units count, by the duty that speaks for each.
    """
    units = [unit for unit in find_units(list(duties), taken, now, families) if keep(unit.send)]
    owed = [unit for unit in units if unit.send.state != "waived"]
    return Figures(
        total=_row(units, now),
        by_agency=_group(units, now, lambda unit: agency_of(unit.send.creditor)),
        by_sector=_group(units, now, lambda unit: sector_of(unit.send.creditor)),
        by_type=_group(units, now, lambda unit: unit.send.family),
        by_week=_group(units, now, lambda unit: week_of(days, unit.send.due)),
        variants=(*(_variant(name, text, map(test, owed)) for name, text, test in VARIANTS), *_other_variants(owed)),
        missing=_list(unit.send for unit in units if unit.is_missing(now)),
        untaken=_list(unit.send for unit in units if unit.is_untaken(now)),
    )


def rate(count: int, of: int) -> float | None:
    """Return *count* ÷ *of*; of nothing there is no share, neither none nor all."""
    return round(count / of, 4) if of else None


def _row(units: Collection[Unit], now: Moment) -> Row:
    owed = [unit for unit in units if unit.send.state != "waived"]
    received = sum(unit.received for unit in owed)
    return Row(
        owed=len(owed),
        sent=sum(unit.sent for unit in owed),
        collected=sum(unit.has(COLLECTED) for unit in owed),
        filed=sum(unit.has({"filed"}) for unit in owed),
        opened=sum(unit.has({"opened"}) for unit in owed),
        acknowledged=sum(unit.has({"acknowledged"}) for unit in owed),
        late=sum(unit.send.state == "met_late" for unit in owed),
        missing=sum(unit.is_missing(now) for unit in owed),
        untaken=sum(unit.is_untaken(now) for unit in owed),
        pending=sum(unit.pending for unit in owed),
        elsewhere=sum(unit.send.state == "met_elsewhere" for unit in owed),
        waived=len(units) - len(owed),
        received=received,
        received_rate=rate(received, len(owed)),
        received_in_the_end=sum(unit.received_ever for unit in owed),
    )


def _group(units: Iterable[Unit], now: Moment, name_of: Callable[[Unit], str]) -> dict[str, Row]:
    groups: dict[str, list[Unit]] = defaultdict(list)
    for unit in units:
        groups[name_of(unit)].append(unit)
    return {name: _row(groups[name], now) for name in sorted(groups)}


def _variant(name: Code, definition: str, answers: Iterable[bool]) -> Variant:
    counted = list(answers)
    count = sum(counted)
    return Variant(name=name, definition=definition, count=count, of=len(counted), rate=rate(count, len(counted)))


def _other_variants(owed: Collection[Unit]) -> tuple[Variant, ...]:
    """Return the variants with another denominator than all that was owed."""
    records: dict[tuple[str, str], list[Unit]] = defaultdict(list)
    for unit in owed:
        records[unit.send.thread, unit.send.family].append(unit)
    through = [unit for unit in owed if unit.send.state in SENT]
    return (
        _variant(
            "received_of_those_due",
            "as received_by_deadline, leaving out what nobody is late with yet",
            [unit.received for unit in owed if not unit.pending],
        ),
        _variant(
            "received_of_those_sent",
            "as received_by_deadline, counting only what was sent through the hub: what most products would show",
            [unit.received for unit in through],
        ),
        _variant(
            "collected_of_those_sent",
            "as collected, counting only what was sent through the hub: what a delivery report would show",
            [unit.has(COLLECTED) for unit in through],
        ),
        _variant(
            "received_by_all",
            "records that every mailbox owed them received by the deadline; of all records owed to anyone",
            [all(unit.received for unit in units) for units in records.values()],
        ),
        _variant(
            "received_by_all_eventually",
            "records of whose newest version every mailbox owed it has given the receipt; of all records owed to anyone",
            [all(unit.received_ever for unit in units) for units in records.values()],
        ),
    )


def _list(sends: Iterable[DutyRow]) -> tuple[Missing, ...]:
    return tuple(
        Missing.of(row)
        for row in sorted(sends, key=lambda row: (row.due, row.thread, row.family, row.creditor, row.item))
    )
