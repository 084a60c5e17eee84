"""A record system as the profiles see it: an outbox of records that are to be sent, and a place where records are put.

What a record is called and which fields it has is the agency's; ``mapping`` says which of them are which members of a message.
How the system is reached is ``http``'s, or that of another module that gives a :class:`RecordSystem`.

Source: design 5 (profiles); docs/agencies/records.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from adapters.base import Document, Later, NeedsPerson
from schemas.receipt import Mode

# A record of this kind holds a whole draft, for what no rule of the mapping sends.
DRAFT: Final = "draft"
# What no rule of the mapping files is filed whole under this kind.
DOCUMENT: Final = "document"
NOTICE: Final = "notice"
# The member of a filed record in which stands what the gateway knows of the message.
HUB: Final = "hub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record that waits in the system's outbox.

    ``key`` is the system's own stable name for this sending: two sendings have two.  ``fields`` is a JSON object, nested as the
    system likes.  An outbox entry that can't be read has its ``key`` and nothing else, so that it can be answered.
    """

    key: str
    kind: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    documents: tuple[Document, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The gateway has it and will send it.  ``ids`` are those that were made for the system's own numbers, by their scope."""

    envelope: str
    thread: str
    ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """It can't be sent as it is: a permanent code, one sentence that names a field and never its value, the way out."""

    code: str
    message: str
    hint: str = ""


Answer = Sent | NotSent


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One record to be put: ``identity`` is opaque, the same each time for one delivery, and another's for any other.

    ``envelope``: by which it is deleted again.  ``mode`` is how much of the message it holds.
    """

    kind: str
    identity: str
    envelope: str = ""
    fields: Mapping[str, Any]
    documents: tuple[Document, ...] = ()
    mode: Mode = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What stands in the system now: its fields, SHA-256 of each document (hexadecimal, in order), whether somebody ended it.

    ``practitioners``: whom the system names for the person, by the names under which they sign in to the gateway.
    """

    fields: Mapping[str, Any]
    documents: tuple[str, ...] = ()
    ended: bool = False
    practitioners: tuple[str, ...] = ()


class RecordsError(Exception):
    """The system hasn't done it; ``outcome`` is what becomes of the message.  Its text is the code and nothing else."""

    def __init__(self, outcome: Later | NeedsPerson) -> None:
        super().__init__(outcome.reason if isinstance(outcome, Later) else outcome.code)
        self.outcome = outcome


class RecordSystem(Protocol):
    """An agency's record system.  Everything here may be asked again, and is then done once.

    Each method raises :class:`RecordsError` where the system can't be asked or says no: `records-away`, `records-slow`,
    `records-busy`, `records-certificate`, `records-answer`, `records-unauthorised` are asked again; `records-refused` and
    `records-too-large` are for a person.
    """

    async def waiting(self, limit: int) -> Sequence[Record]:
        """Return up to *limit* records of the outbox, the oldest first; they stay in it until they are answered."""
        ...

    async def answer(self, key: str, answer: Answer) -> None:
        """Tell the system what became of its record *key*, which leaves the outbox."""
        ...

    async def put(self, record: Placed) -> str:
        """Put *record* durably and return its reference; under an identity that was put before, change nothing and return the same."""
        ...

    async def get(self, kind: str, reference: str) -> Standing | None:
        """Return what stands under *reference* now, asked of the system itself; ``None``: nothing does."""
        ...

    async def delete(self, envelope: str) -> bool:
        """Delete for good all that was put or sent under *envelope*; answer whether none is left there.

        ``False``: only people can delete there.
        """
        ...

    async def close(self) -> None:
        """Let go of what is open."""
        ...
