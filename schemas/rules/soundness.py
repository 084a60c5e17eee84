"""Whether an agreement can do what it says: names that exist, dates in order, duties that somebody can meet."""

from __future__ import annotations

from schemas.agreement import Agreement


def check_sound(agreement: Agreement) -> None:
    """Return if *agreement* is sound."""
