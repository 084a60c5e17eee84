"""How the hub's own loops are doing: when each last did its round, when and why one failed.  In memory, of one process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Failure(NamedTuple):
    """A round that failed: when, and the error's code."""

    at: int
    code: str


@dataclass(slots=True)
class Rounds:
    """By each loop's name its last good round and its last failure; ``in_doubt``: the clock can't be trusted."""

    done: dict[str, int] = field(default_factory=dict)
    failed: dict[str, Failure] = field(default_factory=dict)
    in_doubt: bool = False

    def finish(self, name: str, at: int) -> None:
        """Note that the loop *name* did its round."""
        self.done[name] = at

    def fail(self, name: str, at: int, code: str) -> None:
        """Note that a round of the loop *name* failed."""
        self.failed[name] = Failure(at, code)

    def is_failing(self, name: str) -> bool:
        """Answer whether the last round of the loop *name* failed."""
        failure = self.failed.get(name)
        return failure is not None and failure.at > self.done.get(name, -1)
