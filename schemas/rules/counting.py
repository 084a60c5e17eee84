"""What is true of one unit, as bits of a number, so that a million units are counted as few numbers.

Units of which the same is true are counted together; what a figure is, is which bits it asks for.

Source: protocol 5 (the clear figures).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from schemas.identifiers import MailboxId, Moment, agency_of
from schemas.rules.units import COLLECTED as COLLECTED_LEVELS
from schemas.rules.units import SENT as SENT_STATES
from schemas.rules.units import Unit

CLEARED_LEVELS: Final = frozenset({"filed", "acknowledged"})
(
    WAIVED,
    SENT,
    THROUGH,
    IN_TIME,
    LATE,
    ELSEWHERE,
    COLLECTED,
    FILED,
    OPENED,
    ACKNOWLEDGED,
    RECEIVED,
    RECEIVED_EVER,
    COLLECTED_BY,
    OPENED_BY,
    CLEARED_BY,
    OWES_SEND,
    OWES_RECEIPT,
    # The one bit that time alone changes.
    PENDING,
) = (1 << place for place in range(18))
# Of the units of one kind, how many have exactly these bits.
Facts = Mapping[int, int]


class HasParties(Protocol):
    """Whatever has a debtor and a creditor: a duty, or many of the same two."""

    @property
    def debtor(self) -> MailboxId:
        """Who owes."""

    @property
    def creditor(self) -> MailboxId:
        """Who is owed."""


# Which units count, by the parties of the duty that speaks for each.
Keep = Callable[[HasParties], bool]


def facts_of(unit: Unit) -> int:
    """Return what is true of *unit*, but for :data:`PENDING`."""
    send, receipt = unit.send, unit.receipt
    found = (
        (WAIVED, send.state == "waived"),
        (SENT, unit.sent),
        (THROUGH, send.state in SENT_STATES),
        (IN_TIME, send.state == "met"),
        (LATE, send.state == "met_late"),
        (ELSEWHERE, send.state == "met_elsewhere"),
        (COLLECTED, unit.has(COLLECTED_LEVELS)),
        (FILED, unit.has({"filed"})),
        (OPENED, unit.has({"opened"})),
        (ACKNOWLEDGED, unit.has({"acknowledged"})),
        (RECEIVED, unit.received),
        (RECEIVED_EVER, unit.received_ever),
        (COLLECTED_BY, unit.had(COLLECTED_LEVELS)),
        (OPENED_BY, unit.had({"opened"})),
        (CLEARED_BY, unit.had(CLEARED_LEVELS)),
        (OWES_SEND, send.state == "open"),
        (OWES_RECEIPT, receipt is not None and receipt.state == "open"),
    )
    return sum(bit for bit, is_true in found if is_true)


def facts_at(unit: Unit, now: Moment) -> int:
    """Return what is true of *unit* at *now*."""
    return facts_of(unit) | (PENDING if unit.is_pending(now) else 0)


def count(facts: Facts, bits: int, but_not: int = 0) -> int:
    """Return how many are owed and have one of *bits* and none of *but_not*; with no *bits*, whatever they have."""
    return sum(n for fact, n in facts.items() if not fact & (WAIVED | but_not) and (fact & bits or not bits))


class Groups:
    """Units added up: all of them, by agency of the creditor, by type and by the week of the due moment."""

    def __init__(self) -> None:
        """Begin with none."""
        self.total: defaultdict[int, int] = defaultdict(int)
        self.by_agency: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        self.by_type: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        self.by_week: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, creditor: MailboxId, family: str, week: str, facts: int, amount: int = 1) -> None:
        """Count *amount* more units of *family* that are owed to *creditor* and have *facts*."""
        self.total[facts] += amount
        self.by_agency[agency_of(creditor)][facts] += amount
        self.by_type[family][facts] += amount
        self.by_week[week][facts] += amount
