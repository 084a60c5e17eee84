"""One duty: who owes whom what by when, as the rules found it; no digest, no database, no clock.

Source: protocol 5.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from schemas.agreement import Answer
from schemas.envelope import Struct
from schemas.identifiers import EnvelopeId, MailboxId, Moment, ThreadId
from schemas.statements import NoticeCode

State = Literal["open", "met", "met_late", "met_elsewhere", "waived", "lapsed", "superseded"]
Kind = Literal["send", "receipt"]
BOTH: Final = ("debtor", "creditor")
SETTLED: Final = frozenset({"met", "met_late", "met_elsewhere", "waived", "lapsed", "superseded"})


class DutyParts(NamedTuple):
    """What makes two duties the same one; the obligation's id is the digest of these five, in this order."""

    rule: str
    thread: ThreadId
    debtor: MailboxId
    creditor: MailboxId
    item: str


class Step(Struct, frozen=True, kw_only=True):
    """One thing that the clock does while a duty is open.

    ``at``: the moment; ``notice``: ``due-soon``, ``overdue`` or another notice of protocol 6;
    ``to``: ``debtor`` or ``creditor``, either with ``/manager``, ``/deputy`` or ``/out_of_hours``,
    ``role:<role>`` or ``mailbox:<agency/team>``, resolved when the step is taken.
    """

    at: Moment
    notice: NoticeCode
    to: tuple[str, ...]


class Duty(Struct, frozen=True, kw_only=True):
    """A duty as opened.

    ``kind`` ``send``: one of ``answers`` must come (where ``every``: all of them); ``envelope`` is what opened it.
    ``kind`` ``receipt``: the debtor must take receipt of ``envelope`` at one of ``levels``; ``answers`` has its family.
    ``moment`` is what the clock counted from, ``due`` the last moment in time; ``lapses``: an objection window, so
    that passing ``due`` unanswered is recorded as ``lapsed`` and not as overdue.
    ``period_end``: a recurring duty, which no envelope opened, and which what happened from ``moment`` until then meets.
    ``steps`` are in order of ``at``.  ``tell``: who is told when it opens, as in :class:`Step`.
    ``calendar`` is ``id@version``; ``beyond_calendar``: ``due`` lies outside the calendar's dates.
    """

    rule: str
    thread: ThreadId
    debtor: MailboxId
    creditor: MailboxId
    item: str = ""
    kind: Kind
    answers: tuple[Answer, ...]
    every: bool = False
    levels: tuple[str, ...] = ()
    envelope: EnvelopeId | None = None
    moment: Moment
    due: Moment
    period_end: Moment | None = None
    lapses: bool = False
    steps: tuple[Step, ...] = ()
    tell: tuple[str, ...] = ()
    agreement: int
    calendar: str = ""
    beyond_calendar: bool = False

    @property
    def parts(self) -> DutyParts:
        """Return the five parts whose digest is the obligation's id."""
        return DutyParts(self.rule, self.thread, self.debtor, self.creditor, self.item)

    @property
    def types(self) -> tuple[str, ...]:
        """Return the families that are awaited, or whose receipt is, the one that the rule names first before all."""
        return tuple(dict.fromkeys(family for answer in self.answers for family in answer.types))
