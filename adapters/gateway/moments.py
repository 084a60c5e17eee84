"""How the gateway reads an instant; ``schemas.derivation`` spells one, to the second: ``spell_moment``, ``spell_day``.

So a moment that goes out is at most a second early, never late.  What people read or type on pages is ``inbox``'s.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from schemas.identifiers import Moment

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def read_moment(text: str, *, ends: bool = False) -> Moment:
    """Return the UTC milliseconds of *text*: an instant with its offset, or a day, whose beginning in UTC is meant.

    *ends*: the last millisecond of a day is meant instead.

    Raises:
        ValueError: it is neither.
    """
    wall = "T23:59:59.999Z" if ends else "T00:00:00Z"
    at = datetime.fromisoformat(text if "T" in text else text + wall)
    if at.tzinfo is None:
        raise ValueError("it has no offset")
    return (at - _EPOCH) // _MILLISECOND
