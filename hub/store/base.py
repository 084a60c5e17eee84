"""What the hub asks of a database: read, write, close.

``work`` is an ordinary function of a :class:`~hub.store.transaction.Transaction`, run on a thread of the store,
with no ``await`` in it.  It touches nothing but its transaction, and it must bear being run again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import parse_qsl, urlsplit

from hub.errors import HubError

if TYPE_CHECKING:
    from hub.store.rows import Health
    from hub.store.transaction import Transaction

T = TypeVar("T")


class StoreError(HubError):
    """The database can't do it now: an outage, never the caller's fault."""


class StoreFullError(StoreError):
    """No room is left.  Nothing of the work was kept; reading still works."""

    def __init__(self) -> None:
        super().__init__("store-full", "couldn't write: the disk is full", "make room; nothing half-done is kept")


class StoreLockedError(StoreError):
    """Another process has the database."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__("store-locked", message, hint)


class StoreBusyError(StoreError):
    """The database can't be reached, is closing, or the work took longer than it may."""

    def __init__(self, message: str, hint: str = "try again in a moment") -> None:
        super().__init__("store-busy", message, hint)


class StoreUnknownError(StoreBusyError):
    """The connection was lost while committing: the work was kept or not, as a whole.  Repeating it tells."""


class StoreRetryError(StoreBusyError):
    """The database gave the transaction up before it committed; run again, it may well succeed."""


class StoreDamagedError(StoreError):
    """The database is not what this program wrote."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__("store-damaged", message, hint)


class Store(Protocol):
    """One database of one hub."""

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Return what *work* returns on one unchanging view of what is durable; it can't write.

        Raises:
            StoreBusyError: the database can't be reached, or *work* took more than two seconds of it.
        """

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run *work* in a transaction, and return what it returned once that is durable.

        An exception in *work* undoes all that it did and is raised here; works that share its commit keep theirs.
        Cancelling the caller leaves *work* done or not done, never half.

        Raises:
            StoreFullError: nothing was kept.
            StoreUnknownError: it was kept or not, as a whole; ask again.
            StoreBusyError: the database can't be reached; nothing was kept.
        """

    async def check(self) -> Health:
        """Return the store's health; reads and writes nothing, and never raises for an outage."""

    async def backup(self, path: Path) -> None:
        """Write a consistent copy of all that is durable now to *path*, which must not exist yet.

        Raises:
            StoreError: this engine has its own tool, or the copy can't be written.
        """

    async def close(self) -> None:
        """Finish what was handed in, refuse what comes after, and let go of the database."""


def open_store(url: str, *, read_only: bool = False) -> Store:
    """Open the database at *url*, making or migrating it first; blocks while it does.

    ``sqlite:///relative.db``, ``sqlite:////absolute.db``, with ``?max_bytes=N`` for a quota; ``postgresql://…`` as
    libpq has it.  *read_only* leaves a running hub alone: nothing is locked, made or migrated, and ``write`` fails.

    Raises:
        StoreLockedError: another process has the SQLite database.
        StoreDamagedError: a migration that ran isn't the one that this program has.
        StoreBusyError: the database can't be reached.
        HubError: ``config``; the address has no such form.
    """
    scheme = urlsplit(url).scheme
    if scheme == "sqlite" and url.startswith("sqlite:///"):
        from hub.store.sqlite import SqliteStore

        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
        quota = options.pop("max_bytes", "0")
        if not options and quota.isdecimal() and len(parts.path) > 1:
            return SqliteStore(Path(parts.path[1:]), max_bytes=int(quota), read_only=read_only)
    elif scheme in {"postgresql", "postgres"}:
        from hub.store.postgres import PostgresStore

        return PostgresStore(url, read_only=read_only)
    raise HubError(
        "config", "the database address has no known form", "write sqlite:///path/hub.db or postgresql://host/name"
    )
