"""What is missing now: open and past its due moment, the longest first, and how far up its ladder each is.

One look walks a limited part of what is overdue, so that a county in trouble has its page as fast as any other.

Source: protocol 5 (*overdue* is derived); issue of the console.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple, get_args

from hub.store.rows import ObligationRow
from hub.store.transaction import Transaction
from keys.digests import from_b64u
from schemas.envelope import DAY
from schemas.identifiers import MailboxId, Moment, ObligationId
from schemas.rules.duty import Duty, Kind, Step

# How far it has gone: nobody was told yet that it is late, both parties, a manager or deputy, the partnership.
Rung = Literal["nobody", "parties", "manager", "partnership"]
Age = Literal["day", "week", "month", "longer"]
RUNGS: Final[tuple[Rung, ...]] = get_args(Rung)
AGES: Final[tuple[Age, ...]] = get_args(Age)
_AGES: Final[tuple[tuple[Age, int], ...]] = (("day", DAY), ("week", 7 * DAY), ("month", 28 * DAY))
# One look walks no more rows than this.
SCAN: Final = 2000
_PAGE: Final = 100


class Filters(NamedTuple):
    """Which ones; ``debtors``: owed by one of these mailboxes; ``rung``: gone at least so far."""

    debtors: tuple[MailboxId, ...] | None = None
    family: str | None = None
    kind: Kind | None = None
    rung: Rung = "nobody"


class Late(NamedTuple):
    """One overdue obligation; ``taken``: the steps of its ladder so far; ``next``: what comes, if anything."""

    row: ObligationRow
    rung: Rung
    taken: tuple[Step, ...]
    next: Step | None


class Found(NamedTuple):
    """A page of what is overdue; ``after``: the obligation beyond which there may be more."""

    late: tuple[Late, ...]
    after: ObligationId | None


class Tally(NamedTuple):
    """How many are overdue by age and rung; ``more``: these are the longest overdue, and there are more."""

    counts: Counter[tuple[Age, Rung]]
    total: int
    more: bool


def look_at(row: ObligationRow) -> Late:
    """Return where an obligation stands on its ladder."""
    taken, ahead = row.duty.steps[: row.step], row.duty.steps[row.step :]
    return Late(row, rung_of(row.duty, row.step), taken, ahead[0] if ahead and row.state == "open" else None)


def rung_of(duty: Duty, step: int) -> Rung:
    """Return how far up *duty* has gone once its steps below *step* were taken."""
    said = {target for one in duty.steps[:step] if one.notice == "overdue" for target in one.to}
    if any(target.startswith(("role:", "mailbox:")) for target in said):
        return "partnership"
    if any("/" in target for target in said):
        return "manager"
    return "parties" if said else "nobody"


def age_of(duty: Duty, now: Moment) -> Age:
    """Return for how long *duty* has been overdue."""
    return next((age for age, most in _AGES if now - duty.due <= most), "longer")


def find_missing(tx: Transaction, filters: Filters, now: Moment, after: ObligationId | None, limit: int) -> Found:
    """Return at most *limit* overdue obligations that fit, the longest overdue first, beyond the obligation *after*."""
    found: list[Late] = []
    last = after
    for seen, row in enumerate(_walk(tx, filters.debtors, now, after)):
        if len(found) == limit or seen == SCAN:
            return Found(tuple(found), last)
        late, last = look_at(row), row.id
        if _fits(late, filters):
            found.append(late)
    return Found(tuple(found), None)


def tally(tx: Transaction, filters: Filters, now: Moment) -> Tally:
    """Count what :func:`find_missing` finds, by age and rung, among the :data:`SCAN` longest overdue."""
    counts: Counter[tuple[Age, Rung]] = Counter()
    for seen, row in enumerate(_walk(tx, filters.debtors, now, None)):
        if seen == SCAN:
            return Tally(counts, counts.total(), more=True)
        late = look_at(row)
        if _fits(late, filters):
            counts[age_of(row.duty, now), late.rung] += 1
    return Tally(counts, counts.total(), more=False)


def _fits(late: Late, filters: Filters) -> bool:
    duty = late.row.duty
    return (
        (filters.family is None or filters.family in duty.types)
        and (filters.kind is None or duty.kind == filters.kind)
        and RUNGS.index(late.rung) >= RUNGS.index(filters.rung)
    )


def _walk(
    tx: Transaction, debtors: Sequence[MailboxId] | None, now: Moment, after: ObligationId | None
) -> Iterator[ObligationRow]:
    streams = [_stream(tx, debtor, now, after) for debtor in (debtors if debtors is not None else (None,))]
    return heapq.merge(*streams, key=lambda row: (row.duty.due, from_b64u(row.id)))


def _stream(
    tx: Transaction, debtor: MailboxId | None, now: Moment, after: ObligationId | None
) -> Iterator[ObligationRow]:
    while True:
        page = tx.list_obligations(debtor=debtor, state="open", due_before=now, after_id=after, limit=_PAGE)
        # An objection window that is over lapses; nothing of it is missing.
        yield from (row for row in page if not row.duty.lapses)
        if len(page) < _PAGE:
            return
        after = page[-1].id
