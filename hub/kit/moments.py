"""Moments as people read them: local time, near days in words, the way public services write it.

Source: GOV.UK style guide (times and dates).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """How moments (UTC milliseconds) are said in ``zone`` at the moment ``now``."""

    zone: ZoneInfo
    now: int

    def moment(self, at: int) -> str:
        """Return *at* (UTC milliseconds) in local time: ``14 April 2026 at 10:30am``."""
        local = self.local(at)
        return f"{local.day} {local:%B %Y} at {self.time(at)}"

    def date(self, at: int) -> str:
        """Return the local date of *at*: ``14 April 2026``."""
        local = self.local(at)
        return f"{local.day} {local:%B %Y}"

    def day(self, at: int) -> str:
        """Return the local day of *at*: ``Tuesday 14 April 2026``, or ``today``, ``yesterday``, ``tomorrow``."""
        local, today = self.local(at).date(), self.local(self.now).date()
        near = {0: "today", 1: "tomorrow", -1: "yesterday"}.get((local - today).days)
        return near or f"{local:%A} {local.day} {local:%B %Y}"

    def near(self, at: int) -> str:
        """Return day and time of *at*: ``yesterday at 5pm``."""
        return f"{self.day(at)} at {self.time(at)}"

    def time(self, at: int) -> str:
        """Return the time of *at* as public services write it: ``10:30am``, ``5pm``, ``midday``, ``midnight``."""
        local = self.local(at)
        if (local.minute, local.hour) in {(0, 0), (0, 12)}:
            return "midday" if local.hour else "midnight"
        clock = f"{local.hour % 12 or 12}" + (f":{local.minute:02}" if local.minute else "")
        return clock + ("am" if local.hour < 12 else "pm")

    def iso(self, at: int) -> str:
        """Return *at* for a ``datetime`` attribute."""
        return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    def local(self, at: int) -> datetime:
        """Return *at* as a local date and time."""
        return datetime.fromtimestamp(at / 1000, self.zone)
