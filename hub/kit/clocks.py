"""Clocks: the system's, kept honest by the monotonic one, and a training clock that a file holds.

Source: DESIGN 6 "Time"; promises 2 (clock).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

# A wall clock that leaves the monotonic one by more than this, in ms, was set and not corrected.
MAX_STEP: Final = 60_000


class Clock(Protocol):
    """Gives the moment in UTC milliseconds, and says whether to trust it."""

    def __call__(self) -> int:
        """Return the moment; never an earlier one than before."""

    def in_doubt(self) -> bool:
        """Answer whether the clock was set while we ran, so that nobody should be judged by it."""


class SystemClock:
    """The system's clock; a step is not followed, and puts it in doubt until the two clocks agree again."""

    def __init__(
        self,
        wall: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._last, self._since = wall(), monotonic()
        self._doubt = False

    def __call__(self) -> int:
        """Return the wall clock's moment, or where the monotonic clock would have it after a step."""
        wall, monotonic = self._wall(), self._monotonic()
        expected = self._last + (monotonic - self._since)
        self._doubt = abs(wall - expected) > MAX_STEP
        self._last = max(self._last, expected if self._doubt else wall)
        self._since = monotonic
        return self._last

    def in_doubt(self) -> bool:
        """Answer whether the wall clock was set by more than :data:`MAX_STEP` since we started."""
        self()
        return self._doubt


class FileClock:
    """A training clock: a file holds UTC milliseconds as text, and whoever writes it moves time for every process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = 0
        if self() == 0:
            raise ValueError(f"the training clock {path} holds no moment")

    def __call__(self) -> int:
        """Return the file's moment; one that can't be read, or lies back, changes nothing."""
        try:
            text = self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return self._last
        if text.isdigit() and len(text) < 16:
            self._last = max(self._last, int(text))
        return self._last

    def in_doubt(self) -> bool:
        """Answer no: in training, time is what the trainer says."""
        return False


def open_clock(setting: str) -> Clock:
    """Return the clock that *setting* names: ``system`` or ``file:path``.

    Raises:
        ValueError: the training clock's file holds no moment.
    """
    return SystemClock() if setting == "system" else FileClock(Path(setting.removeprefix("file:")))
