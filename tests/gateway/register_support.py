"""A gateway whose hub is dark, into whose spool a test puts what was sent and received."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from adapters.base import Draft, DraftAuthor, Incoming
from adapters.gateway.books import Books
from adapters.gateway.context import Gateway
from adapters.gateway.outgoing import Kept
from adapters.gateway.register import watching
from adapters.gateway.register.entries import Entry
from adapters.gateway.register.judging import find_entries
from adapters.gateway.register.store import REGISTER_NAME, entry_of
from adapters.gateway.spool import Transaction
from schemas.agreement import Clock, Pattern, parse_agreement
from schemas.derivation import spell_moment
from schemas.directory import parse_directory
from schemas.envelope import Header
from schemas.identifiers import EnvelopeId, Moment
from tests.county import CAIT, COUNCIL, MASH, County
from tests.gateway.support import CATALOGUE, gateway_of
from tests.schemas import samples

DAY = 86_400_000
# A Tuesday in January; everything in these tests is counted in days from here.
FIRST = 1_767_657_600_000
CHILD = samples.child(local_id="SC-1", name="Robin Sample", nhs_number="9990000018")
OTHER = samples.child(local_id="SC-2", name="Kim Specimen", dob="2012-03-04", nhs_number="9990000026")


Given = Mapping[str, Any]
NOTHING: Given = MappingProxyType({})


def day(number: float) -> Moment:
    """Return the moment that lies *number* days after the first."""
    return FIRST + int(number * DAY)


def on(number: float) -> str:
    """Return that moment as messages spell it."""
    return spell_moment(day(number))


def date(number: float) -> str:
    """Return that moment's date."""
    return on(number)[:10]


def reference(child: Mapping[str, Any]) -> dict[str, Any]:
    """Return *child* as the shorter messages name it."""
    names = ("local_id", "name", "dob", "expected_dob", "nhs_number", "nhs_number_status")
    return {name: child[name] for name in names if name in child}


def months(amount: int) -> Clock:
    """Return a limit of *amount* months."""
    return Clock(kind="months", amount=amount, calendar=calendar())


def calendar() -> str:
    """Return a calendar of the reference agreement."""
    return next(iter(parse_agreement(County().agreement()).calendars))


@dataclass
class Desk:
    """One gateway, and what comes to it."""

    gateway: Gateway
    county: County
    sequence: int = 0
    headers: dict[str, Header] = field(default_factory=dict)

    def header(
        self, kind: str, sender: str, to: str, message: Mapping[str, Any], **changes: Any
    ) -> tuple[bytes, Header]:
        """Return a signed header of *message*, and what it says."""
        CATALOGUE.validate(kind, message)
        clear = CATALOGUE.clear(kind, message)
        derived = {name: getattr(clear, name) for name in ("at", "moments", "urgent", "items", "facts", "parties")}
        sent = self.county.seal(kind, sender, [to], **derived | changes)
        return sent.raw.partition(b"\n")[0], sent.header

    async def receive(
        self, kind: str, *, sender: str = CAIT, to: str = MASH, given: Given = NOTHING, **fields: Any
    ) -> Header:
        """Put a message that came from *sender* into the spool, and have it entered; *given* goes into the header."""
        header = await self.arrive(kind, sender=sender, to=to, given=given, **fields)
        await watching.keep_up(self.gateway)
        return header

    async def arrive(
        self, kind: str, *, sender: str = CAIT, to: str = MASH, given: Given = NOTHING, **fields: Any
    ) -> Header:
        """Put a message that came from *sender* into the spool only."""
        message = samples.message(kind, **fields)
        signed, header = self.header(kind, sender, to, message, **given)
        self.county.now = max(self.county.now, header.at)
        self.sequence += 1
        incoming = Incoming(
            envelope=header.id, mailbox=to, seq=self.sequence, type=kind, sender=sender, recipients=(to,),
            thread=header.thread, supersedes=header.supersedes, at=header.at, accepted_at=self.county.now,
            author="x", author_role="chair", purpose="child_protection", basis=("CA1989_S47",),
            consent="not_needed_lawful_basis", classification="OFFICIAL-SENSITIVE", marks=(), retention="case",
            message=message,
        )  # fmt: skip
        content = self.gateway.spool.lock(msgspec.msgpack.encode(incoming), header.id)

        async def work(tx: Transaction) -> None:
            await tx.run(
                "add_incoming", envelope=header.id, mailbox=to, seq=self.sequence, thread=header.thread, type=kind,
                sender=sender, at=self.county.now, accepted_at=self.county.now, state="collected", code=None,
                header=signed, content=content, manifest_sha256="m", sealed_sha256=header.sealed.sha256,
            )  # fmt: skip
            await tx.run("add_unregistered", envelope=header.id, why="received", draft=None)

        await self.gateway.spool.write(work)
        return header

    async def send(
        self, kind: str, *, sender: str = MASH, to: str = CAIT, given: Given = NOTHING, **fields: Any
    ) -> Header:
        """Put a message that the hub has accepted into the spool, and have it entered."""
        message = samples.message(kind, **fields)
        signed, header = self.header(kind, sender, to, message, **given)
        self.county.now = max(self.county.now, header.at)
        draft = Draft(
            type=kind, from_=sender, to=(to,), thread=header.thread, basis=("CA1989_S47",),
            author=DraftAuthor(name="Morgan Sample", role="team_manager"), message=message,
        )  # fmt: skip
        kept = self.gateway.spool.lock(msgspec.msgpack.encode(Kept(draft, ())), header.id)

        async def work(tx: Transaction) -> None:
            await tx.run(
                "add_draft", envelope=header.id, adapter="folder", key=header.id, mailbox=sender, thread=header.thread,
                type=kind, at=self.county.now, draft=kept,
            )  # fmt: skip
            await tx.run("set_sealed", envelope=header.id, header=signed, wraps=b"", body=b"", content_key=b"")
            await tx.run("set_accepted", envelope=header.id, acceptance=b"")
            await tx.run("add_unregistered", envelope=header.id, why="sent", draft=kept)

        await self.gateway.spool.write(work)
        await watching.keep_up(self.gateway)
        return header

    async def withdraw(self, envelope: EnvelopeId) -> None:
        """Have the hub say that *envelope* was taken back."""
        await self.gateway.spool.run("add_unregistered", envelope=envelope, why="withdrawn", draft=None)
        await watching.keep_up(self.gateway)

    async def pass_time(self, to: float) -> None:
        """Let the day *to* come."""
        self.county.now = day(to)
        await watching.keep_up(self.gateway)

    async def children(self) -> list[str]:
        """Return the children of the register, merged ones once, oldest first."""
        return sorted({row["same_as"] for row in self.read("child")})

    async def entries(self, kind: str | None = None, child: str | None = None) -> list[Entry]:
        """Return every entry, or those of a *kind* or of a *child*, in order."""
        if child is not None:
            found = await self.gateway.register.write(lambda tx: find_entries(tx, child))
        else:
            found = [entry_of(row) for row in self.read("entry")]
        return sorted((e for e in found if kind in (None, e.kind)), key=lambda e: (e.at, e.key))

    def read(self, table: str) -> list[dict[str, Any]]:
        """Return every row of a table of the register."""
        with closing(sqlite3.connect(self.gateway.home / REGISTER_NAME)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(f"SELECT * FROM {table}")]

    async def the(self, kind: str) -> Entry:
        """Return the one entry of *kind*."""
        (entry,) = await self.entries(kind)
        return entry

    async def alerts(self, pattern: str | None = None) -> list[dict[str, Any]]:
        """Return what was told of patterns, oldest first."""
        rows = await self.gateway.spool.all("list_notices")
        found = [
            msgspec.json.decode(bytes(row["details"])) | {"mailbox": row["mailbox"]}
            for row in rows
            if row["code"] == "register-alert"
        ]
        return [one for one in found if pattern in (None, one["pattern"])]


@asynccontextmanager
async def open_desk(
    tmp: Path, *patterns: Pattern, agency: str = COUNCIL, county: County | None = None
) -> AsyncIterator[Desk]:
    """Open *agency*'s gateway under an agreement with *patterns*, on the first day."""
    county = county or County()
    county.now = FIRST
    async with gateway_of(tmp, county, agency) as gateway:
        agree(gateway, county, *patterns)
        yield Desk(gateway, county)


def agree(gateway: Gateway, county: County, *patterns: Pattern, version: int = 1) -> None:
    """Put an agreement with *patterns* in force, as version *version*; nobody's keys are known."""
    agreement = parse_agreement(county.agreement())
    agreement = msgspec.structs.replace(agreement, patterns=patterns, version=version, in_force_from=0)
    gateway.partnership._books = Books(parse_directory(county.directory()), [agreement], [])
