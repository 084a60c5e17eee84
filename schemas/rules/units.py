"""What the audit's figures count: one record owed to one mailbox, and what became of it.

A *unit* is thread, type, creditor and item.  Duties to the same unit found under several rules or debtors are one; the
one that was met first speaks for it.

Source: protocol 5 (the clear figures); domain 8 (the audit figure).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, NamedTuple

from schemas.identifiers import EnvelopeId, MailboxId, Moment, ObligationId, ThreadId
from schemas.rules.duty import Duty, Kind, State

SENT: Final = frozenset({"met", "met_late"})
# A receipt at a higher level was collected too, even where its own row has not come yet.
COLLECTED: Final = frozenset({"collected", "filed", "opened", "acknowledged"})


class DutyRow(NamedTuple):
    """One obligation as the figures need it: ``family`` is its type, ``settled_by`` an envelope or receipt id.

    ``envelope``: what opened a duty to send, or what a duty to take receipt is about; none where the calendar did.
    ``began``: the moment from which its clock counts, where that is known.
    """

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
    envelope: EnvelopeId | None
    began: Moment | None = None

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
            began=duty.moment,
        )

    @property
    def scope(self) -> tuple[ThreadId, str]:
        """Return the record's place: its thread; of what recurs, whose thread has every period, the period too."""
        return self.thread, self.item if self.envelope is None else ""


class Taken(NamedTuple):
    """One receipt that the hub accepted at ``at``."""

    envelope: EnvelopeId
    mailbox: MailboxId
    level: str
    at: Moment


class Unit(NamedTuple):
    """One record owed to one mailbox.

    ``send``: the duty that speaks for it; ``receipt``: the duty to take receipt of what met it; ``newest``: that of its
    newest version.  ``levels``: each level that the creditor reached, and when first.  ``deadline``: by when the receipt
    had to be there: when it was due, or would have been, had the message been sent at the last moment in time.
    """

    send: DutyRow
    receipt: DutyRow | None
    newest: DutyRow | None
    levels: Mapping[str, Moment]
    deadline: Moment

    @property
    def sent(self) -> bool:
        """Answer whether it was sent, through the hub or by other means."""
        return self.send.state in SENT or self.send.state == "met_elsewhere"

    @property
    def received(self) -> bool:
        """Answer whether the receipt owed for it was given by the deadline."""
        return _is_received(self.receipt, self.deadline)

    @property
    def received_ever(self) -> bool:
        """Answer whether the receipt owed for its newest version was given."""
        return self.newest is not None and self.newest.state in SENT

    def has(self, levels: Collection[str]) -> bool:
        """Answer whether the creditor has reached one of *levels*."""
        return any(level in self.levels for level in levels)

    def had(self, levels: Collection[str]) -> bool:
        """Answer whether the creditor had reached one of *levels* by the deadline."""
        return any(self.levels[level] <= self.deadline for level in levels if level in self.levels)

    def is_missing(self, now: Moment) -> bool:
        """Answer whether it is past due at *now* and was not sent."""
        return self.send.state == "open" and self.send.due < now

    def is_untaken(self, now: Moment) -> bool:
        """Answer whether it was sent, and its receipt is past due at *now*."""
        return self.receipt is not None and self.receipt.state == "open" and self.receipt.due < now

    def is_pending(self, now: Moment) -> bool:
        """Answer whether it is not received, and at *now* nobody is late with it."""
        return (until := self.waits_until) is not None and until >= now

    @property
    def waits_until(self) -> Moment | None:
        """Return until when nobody is late: what is still to be sent, or to be taken, is due then."""
        waits = self.send if self.send.state == "open" else self.receipt
        return waits.due if waits is not None and waits.state == "open" else None


_Levels = Mapping[tuple[EnvelopeId, MailboxId], Mapping[str, Moment]]


def find_units(
    rows: Collection[DutyRow],
    taken: Iterable[Taken],
    families: Collection[str],
    is_asked: Callable[[DutyRow], bool] = lambda _: True,
) -> list[Unit]:
    """Return the units of *families* that *rows* tell of: duties to send, and every receipt duty of their threads.

    Of a duty that recurs, of the thread of what met it.  *is_asked* says of which duties to send the units are wanted.
    """
    found = []
    for ranked in rank_units(rows, taken):
        asked = (unit for unit in ranked if unit.send.family in families and is_asked(unit.send))
        found += [unit for unit in (next(asked, None),) if unit is not None]
    return found


def rank_units(rows: Iterable[DutyRow], taken: Iterable[Taken]) -> list[list[Unit]]:
    """Return each unit as each of its duties tells it, the one that speaks for it first.

    *rows* are as for :func:`find_units`: the first of those that are asked about speaks.
    """
    levels: dict[tuple[EnvelopeId, MailboxId], dict[str, Moment]] = defaultdict(dict)
    for one in taken:
        first = levels[one.envelope, one.mailbox]
        first[one.level] = min(one.at, first.get(one.level, one.at))
    receipts: dict[tuple[ThreadId, MailboxId], list[DutyRow]] = defaultdict(list)
    takers: dict[EnvelopeId, list[MailboxId]] = defaultdict(list)
    threads: dict[str | None, ThreadId] = {}
    sends: dict[tuple[str, ...], list[DutyRow]] = defaultdict(list)
    for row in rows:
        if row.kind == "receipt":
            threads[row.envelope] = row.thread
            receipts[row.thread, row.debtor].append(row)
            takers[row.envelope or ""].append(row.debtor)
        else:
            sends[row.thread, row.family, row.creditor, row.item].append(row)
    owed = {(send.scope, send.creditor) for same in sends.values() for send in same}

    def taker_of(send: DutyRow) -> MailboxId:
        """Who takes it: the creditor, or where that has ended who got it in its place and is owed none itself."""
        found = takers.get(send.settled_by or "", ())
        heirs = [box for box in found if (send.scope, box) not in owed]
        return send.creditor if send.creditor in found or not heirs else min(heirs)

    return [
        [
            _unit(send, box := taker_of(send), receipts[threads.get(send.settled_by, send.thread), box], levels)
            for send in sorted(same, key=_rank)
        ]
        for same in sends.values()
    ]


def _rank(send: DutyRow) -> tuple[int, Moment, Moment, str]:
    """Order duties to the same unit: what was met first, else what is open, else what was waived."""
    order = 0 if send.state in SENT else {"met_elsewhere": 1, "open": 2}.get(send.state, 3)
    return order, send.settled_at or 0, send.due, send.id


def _unit(send: DutyRow, taker: MailboxId, receipts: list[DutyRow], levels: _Levels) -> Unit:
    receipt = newest = None
    reached: dict[str, Moment] = {}
    if send.state in SENT:
        own = [row for row in receipts if row.envelope == send.settled_by]
        # An envelope may ask for several receipts, such as one at once and one when filed: the last one counts.
        receipt = max(own, key=_age, default=None)
        families = {row.family for row in own}
        versions = [row for row in receipts if row.family in families and row.state != "superseded"]
        newest = max(versions, key=_age, default=None)
        if receipt is not None and receipt.state == "superseded":
            receipt = newest
        for envelope in {send.settled_by, *(row.envelope for row in versions)}:
            for level, at in levels.get((envelope or "", taker), {}).items():
                reached[level] = min(at, reached.get(level, at))
    late_by = max(0, (send.settled_at or 0) - send.due)
    deadline = receipt.due - late_by if receipt else send.due
    return Unit(send, receipt, newest, reached, deadline)


def _age(receipt: DutyRow) -> tuple[Moment, str]:
    return receipt.due, receipt.envelope or ""


def _is_received(receipt: DutyRow | None, deadline: Moment) -> bool:
    return receipt is not None and receipt.state == "met" and (receipt.settled_at or 0) <= deadline
