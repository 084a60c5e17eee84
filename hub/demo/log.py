"""The hub's audit log as its operator reads it: the entries under each signed checkpoint, as they are signed.

`hub audit show --follow` writes them to a file.  What the demo says has happened, it has read there; nothing is asked
of the hub's own tables.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from hub.demo.errors import DemoError

Leaf = dict[str, Any]


class AuditLog:
    """Follows the log in the file ``path``, one entry a line; ``leaves`` are all entries read so far, in order."""

    def __init__(self, path: Path, *, alive: Callable[[], None]) -> None:
        self._path, self._alive = path, alive
        self._offset = 0
        self.leaves: list[Leaf] = []

    def read(self) -> list[Leaf]:
        """Read what was signed since the last time, and return it.

        Raises:
            DemoError: an entry is missing, or it is no entry.
        """
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            lines = file.read()
        # The last line may be half written.
        lines = lines[: lines.rfind(b"\n") + 1]
        self._offset += len(lines)
        fresh: list[Leaf] = []
        for line in lines.splitlines():
            try:
                entry = json.loads(line)
            except ValueError as error:
                raise DemoError("the log can't be followed", line.decode("utf-8", "replace")) from error
            if entry["index"] != len(self.leaves):
                raise DemoError("an entry of the log is missing", f"{entry['index']} follows {len(self.leaves) - 1}")
            self.leaves.append(entry["leaf"])
            fresh.append(entry["leaf"])
        return fresh

    def wait(self, what: str, is_there: Callable[[], bool], *, seconds: float = 60.0) -> None:
        """Read until *is_there*; *what* says in words what is waited for.

        Raises:
            DemoError: it did not come, or a process has ended.
        """
        deadline = time.monotonic() + seconds
        self.read()
        while not is_there():
            self._alive()
            if time.monotonic() > deadline:
                raise DemoError(f"waited {seconds:.0f} s for {what}", "see the logs of the processes")
            time.sleep(0.05)
            self.read()

    def find(self, event: str, **members: Any) -> Iterator[Leaf]:
        """Yield the entries of *event* whose members are as given."""
        for leaf in self.leaves:
            if leaf["event"] == event and all(leaf.get(name) == value for name, value in members.items()):
                yield leaf

    def receipts(self) -> set[tuple[str, str, str]]:
        """Return envelope, mailbox and level of every receipt that the hub took."""
        return {(leaf["envelope"], leaf["mailbox"], leaf["level"]) for leaf in self.find("receipt-accepted")}

    def dues(self, families: Iterable[str]) -> list[int]:
        """Return, in order, the due moments of the sendings of *families* that were ever owed."""
        wanted = set(families)
        return sorted({leaf["due"] for leaf in self.find("obligation-opened", kind="send") if leaf["type"] in wanted})
