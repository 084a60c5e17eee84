"""When somebody is told: at once, when the quiet hours end, or with the next digest.  Pure.

Local hours are those of the configured zone, also across the change of clocks.

Source: issue of the inbox (quiet hours that never silence an urgent one).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from schemas.identifiers import Moment

HOUR: Final = 3_600_000
# Between two tries, in milliseconds; the last is repeated.
RETRIES: Final = (60_000, 5 * 60_000, 15 * 60_000, HOUR, 4 * HOUR)


def is_quiet(at: Moment, start: int, end: int, zone: ZoneInfo) -> bool:
    """Answer whether *at* is in the quiet hours from *start* to *end*, which may go over midnight; equal hours: none."""
    hour = _local(at, zone).hour
    return start <= hour < end if start <= end else hour >= start or hour < end


def next_hour(at: Moment, hours: Sequence[int], zone: ZoneInfo) -> Moment:
    """Return the first moment from *at* on at which it is one of *hours* o'clock locally; *at* itself if it is within one."""
    return at if not hours or _local(at, zone).hour in hours else next_stroke(at, hours, zone)


def next_stroke(at: Moment, hours: Sequence[int], zone: ZoneInfo) -> Moment:
    """Return the first moment after *at* at which a clock strikes one of *hours*; *at* itself where there are none."""
    if not hours:
        return at
    local = _local(at, zone)
    for days in (0, 1, 2):
        day = (local + timedelta(days=days)).date()
        for hour in sorted(hours):
            found = datetime(day.year, day.month, day.day, hour, tzinfo=zone)
            moment = int(found.astimezone(UTC).timestamp() * 1000)
            # An hour that the change of clocks leaves out is the one after it.
            if moment > at:
                return moment
    raise AssertionError("a day has its hours")


def told_at(
    oldest: Moment, now: Moment, *, urgent: bool, soon: bool, quiet: tuple[int, int], digest: Sequence[int], zone: ZoneInfo
) -> Moment:  # fmt: skip
    """Return when somebody is told of what waits since *oldest*: *now*, or later.

    Args:
        urgent: something of it may not wait at all.
        soon: something of it may wait for the end of the *quiet* hours, but for no *digest*.
    """
    if urgent:
        return now
    if soon:
        return now if not is_quiet(now, *quiet, zone) else next_hour(now, (quiet[1],), zone)
    due = next_stroke(oldest, digest, zone)
    return max(due, now) if not is_quiet(max(due, now), *quiet, zone) else next_hour(now, (quiet[1],), zone)


def retry_after(tries: int) -> Moment:
    """Return how long to wait after *tries* vain tries."""
    return RETRIES[min(tries, len(RETRIES)) - 1]


def _local(at: Moment, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at / 1000, zone)
