"""One duty: who owes whom what by when, as the rules found it; no digest, no database, no clock.

Source: protocol 5.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from schemas.envelope import Struct
from schemas.identifiers import EnvelopeId, MailboxId, Moment, ThreadId
from schemas.statements import NoticeCode

State = Literal["open", "met", "met_late", "met_elsewhere", "waived", "lapsed", "superseded"]
Kind = Literal["send", "receipt"]
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
    ``to``: ``debtor``, ``creditor``, ``debtor/manager``, ``creditor/manager``, ``debtor/deputy``,
    ``role:<role>`` or ``mailbox:<agency/team>``, resolved when the step is taken.
    """

    at: Moment
    notice: NoticeCode
    to: tuple[str, ...]


class Duty(Struct, frozen=True, kw_only=True):
    """A duty as opened.

    ``kind`` ``send``: the debtor must send the creditor one of ``types`` (families such as ``minutes.full``), in one
    of ``variants`` where any are named; ``envelope`` is what opened it.
    ``kind`` ``receipt``: the debtor must take receipt of ``envelope`` at one of ``levels``; ``types`` has its family.
    ``moment`` is what the clock counted from, ``due`` the last moment in time; ``lapses``: an objection window, so
    that passing ``due`` unanswered is recorded as ``lapsed`` and not as overdue.
    ``steps`` are in order of ``at``.  ``tell``: who is told when it opens, as in :class:`Step`.
    ``calendar`` is ``id@version``; ``beyond_calendar``: ``due`` lies outside the calendar's dates.
    """

    rule: str
    thread: ThreadId
    debtor: MailboxId
    creditor: MailboxId
    item: str = ""
    kind: Kind
    types: tuple[str, ...]
    variants: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    envelope: EnvelopeId
    moment: Moment
    due: Moment
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
