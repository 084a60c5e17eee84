"""What each `gateway atrisk` command does; it returns what to print.

Source: docs/at-risk-list.md.
"""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from adapters.base import DraftAuthor, Outgoing
from adapters.errors import GatewayError
from adapters.gateway import outgoing
from adapters.gateway.agent import open_gateway
from adapters.gateway.context import Gateway
from adapters.gateway.matching import attending, issuer
from adapters.gateway.matching.identifiers import MAX_INPUT, parse_attendances, read_listed
from adapters.gateway.matching.room import NAME, Room
from schemas.strict_json import dump, parse

Printed = dict[str, Any] | list[dict[str, Any]]
LOOK_SECONDS: Final = 0.2


@asynccontextmanager
async def _open(options: Namespace, side: str | None = None) -> AsyncIterator[tuple[Gateway, Room]]:
    async with open_gateway(Path(options.home), passphrase_file=options.passphrase_file) as gateway:
        if gateway.atrisk is None or (side is not None and getattr(gateway.atrisk.room.config, side) is None):
            raise GatewayError(
                "atrisk-side", "this gateway is not that side of the at-risk list", "see docs/at-risk-list.md"
            )
        yield gateway, gateway.atrisk.room


async def publish(options: Namespace) -> Printed:
    """Publish the next version; afterwards the one before answers nothing any more."""
    listed = read_listed(Path(options.file))
    async with _open(options, "issuer") as (gateway, room):
        books, now = gateway.partnership.books, room.clock()
        for number, one in enumerate(listed, start=1):
            if not books.index.is_open(one.contact_inbox, now):
                raise GatewayError("list-contact", f"entry {number}: its contact is not in the directory", "look it up")
        version = await issuer.draft_version(room, listed, DraftAuthor(name=options.by, role=options.role))
        taken = await _send(gateway, await issuer.find_publication(room, version))
        return {"version": version, "entries": len(listed)} | taken


async def withdraw(options: Namespace) -> Printed:
    """Destroy the list's key and tell the clinics."""
    async with _open(options, "issuer") as (gateway, room):
        draft = await issuer.withdraw(room, options.reason, DraftAuthor(name=options.by, role=options.role))
        return await _send(gateway, Outgoing(key=f"withdraw {draft.message['version']}", draft=draft))


async def attend(options: Namespace) -> Printed:
    """Have attendances checked, and say what is known of each."""
    attendances = parse_attendances(_read(options.file))
    async with _open(options, "clinic") as (_, room):
        await attending.attend(room, attendances)
        loop = asyncio.get_running_loop()
        until = loop.time() + options.wait
        # The gateway that runs beside this command sends and receives; both share the spool.
        while loop.time() < until and any([await attending.is_waiting(room, one.attendance) for one in attendances]):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)
        return [await attending.tell(room, one.attendance) for one in attendances]


async def answer(options: Namespace) -> Printed:
    """Say what is known of an attendance."""
    async with _open(options, "clinic") as (_, room):
        return await attending.tell(room, options.attendance)


async def read(options: Namespace) -> Printed:
    """Show a match."""
    async with _open(options, "clinic") as (_, room):
        return await attending.read_match(room, options.match)


async def contact(options: Namespace) -> Printed:
    """Send what a clinician wrote, and only that."""
    message = parse(_read(options.file), max_bytes=MAX_INPUT, content=True)
    async with _open(options, "clinic") as (gateway, room):
        author = DraftAuthor(name=options.by, role=options.role)
        draft = await attending.draft_contact(room, options.match, options.type, message, author, tuple(options.basis))
        key = f"contact {options.match} {room.spool.fingerprint(dump(draft))}"
        return await _send(gateway, Outgoing(key=key, draft=draft))


async def coverage(options: Namespace) -> Printed:
    """Count by month."""
    async with _open(options, "clinic") as (_, room):
        return await attending.count(room)


async def status(options: Namespace) -> Printed:
    """Show versions and states; at police, how much of each clinic's quota is used."""
    async with _open(options) as (_, room):
        now = room.clock()
        rows = await room.spool.all("list_issued" if room.config.issuer else "list_lists")
        used = await room.spool.all("list_evaluated")
        return [
            dict(row)
            | {"answers": row["state"] == "current" and now < row["expires_at"]}
            | ({"points": {one["clinic"]: one["points"] for one in used if one["version"] == row["version"]}} if room.config.issuer else {})
            for row in rows
        ]  # fmt: skip


def _read(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read(MAX_INPUT + 1) if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise GatewayError("atrisk-file", f"couldn't read {name}: {error.strerror}", "name a file, or `-`") from error


async def _send(gateway: Gateway, drafted: Outgoing) -> dict[str, Any]:
    taken = await outgoing.take_now(gateway, NAME, drafted)
    return {"envelope": taken.envelope, "thread": taken.thread}


COMMANDS: Final[Mapping[str, Any]] = {
    "publish": publish, "withdraw": withdraw, "attend": attend, "answer": answer, "read": read, "contact": contact,
    "coverage": coverage, "status": status,
}  # fmt: skip
