"""The hub's audit log as anyone may read it: the signed checkpoint, then the entries under it.  No token, no database.

What the demo says has happened, it has read here; nothing is asked of the hub's own tables.

Source: C2SP tlog-tiles.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from hub.demo.errors import DemoError

WIDTH: Final = 256
Leaf = dict[str, Any]


class AuditLog:
    """Follows the log of the hub at ``url``; ``leaves`` are all entries read so far, in order."""

    def __init__(self, url: str, *, alive: Callable[[], None]) -> None:
        self.url, self._alive = url, alive
        self.leaves: list[Leaf] = []

    def read(self) -> list[Leaf]:
        """Read what was signed since the last time, and return it."""
        size = self._size()
        fresh: list[Leaf] = []
        while len(self.leaves) < size:
            number, skip = divmod(len(self.leaves), WIDTH)
            width = min(WIDTH, size - number * WIDTH)
            path = f"{_digits(number)}.p/{width}" if width < WIDTH else _digits(number)
            entries = list(split_entries(self._get(f"/v1/audit/tile/entries/{path}")))[skip:]
            self.leaves += entries
            fresh += entries
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

    def _size(self) -> int:
        try:
            note = self._get("/v1/audit/checkpoint").decode("utf-8")
        except urllib.error.HTTPError as error:
            if error.code in (404, 503):
                return 0  # nothing is signed yet
            raise
        return int(note.split("\n")[1])

    def _get(self, path: str) -> bytes:
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:  # noqa: S310 - our own loopback address
                return bytes(answer.read())
        except urllib.error.HTTPError:
            raise
        except OSError as error:
            self._alive()
            raise DemoError(f"the hub at {self.url} doesn't answer", str(error)) from error


def split_entries(tile: bytes) -> Iterator[Leaf]:
    """Yield the entries of one entry tile: each behind its length as two bytes, big-endian."""
    at = 0
    while at < len(tile):
        length = int.from_bytes(tile[at : at + 2], "big")
        yield json.loads(tile[at + 2 : at + 2 + length])
        at += 2 + length


def _digits(number: int) -> str:
    """Return *number* as tile paths spell it: ``001``, ``x001/234``."""
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03d}")
    return "/".join(groups)
