"""Obligations in the store and in the log: a row and a leaf for each that begins or ends.

Source: protocol 5 and 8.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hub import ledger, notices
from hub.core.events import Event
from hub.registry import Snapshot
from hub.store.rows import EnvelopeRow, ObligationRow
from hub.store.transaction import Transaction
from keys import digests, jws
from schemas.envelope import Header, parse_header
from schemas.identifiers import EnvelopeId, MailboxId, Moment, ThreadId, agency_of
from schemas.receipt import parse_receipt
from schemas.rules.compiled import Rules
from schemas.rules.duty import BOTH, Duty, State
from schemas.rules.planning import (
    Again,
    Opened,
    Owed,
    Plan,
    Received,
    Sent,
    Settled,
    Undone,
    plan_withdrawal,
)
from schemas.rules.recurring import next_recurrence, open_some
from schemas.rules.stepping import first_step, next_moment, resolve_targets
from schemas.rules.versions import Version, lineage_of


def owed_for(tx: Transaction, rules: Rules, header: Header) -> list[ObligationRow]:
    """Return the open obligations that *header* may settle: its thread's, and those of its type whose period it is in."""
    return [row for row in _obligations_about(tx, rules, header, only_open=True) if row.state == "open"]


def _obligations_about(
    tx: Transaction, rules: Rules, header: Header, *, only_open: bool = False
) -> list[ObligationRow]:
    recurring = [row for one in rules.recurring_threads(header.type) for row in tx.period_obligations(one, header.at)]
    # Nothing keeps a sender from naming a recurring rule's own thread.
    return [
        *tx.thread_obligations(header.thread, only_open),
        *(row for row in recurring if row.duty.thread != header.thread),
    ]


def header_of(stored: EnvelopeRow) -> Header:
    """Return the header of an envelope that was checked when it was accepted."""
    return parse_header(jws.parse(stored.header, jws.ENVELOPE).payload)


def sent_in_thread(tx: Transaction, thread: ThreadId, but: EnvelopeId) -> list[Sent]:
    """Return what was sent in *thread* and not taken back, in the log's order, without the envelope *but*."""
    rows = tx.thread_envelopes(thread)
    return [Sent(header_of(row), row.accepted_at) for row in rows if row.id != but and row.state != "withdrawn"]


def find_version(tx: Transaction, name: EnvelopeId) -> Version | None:
    """Return an envelope that was accepted, as a version of what it says."""
    row = tx.find_envelope(name)
    return None if row is None else Version(header_of(row), row.state == "withdrawn", row.superseded_by)


def record_plan(
    tx: Transaction,
    snapshot: Snapshot,
    plan: Plan,
    at: Moment,
    signer: jws.SigningKey,
    before: Sequence[EnvelopeId] = (),
) -> set[MailboxId]:
    """Record what *plan* opens and settles, with a leaf each, and return the mailboxes that were told.

    *before*: the versions that an envelope replaces, of which it names the first itself.
    """
    told = _end(tx, snapshot, plan.settled, before[1:], at, signer)
    rows = {row.id: row for row in (_row(opened, at) for opened in plan.opened)}
    # The same duty found again, by either party, is one obligation: only what is new, or had been superseded, is opened.
    for name in tx.add_obligations(list(rows.values())):
        row = rows[name]
        index = ledger.append(tx, _opened_event(row), at)
        if row.state != "open":
            ledger.append(tx, settled_event(name, row.duty, row.state, row.settled_by, row.settled_at), at)
        elif row.duty.tell:
            targets = resolve_targets(row.duty, row.duty.tell, snapshot.directory, at)
            told |= notices.tell_duty(tx, "owed", name, row.duty, targets, index, at, signer)
    return told


def _end(
    tx: Transaction,
    snapshot: Snapshot,
    settled: Iterable[Settled],
    unnamed: Sequence[EnvelopeId],
    at: Moment,
    signer: jws.SigningKey,
) -> set[MailboxId]:
    """Record what an envelope settles.

    Both parties hear of a duty to send that it ends or moves, since they may not get it; and of a duty about one of
    *unnamed*, versions that it replaces without naming them, of which their own gateways can't know.
    """
    told: set[MailboxId] = set()
    for end in settled:
        (index,) = settle(tx, [end], at)
        if end.state == "superseded" and (end.duty.kind == "send" or end.duty.envelope in unnamed):
            targets = resolve_targets(end.duty, BOTH, snapshot.directory, at)
            told |= notices.tell_duty(tx, "superseded", end.id, end.duty, targets, index, at, signer)
    return told


class Recurred(NamedTuple):
    """How many duties the calendar opened, and who was told."""

    opened: int
    told: set[MailboxId]


def open_recurring(
    tx: Transaction, snapshot: Snapshot, at: Moment, signer: jws.SigningKey, most: int = sys.maxsize
) -> Recurred:
    """Open what is owed by the calendar alone, up to *at*, or after a long time down until *most* duties are opened."""
    after = tx.recurred()
    begins = next_recurrence(snapshot.rules, after)
    if begins is None or begins > at:
        return Recurred(0, set())
    begun = open_some(snapshot.rules, snapshot.directory, after, at, most)
    tx.set_recurred(begun.until)
    plan = Plan(tuple(Opened(duty, "open", None, None) for duty in begun.duties), ())
    return Recurred(len(begun.duties), record_plan(tx, snapshot, plan, at, signer))


def settle(tx: Transaction, settled: Iterable[Settled], at: Moment, met_at: Moment | None = None) -> list[int]:
    """Record the end of each obligation of *settled* with its leaf, whose index is returned; *met_at*: when, if before."""
    leaves = []
    for end in settled:
        tx.settle_obligation(end.id, end.state, met_at or at, end.by)
        leaves.append(ledger.append(tx, settled_event(end.id, end.duty, end.state, end.by, met_at or at), at))
    return leaves


def take_back(
    tx: Transaction,
    snapshot: Snapshot,
    stored: EnvelopeRow,
    gone: frozenset[MailboxId],
    at: Moment,
    signer: jws.SigningKey,
) -> set[MailboxId]:
    """Record what it means for the duties of a thread that *gone* can't have *stored*; return who was told."""
    header = header_of(stored)
    rules = snapshot.rules_at(at)
    rows = _obligations_about(tx, rules, header)
    ended, again = plan_withdrawal(
        header,
        gone,
        [Owed(row.id, row.duty) for row in rows if row.state == "open"],
        [
            Owed(row.id, row.duty)
            for row in rows
            if row.state in {"met", "met_late"} and (row.settled_by == stored.id or row.duty.every)
        ],
        sent_in_thread(tx, stored.thread, stored.id),
        rules,
        snapshot.directory,
        at,
        _undone(tx, stored, header, rows),
    )
    settle(tx, ended, at)
    return {box for one in again for box in _reopen(tx, snapshot, one, at, signer)}


def _undone(tx: Transaction, stored: EnvelopeRow, header: Header, rows: Iterable[ObligationRow]) -> Undone:
    lineage = lineage_of(header, lambda name: find_version(tx, name))
    # What a version ended that was withdrawn since may wait for this one to be withdrawn too.
    by = {header.id, *lineage.before[:-1]}
    ended = [Owed(row.id, row.duty) for row in rows if row.state == "superseded" and row.settled_by in by]
    receipts = tx.receipts_of(lineage.counts) if lineage.counts else []
    received = [
        Received(parse_receipt(jws.parse(row.jws, jws.RECEIPT).payload), row.accepted_at)
        for row in sorted(receipts, key=lambda row: row.index)
    ]
    return Undone(stored.accepted_at, lineage, ended, received)


def _reopen(tx: Transaction, snapshot: Snapshot, row: Again, at: Moment, signer: jws.SigningKey) -> set[MailboxId]:
    """Open an obligation again: its clock goes on where it stands, and both parties hear of it."""
    step = first_step(row.duty, at)
    tx.reopen_obligation(row.id, step, next_moment(row.duty, step))
    index = ledger.append(
        tx,
        Event(
            event="obligation-reopened",
            agency=agency_of(row.duty.debtor),
            mailbox=row.duty.debtor,
            obligation=row.id,
            thread=row.duty.thread,
        ),
        at,
    )
    if row.met_by is not None:
        settle(tx, row.settled, at, row.met_by.accepted_at)
        return set()
    # Every step may be past already: without this word, nobody would hear that it is owed again.
    targets = resolve_targets(row.duty, ("debtor", "creditor"), snapshot.directory, at)
    return notices.tell_duty(tx, "owed", row.id, row.duty, targets, index, at, signer)


def _row(opened: Opened, at: Moment) -> ObligationRow:
    return ObligationRow(
        id=digests.obligation_id(opened.duty.parts),
        duty=opened.duty,
        state=opened.state,
        opened_at=at,
        settled_at=opened.settled_at,
        settled_by=opened.settled_by,
        step=opened.step,
        next_at=next_moment(opened.duty, opened.step) if opened.state == "open" else None,
    )


def _opened_event(row: ObligationRow) -> Event:
    duty = row.duty
    return Event(
        event="obligation-opened",
        agency=agency_of(duty.debtor),
        mailbox=duty.debtor,
        envelope=duty.envelope,
        obligation=row.id,
        thread=duty.thread,
        type=duty.types[0],
        kind=duty.kind,
        rule=duty.rule,
        creditor=duty.creditor,
        item=duty.item or None,
        due=duty.due,
        version=duty.agreement,
    )


def settled_event(name: str, duty: Duty, state: State, by: str | None, met_at: Moment | None) -> Event:
    """Return the leaf of an obligation's end."""
    return Event(
        event="obligation-settled",
        agency=agency_of(duty.debtor),
        mailbox=duty.debtor,
        obligation=name,
        thread=duty.thread,
        by=by,
        met_at=met_at,
        outcome=state,
    )
