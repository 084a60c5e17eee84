"""The audit log as a stream: what a reader may see of it as lines, and all of it with its evidence as a tar archive.

A page is in memory at a time, and each is read in a transaction of its own, so that an export of any length takes no more
of the hub than one entry does.  Who reads too slowly is cut off; lines go on where they ended, by ``after``.

Source: protocol 8 and 9.
"""

from __future__ import annotations

import asyncio
import csv
import io
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import msgspec
from aiohttp import web

from hub import entries, export
from hub.core.events import Leaf
from hub.errors import HubError
from hub.kit.limits import LimitError
from hub.kit.logs import describe_error, log
from hub.store.log import Filters
from hub.store.rows import LeafRow
from hub.web.context import Hub
from hub.web.identity import Caller
from hub.web.problems import invalid
from hub.web.requests import check_query, integer
from hub.web.searching import FILTERS, entry_of, filters_of
from schemas.strict_json import dump

# Of one process, so that exports never take the threads that read for everybody else.
MOST_AT_ONCE: Final = 4
WRITE_SECONDS: Final = 60.0
_PAGE: Final = 512
_LOGGER: Final = logging.getLogger("hub.web")
COLUMNS: Final = ("index", "time", *(name for name in Leaf.__struct_fields__ if name != "v"))
MEDIA: Final = {"jsonl": "application/jsonl", "csv": "text/csv"}
TAR: Final = "application/x-tar"


async def export_entries(hub: Hub, request: web.Request, caller: Caller) -> web.StreamResponse:
    """Stream what the caller may see of the log as it is now, oldest first, as JSON Lines or CSV.

    Each line has its entry's ``index``; a stream that was cut off goes on with ``after`` the last one that came whole.
    """
    check_query(request, *FILTERS, "after", "format")
    kind = request.query.get("format", "jsonl")
    if kind not in MEDIA:
        raise invalid("`format` isn't jsonl or csv")
    filters = filters_of(request)
    after = integer(request, "after") if "after" in request.query else -1
    await hub.looks.note(hub.store, caller, "export", hub.clock(), filters)
    return await send_entries(hub, request, caller, kind, filters, after)


async def send_entries(
    hub: Hub, request: web.Request, caller: Caller, kind: str, filters: Filters, after: int
) -> web.StreamResponse:
    """Stream what *caller* may see of the log beyond index *after*, as :data:`MEDIA` has *kind*."""
    pages = _pages(hub, caller, filters, after)
    pieces = _as_csv(pages) if kind == "csv" else _as_lines(pages)
    return await stream(hub, request, MEDIA[kind], f"log.{kind}", pieces)


async def export_tar(hub: Hub, request: web.Request, caller: Caller) -> web.StreamResponse:
    """Stream the log up to its last checkpoint, with the evidence of every leaf, to the partnership."""
    check_query(request)
    if not entries.is_administrator(hub.registry.snapshot.directory, caller):
        raise HubError(
            "token-scope",
            "only the partnership's own agency reads the whole log",
            "ask /v1/audit/export for what concerns you",
        )
    await hub.looks.note(hub.store, caller, "export", hub.clock())
    opened = await export.open_export(hub.store, hub.clock())
    return await stream(hub, request, TAR, "log.tar", export.tar_pieces(opened))


async def _pages(hub: Hub, caller: Caller, filters: Filters, after: int) -> AsyncGenerator[tuple[LeafRow, ...], None]:
    """Yield what *caller* may see of the log as long as it is now, a page at a time."""
    past = await hub.store.read(lambda tx: tx.log_head().size)
    snapshot, now = hub.registry.snapshot, hub.clock()
    while True:
        look = partial(
            entries.find, snapshot=snapshot, caller=caller, filters=filters, after=after, limit=_PAGE, now=now
        )
        found = await hub.store.read(look)
        rows = tuple(row for row in found.rows if row.index < past)
        if rows:
            yield rows
        if found.next is None or len(rows) < len(found.rows) or found.next >= past - 1:
            return
        after = found.next


async def _as_lines(pages: AsyncGenerator[tuple[LeafRow, ...], None]) -> export.Pieces:
    async with aclosing(pages):
        async for rows in pages:
            yield b"".join(dump(entry_of(row)) + b"\n" for row in rows)


async def _as_csv(pages: AsyncGenerator[tuple[LeafRow, ...], None]) -> export.Pieces:
    async with aclosing(pages):
        yield _csv([COLUMNS])
        async for rows in pages:
            yield _csv(map(_cells, rows))


def _cells(row: LeafRow) -> list[Any]:
    leaf: dict[str, Any] = msgspec.json.decode(row.body)
    leaf |= {"index": row.index, "time": datetime.fromtimestamp(row.at / 1000, UTC).isoformat(timespec="milliseconds")}
    return [leaf.get(column, "") for column in COLUMNS]


def _csv(rows: Iterable[Iterable[Any]]) -> bytes:
    # Codes, ids and numbers only, none of them free text: no cell can be a formula that does anything.
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


async def stream(hub: Hub, request: web.Request, media: str, name: str, pieces: export.Pieces) -> web.StreamResponse:
    """Answer *pieces* as a file *name*, one at a time as the reader takes them.

    What fails before the first byte is answered as a problem.  Afterwards the connection ends before the stream does, so
    that nobody takes a part for the whole.

    Raises:
        LimitError: ``too-many-requests``.
    """
    if hub.exporting >= MOST_AT_ONCE:
        raise LimitError(429, "too-many-requests", "too many exports at once", "try again later", retry_after=10)
    hub.exporting += 1
    try:
        async with aclosing(pieces):
            first = await anext(pieces, b"")
            response = web.StreamResponse(
                headers={
                    "Content-Type": media,
                    "Content-Disposition": f'attachment; filename="{name}"',
                    "Cache-Control": "private, no-store",
                }
            )
            await response.prepare(request)
            await _write(response, first)
            try:
                async for piece in pieces:
                    await _write(response, piece)
            except HubError as error:
                kind, where = describe_error(type(error), error.__traceback__)
                log(_LOGGER, logging.WARNING, "export cut off", error=kind, code=error.code, where=where)
                raise ConnectionResetError(error.code) from error
        await response.write_eof()
        return response
    finally:
        hub.exporting -= 1


async def _write(response: web.StreamResponse, piece: bytes) -> None:
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            await response.write(piece)
    except TimeoutError as error:
        raise ConnectionResetError("the reader is too slow") from error
