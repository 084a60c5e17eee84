"""What was found about the proof of one envelope's journey: each check by name, and what is proved of whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from schemas.envelope import Header
from schemas.identifiers import EnvelopeId, MailboxId, Moment

# What each check shows, in the order in which they are made.
CHECKS: Final[Mapping[str, str]] = {
    "directory": "the officers signed every version of the directory",
    "checkpoint": "the hub signed the checkpoint with each of its keys",
    "inclusion": "the entry is in the log under that checkpoint",
    "key": "the agency's identity key signed for this key",
    "header": "the sender signed the envelope's header",
    "acceptance": "the hub signed that it is durable and owed to every recipient",
    "receipt": "the recipient signed this receipt, for this very content",
    "view": "the log that the recipient had seen is a beginning of this one",
    "withdrawal": "the sender signed that it takes the envelope back",
    "waiver": "the duty was ended by a signed statement",
    "witness": "a witness cosigned a beginning of this log",
    "files": "there is no file that no entry stands for",
}


class WrongError(Exception):
    """A check that does not hold, in words."""


class Check(NamedTuple):
    """One check: its code in :data:`CHECKS`, what it was about, and what is wrong, ``None`` where it holds."""

    code: str
    about: str
    problem: str | None


class Reached(NamedTuple):
    """One level that a recipient has proved; ``place``: the entry's in the log; ``at``: when the hub took it."""

    mailbox: MailboxId
    level: str
    at: Moment
    place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found; ``reached``: what is proved of whom, in the order of the log.

    ``witnesses``: the key names of those who cosigned a beginning of the log; ``witnessed_size``: how much of it that makes
    witnessed, by the ``quorum`` that the directory asks for, in words; empty where it asks for none.
    """

    envelope: EnvelopeId
    size: int
    checks: tuple[Check, ...]
    header: Header | None
    accepted_at: Moment | None
    reached: tuple[Reached, ...]
    accepted_index: int | None
    witnesses: tuple[str, ...]
    witnessed_size: int
    quorum: str

    @property
    def holds(self) -> bool:
        """Answer whether nothing at all is wrong, and the envelope itself is proved."""
        return self.header is not None and not any(check.problem for check in self.checks)

    @property
    def is_witnessed(self) -> bool:
        """Answer whether the acceptance and everything that is proved of recipients lies where the log is witnessed."""
        places = [one.place for one in self.reached]
        return self.accepted_index is not None and max(self.accepted_index, *places, 0) < self.witnessed_size

    @property
    def problems(self) -> tuple[Check, ...]:
        """Return the checks that do not hold."""
        return tuple(check for check in self.checks if check.problem)
