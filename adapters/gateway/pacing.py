"""How long to wait before trying again: doubling, jittered, forgotten at a restart.

Real seconds, not the gateway's clock: a training clock may stand still while an outage doesn't.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import SystemRandom
from typing import Final

FIRST: Final = 0.5
_random: Final = SystemRandom()


class Pacer:
    """Tries of many things, each under a key of its own; *longest* is the longest pause in seconds."""

    def __init__(self, longest: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._longest, self._monotonic = longest, monotonic
        self._failures: dict[str, tuple[int, float]] = {}

    def failed(self, key: str, retry_after: float | None = None) -> float:
        """Note that *key* failed; return after how many seconds it is ready again.

        Half of the pause is chance, so that a county's gateways don't come back in step after an outage.
        """
        count = self._failures.get(key, (0, 0.0))[0] + 1
        pause = min(FIRST * 2.0 ** min(count - 1, 30), self._longest)
        pause = pause / 2 + _random.uniform(0, pause / 2)
        if retry_after is not None:
            pause = max(pause, retry_after)
        self._failures[key] = (count, self._monotonic() + pause)
        return pause

    def worked(self, key: str) -> None:
        """Note that *key* worked: the next failure starts with the shortest pause."""
        self._failures.pop(key, None)

    def room_for(self, count: int) -> int:
        """Return how many of a list to read so that *count* of them are ready: what has to wait keeps nothing behind it."""
        return count + len(self._failures)

    def is_ready(self, key: str) -> bool:
        """Answer whether *key* may be tried now."""
        failure = self._failures.get(key)
        return failure is None or self._monotonic() >= failure[1]
