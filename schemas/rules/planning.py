"""What one envelope, receipt or withdrawal does to the duties of its thread: a plan, before anything is recorded.

The same at the hub, in a gateway's own watch, in the simulator and in the offline verifier: each hands in what it has
stored, gets values back, and records them as it does.

Source: protocol 5 and 6; taste 2 (4, 7).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

from schemas.agreement import Ending
from schemas.directory import DirectoryIndex
from schemas.envelope import Header
from schemas.identifiers import EnvelopeId, MailboxId, Moment, ObligationId, ReceiptId, agency_of
from schemas.receipt import Receipt
from schemas.rules.compiled import Rules
from schemas.rules.conditions import Thread, applies, asks_thread, could_apply
from schemas.rules.duty import Duty, DutyParts, State
from schemas.rules.rehoming import find_moves, move
from schemas.rules.settling import (
    Standing,
    answers_by_envelope,
    is_about,
    next_step,
    settled_state,
    settles_by_envelope,
    settles_by_receipt,
    superseded_by,
)
from schemas.rules.versions import Lineage

# A conference of 64 opens about 380.  Beyond that two lists are multiplied, and each duty is a row, a leaf and notices
# for which every other sender waits.
MOST_DUTIES: Final = 512


class Owed(NamedTuple):
    """An obligation of the thread, or a recurring one, as the store holds it: its id and duty, all of them open."""

    id: ObligationId
    duty: Duty


class Sent(NamedTuple):
    """An envelope that the thread had before: its header and when the hub accepted it."""

    header: Header
    accepted_at: Moment


class Opened(NamedTuple):
    """A duty that begins, or that had been met before anybody knew that it was owed.

    ``step``: the first step that its clock takes; those of a duty that has moved were taken while another party had it.
    """

    duty: Duty
    state: State
    settled_at: Moment | None
    settled_by: EnvelopeId | None
    step: int = 0


class Settled(NamedTuple):
    """An open obligation that ends."""

    id: ObligationId
    duty: Duty
    state: State
    by: EnvelopeId | ReceiptId | None


class Received(NamedTuple):
    """A receipt that the thread had before, and when the hub accepted it."""

    receipt: Receipt
    accepted_at: Moment


class Again(NamedTuple):
    """A duty that is open again; ``met_by``: what had been sent or received besides and meets it still."""

    id: ObligationId
    duty: Duty
    met_by: Sent | Received | None

    @property
    def settled(self) -> tuple[Settled, ...]:
        """Return how it ends at once, if it does."""
        if self.met_by is None:
            return ()
        state = settled_state(self.duty, self.met_by.accepted_at)
        by = self.met_by.header.id if isinstance(self.met_by, Sent) else self.met_by.receipt.id
        return (Settled(self.id, self.duty, state, by),)


class Undone(NamedTuple):
    """What a withdrawal may undo of an envelope that was accepted at ``accepted_at``.

    ``ended``: duties that are superseded by the envelope, or by a withdrawn one that it replaced.  ``received``: receipts
    of the version before it, in the log's order.
    """

    accepted_at: Moment = 0
    lineage: Lineage = Lineage()
    ended: Sequence[Owed] = ()
    received: Sequence[Received] = ()


_NOTHING: Final = Undone()


class Plan(NamedTuple):
    """What to record of the duties of one envelope: what ends first, then what begins.

    A duty that is there already stays as it is, but where it was superseded: then it begins anew, with its new clock.
    """

    opened: tuple[Opened, ...]
    settled: tuple[Settled, ...]


def plan_envelope(
    header: Header,
    rules: Rules,
    index: DirectoryIndex,
    owed: Sequence[Owed],
    sent_before: Callable[[], Sequence[Sent]],
    now: Moment,
    before: Collection[EnvelopeId] = (),
) -> Plan:
    """Return what *header*, accepted at *now*, opens and settles.

    *owed* are the thread's open obligations, and those of the recurring rules that such a type may meet, in any order.
    *sent_before* is asked once at most: where a duty to send begins, since minutes may come before the meeting is
    registered and the duty is then met as it opens, and where a duty needs several messages.  *before*: the versions that
    it replaces, of which the one that it names may do.
    """
    read: list[Sequence[Sent]] = []

    def earlier() -> Sequence[Sent]:
        if not read:
            read.append(sent_before())
        return read[0]

    # Periods that it doesn't lie in are none of its business, however many were handed in.
    owed = [row for row in owed if row.duty.period_end is None or row.duty.moment <= header.at < row.duty.period_end]
    standing = Standing(index, now, frozenset([(row.duty.rule, row.duty.creditor) for row in owed]))
    replaced = (
        {row.id for row in owed if superseded_by(row.duty, header, standing, before)} if header.supersedes else set()
    )
    settled = _settle(header, owed, replaced, standing, earlier, now)
    left = _without(owed, settled)
    thread = Thread(frozenset(row.duty.rule for row in left), frozenset(end.duty.rule for end in settled))
    ended = _end(header, rules, left, thread, standing)
    moved = list(_rehome(header, rules, _without(left, ended), settled, thread, standing))
    opened = rules.open_duties(header, index, now, thread)
    past = earlier() if any(duty.kind == "send" for duty in opened) else ()
    begun = [_open(duty, _first_that_meets(duty, past, standing)) for duty in opened]
    return Plan(
        tuple(_take_over(moved, begun, now) if moved else begun),
        (*settled, *ended, *(Settled(row.id, row.duty, "superseded", header.id) for row, _ in moved)),
    )


def opens_too_many(header: Header, plan: Plan) -> bool:
    """Answer whether *header*, which is not urgent, would open more than :data:`MOST_DUTIES`; what moves was there before."""
    return not header.urgent and sum(one.duty.envelope == header.id for one in plan.opened) > MOST_DUTIES


def _take_over(moved: Iterable[tuple[Owed, Duty | None]], begun: Iterable[Opened], now: Moment) -> Iterable[Opened]:
    """Return what begins by being *moved*, then what of *begun* isn't there by that already.

    Several may become one, of which the one that is due first goes on.
    """
    found: dict[DutyParts, Opened] = {}
    duties = [duty for _, duty in moved if duty is not None]
    for duty in sorted(duties, key=lambda duty: (duty.due, str(duty.envelope))):
        found.setdefault(duty.parts, Opened(duty, "open", None, None, next_step(duty.steps, now)))
    for one in begun:
        found.setdefault(one.duty.parts, one)
    return found.values()


def _without(owed: Sequence[Owed], ended: Iterable[Settled]) -> Sequence[Owed]:
    gone = {end.id for end in ended}
    if not gone:
        return owed
    return [row for row in owed if row.id not in gone]


def _settle(
    header: Header,
    owed: Sequence[Owed],
    replaced: Set[ObligationId],
    standing: Standing,
    sent_before: Callable[[], Sequence[Sent]],
    now: Moment,
) -> tuple[Settled, ...]:
    """Return what *header* settles, whatever the order of *owed*, of which it replaces *replaced*."""
    # What it replaces ends in any case, and so holds no gate.
    held = Counter([row.duty.rule for row in owed if row.id not in replaced])
    met: set[ObligationId] = set()

    def is_owed(rule: str) -> bool:
        return held[rule] > 0

    def earlier() -> list[Header]:
        return [sent.header for sent in sent_before()]

    waiting = owed
    while waiting:
        count = len(met)
        for row in waiting:
            if settles_by_envelope(row.duty, header, standing, is_owed, earlier):
                met.add(row.id)
                held[row.duty.rule] -= row.id not in replaced
        # What it settles itself no longer holds a gate, so that whatever is behind one is asked again.
        left = [row for row in waiting if row.id not in met] if len(met) > count else []
        waiting = [row for row in left if any(answer.unless_owed for answer in row.duty.answers)]
    ends = met | replaced
    return tuple(
        Settled(row.id, row.duty, settled_state(row.duty, now) if row.id in met else "superseded", header.id)
        for row in (owed if ends else ())
        if row.id in ends
    )


def _end(header: Header, rules: Rules, owed: Iterable[Owed], thread: Thread, standing: Standing) -> tuple[Settled, ...]:
    """Return the duties that *header* ends by the agreement's word, among those to which its sender is a party."""
    endings = _endings(header, rules, thread, standing)
    return tuple(
        Settled(row.id, row.duty, "superseded", header.id)
        for row in (owed if endings else ())
        if _is_ended(row.duty, endings, header, standing)
    )


def _endings(header: Header, rules: Rules, thread: Thread, standing: Standing) -> list[Ending]:
    terms = rules.find_type(header.type)
    return [one for one in (terms.ends if terms else ()) if applies(one.when, header, standing.directory, thread)]


def _is_ended(duty: Duty, endings: Iterable[Ending], header: Header, standing: Standing) -> bool:
    named = any(duty.rule in ending.rules and (not ending.about or is_about(header, duty.item)) for ending in endings)
    sender = agency_of(header.from_)
    return named and any(standing.speaks_for(sender, agency_of(box)) for box in (duty.debtor, duty.creditor))


def _rehome(
    header: Header, rules: Rules, owed: Iterable[Owed], settled: Sequence[Settled], thread: Thread, standing: Standing
) -> Iterator[tuple[Owed, Duty | None]]:
    """Yield each duty to send that *header* moves, with what it becomes; nobody owes themselves, so perhaps nothing."""
    moves = find_moves(header, rules, thread, standing)
    met = [end.duty for end in settled]
    for row in owed if moves else ():
        moved = move(row.duty, moves, header, met, thread, standing)
        if moved is not row.duty:
            yield row, moved


def _first_that_meets(duty: Duty, sent: Sequence[Sent], standing: Standing) -> Sent | None:
    """Return the message that met *duty* before it was known to be owed; where all are needed, the last of them."""
    headers = [one.header for one in sent] if sent else []
    for place, one in enumerate(sent):
        # Whether a gate was shut then isn't known any more, so what it guards counts only from now on.
        if settles_by_envelope(duty, one.header, standing, lambda _: True, partial(islice, headers, place)):
            return one
    return None


def _is_part(duty: Duty, header: Header, standing: Standing) -> bool:
    return any(answers_by_envelope(duty, answer, header, standing, lambda _: False) for answer in duty.answers)


def _open(duty: Duty, met_by: Sent | None) -> Opened:
    if met_by is None:
        return Opened(duty, "open", None, None)
    return Opened(duty, settled_state(duty, met_by.accepted_at), met_by.accepted_at, met_by.header.id)


def plan_receipt(receipt: Receipt, owed: Iterable[Owed], now: Moment) -> tuple[Settled, ...]:
    """Return the open obligations that *receipt*, accepted at *now*, settles."""
    return tuple(
        Settled(row.id, row.duty, settled_state(row.duty, now), receipt.id)
        for row in owed
        if settles_by_receipt(row.duty, receipt)
    )


def plan_withdrawal(
    header: Header,
    gone: frozenset[MailboxId],
    owed: Iterable[Owed],
    met: Iterable[Owed],
    sent_besides: Sequence[Sent],
    rules: Rules,
    index: DirectoryIndex,
    now: Moment,
    undone: Undone = _NOTHING,
) -> tuple[tuple[Settled, ...], tuple[Again, ...]]:
    """Return what is no longer owed, and the duties that are open again, once *gone* can't have *header*.

    Nobody owes a receipt of what they never got, nor an answer to it, unless something of *sent_besides* makes them owe
    the same; what its sender owes stays.  What was sent and taken back was not sent: whoever should have had it is owed it
    as before, unless something of *sent_besides*, such as the version that replaced it, meets the duty too.  *met* are the
    duties that it met, and those of its thread that were met by several messages, of which it may be one.

    What it replaced counts again for *gone*, unless a newer version has reached them; what it ended by the agreement's word
    goes on.  What it moved stays moved: whoever took it over may have acted on it.
    """
    standing = Standing(index, now)
    lost = [
        row
        for row in owed
        if row.duty.envelope == header.id
        and row.duty.debtor != header.from_
        and standing.is_among(row.duty.debtor, gone)
    ]
    besides = sent_besides if lost else ()
    kept = {duty.parts for one in besides for duty in rules.open_duties(one.header, index, one.accepted_at)}
    ended = tuple(Settled(row.id, row.duty, "superseded", header.id) for row in lost if row.duty.parts not in kept)
    again = tuple(
        Again(row.id, row.duty, _first_that_meets(row.duty, sent_besides, standing))
        for row in met
        if row.duty.kind == "send"
        and any(standing.is_among(box, gone) for box in (row.duty.debtor, row.duty.creditor))
        and (not row.duty.every or _is_part(row.duty, header, standing))
    )
    return ended, (*again, *_undo(header, gone, undone, sent_besides, rules, standing))


def _undo(
    header: Header,
    gone: frozenset[MailboxId],
    undone: Undone,
    sent_besides: Sequence[Sent],
    rules: Rules,
    standing: Standing,
) -> Iterator[Again]:
    before, counts, after = undone.lineage
    if not undone.ended:
        return
    # How the thread stood then isn't known any more.  That the envelope ended what is superseded by it is, and that a newer
    # version of it would; of other messages only those that end it however the thread stood.
    endings = _possible_endings(header, rules, standing)
    still = [(one, _possible_endings(one, rules, standing)) for one in after]
    for one, accepted_at in sent_besides:
        if accepted_at >= undone.accepted_at:
            others = _possible_endings(one, rules, standing)
            still.append((one, [ending for ending in others if not asks_thread(ending.when)]))
    for row in undone.ended:
        duty = row.duty
        if duty.envelope in before:
            is_newest = duty.envelope == counts and not any(
                standing.reaches(duty.debtor, one, duty.rule) for one in after
            )
            goes_on = is_newest and standing.is_among(duty.debtor, gone)
        else:
            goes_on = _is_ended(duty, endings, header, standing) and not any(
                _is_ended(duty, others, one, standing) for one, others in still
            )
        if goes_on:
            yield Again(row.id, duty, _first_that_meets(duty, sent_besides, standing) or _first_receipt(duty, undone))


def _possible_endings(header: Header, rules: Rules, standing: Standing) -> list[Ending]:
    terms = rules.find_type(header.type)
    return [one for one in (terms.ends if terms else ()) if could_apply(one.when, header, standing.directory)]


def _first_receipt(duty: Duty, undone: Undone) -> Received | None:
    return next((one for one in undone.received if settles_by_receipt(duty, one.receipt)), None)
