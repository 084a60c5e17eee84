"""The figures that an audit asks for: of what was owed, what was sent, taken receipt of, late and missing.

A *unit* is one record owed to one mailbox: thread, type and creditor.  Duties to the same unit found under several
rules or debtors are one; the one that was met first speaks for it.

Source: protocol 5 (the clear figures); domain 8 (the audit figure).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from schemas.identifiers import Code, EnvelopeId, MailboxId, Moment, ObligationId, ThreadId, agency_of
from schemas.rules.duty import Duty, Kind, State

_SENT: Final = frozenset({"met", "met_late"})
# A receipt at a higher level was collected too, even where its own row has not come yet.
_COLLECTED: Final = frozenset({"collected", "filed", "opened", "acknowledged"})


class DutyRow(NamedTuple):
    """One obligation as the figures need it: ``family`` is its type, ``settled_by`` an envelope or receipt id."""

    id: ObligationId
    kind: Kind
    rule: str
    thread: ThreadId
    family: str
    debtor: MailboxId
    creditor: MailboxId
    item: str
    due: Moment
    state: State
    settled_at: Moment | None
    settled_by: str | None
    envelope: EnvelopeId

    @classmethod
    def of(
        cls, name: ObligationId, duty: Duty, state: State, settled_at: Moment | None, settled_by: str | None
    ) -> DutyRow:
        """Return the obligation *name* as it stands."""
        return cls(
            id=name,
            kind=duty.kind,
            rule=duty.rule,
            thread=duty.thread,
            family=duty.types[0],
            debtor=duty.debtor,
            creditor=duty.creditor,
            item=duty.item,
            due=duty.due,
            state=state,
            settled_at=settled_at,
            settled_by=settled_by,
            envelope=duty.envelope,
        )


class Taken(NamedTuple):
    """One receipt that the hub accepted at ``at``."""

    envelope: EnvelopeId
    mailbox: MailboxId
    level: str
    at: Moment


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen value that is written out whole, zeros included."""


class Row(_Answer, frozen=True, kw_only=True):
    """Counts of units.

    ``owed``: all but those waived, sent or not.  ``pending``: not received, and nobody is late yet.  ``late``: sent
    after the due moment.  ``missing``: past due and not sent.  ``untaken``: sent, and the receipt past due.
    ``elsewhere``: sent by other means: part of ``sent``, never of ``received``.  ``received_rate``: ``received`` ÷
    ``owed``, absent when nothing was owed.  ``received_in_the_end``: in time or late.
    """

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


class Missing(_Answer, frozen=True, kw_only=True):
    """One unit that somebody waits for: what, from whom, for whom, since when."""

    obligation: ObligationId
    thread: ThreadId
    type: str
    debtor: MailboxId
    creditor: MailboxId
    due: Moment


class Variant(_Answer, frozen=True, kw_only=True):
    """One way to count "received": ``count`` of ``of``, and in words what both mean."""

    name: Code
    definition: str
    count: int
    of: int
    rate: float | None


class Figures(_Answer, frozen=True, kw_only=True):
    """The figures as a whole, by the creditor's agency, by its sector and by type, and what is behind them."""

    total: Row
    by_agency: Mapping[str, Row]
    by_sector: Mapping[str, Row]
    by_type: Mapping[str, Row]
    variants: tuple[Variant, ...]
    missing: tuple[Missing, ...]
    untaken: tuple[Missing, ...]


class _Unit(NamedTuple):
    send: DutyRow
    receipt: DutyRow | None
    newest: DutyRow | None
    levels: frozenset[str]
    received: bool
    pending: bool

    @property
    def sent(self) -> bool:
        return self.send.state in _SENT or self.send.state == "met_elsewhere"

    @property
    def received_ever(self) -> bool:
        return self.newest is not None and self.newest.state in _SENT


VARIANTS: Final[tuple[tuple[Code, str, Callable[[_Unit], bool]], ...]] = (
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
        "sent_by_deadline",
        "it was sent through the hub in time, whether taken or not; of all that was owed",
        lambda unit: unit.send.state == "met",
    ),
    (
        "collected",
        "the recipient's gateway has it, verified and opened by machine; of all that was owed",
        lambda unit: not _COLLECTED.isdisjoint(unit.levels),
    ),
    ("filed", "it is in the recipient's record system; of all that was owed", lambda unit: "filed" in unit.levels),
    ("opened", "a named person has displayed it; of all that was owed", lambda unit: "opened" in unit.levels),
    (
        "acknowledged",
        "a named person has confirmed that they have it; of all that was owed",
        lambda unit: "acknowledged" in unit.levels,
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
) -> Figures:
    """Return the figures at *now* for what *families* of type were owed by *duties*.

    *duties* hold the send duties asked about with the receipt duties of their threads, whatever these receipts' due
    moments; *taken* the receipts of those threads; *sector_of* says to which sector a mailbox counts.
    """
    rows = list(duties)
    levels: dict[tuple[EnvelopeId, MailboxId], set[str]] = defaultdict(set)
    for one in taken:
        levels[one.envelope, one.mailbox].add(one.level)
    receipts: dict[tuple[ThreadId, MailboxId], list[DutyRow]] = defaultdict(list)
    for row in rows:
        if row.kind == "receipt":
            receipts[row.thread, row.debtor].append(row)
    sends = [row for row in rows if row.kind == "send" and row.family in families]
    units = [_unit(send, receipts[send.thread, send.creditor], levels, now) for send in _merge(sends)]
    owed = [unit for unit in units if unit.send.state != "waived"]
    return Figures(
        total=_row(units, now),
        by_agency=_group(units, now, lambda unit: agency_of(unit.send.creditor)),
        by_sector=_group(units, now, lambda unit: sector_of(unit.send.creditor)),
        by_type=_group(units, now, lambda unit: unit.send.family),
        variants=(*(_variant(name, text, map(test, owed)) for name, text, test in VARIANTS), *_other_variants(owed)),
        missing=_list(unit.send for unit in units if _is_missing(unit, now)),
        untaken=_list(unit.send for unit in units if _is_untaken(unit, now)),
    )


def _merge(sends: Iterable[DutyRow]) -> list[DutyRow]:
    """Keep one duty for each unit: what was met first, else what is open, else what was waived."""
    best: dict[tuple[str, ...], DutyRow] = {}
    for send in sends:
        unit = (send.thread, send.family, send.creditor, send.item)
        if unit not in best or _rank(send) < _rank(best[unit]):
            best[unit] = send
    return list(best.values())


def _rank(send: DutyRow) -> tuple[int, Moment, Moment, str]:
    order = 0 if send.state in _SENT else {"met_elsewhere": 1, "open": 2}.get(send.state, 3)
    return order, send.settled_at or 0, send.due, send.id


def _unit(
    send: DutyRow, receipts: list[DutyRow], levels: Mapping[tuple[EnvelopeId, MailboxId], set[str]], now: Moment
) -> _Unit:
    receipt = newest = None
    reached: set[str] = set()
    if send.state in _SENT:
        own = [row for row in receipts if row.envelope == send.settled_by]
        # An envelope may ask for several receipts, such as one at once and one when filed: the last one counts.
        receipt = max(own, key=_age, default=None)
        families = {row.family for row in own}
        versions = [row for row in receipts if row.family in families and row.state != "superseded"]
        newest = max(versions, key=_age, default=None)
        if receipt is not None and receipt.state == "superseded":
            receipt = newest
        for envelope in {send.settled_by, *(row.envelope for row in versions)}:
            reached |= levels.get((envelope or "", send.creditor), set())
    received = receipt is not None and _is_received(send, receipt)
    waits = send if send.state == "open" else receipt
    pending = not received and waits is not None and waits.state == "open" and waits.due >= now
    return _Unit(send, receipt, newest, frozenset(reached), received, pending)


def _age(receipt: DutyRow) -> tuple[Moment, str]:
    return receipt.due, receipt.envelope


def _is_received(send: DutyRow, receipt: DutyRow) -> bool:
    if receipt.state != "met" or receipt.settled_at is None or send.settled_at is None:
        return False
    allowance = receipt.due - send.settled_at
    return send.state == "met" or receipt.settled_at <= send.due + allowance


def _is_missing(unit: _Unit, now: Moment) -> bool:
    return unit.send.state == "open" and unit.send.due < now


def _is_untaken(unit: _Unit, now: Moment) -> bool:
    return unit.receipt is not None and unit.receipt.state == "open" and unit.receipt.due < now


def _rate(count: int, of: int) -> float | None:
    return round(count / of, 4) if of else None


def _row(units: Collection[_Unit], now: Moment) -> Row:
    owed = [unit for unit in units if unit.send.state != "waived"]
    received = sum(unit.received for unit in owed)
    return Row(
        owed=len(owed),
        sent=sum(unit.sent for unit in owed),
        collected=sum(not _COLLECTED.isdisjoint(unit.levels) for unit in owed),
        filed=sum("filed" in unit.levels for unit in owed),
        opened=sum("opened" in unit.levels for unit in owed),
        acknowledged=sum("acknowledged" in unit.levels for unit in owed),
        late=sum(unit.send.state == "met_late" for unit in owed),
        missing=sum(_is_missing(unit, now) for unit in owed),
        untaken=sum(_is_untaken(unit, now) for unit in owed),
        pending=sum(unit.pending for unit in owed),
        elsewhere=sum(unit.send.state == "met_elsewhere" for unit in owed),
        waived=len(units) - len(owed),
        received=received,
        received_rate=_rate(received, len(owed)),
        received_in_the_end=sum(unit.received_ever for unit in owed),
    )


def _group(units: Iterable[_Unit], now: Moment, name_of: Callable[[_Unit], str]) -> dict[str, Row]:
    groups: dict[str, list[_Unit]] = defaultdict(list)
    for unit in units:
        groups[name_of(unit)].append(unit)
    return {name: _row(groups[name], now) for name in sorted(groups)}


def _variant(name: Code, definition: str, answers: Iterable[bool]) -> Variant:
    counted = list(answers)
    count = sum(counted)
    return Variant(name=name, definition=definition, count=count, of=len(counted), rate=_rate(count, len(counted)))


def _other_variants(owed: Iterable[_Unit]) -> tuple[Variant, ...]:
    units, records = list(owed), defaultdict[tuple[str, str], list[bool]](list)
    for unit in units:
        records[unit.send.thread, unit.send.family].append(unit.received)
    return (
        _variant(
            "received_of_those_due",
            "as received_by_deadline, leaving out what nobody is late with yet",
            [unit.received for unit in units if not unit.pending],
        ),
        _variant(
            "received_of_those_sent",
            "as received_by_deadline, counting only what was sent through the hub: what most products would show",
            [unit.received for unit in units if unit.send.state in _SENT],
        ),
        _variant(
            "received_by_all",
            "records that every mailbox owed them received by the deadline; of all records owed to anyone",
            [all(answers) for answers in records.values()],
        ),
    )


def _list(sends: Iterable[DutyRow]) -> tuple[Missing, ...]:
    return tuple(
        Missing(
            obligation=row.id, thread=row.thread, type=row.family, debtor=row.debtor, creditor=row.creditor, due=row.due
        )
        for row in sorted(sends, key=lambda row: (row.due, row.thread, row.family, row.creditor, row.item))
    )
