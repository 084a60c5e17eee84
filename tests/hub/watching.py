"""A gateway's own watch beside the hub, without the gateway: a real spool, and the books that the hub's registry has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from adapters.gateway.books import Books
from adapters.gateway.spool import Spool, Transaction
from adapters.gateway.watch import Watch
from hub.store.base import Store
from hub.store.rows import ObligationRow
from schemas.directory import DirectoryIndex
from schemas.envelope import Header
from schemas.identifiers import Moment
from schemas.rules.compiled import Rules
from schemas.rules.duty import Duty


@dataclass(slots=True)
class Watched:
    """One agency's watch: what it is told, and what it holds."""

    spool: Spool
    watch: Watch
    directory: DirectoryIndex

    def books(self, versions: Sequence[Rules]) -> Books:
        """Return the books of a gateway that knows *versions* of the agreement."""
        return Books(self.directory.directory, [rules.agreement for rules in versions], [])

    async def see(self, header: Header, at: Moment, versions: Sequence[Rules]) -> None:
        """Tell it that the hub accepted *header* at *at*."""
        books = self.books(versions)

        async def work(tx: Transaction) -> None:
            await self.watch.see_envelope(tx, header, at, books)

        await self.spool.write(work)

    async def look(self, at: Moment, versions: Sequence[Rules]) -> int:
        """Let it look at the clock as its gateway does, and return how many alarms are new."""
        books = self.books(versions)

        async def work(tx: Transaction) -> int:
            await self.watch.recur(tx, books, at)
            return await self.watch.ring(tx, at, books.index)

        return await self.spool.write(work)

    async def duties(self) -> dict[str, tuple[Any, ...]]:
        """Return each obligation that it holds: its duty, state and next step."""
        rows = await self.spool.all("list_obligations")
        return {row["id"]: (_duty(row["duty"]), row["state"], row["step"]) for row in rows}

    async def alarms(self) -> list[tuple[str, int]]:
        """Return the overdue alarms, in order: the debtor, and the number of the step."""
        rows = [
            msgspec.json.decode(bytes(row["details"])) for row in await self.spool.all("untold_notices", limit=1000)
        ]
        return [(row["debtor"], row["step"]) for row in rows]


def _duty(raw: bytes) -> Duty:
    return msgspec.json.decode(bytes(raw), type=Duty)


@asynccontextmanager
async def watch_of(agency: str, folder: Path, directory: DirectoryIndex) -> AsyncIterator[Watched]:
    """Give the watch of *agency*, its spool in *folder*."""
    async with Spool(folder / f"{agency}.db", b"k" * 32) as spool:
        yield Watched(spool, Watch(agency), directory)


async def held_by(store: Store, *threads: str) -> dict[str, tuple[Any, ...]]:
    """Return each obligation of *threads* at the hub, as :meth:`Watched.duties` does."""
    rows: list[ObligationRow] = []
    for thread in threads:
        rows += await store.read(lambda tx, thread=thread: tx.thread_obligations(thread))  # type: ignore[misc]
    return {row.id: (row.duty, row.state, row.step) for row in rows}
