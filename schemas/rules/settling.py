"""What meets a duty, what replaces it, and what its clock does next.

Source: protocol 5; domain 8 (what clears, and what doesn't).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from schemas.envelope import Header
from schemas.identifiers import AgencyId, Moment, agency_of, family_of
from schemas.receipt import Receipt
from schemas.rules.duty import Duty, State, Step


def settles_by_envelope(duty: Duty, header: Header, is_same_agency: Callable[[AgencyId, AgencyId], bool]) -> bool:
    """Answer whether accepting *header* is what the send duty waits for.

    Thread, family, creditor and variant must match, and the sender must belong to the debtor's agency or its
    successor, so that nobody else's message passes for the one owed: ``is_same_agency(debtor's, sender's)``.
    A duty about one item or envelope is met by what names that item, answers that envelope, or supersedes it.
    """
    return (
        duty.kind == "send"
        and duty.thread == header.thread
        and duty.creditor in header.to
        and family_of(header.type) in duty.types
        and (not duty.variants or header.facts.get("variant") in duty.variants)
        and (not duty.item or _is_about(header, duty.item))
        and is_same_agency(agency_of(duty.debtor), agency_of(header.from_))
    )


def _is_about(header: Header, item: str) -> bool:
    return item in (header.re, header.supersedes) or any(one.ref == item for one in header.items)


def settles_by_receipt(duty: Duty, receipt: Receipt) -> bool:
    """Answer whether *receipt* is what the receipt duty waits for: its envelope, its debtor, one of its levels.

    Filing by destroying (the answer to a withdrawal) takes receipt of nothing.
    """
    return (
        duty.kind == "receipt"
        and duty.envelope == receipt.envelope
        and duty.debtor == receipt.mailbox
        and receipt.level in duty.levels
        and receipt.mode != "destroyed"
    )


def superseded_by(duty: Duty, header: Header) -> bool:
    """Answer whether *header* is a newer version, for the same debtor, of what the receipt duty is about."""
    return (
        duty.kind == "receipt"
        and duty.envelope == header.supersedes
        and duty.thread == header.thread
        and duty.debtor in header.to
    )


def settled_state(duty: Duty, at: Moment) -> State:
    """Return ``met`` where *at* is at or before the due moment, else ``met_late``."""
    return "met" if at <= duty.due else "met_late"


def next_step(steps: Sequence[Step], at: Moment) -> int:
    """Return the index of the first step after *at*; ``len(steps)`` where none is left."""
    return bisect_right(steps, at, key=lambda step: step.at)
