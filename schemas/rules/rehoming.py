"""Duties that go over to somebody else with the work, their clocks unchanged.

Nobody disposes of what isn't theirs: a message moves what its sender's own agency owes or is owed, what its sender takes
over from whoever had asked for that, and no more, unless the rule names the roles that may (``when.sender``).

Source: design 6; domain 2 (systems 19 and 30) and 4.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from schemas.agreement import Rehoming
from schemas.envelope import Header
from schemas.identifiers import MailboxId, agency_of
from schemas.rules.compiled import Rules
from schemas.rules.conditions import Thread, applies
from schemas.rules.duty import BOTH, Duty
from schemas.rules.selectors import CREDITOR, resolve
from schemas.rules.settling import Standing


def find_moves(header: Header, rules: Rules, thread: Thread, standing: Standing) -> list[Rehoming]:
    """Return by which rules *header* moves duties of *thread*."""
    terms = rules.find_type(header.type)
    return [one for one in (terms.rehomes if terms else ()) if applies(one.when, header, standing.directory, thread)]


def move(
    duty: Duty, moves: Iterable[Rehoming], header: Header, settled: Sequence[Duty], thread: Thread, standing: Standing
) -> Duty | None:
    """Return what *duty* becomes by the first of *moves* that moves it: itself where none does.

    *settled* are the duties that *header* settles.  Nobody owes themselves: a duty that moves to its other party is ``None``.
    """
    if duty.kind != "send" or duty.period_end is not None:
        return duty
    for one in moves:
        if duty.rule in (one.rules or thread.owed):
            moved = _hand_over(duty, _givers(one, header, settled, standing), one.taker, header, standing)
            if moved is not duty:
                return moved
    return duty


def _givers(one: Rehoming, header: Header, settled: Iterable[Duty], standing: Standing) -> Collection[MailboxId]:
    when = one.when
    if one.giver == CREDITOR:
        return {duty.creditor for duty in settled if when and duty.rule in when.settles}
    givers = resolve(one.giver, header, None, standing.directory, standing.at)
    sender = agency_of(header.from_)
    return [box for box in givers if (when and when.sender) or standing.speaks_for(sender, agency_of(box))]


def _hand_over(
    duty: Duty, givers: Collection[MailboxId], taker: str, header: Header, standing: Standing
) -> Duty | None:
    takers = resolve(taker, header, None, standing.directory, standing.at)
    # Its other party, which hears of the move as one recipient among others, is not who takes it over, if anybody else is.
    others = {duty.debtor, duty.creditor}.difference(givers)
    heir = min(takers, key=lambda box: box in others, default=None)
    debtor, creditor = (heir if heir and box in givers else box for box in (duty.debtor, duty.creditor))
    if (debtor, creditor) == (duty.debtor, duty.creditor):
        return duty
    if debtor == creditor:
        return None
    # Whoever has the duty now hears of it, however late it is.
    return msgspec.structs.replace(duty, debtor=debtor, creditor=creditor, tell=BOTH)
