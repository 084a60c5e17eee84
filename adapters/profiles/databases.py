"""The two databases behind interface tables: opened for one short transaction, closed after it, and their errors put in our words.

A gateway keeps no connection between two calls: what it holds then is nothing that a council's night job could wait for.

Source: PostgreSQL appendix A (SQLSTATE codes); sqlite.org/rescode.html.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import quote

import psycopg
from psycopg.rows import dict_row

from adapters.base import Later, NeedsPerson
from adapters.profiles.records import RecordsError

T = TypeVar("T")
_BLOCK: Final = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_PARAMETER: Final = re.compile(r"(?<!:):(\w+)")
# By the beginning of a SQLSTATE, the longest first.
_STATES: Final[Mapping[str, Later | NeedsPerson]] = {
    "53": Later(reason="records-busy"),
    "53300": Later(reason="records-busy"),
    "40": Later(reason="records-busy"),
    "55": Later(reason="records-busy"),
    "57014": Later(reason="records-slow"),
    "57": Later(reason="records-away"),
    "08": Later(reason="records-away"),
    # Rights, names and passwords: a DBA puts them right, and no message is at fault.
    "28": Later(reason="records-unauthorised"),
    "42": Later(reason="records-answer"),
    "3D": Later(reason="records-answer"),
    "25006": Later(reason="records-busy"),
    "54": NeedsPerson(code="records-too-large"),
    # A rule of the table, or of a trigger on it, says no to this very row.
    "22": NeedsPerson(code="records-refused"),
    "23": NeedsPerson(code="records-refused"),
    "P0001": NeedsPerson(code="records-refused"),
}
_WORDS: Final[Mapping[str, Later]] = {
    "certificate": Later(reason="records-certificate"),
    "too many": Later(reason="records-busy"),
    "authentication": Later(reason="records-unauthorised"),
    "role": Later(reason="records-unauthorised"),
    "pg_hba.conf": Later(reason="records-unauthorised"),
}
_ERRORS: Final[Mapping[str, Later | NeedsPerson]] = {
    "SQLITE_BUSY": Later(reason="records-busy"),
    "SQLITE_LOCKED": Later(reason="records-busy"),
    "SQLITE_PROTOCOL": Later(reason="records-busy"),
    "SQLITE_FULL": Later(reason="records-busy"),
    "SQLITE_IOERR": Later(reason="records-busy"),
    "SQLITE_READONLY": Later(reason="records-away"),
    "SQLITE_CANTOPEN": Later(reason="records-away"),
    "SQLITE_ERROR": Later(reason="records-answer"),
    "SQLITE_TOOBIG": NeedsPerson(code="records-too-large"),
    "SQLITE_CONSTRAINT": NeedsPerson(code="records-refused"),
}


class Session(Protocol):
    """One transaction with named statements."""

    async def run(self, name: str, /, **values: Any) -> int:
        """Run the statement *name*; return how many rows it changed."""
        ...

    async def rows(self, name: str, /, **values: Any) -> list[dict[str, Any]]:
        """Return the rows of the statement *name*."""
        ...


class Database(Protocol):
    """A database that holds interface tables."""

    def transaction(self, *, reading: bool = False) -> AbstractAsyncContextManager[Session]:
        """Give one transaction, committed at the end, or undone whole if what is in it raises or is cancelled.

        *reading*: it writes nothing, and keeps nobody who does.

        Raises:
            RecordsError: the database is away, slow, busy or full, or refuses.
        """
        ...


def load_statements() -> dict[str, str]:
    """Return every statement of ``tables.sql`` by its name, with ``:named`` parameters."""
    parts = _BLOCK.split(files("adapters.profiles").joinpath("tables.sql").read_text("utf-8"))
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))


class SqliteDatabase:
    """A file; others may write to it meanwhile, for whom *seconds* are waited."""

    def __init__(self, path: Path, *, seconds: float) -> None:
        # Never made: an empty database in the wrong place would take messages that nobody sees.
        self._address = f"file:{quote(str(path))}?mode=rw"
        self._seconds = seconds
        self._statements = load_statements()

    @asynccontextmanager
    async def transaction(self, *, reading: bool = False) -> AsyncIterator[Session]:
        """Give one transaction that no other writer is in."""
        try:
            database = await _in_thread(self._connect)
            try:
                await _in_thread(database.execute, "BEGIN" if reading else "BEGIN IMMEDIATE")
                yield _SqliteSession(database, self._statements)
                await _in_thread(database.execute, "COMMIT")
            finally:
                # Without a COMMIT before it, all of it is undone.
                await _in_thread(database.close)
        except sqlite3.Error as error:
            raise RecordsError(_judge_sqlite(error)) from error

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(
            self._address, uri=True, isolation_level=None, timeout=self._seconds, check_same_thread=False
        )
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA foreign_keys = ON")
        return database


class _SqliteSession:
    def __init__(self, database: sqlite3.Connection, statements: Mapping[str, str]) -> None:
        self._database, self._statements = database, statements

    async def run(self, name: str, /, **values: Any) -> int:
        cursor = await _in_thread(self._database.execute, self._statements[name], values)
        return cursor.rowcount

    async def rows(self, name: str, /, **values: Any) -> list[dict[str, Any]]:
        def fetch() -> list[dict[str, Any]]:
            return [dict(row) for row in self._database.execute(self._statements[name], values)]

        return await _in_thread(fetch)


async def _in_thread(call: Callable[..., T], *given: Any) -> T:
    """Return what *call* returns; who is cancelled meanwhile waits for its end, so that nothing goes on behind a closed file."""
    job = asyncio.ensure_future(asyncio.to_thread(call, *given))
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        await asyncio.wait([job])
        raise


class PostgresDatabase:
    """A server; nothing takes longer than *seconds*, on its side or on ours."""

    def __init__(self, address: Mapping[str, Any], *, seconds: float) -> None:
        self._address = dict(address)
        self._seconds = seconds
        self._statements = {name: _PARAMETER.sub(r"%(\1)s", text) for name, text in load_statements().items()}

    @asynccontextmanager
    async def transaction(self, *, reading: bool = False) -> AsyncIterator[Session]:
        """Give one transaction, in which each statement sees what is committed."""
        del reading  # who reads keeps nobody here
        try:
            async with asyncio.timeout(self._seconds), await self._connect() as connection:
                # Of a server that stops waiting before we do, we hear why.
                most = str(max(1, int(self._seconds * 800)))
                for name in ("statement_timeout", "lock_timeout"):
                    await connection.execute("SELECT set_config(%s, %s, true)", (name, most))
                yield _PostgresSession(connection, self._statements)
        except TimeoutError as error:
            raise RecordsError(Later(reason="records-slow")) from error
        except psycopg.Error as error:
            raise RecordsError(_judge_postgres(error)) from error

    async def _connect(self) -> psycopg.AsyncConnection[dict[str, Any]]:
        return await psycopg.AsyncConnection.connect(
            **self._address,
            connect_timeout=max(2, int(self._seconds)),
            application_name="safeguarding hub gateway",
            row_factory=dict_row,
        )


class _PostgresSession:
    def __init__(self, connection: psycopg.AsyncConnection[dict[str, Any]], statements: Mapping[str, str]) -> None:
        self._connection, self._statements = connection, statements

    async def run(self, name: str, /, **values: Any) -> int:
        return (await self._connection.execute(self._statements[name].encode(), values)).rowcount

    async def rows(self, name: str, /, **values: Any) -> list[dict[str, Any]]:
        return await (await self._connection.execute(self._statements[name].encode(), values)).fetchall()


def _judge_sqlite(error: sqlite3.Error) -> Later | NeedsPerson:
    name = getattr(error, "sqlite_errorname", "") or ""
    for known, outcome in _ERRORS.items():
        if name.startswith(known):
            return outcome
    return Later(reason="records-away")


def _judge_postgres(error: psycopg.Error) -> Later | NeedsPerson:
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return Later(reason="records-slow")
    state = error.sqlstate
    if state is None and isinstance(error, psycopg.DataError):
        # What no text of PostgreSQL can hold.
        return NeedsPerson(code="records-refused")
    if state is None:
        # Where no connection comes about only the text says why; nothing of it is repeated.
        text = str(error)
        return next((outcome for word, outcome in _WORDS.items() if word in text), Later(reason="records-away"))
    for length in (5, 2):
        if state[:length] in _STATES:
            return _STATES[state[:length]]
    return Later(reason="records-away")
