"""Duties that the partnership gives up, or records as met by other means: what is proposed, and whether it may be.

The hub has no agency's key.  What two people at the console agree on waits, approved, for the partnership's own gateway, which
finds both of their steps in the log, signs the waiver, and sends it like any other.

Source: protocol 5; domain 8; docs/decisions/partnership-waivers.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from hub.core.amending import enders_of, reasons_for
from hub.errors import HubError
from hub.registry import read_directory, read_rules
from hub.store.rows import ObligationRow
from hub.store.transaction import Transaction
from schemas.envelope import Struct
from schemas.identifiers import Code, Moment, ObligationId, ThreadId

WAIVE: Final = "obligation-waive"
ELSEWHERE: Final = "obligation-elsewhere"
# How the obligation has ended once the waiver is signed.
STATES: Final[Mapping[str, Literal["waived", "met_elsewhere"]]] = {WAIVE: "waived", ELSEWHERE: "met_elsewhere"}


class Ending(Struct, frozen=True, kw_only=True):
    """The obligation that shall end, with its thread, under which the log is searched."""

    obligation: ObligationId
    thread: ThreadId


def reasons_at(tx: Transaction, about: Ending, now: Moment) -> tuple[Code, ...]:
    """Return the codes that may say why the obligation ends so, as the agreement in force has them; none: any.

    Raises:
        HubError: ``obligation-unknown``.
    """
    return reasons_for(read_rules(tx, now), _get(tx, about).duty)


def check_ending(tx: Transaction, about: Ending, now: Moment) -> None:
    """Raise where the partnership can't end the obligation so.

    Raises:
        HubError: ``obligation-unknown``, ``waiver-not-open``, ``waiver-not-party``.
    """
    row = _get(tx, about)
    if row.state != "open":
        raise HubError(
            "waiver-not-open", f"the obligation is {row.state.replace('_', ' ')} already", "nothing is left to end"
        )
    if not may_end(tx, row, now):
        raise HubError(
            "waiver-not-party", "the agreement doesn't let the partnership end this duty", "ask the one it is owed to"
        )


def may_end(tx: Transaction, row: ObligationRow, now: Moment) -> bool:
    """Answer whether the agreement names a role of the partnership's own mailbox for the duty."""
    index = read_directory(tx)
    owner = index.owner(now)
    return owner is not None and bool(index.roles_of(owner).intersection(enders_of(read_rules(tx, now), row.duty)))


def _get(tx: Transaction, about: Ending) -> ObligationRow:
    row = tx.find_obligation(about.obligation)
    if row is None or row.duty.thread != about.thread:
        raise HubError("obligation-unknown", "there is no such obligation", "see what is missing now")
    return row
