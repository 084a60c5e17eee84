"""What every verb stands on: named statements, the head row in memory, and what shall happen after the commit."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from msgspec.structs import asdict, replace

from hub.core.numbering import Given
from hub.store.rows import LogHead
from keys.digests import chained

Values = Mapping[str, Any]
Row = tuple[Any, ...]

NONE: Final[Values] = {}
Mark = tuple[LogHead | None, bool, dict[str, int], int]
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")


def pack(text: str) -> bytes:
    """Return the 16 or 32 bytes of an id or digest, which was checked when it came in."""
    return a2b_base64(text.encode().translate(_FROM_URL) + b"==")


def unpack(raw: bytes) -> str:
    """Return an id or digest as on the wire."""
    return b2a_base64(raw, newline=False).rstrip(b"=").translate(_TO_URL).decode()


def pack_or_none(text: str | None) -> bytes | None:
    """Return :func:`pack` of *text* if there is one."""
    return None if text is None else pack(text)


def unpack_or_none(raw: bytes | None) -> str | None:
    """Return :func:`unpack` of *raw* if there is one."""
    return None if raw is None else unpack(raw)


class Connection(Protocol):
    """One database connection, on one thread.  Errors of the engine come out as ``hub.store.base`` has them."""

    def rows(self, name: str, values: Values = NONE) -> list[Row]:
        """Run the statement *name* and return its rows."""

    def run(self, name: str, values: Values = NONE) -> int:
        """Run the statement *name* and return how many rows it changed."""

    def run_many(self, name: str, values: Iterable[Values]) -> None:
        """Run the statement *name* once for each of *values*."""


class Bodies(Protocol):
    """Where bodies beyond 64 KiB lie, if not in the database."""

    def keep(self, name: str, content: bytes | memoryview) -> None:
        """Make *content* durable under *name*; doing it again changes nothing."""

    def load(self, name: str) -> bytes:
        """Return the content kept under *name*."""

    def drop(self, name: str) -> None:
        """Remove *name*, if it is there."""


class Session:
    """One transaction's state.  ``Transaction`` gives it its verbs."""

    __slots__ = ("_dirty", "_head", "_sizes", "after", "bodies", "connection")

    def __init__(self, connection: Connection, bodies: Bodies | None) -> None:
        """Begin with nothing read; *bodies* is absent where the database holds them all."""
        self.connection = connection
        self.bodies = bodies
        self.after: list[Callable[[], None]] = []
        self._head: LogHead | None = None
        self._dirty = False
        self._sizes: dict[str, int] = {}

    def log_head(self) -> LogHead:
        """Return the head row as this transaction has left it."""
        if self._head is None:
            self._head = LogHead(*self.connection.rows("log_head")[0])
        return self._head

    def set_log_head(self, head: LogHead) -> None:
        """Replace the head row; it is written once, when the batch commits."""
        self._head = head
        self._dirty = True

    def feed_size(self, mailbox: str) -> int:
        """Return the number of a feed's last entry, 0 if it has none."""
        if mailbox in self._sizes:
            return self._sizes[mailbox]
        return next((row[0] for row in self.connection.rows("feed_size", {"mailbox": mailbox})), 0)

    def next_number(self, mailbox: str, kind: str, ref: bytes) -> tuple[int, int]:
        """Return the number of a feed's next entry, which the caller adds, and its place among all that feeds ever gave.

        Both are written once, with the head.
        """
        number = self._sizes[mailbox] = self.feed_size(mailbox) + 1
        head = self.log_head()
        numbers = chained(head.numbers, Given(mailbox, number, kind, unpack(ref)).line())
        self.set_log_head(replace(head, given=head.given + 1, numbers=numbers))
        return number, head.given + 1

    def mark(self) -> Mark:
        """Return what :meth:`restore` needs to forget what comes next."""
        return self._head, self._dirty, dict(self._sizes), len(self.after)

    def restore(self, mark: Mark) -> None:
        """Forget what happened here since *mark*; the savepoint in the database is the caller's."""
        self._head, self._dirty, self._sizes, kept = mark
        del self.after[kept:]

    def flush(self) -> None:
        """Write what is only in memory; last before the commit."""
        if self._dirty and self._head is not None:
            self.connection.run("set_log_head", asdict(self._head))
            self._dirty = False
        if self._sizes:
            sizes = [{"mailbox": mailbox, "size": size} for mailbox, size in self._sizes.items()]
            self.connection.run_many("set_feed_size", sizes)
            self._sizes = {}
