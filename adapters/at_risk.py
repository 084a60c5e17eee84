"""The at-risk list at the agency's own systems: where police's list comes from, and which clinic's system says who attends.

Two optional protocols beside those of ``base``.  What a clinic's system says stays in its gateway: it is compared there, and only
the answer goes back to that same system.

Source: domain 2, system 9, and 11, risk 21; docs/at-risk-list.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Annotated, Final, Literal, Protocol, runtime_checkable

import msgspec
from msgspec import Meta

from adapters.base import DraftAuthor
from schemas.identifiers import Code, MailboxId

MAX_LINES: Final = 2000
_Name = Annotated[str, Meta(min_length=1, max_length=200)]
_Number = Annotated[str, Meta(min_length=1, max_length=20)]
Reference = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}\Z")]


class Listed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the list that police keep; a child with two names has two lines."""

    risk_marker: Code
    contact_inbox: MailboxId
    added_on: date
    nhs_number: _Number | None = None
    name: _Name | None = None
    born: date | None = None


class AtRiskList(msgspec.Struct, frozen=True, kw_only=True):
    """The list as police's system has it now; none on it is a list too, and takes back whoever was.

    ``version`` is the system's own word for it, and another one whenever somebody there has released another list;
    ``author`` is who released it.
    """

    version: Annotated[str, Meta(min_length=1, max_length=200)]
    author: DraftAuthor
    lines: Annotated[tuple[Listed, ...], Meta(max_length=MAX_LINES)] = ()


class Attendance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One attendance as the clinic's system knows it; ``attendance`` is that system's own reference.

    ``at`` is when they came, absent: now.  ``context`` is kept, encrypted, and given back with the answer: what an adapter needs
    to find the place on the screen again.
    """

    attendance: Reference
    born: date
    nhs_number: _Number | None = None
    name: _Name | None = None
    at: datetime | None = None
    context: Annotated[str, Meta(max_length=1000)] = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What the list says of somebody; ``by`` says how they were found: by name and birth alone it is a candidate."""

    risk_marker: Code
    contact: MailboxId
    added_on: date
    by: Literal["nhs_number", "name_and_birth"]


class AttendanceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an attendance, for the clinician's screen and nowhere else.

    ``waiting``: not answered yet; ``clear``: not on the list; ``known``: with ``findings``, and ``match`` for `gateway atrisk
    contact`; ``withdrawn``: it was known, and police have taken it back; ``unanswerable``: counted, not checked; ``refused``:
    neither counted nor checked.  ``code`` says why not; ``words`` is one line to show.
    """

    attendance: Reference
    state: Literal["waiting", "clear", "known", "withdrawn", "unanswerable", "refused"]
    words: Annotated[str, Meta(max_length=1000)]
    code: str = ""
    match: str = ""
    findings: tuple[Finding, ...] = ()
    late: bool = False
    context: str = ""


@runtime_checkable
class ListsAtRisk(Protocol):
    """An adapter into the system in which police keep the list of children at risk."""

    async def at_risk(self) -> AtRiskList | None:
        """Return the list as it was released there last; ``None``: none was, and nothing changes.

        The gateway publishes it when its ``version`` is another, and again when what it published is about to expire.
        """
        ...


@runtime_checkable
class Attends(Protocol):
    """An adapter into a clinic's system that says who attends, and shows what is known of them."""

    def attendances(self) -> AsyncIterator[Attendance]:
        """Yield who has come and hasn't been taken note of, the oldest first, then end; the gateway asks again.

        One is yielded again until :meth:`tell_attendance` was called for it.  Whoever is 18 or older is refused by the gateway.
        """
        ...

    async def tell_attendance(self, answer: AttendanceAnswer) -> None:
        """Show *answer* to whoever sees the child; mostly ``waiting`` comes first, and says that the gateway has it durably.

        Repeating it is harmless.  Raise where it can't be shown now: the gateway says it again.
        """
        ...
