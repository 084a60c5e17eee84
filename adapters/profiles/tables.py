"""A record system reached by interface tables in its database: rows to send, rows that were filed.

What an agency's database administrator fills and empties by triggers or a job; ``interface.*.sql`` makes the tables and
docs/agencies/social-care.md says what each column is.  Each call is one short transaction.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import psycopg
from msgspec import Meta
from psycopg.conninfo import conninfo_to_dict

from adapters.base import Document, DraftRefused, Later
from adapters.profiles.databases import Database, PostgresDatabase, Session, SqliteDatabase
from adapters.profiles.records import Answer, Placed, Record, RecordsError, Sent, Standing
from keys.digests import sha256
from schemas.strict_json import MalformedError, dump, parse

MAX_FIELDS: Final = 4 * 1024 * 1024
MAX_STANDING: Final = 16 * 1024 * 1024
_LOCAL: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_PARTS: Final = frozenset({"host", "port", "dbname", "user"})
_FOLLOWS_REFUSED: Final = asdict(
    DraftRefused(
        code="record-follows-refused",
        message="the record that this one follows was refused",
        hint="put both right and write them anew, each with a new key",
    )
)


class TablesOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of a system that is reached by interface tables; docs/agencies/social-care.md says what each is.

    Either ``database``, a PostgreSQL, or ``path``, the folder of a SQLite ``file``.
    """

    database: Annotated[str, Meta(pattern=r"\Apostgres(?:ql)?://", max_length=500)] | None = None
    password: str | None = None
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    path: Annotated[str, Meta(min_length=1)] | None = None
    file: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")] = "records.db"
    gateway: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    seconds: Annotated[float, Meta(gt=0, le=600)] = 20.0


def open_tables(options: TablesOptions, home: Path) -> Tables:
    """Return the tables that *options* lead to; files are in *home*.

    Raises:
        ValueError: options that don't go together, or would send content where others can read it.
        OSError: a file can't be read.
    """
    if (options.database is None) == (options.path is None):
        raise ValueError("one of `database` and `path`")
    name = options.gateway or socket.gethostname()
    if options.path is not None:
        return Tables(SqliteDatabase(home / options.path / options.file, seconds=options.seconds), name)
    return Tables(PostgresDatabase(_address(options, home), seconds=options.seconds), name)


def _address(options: TablesOptions, home: Path) -> dict[str, Any]:
    try:
        address: dict[str, Any] = conninfo_to_dict(options.database or "")
    except psycopg.Error:
        raise ValueError("`database` is no address") from None
    if unknown := sorted(address.keys() - _PARTS):
        raise ValueError(f"`database` can't say {', '.join(unknown)}")
    if bool(options.certificate) != bool(options.key):
        raise ValueError("`certificate` and `key` belong together")
    is_local = str(address.get("host", "")) in _LOCAL
    if not is_local and options.ca is None:
        raise ValueError("`ca` isn't set: a database elsewhere is reached by TLS, and its certificate is checked")
    if options.ca is not None:
        address |= {"sslmode": "verify-full", "sslrootcert": str(home / options.ca)}
    if options.certificate is not None:
        address |= {"sslcert": str(home / options.certificate), "sslkey": str(home / str(options.key))}
    for name in ("ca", "certificate", "key"):
        if (file := getattr(options, name)) is not None:
            (home / file).read_bytes()
    if options.password is not None:
        address["password"] = (home / options.password).read_text("utf-8").strip()
    return address


class Tables:
    """The interface tables in *database*, as the gateway named *gateway* uses them."""

    def __init__(self, database: Database, gateway: str) -> None:
        self._database, self._gateway = database, gateway

    async def waiting(self, limit: int) -> list[Record]:
        """Return the records that wait, oldest first, after taking them: no other gateway gets them from then on.

        One that follows another waits until that one is sent, and one with documents until they are all there.  What can't
        be read has its key only.

        Raises:
            RecordsError: nothing was taken.
        """
        async with self._database.transaction() as session:
            while await session.run("refuse_followers", **_FOLLOWS_REFUSED):
                pass
            rows = await session.rows("waiting", gateway=self._gateway, most=limit)
            # No more than is given: what is taken and not given would be kept from a gateway that has time for it.
            if len(rows) < limit and await session.run("take_waiting", gateway=self._gateway, most=limit - len(rows)):
                rows = await session.rows("waiting", gateway=self._gateway, most=limit)
            return [await _read(session, row) for row in rows]

    async def answer(self, key: str, answer: Answer) -> None:
        """Write *answer* into the row *key*, once; repeating it changes nothing.

        Raises:
            RecordsError: it isn't written.
        """
        whose = {"key": key, "gateway": self._gateway}
        async with self._database.transaction() as session:
            if isinstance(answer, Sent):
                ids = dump(dict(answer.ids)).decode()
                await session.run("answer_sent", envelope=answer.envelope, thread=answer.thread, ids=ids, **whose)
            else:
                await session.run("answer_refused", code=answer.code, message=answer.message, hint=answer.hint, **whose)

    async def put(self, record: Placed) -> str:
        """Write a row with its documents, the row last, and return the reference that the database has given it.

        A row of the same identity that is there already stays as it is.

        Raises:
            RecordsError: nothing of it is there.
        """
        async with self._database.transaction() as session:
            found = await session.rows("find_filed", identity=record.identity)
            if not found:
                await _add(session, record)
                # A trigger may have given it the number of the record that it became.
                found = await session.rows("find_filed", identity=record.identity)
        reference = found[0]["reference"] if found else None
        if not isinstance(reference, str):
            raise RecordsError(Later(reason="records-answer"))
        return reference

    async def get(self, kind: str, reference: str) -> Standing | None:
        """Return what the views ``hub_record`` and ``hub_record_document`` have now under *reference*.

        Raises:
            RecordsError: they don't say.
        """
        where = {"kind": kind, "reference": reference}
        async with self._database.transaction(reading=True) as session:
            rows = await session.rows("standing", **where)
            documents = await session.rows("standing_documents", **where)
        if not rows:
            return None
        fields = _parse(rows[0]["fields"], MAX_STANDING)
        if len(rows) > 1 or fields is None:
            raise RecordsError(Later(reason="records-answer"))
        return Standing(
            fields=fields,
            documents=tuple(sha256(bytes(one["content"])).hex() for one in documents),
            ended=bool(rows[0]["ended"]),
        )

    async def delete(self, envelope: str) -> bool:
        """Delete the rows under *envelope*, empty those sent under it, and answer whether the views show none of them.

        Raises:
            RecordsError: nothing was deleted.
        """
        async with self._database.transaction() as session:
            filed = await session.rows("filed_under", envelope=envelope)
            for name in ("drop_filed_documents", "drop_filed", "drop_sent_documents", "empty_sent"):
                await session.run(name, envelope=envelope)
            left = [row for one in filed for row in await session.rows("standing", **one)]
        return not left

    async def close(self) -> None:
        """Nothing is open between two calls."""


async def _read(session: Session, row: Mapping[str, Any]) -> Record:
    fields = _parse(row["fields"], MAX_FIELDS)
    if fields is None:
        return Record(key=row["key"])
    documents = await session.rows("waiting_documents", key=row["key"]) if row["documents"] else []
    if row["thread"] is not None:
        # What became of the record that this one follows could not be known when this one was written.
        earlier = {"hub_thread": row["thread"], "hub_envelope": row["envelope"]}
        fields = earlier | fields
    return Record(
        key=row["key"],
        kind=row["kind"],
        fields=fields,
        documents=tuple(
            Document(name=one["name"], type=one["media_type"], content=bytes(one["content"])) for one in documents
        ),
    )


async def _add(session: Session, record: Placed) -> None:
    for number, one in enumerate(record.documents, start=1):
        await session.run(
            "add_document", identity=record.identity, number=number, name=one.name, media_type=one.type,
            content=one.content,
        )  # fmt: skip
    await session.run(
        "add_filed", identity=record.identity, kind=record.kind, envelope=record.envelope, mode=record.mode,
        fields=dump(dict(record.fields)).decode(), documents=len(record.documents),
    )  # fmt: skip


def _parse(text: Any, most: int) -> dict[str, Any] | None:
    """Return the JSON object in *text*, ``None`` where it is none."""
    if not isinstance(text, str):
        return None
    try:
        fields = parse(text.encode(), max_bytes=most, content=True)
    except MalformedError:
        return None
    return fields if isinstance(fields, dict) else None
