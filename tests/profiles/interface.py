"""Interface tables on either database for tests, as the agency's own people see them; what its staff do is a line each."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from adapters.base import Document
from adapters.profiles.databases import Database, PostgresDatabase, SqliteDatabase
from adapters.profiles.tables import Tables

SECONDS = 2.0


@dataclass
class Interface:
    """A database with interface tables at *url*, as its owner reaches it."""

    url: str

    @property
    def is_postgres(self) -> bool:
        """Answer whether it is PostgreSQL."""
        return self.url.startswith("postgresql:")

    @property
    def path(self) -> Path:
        """Return where the SQLite file is."""
        return Path(self.url.removeprefix("sqlite://"))

    def make(self, *more: str) -> None:
        """Make the interface tables, and then run *more*."""
        name = f"interface.{'postgresql' if self.is_postgres else 'sqlite'}.sql"
        for text in (files("adapters.profiles").joinpath(name).read_text("utf-8"), *more):
            self.script(text)

    def script(self, text: str) -> None:
        """Run several statements."""
        with self.connect() as connection:
            if isinstance(connection, sqlite3.Connection):
                connection.executescript(text)
            else:
                connection.execute(text.encode())

    @contextmanager
    def connect(self) -> Iterator[Any]:
        """Give a connection of the agency's own, committed at the end."""
        if self.is_postgres:
            with psycopg.connect(self.url, row_factory=dict_row) as connection:
                yield connection
            return
        with sqlite3.connect(self.path) as file:
            file.row_factory = sqlite3.Row
            yield file
        file.close()

    def run(self, text: str, *values: Any) -> list[dict[str, Any]]:
        """Return the rows of *text*, in which ``?`` stands for each value, after committing it."""
        with self.connect() as connection:
            return run(connection, text, *values)

    def write(
        self, key: str, fields: Any, kind: str = "draft", *, documents: Sequence[Document] = (), **columns: Any
    ) -> None:
        """Put one row into the outbox, with its documents, in one transaction."""
        with self.connect() as connection:
            write(connection, key, fields, kind, documents=documents, **columns)

    def outbox(self) -> dict[str, dict[str, Any]]:
        """Return the rows of the outbox by their keys, in order."""
        return {row["key"]: row for row in self.run("SELECT * FROM hub_outbox ORDER BY place")}

    def inbox(self) -> list[dict[str, Any]]:
        """Return the rows of the inbox, in order, their fields read."""
        rows = self.run("SELECT * FROM hub_inbox ORDER BY place")
        return [row | {"fields": json.loads(row["fields"])} for row in rows]

    def database(self, seconds: float = SECONDS) -> Database:
        """Return the database as a gateway has it."""
        if self.is_postgres:
            return PostgresDatabase(conninfo_to_dict(self.url), seconds=seconds)
        return SqliteDatabase(self.path, seconds=seconds)

    def tables(self, gateway: str = "gateway-1", seconds: float = SECONDS) -> Tables:
        """Return the tables as the gateway named *gateway* uses them."""
        return Tables(self.database(seconds), gateway)


def run(connection: Any, text: str, *values: Any) -> list[dict[str, Any]]:
    """Run *text* on *connection*, in which ``?`` stands for each value, and return its rows."""
    if not isinstance(connection, sqlite3.Connection):
        text = text.replace("?", "%s")
    cursor = connection.execute(text, values)
    return [dict(row) for row in cursor.fetchall()] if cursor.description else []


def write(
    connection: Any, key: str, fields: Any, kind: str, *, documents: Sequence[Document] = (), **columns: Any
) -> None:
    """Put one row into the outbox in the transaction of *connection*, as an agency's own program does."""
    text = fields if isinstance(fields, str) else json.dumps(fields)
    columns = {"key": key, "kind": kind, "fields": text, "documents": len(documents), **columns}
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    run(connection, f"INSERT INTO hub_outbox ({names}) VALUES ({marks})", *columns.values())
    for number, one in enumerate(documents, start=1):
        run(
            connection,
            "INSERT INTO hub_outbox_document (outbox_key, number, name, media_type, content) VALUES (?, ?, ?, ?, ?)",
            key, number, one.name, one.type, one.content,
        )  # fmt: skip
