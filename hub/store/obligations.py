"""Verbs of obligations and waivers."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from hub.store.rows import ObligationRow, WaiverRow
from hub.store.session import Row, Session, pack, pack_or_none, unpack, unpack_or_none
from schemas.rules.duty import SETTLED, Duty

STATES: Final = ("open", *sorted(SETTLED))
_NEVER: Final = 2**62
_PAGE: Final = 100
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Duty).decode


def _obligation(row: Row) -> ObligationRow:
    name, duty, state, opened_at, settled_at, settled_by, step, next_at = row
    return ObligationRow(
        unpack(name),
        _decode(duty),
        state,
        opened_at,
        settled_at,
        unpack_or_none(settled_by),
        step,
        next_at,
    )


def thread_obligations(tx: Session, thread: str, only_open: bool = False) -> list[ObligationRow]:
    """Return the obligations of *thread*, by id."""
    query = "thread_obligations_open" if only_open else "thread_obligations"
    rows = tx.connection.rows(query, {"thread": pack(thread)})
    return sorted(map(_obligation, rows), key=lambda row: row.id)


def period_obligations(tx: Session, thread: str, at: int) -> list[ObligationRow]:
    """Return the recurring obligations under *thread* whose period *at* lies in, by id."""
    rows = tx.connection.rows("period_obligations", {"thread": pack(thread), "at": at})
    return sorted(map(_obligation, rows), key=lambda row: row.id)


def receipts_owed(tx: Session, thread: str, debtor: str) -> list[ObligationRow]:
    """Return the open duties of *debtor* to take receipt of something in *thread*, by id."""
    rows = tx.connection.rows("receipts_owed", {"thread": pack(thread), "debtor": debtor})
    return sorted(map(_obligation, rows), key=lambda row: row.id)


def find_obligation(tx: Session, name: str) -> ObligationRow | None:
    """Return the obligation with this id."""
    return next(map(_obligation, tx.connection.rows("find_obligation", {"id": pack(name)})), None)


def add_obligations(tx: Session, rows: Iterable[ObligationRow]) -> list[str]:
    """Add what is new of *rows* and return the ids of that.

    An id that is there already stays as it is, but where its obligation was superseded: then it begins anew.
    """
    return [row.id for row in rows if tx.connection.run("add_obligation", _values(row))]


def _values(row: ObligationRow) -> dict[str, object]:
    duty = row.duty
    return {
        "id": pack(row.id),
        "kind": duty.kind,
        "rule": duty.rule,
        "family": duty.types[0] if duty.types else "",
        "thread": pack(duty.thread),
        "debtor": duty.debtor,
        "creditor": duty.creditor,
        "due": duty.due,
        "state": row.state,
        "opened_at": row.opened_at,
        "settled_at": row.settled_at,
        "settled_by": pack_or_none(row.settled_by),
        "step": row.step,
        "next_at": row.next_at,
        "duty": _encode(duty),
        "period_starts": None if duty.period_end is None else duty.moment,
        "period_ends": duty.period_end,
    }


def settle_obligation(tx: Session, name: str, state: str, at: int, by: str | None) -> None:
    """End an obligation: *state* is how, *by* the envelope, receipt or waiver that did it."""
    values = {"id": pack(name), "state": state, "at": at, "by": pack_or_none(by)}
    tx.connection.run("settle_obligation", values)


def reopen_obligation(tx: Session, name: str, step: int, next_at: int | None) -> None:
    """Make a settled obligation open again, because what had settled it was undone."""
    tx.connection.run("reopen_obligation", {"id": pack(name), "step": step, "next_at": next_at})


def advance_obligation(tx: Session, name: str, step: int, next_at: int | None) -> None:
    """Record the next step of an open obligation, and when the clock shall look at it again."""
    tx.connection.run("advance_obligation", {"id": pack(name), "step": step, "next_at": next_at})


def due_obligations(tx: Session, now: int, limit: int) -> list[ObligationRow]:
    """Return up to *limit* open obligations whose next moment is not after *now*, the earliest first."""
    return list(map(_obligation, tx.connection.rows("due_obligations", {"now": now, "limit": limit})))


def recurred(tx: Session) -> int:
    """Return up to which moment the periods of recurring rules have begun; 0: none has yet."""
    return next((at for (at,) in tx.connection.rows("recurred")), 0)


def set_recurred(tx: Session, at: int) -> None:
    """Record that every period up to *at* has begun."""
    tx.connection.run("set_recurred", {"at": at})


def list_obligations(
    tx: Session,
    *,
    debtor: str | None = None,
    creditor: str | None = None,
    mailboxes: Sequence[str] | None = None,
    thread: str | None = None,
    state: str | None = None,
    due_before: int | None = None,
    after_id: str | None = None,
    limit: int,
) -> list[ObligationRow]:
    """Return up to *limit* obligations that fit everything given, by due moment and id, beyond *after_id*.

    *mailboxes*: one of them is debtor or creditor.  *due_before*: due before that moment.
    """
    last = _place(tx, after_id)
    if last is None:
        return []

    boxes = None if mailboxes is None else frozenset(mailboxes)

    def fits(row: ObligationRow) -> bool:
        duty = row.duty
        return (
            (debtor is None or duty.debtor == debtor)
            and (creditor is None or duty.creditor == creditor)
            and (thread is None or duty.thread == thread)
            and (state is None or row.state == state)
            and (due_before is None or duty.due < due_before)
            and (boxes is None or duty.debtor in boxes or duty.creditor in boxes)
            and (duty.due, pack(row.id)) > last
        )

    if thread is not None:
        mine = filter(fits, thread_obligations(tx, thread))
        return sorted(mine, key=_order)[:limit]
    if debtor is not None:
        sources = [("obligations_by_debtor", debtor)]
    elif creditor is not None:
        sources = [("obligations_by_creditor", creditor)]
    elif boxes is not None:
        queries = ("obligations_by_debtor", "obligations_by_creditor")
        sources = [(query, mailbox) for mailbox in sorted(boxes) for query in queries]
    else:
        sources = [("obligations_by_state", "")]
    streams = [
        _stream(
            tx, query, {"mailbox": mailbox, "state": each, "before": _NEVER if due_before is None else due_before}, last
        )
        for query, mailbox in sources
        for each in (STATES if state is None else (state,))
    ]
    # One that is both debtor's and creditor's comes twice, side by side.
    merged = (next(same) for _, same in itertools.groupby(heapq.merge(*streams, key=_order), key=lambda row: row.id))
    return list(itertools.islice(filter(fits, merged), limit))


def obligations_between(tx: Session, start: int, end: int) -> list[ObligationRow]:
    """Return every obligation with ``start <= due < end``, by due moment and id."""
    streams = [
        _stream(tx, "obligations_by_state", {"state": state, "before": end}, (start - 1, b"\xff" * 32))
        for state in STATES
    ]
    return list(heapq.merge(*streams, key=_order))


def _stream(tx: Session, query: str, values: dict[str, object], after: tuple[int, bytes]) -> Iterator[ObligationRow]:
    """Yield what *query* finds beyond *after*, a page at a time, so that only what is asked for is read."""
    while True:
        page = tx.connection.rows(query, {**values, "after_due": after[0], "after_id": after[1], "limit": _PAGE})
        yield from map(_obligation, page)
        if len(page) < _PAGE:
            return
        last = _obligation(page[-1])
        after = _order(last)


def _order(row: ObligationRow) -> tuple[int, bytes]:
    return row.duty.due, pack(row.id)


def _place(tx: Session, name: str | None) -> tuple[int, bytes] | None:
    if name is None:
        return -1, b""
    row = find_obligation(tx, name)
    return None if row is None else _order(row)


def add_waiver(tx: Session, name: str, obligation: str, jws: bytes, at: int, index: int) -> None:
    """Add a signed waiver of *obligation*."""
    values = {"id": pack(name), "obligation": pack(obligation), "jws": jws, "at": at, "ix": index}
    tx.connection.run("add_waiver", values)


def find_waiver(tx: Session, name: str) -> WaiverRow | None:
    """Return the waiver with this id."""
    for found, obligation, jws, at, index in tx.connection.rows("find_waiver", {"id": pack(name)}):
        return WaiverRow(unpack(found), unpack(obligation), jws, at, index)
    return None
