"""The embedded database: one file, one process, one connection that writes.

SQLite before 3.51.3 can damage a write-ahead log when two connections write or checkpoint, so one connection does
both, ever, on the writer's thread; the readers' are opened read-only and never checkpoint.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from hub.store.base import StoreBusyError, StoreDamagedError, StoreError, StoreFullError, StoreLockedError
from hub.store.bodies import BodyFolder, sync_folder
from hub.store.migrate import migrate
from hub.store.queries import SQLITE, load_queries
from hub.store.rows import Health
from hub.store.session import NONE, Row, Values, unpack
from hub.store.transaction import Transaction
from hub.store.writer import MOST_TOGETHER, Lane, read_batch, write_batch

T = TypeVar("T")
READERS: Final = 2
READ_SECONDS: Final = 2.0
# Of a new database; twice SQLite's usual, so that a body takes half as many pages and a commit less work.
PAGE: Final = 8192
# Instructions of SQLite's machine between two looks at the clock: well below a millisecond.
_STEPS: Final = 20_000
_WAL_PAGES: Final = 2_000
# Beyond this a reader has kept the log from being reused: something is wrong.
WAL_ALARM: Final = 64 * 1024 * 1024


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn what SQLite raises for an outage into the store's own errors; a mistake of ours stays what it is."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
        raise _translate(error) from error


def _translate(error: sqlite3.Error) -> Exception:
    name = getattr(error, "sqlite_errorname", "")
    if name in {"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"}:
        return StoreFullError()
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreBusyError("another program holds the database")
    if name == "SQLITE_INTERRUPT":
        return StoreBusyError("reading took longer than it may", "ask for less at once")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return StoreDamagedError("the database file is damaged", "restore it from a backup")
    return error


class SqliteConnection:
    """One connection with the named statements."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        """Speak through *raw*, which is in autocommit mode."""
        self.raw = raw
        self._queries = load_queries()

    def rows(self, name: str, values: Values = NONE) -> list[Row]:
        """Run the statement *name* and return its rows."""
        try:
            return self.raw.execute(self._queries[name], values).fetchall()
        except sqlite3.Error as error:
            raise _translate(error) from error

    def run(self, name: str, values: Values = NONE) -> int:
        """Run the statement *name* and return how many rows it changed."""
        try:
            return self.raw.execute(self._queries[name], values).rowcount
        except sqlite3.Error as error:
            raise _translate(error) from error

    def run_many(self, name: str, values: Iterable[Values]) -> None:
        """Run the statement *name* once for each of *values*."""
        try:
            self.raw.executemany(self._queries[name], values)
        except sqlite3.Error as error:
            raise _translate(error) from error


class SqliteEngine:
    """One connection as a lane uses it."""

    def __init__(self, raw: sqlite3.Connection, bodies: BodyFolder, begin: str, seconds: float | None) -> None:
        """Begin each transaction with the statement *begin*; interrupt one that runs *seconds*, if given."""
        self.raw, self._bodies, self._begin, self._seconds = raw, bodies, begin, seconds
        self._connection = SqliteConnection(raw)
        self._until = 0.0
        if seconds is not None:
            raw.set_progress_handler(self._is_late, _STEPS)

    def _is_late(self) -> bool:
        return time.monotonic() > self._until

    def begin(self) -> Transaction:
        """Start a transaction."""
        if self._seconds is not None:
            self._until = time.monotonic() + self._seconds
        with _translated():
            self.raw.execute(self._begin)
        return Transaction(self._connection, self._bodies)

    def commit(self) -> None:
        """Make the transaction durable: the write-ahead log is on the disk when this returns."""
        with _translated():
            self.raw.execute("COMMIT")

    def rollback(self) -> None:
        """Undo the transaction; SQLite may have done so by itself."""
        if self.raw.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self.raw.execute("ROLLBACK")

    def savepoint(self) -> None:
        """Remember this place."""
        with _translated():
            self.raw.execute("SAVEPOINT work")

    def release(self) -> None:
        """Forget the place, keep what came since."""
        with _translated():
            self.raw.execute("RELEASE work")

    def rollback_to(self) -> None:
        """Undo what came since the place, and forget it."""
        with _translated():
            self.raw.execute("ROLLBACK TO work")
            self.raw.execute("RELEASE work")

    def close(self) -> None:
        """Let go of the connection."""
        self.raw.close()


class SqliteStore:
    """The store in one SQLite file, with ``<file>.bodies/`` and ``<file>.lock`` beside it."""

    def __init__(self, path: Path, *, max_bytes: int = 0, read_only: bool = False) -> None:
        """Open *path*, making or migrating it first.

        *max_bytes*: how large the file may grow, 0 for as large as the disk lets it.

        Raises:
            StoreLockedError, StoreDamagedError, StoreBusyError
        """
        self._path, self._lock = path, -1
        self._writer: Lane | None = None
        self._bodies = BodyFolder(path.with_name(path.name + ".bodies"))
        if read_only:
            if not path.exists():
                raise StoreBusyError("there is no database yet", "start the hub once, or check the path")
        else:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _lock(path)
            try:
                raw = self._open_writer(max_bytes)
            except BaseException:
                os.close(self._lock)
                raise
            engine = SqliteEngine(raw, self._bodies, "BEGIN IMMEDIATE", None)
            self._writer = Lane("write", [engine], write_batch, MOST_TOGETHER)
        engines = [SqliteEngine(self._open_reader(), self._bodies, "BEGIN", READ_SECONDS) for _ in range(READERS)]
        self._readers = Lane("read", engines, read_batch, 4)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Return what *work* returns on one unchanging view; see :class:`hub.store.base.Store`."""
        return await self._readers.submit(work)

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run *work* in a transaction; see :class:`hub.store.base.Store`."""
        if self._writer is None:
            raise StoreBusyError("the database was opened for reading only", "ask the running hub")
        return await self._writer.submit(work)

    async def check(self) -> Health:
        """Return the store's health; a write-ahead log beyond 64 MiB is none."""
        wal = _size(self._path.with_name(self._path.name + "-wal"))
        alive = self._readers.alive() and (self._writer is None or self._writer.alive())
        waiting = self._readers.waiting() + (self._writer.waiting() if self._writer else 0)
        commits = self._writer.batches if self._writer else 0
        return Health(alive and wal <= WAL_ALARM, "sqlite", _size(self._path), wal, waiting, commits)

    async def backup(self, path: Path) -> None:
        """Write a copy to *path*, with its large bodies in ``<path>.bodies/``; see :class:`hub.store.base.Store`."""
        await asyncio.to_thread(self._copy, path)

    async def close(self) -> None:
        """Finish what was handed in and let go; the writer's is the last connection, so it alone checkpoints."""
        await self._readers.close()
        if self._writer is not None:
            await self._writer.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _open_writer(self, max_bytes: int) -> sqlite3.Connection:
        raw = _connect(f"{self._path.absolute().as_uri()}?mode=rwc")
        try:
            with _translated():
                raw.execute(f"PRAGMA page_size = {PAGE}")
                raw.execute("PRAGMA journal_mode = WAL")
                # The commit is on the disk before anybody is answered; NORMAL would lose what was answered 201.
                raw.execute("PRAGMA synchronous = FULL")
                raw.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
                raw.execute(f"PRAGMA journal_size_limit = {_WAL_PAGES * PAGE}")
                raw.execute("PRAGMA cache_size = -32768")
                raw.execute("PRAGMA temp_store = MEMORY")
                if max_bytes:
                    page = raw.execute("PRAGMA page_size").fetchone()[0]
                    raw.execute(f"PRAGMA max_page_count = {max(1, max_bytes // page)}")
                raw.execute("BEGIN IMMEDIATE")
                connection = SqliteConnection(raw)
                migrate(connection, raw.execute, SQLITE, "sqlite")
                wanted = frozenset(unpack(row[0]) for row in connection.rows("body_files"))
                raw.execute("COMMIT")
            self._bodies.sweep(wanted)
            sync_folder(self._path.parent)
        except BaseException:
            raw.close()
            raise
        return raw

    def _open_reader(self) -> sqlite3.Connection:
        with _translated():
            raw = _connect(f"{self._path.absolute().as_uri()}?mode=ro")
            raw.execute("PRAGMA query_only = 1")
            raw.execute("PRAGMA cache_size = -8192")
            return raw

    def _copy(self, path: Path) -> None:
        if path.exists():
            raise StoreError("store-backup", "couldn't back up: the file exists", "name a new file")
        temporary = path.with_name(path.name + ".part")
        try:
            with (
                _translated(),
                contextlib.closing(self._open_reader()) as source,
                contextlib.closing(_connect(f"{temporary.absolute().as_uri()}?mode=rwc")) as target,
            ):
                source.backup(target)
                files = [unpack(row[0]) for row in SqliteConnection(target).rows("body_files")]
            copies = BodyFolder(path.with_name(path.name + ".bodies"))
            for name in files:
                # One that was withdrawn meanwhile is gone on purpose.
                with contextlib.suppress(StoreDamagedError):
                    copies.keep(name, self._bodies.load(name))
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.absolute().parent)
        finally:
            temporary.unlink(missing_ok=True)


def _connect(uri: str) -> sqlite3.Connection:
    # Each connection is used by one thread at a time, but opened here so that its errors come out here.
    return sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=5
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _lock(path: Path) -> int:
    """Take the lock file of *path* and return its handle; the system lets go of it however this process ends."""
    handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise StoreLockedError(
            "another process has the database", "stop the hub that runs on it, or ask that hub over HTTP"
        ) from error
    return handle
