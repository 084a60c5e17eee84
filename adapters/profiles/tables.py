"""A record system reached by interface tables in its database: rows to send, rows that were filed.

What an agency's database administrator fills and empties by triggers or a job; ``interface.*.sql`` makes the tables and
docs/agencies/social-care.md says what each column is.  Each call is one short transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from adapters.base import Document, Later
from adapters.profiles.databases import Database, Session
from adapters.profiles.records import Answer, Placed, Record, RecordsError, Sent, Standing
from keys.digests import sha256
from schemas.strict_json import MalformedError, dump, parse

MAX_FIELDS: Final = 4 * 1024 * 1024
MAX_STANDING: Final = 16 * 1024 * 1024
_log: Final = logging.getLogger(__name__)


class Tables:
    """The interface tables in *database*, as the gateway named *gateway* uses them."""

    def __init__(self, database: Database, gateway: str) -> None:
        self._database, self._gateway = database, gateway
        self._elsewhere = 0

    async def waiting(self, limit: int) -> list[Record]:
        """Return the records that wait, oldest first, after taking them: no other gateway gets them from then on.

        One that follows another waits until that one is sent, and one with documents until they are all there.  What can't
        be read has its key only.

        Raises:
            RecordsError: nothing was taken.
        """
        async with self._database.transaction() as session:
            while await session.run("refuse_followers"):
                pass
            rows = await session.rows("waiting", gateway=self._gateway, most=limit)
            # No more than is given: what is taken and not given would be kept from a gateway that has time for it.
            if len(rows) < limit and await session.run("take_waiting", gateway=self._gateway, most=limit - len(rows)):
                rows = await session.rows("waiting", gateway=self._gateway, most=limit)
            found = [await _read(session, row) for row in rows]
            (elsewhere,) = await session.rows("taken_elsewhere", gateway=self._gateway)
        if elsewhere["number"] != self._elsewhere:
            self._elsewhere = elsewhere["number"]
            _log.warning("records that another gateway has taken and not answered: %d", self._elsewhere)
        return found

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
        async with self._database.transaction() as session:
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
        earlier = {"hub_thread": row["thread"], "hub_envelope": row["envelope"], "hub_previous": row["envelope"]}
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
