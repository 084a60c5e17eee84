"""PostgreSQL: several hub processes on one primary, each with a writer of its own.

A writing batch first takes the log's head row, so that batches of several processes come one after another and can't
wait for each other.  Reads that decide happen in that transaction, on the primary.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus

from hub.store.base import StoreBusyError, StoreError, StoreFullError, StoreRetryError, StoreUnknownError
from hub.store.migrate import migrate
from hub.store.queries import POSTGRES, load_queries, translate_parameters
from hub.store.rows import Health
from hub.store.session import NONE, Row, Values
from hub.store.transaction import Transaction
from hub.store.writer import MOST_TOGETHER, Lane, read_batch, write_batch

T = TypeVar("T")
READERS: Final = 4
READ_MS: Final = 2_000
CONNECT_SECONDS: Final = 5
# Any fixed number: whoever starts takes this lock before it looks which migrations are missing.
_START_LOCK: Final = 0x5AFE6A7D
_AGAIN: Final = (errors.SerializationFailure, errors.DeadlockDetected, errors.AdminShutdown, errors.CrashShutdown)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise _translate(error) from error


def _translate(error: psycopg.Error) -> Exception:
    """Return an outage as the store's own error; a mistake of ours stays what it is."""
    if isinstance(error, errors.DiskFull):
        return StoreFullError()
    if isinstance(error, errors.QueryCanceled):
        return StoreBusyError("reading took longer than it may", "ask for less at once")
    if isinstance(error, _AGAIN) or (isinstance(error, psycopg.OperationalError) and error.sqlstate is None):
        return StoreRetryError("the connection to the database was lost")
    if isinstance(error, psycopg.OperationalError):
        return StoreBusyError("the database can't do it now")
    return error


class PostgresConnection:
    """One connection with the named statements."""

    def __init__(self, raw: psycopg.Connection[Row], queries: dict[str, str]) -> None:
        """Speak through *raw*, which is in autocommit mode: transactions are begun and ended in words."""
        self.raw = raw
        self._queries = queries
        # Binary: a body comes as its bytes and not as hexadecimal text.
        self._cursor = raw.cursor(binary=True)

    def execute(self, text: str) -> None:
        """Run a statement of this program's own text."""
        with _translated():
            self.raw.execute(text.encode())

    def rows(self, name: str, values: Values = NONE) -> list[Row]:
        """Run the statement *name* and return its rows."""
        try:
            return self._cursor.execute(self._queries[name].encode(), values).fetchall()
        except psycopg.Error as error:
            raise _translate(error) from error

    def run(self, name: str, values: Values = NONE) -> int:
        """Run the statement *name* and return how many rows it changed."""
        try:
            return self._cursor.execute(self._queries[name].encode(), values).rowcount
        except psycopg.Error as error:
            raise _translate(error) from error

    def run_many(self, name: str, values: Iterable[Values]) -> None:
        """Run the statement *name* once for each of *values*."""
        try:
            self._cursor.executemany(self._queries[name].encode(), values)
        except psycopg.Error as error:
            raise _translate(error) from error


class PostgresEngine:
    """One connection as a lane uses it; it is made again when it was lost."""

    def __init__(self, url: str, *, writes: bool) -> None:
        """Connect to *url*; one that doesn't write refuses to, and gives up after two seconds a statement."""
        self._url, self._writes = url, writes
        self._queries = {name: translate_parameters(text) for name, text in load_queries().items()}
        self._connection: PostgresConnection | None = None

    def connect(self) -> PostgresConnection:
        """Return the connection, made again if it was lost.

        Raises:
            StoreRetryError: the server can't be reached.
        """
        if self._connection is None or self._connection.raw.closed:
            options = "" if self._writes else f"-c default_transaction_read_only=on -c statement_timeout={READ_MS}"
            with _translated():
                raw = psycopg.connect(
                    self._url, autocommit=True, prepare_threshold=2, connect_timeout=CONNECT_SECONDS, options=options
                )
            raw.prepared_max = 300
            self._connection = PostgresConnection(raw, self._queries)
        return self._connection

    def begin(self) -> Transaction:
        """Start a transaction; a writing one waits for its turn at the head row."""
        connection = self.connect()
        if self._writes:
            connection.execute("BEGIN")
            connection.rows("lock_log_head")
        else:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return Transaction(connection, None)

    def commit(self) -> None:
        """Make the transaction durable."""
        connection = self._inside()
        try:
            connection.execute("COMMIT")
        except StoreRetryError as error:
            if isinstance(error.__cause__, (errors.SerializationFailure, errors.DeadlockDetected)):
                raise
            raise StoreUnknownError("the connection was lost while committing", "ask again, it may be done") from error

    def _inside(self, *, failed: bool = False) -> PostgresConnection:
        """Return the connection if its transaction still stands.

        A COMMIT after an error that a work function swallowed would roll back and say nothing.
        """
        connection = self._connection
        if connection is None or connection.raw.closed:
            raise StoreRetryError("the connection to the database was lost")
        status = connection.raw.info.transaction_status
        if status is not TransactionStatus.INTRANS and not (failed and status is TransactionStatus.INERROR):
            raise RuntimeError("a work function went on after its transaction had failed")
        return connection

    def rollback(self) -> None:
        """Undo the transaction; a connection that can't is given up, and the server undoes it."""
        if self._connection is None or self._connection.raw.closed:
            self._connection = None
            return
        try:
            self._connection.raw.execute(b"ROLLBACK")
        except psycopg.Error:
            self.close()

    def savepoint(self) -> None:
        """Remember this place."""
        self._inside().execute("SAVEPOINT work")

    def release(self) -> None:
        """Forget the place, keep what came since."""
        self._inside().execute("RELEASE work")

    def rollback_to(self) -> None:
        """Undo what came since the place, and forget it."""
        connection = self._inside(failed=True)
        connection.execute("ROLLBACK TO work")
        connection.execute("RELEASE work")

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.raw.close()
            self._connection = None


class PostgresStore:
    """The store in a PostgreSQL database."""

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        """Connect to *url*, making or migrating what is there first.

        Raises:
            StoreBusyError, StoreDamagedError
        """
        self._writer: Lane | None = None
        readers = [PostgresEngine(url, writes=False) for _ in range(READERS)]
        readers[0].connect()
        if not read_only:
            engine = PostgresEngine(url, writes=True)
            connection = engine.connect()
            try:
                _prepare(connection)
            except BaseException:
                engine.close()
                readers[0].close()
                raise
            self._writer = Lane("write", [engine], write_batch, MOST_TOGETHER)
        self._readers = Lane("read", readers, read_batch, 4)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Return what *work* returns on one unchanging view; see :class:`hub.store.base.Store`."""
        return await self._readers.submit(work)

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run *work* in a transaction; see :class:`hub.store.base.Store`."""
        if self._writer is None:
            raise StoreBusyError("the database was opened for reading only", "ask the running hub")
        return await self._writer.submit(work)

    async def check(self) -> Health:
        """Return the store's health, which is whether the server answers."""
        waiting = self._readers.waiting() + (self._writer.waiting() if self._writer else 0)
        try:
            await self.read(lambda tx: tx.log_head())
        except StoreError:
            return Health(False, "postgresql", 0, 0, waiting)
        alive = self._readers.alive() and (self._writer is None or self._writer.alive())
        return Health(alive, "postgresql", 0, 0, waiting, self._writer.batches if self._writer else 0)

    async def backup(self, path: Path) -> None:
        """Refuse: the server has its own tool."""
        raise StoreError(
            "store-backup", f"couldn't write {path.name}: the database is PostgreSQL", "use pg_dump or pg_basebackup"
        )

    async def close(self) -> None:
        """Finish what was handed in and let go of the connections."""
        await self._readers.close()
        if self._writer is not None:
            await self._writer.close()


def _prepare(connection: PostgresConnection) -> None:
    with connection.raw.transaction():
        connection.raw.execute("SELECT pg_advisory_xact_lock(%s)", [_START_LOCK])
        migrate(connection, connection.execute, POSTGRES, "postgres")
