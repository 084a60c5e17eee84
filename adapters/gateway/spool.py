"""What a gateway must not forget: drafts, envelopes, deliveries, receipts, its own obligations, its place in each feed.

One task owns the database of a process; everything else hands it a function, and each function is one transaction.
Commands beside a running gateway open the same file: a rollback journal and a busy timeout make that safe.
Content is sealed under a key of the agency's keyring before it comes here; headers, ids and states are not.

Source: design 4 and 6; promises 3 (aiosqlite).
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import aiosqlite

from adapters.errors import GatewayError, NotYetError
from keys import vault
from keys.digests import derived_key, keyed_digest, sha256_b64u

T = TypeVar("T")
Row = Mapping[str, Any]
VERSION: Final = 1
STATEMENTS: Final = files("adapters.gateway").joinpath("spool.sql")
EVIDENCE: Final = files("adapters.gateway").joinpath("evidence.sql")
PAGES: Final = tuple(
    files("adapters.gateway").joinpath(name)
    for name in (
        "inbox/people.sql", "inbox/threads.sql", "inbox/search.sql", "inbox/notify/notify.sql", "guests/guests.sql",
    )
)  # fmt: skip
_BLOCK: Final = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def _load_queries(statements: Traversable = STATEMENTS) -> dict[str, str]:
    parts = _BLOCK.split(statements.read_text("utf-8"))
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))


def _load_all(statements: Sequence[Traversable]) -> dict[str, str]:
    """Return the statements of several files by name; their schemas are one after the other."""
    loaded = [_load_queries(one) for one in statements]
    found = {name: text for one in loaded for name, text in one.items()}
    return found | {"schema": "\n".join(one["schema"] for one in loaded)}


class Transaction:
    """What a function run by :meth:`Database.write` may do; its effects are kept together or not at all."""

    def __init__(self, database: aiosqlite.Connection, queries: Mapping[str, str]) -> None:
        self._database, self._queries = database, queries

    async def run(self, query: str, **values: Any) -> int:
        """Run the statement named *query*; return how many rows it changed."""
        async with self._database.execute(self._queries[query], values) as cursor:
            return cursor.rowcount

    async def all(self, query: str, **values: Any) -> list[Row]:
        """Return every row of the statement named *query*."""
        return [dict(row) for row in await self._database.execute_fetchall(self._queries[query], values)]

    async def one(self, query: str, **values: Any) -> Row | None:
        """Return the first row of the statement named *query*, or ``None``."""
        rows = await self.all(query, **values)
        return rows[0] if rows else None


Work = Callable[[Transaction], Awaitable[T]]


class Database:
    """One file of a gateway and its one owner, open between ``async with`` and its end."""

    def __init__(self, path: Path, key: bytes, *, name: str, statements: Sequence[Traversable]) -> None:
        """Take the database's *path*, the 32-byte *key* under which content is kept, and the files of its *statements*.

        *name* says whose content it is: what one database sealed, another can't open.
        """
        self._path, self._key = path, key
        self._name, self._statements = name, statements
        self._jobs: asyncio.Queue[tuple[Work[Any], asyncio.Future[Any]] | None] = asyncio.Queue()
        self._owner: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if not self._path.exists():
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600))
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._owner = asyncio.create_task(self._own(ready))
        await ready
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owner is not None:
            self._jobs.put_nowait(None)
            await self._owner

    async def write(self, work: Work[T]) -> T:
        """Run *work* as one transaction; when this returns, its effects are durable.

        A caller that is cancelled meanwhile doesn't stop it: it is done whole or not at all.

        Raises:
            NotYetError: ``spool-busy``; another command holds the spool.
            GatewayError: ``spool-full``.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put_nowait((work, future))
        return await future

    async def run(self, query: str, **values: Any) -> int:
        """Run one statement as a transaction of its own."""
        return await self.write(lambda tx: tx.run(query, **values))

    async def all(self, query: str, **values: Any) -> list[Row]:
        """Return every row of one statement."""
        return await self.write(lambda tx: tx.all(query, **values))

    async def one(self, query: str, **values: Any) -> Row | None:
        """Return the first row of one statement, or ``None``."""
        return await self.write(lambda tx: tx.one(query, **values))

    def lock(self, content: bytes, label: str) -> bytes:
        """Return *content* sealed for this database; *label* (an envelope's id) is bound to it."""
        return vault.lock(f"{self._name} {label}", content, self._key)

    def unlock(self, locked: bytes, label: str) -> bytes:
        """Return what :meth:`lock` sealed under the same *label*.

        Raises:
            KeysError: it was altered, or is another's.
        """
        return vault.unlock(f"{self._name} {label}", locked, self._key)

    def fingerprint(self, content: bytes) -> str:
        """Return what tells *content* from other content, and says nothing to whoever has no key: not even to a guess."""
        return keyed_digest(derived_key(self._key, f"{self._name} fingerprints"), sha256_b64u(content))

    async def _own(self, ready: asyncio.Future[None]) -> None:
        try:
            async with aiosqlite.connect(self._path, isolation_level=None, timeout=30) as database:
                database.row_factory = aiosqlite.Row
                queries = _load_all(self._statements)
                await _prepare(database, queries)
                ready.set_result(None)
                while (job := await self._jobs.get()) is not None:
                    await _perform(database, queries, *job)
        except Exception as error:
            if ready.done():
                raise
            ready.set_exception(_explain(error))


class Spool(Database):
    """The spool of one gateway."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Take the spool's *path* and the 32-byte *key* under which content is kept."""
        super().__init__(path, key, name="spool", statements=(STATEMENTS, EVIDENCE, *PAGES))


async def _prepare(database: aiosqlite.Connection, queries: Mapping[str, str]) -> None:
    # A rollback journal, not WAL: a command beside the running gateway is a second writer, and SQLite before 3.51.3
    # can corrupt a WAL that two connections write.
    for pragma in ("journal_mode = DELETE", "synchronous = FULL", "secure_delete = ON", "temp_store = MEMORY"):
        await database.execute_fetchall(f"PRAGMA {pragma}")
    await database.execute("BEGIN IMMEDIATE")
    (version,) = next(iter(await database.execute_fetchall("PRAGMA user_version")))
    if version not in (0, VERSION):
        raise GatewayError(
            "spool-version", "the spool was written by another version", "run that version, or a newer one"
        )
    for statement in queries["schema"].split(";\n"):
        await database.execute(statement)
    await database.execute(f"PRAGMA user_version = {VERSION}")
    await database.execute("COMMIT")


async def _perform(
    database: aiosqlite.Connection, queries: Mapping[str, str], work: Work[Any], future: asyncio.Future[Any]
) -> None:
    try:
        await database.execute("BEGIN IMMEDIATE")
        try:
            result = await work(Transaction(database, queries))
            await database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                await database.execute("ROLLBACK")
            raise
    except Exception as error:  # noqa: BLE001
        if not future.done():
            future.set_exception(_explain(error))
    else:
        if not future.done():
            future.set_result(result)


def _explain(error: Exception) -> Exception:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return NotYetError("spool-busy", "another command holds the spool", "try again when it has ended")
    if name.startswith("SQLITE_FULL"):
        return GatewayError("spool-full", "the disk under the spool is full", "make room; nothing was taken or lost")
    return error


def family_range(family: str) -> dict[str, str]:
    """Return between which values of ``type`` the versions of *family* are: ``first``, and before ``last``."""
    # The next character after the slash; a range is found by an index, a pattern would not be.
    return {"first": f"{family}/", "last": f"{family}0"}


async def each(tx: Transaction, query: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Run the statement named *query* once for each of *rows*."""
    for row in rows:
        await tx.run(query, **row)
