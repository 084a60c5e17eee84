"""One chronology of what several agencies answered: in order of time, every row with whose it is.

Nothing is weighed or merged away: two agencies' words of one day are two rows.  Who knows nothing, who declined, and who has
not answered stands beside them, so that nobody takes a gap for a quiet time.

Source: domain 2 (system 23), 7.4 and 8.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from adapters.base import Incoming
from schemas.derivation import spell_moment
from schemas.identifiers import MailboxId, family_of
from schemas.rules.duty import Duty

ANSWER: Final = "chronology.response"
DECLINED: Final = "share.declined"


def put_together(answers: Iterable[Incoming]) -> dict[str, Any]:
    """Return the rows of the newest *answers*, oldest first, and who answered without any.

    A row has ``from``, the mailbox that told it, beside its own source and author, and the marks of its message besides
    its own.
    """
    held = list(answers)
    replaced = {one.supersedes for one in held}
    newest = [one for one in held if one.envelope not in replaced]
    told = [one for one in newest if family_of(one.type) == ANSWER]
    declined = [one for one in newest if family_of(one.type) == DECLINED]
    rows = [
        {"from": one.sender, **row, "handling_marks": sorted({*one.marks, *row["handling_marks"]})}
        for one in told
        for row in one.message.get("rows", ())
    ]
    return {
        "rows": sorted(rows, key=lambda row: (row["occurred_on"], row["from"])),
        "nothing": sorted({one.sender for one in told if one.message["nil_return"]}),
        "declined": [{"from": one.sender, "reason_code": one.message["reason_code"]} for one in declined],
    }


def find_waiting(duties: Iterable[Duty], mine: Iterable[MailboxId]) -> list[dict[str, str]]:
    """Return who still owes one of *mine* an answer, and by when, of the open *duties* of a thread."""
    boxes = set(mine)
    return [
        {"from": duty.debtor, "due": spell_moment(duty.due)}
        for duty in sorted(duties, key=lambda one: (one.debtor, one.due))
        if duty.kind == "send" and ANSWER in duty.types and duty.creditor in boxes
    ]
