"""A process that writes and says what was answered, to be killed at any moment."""

from __future__ import annotations

import asyncio
from multiprocessing.connection import Connection

from hub.store.base import open_store
from hub.store.transaction import Transaction
from keys import digests
from tests.store.support import NOW, make_duty, put_envelope, put_obligations, put_receipt, settle

WRITERS = 8


def work(tx: Transaction, name: str, number: int) -> None:
    """Do what one journey does, in one transaction."""
    row = put_envelope(tx, name, body=name.encode() * (10 if number % 20 else 5000))
    (duty,) = put_obligations(tx, make_duty(name, row.thread))
    put_receipt(tx, name)
    settle(tx, duty, "met", by=name)


def run(url: str, answers: Connection) -> None:
    """Write with eight callers at once until killed; send each id once its write was answered."""

    async def caller(store: object, which: int) -> None:
        for number in range(which, 10**9, WRITERS):
            name = digests.new_id(NOW)
            await store.write(lambda tx: work(tx, name, number))  # type: ignore[attr-defined]  # noqa: B023
            answers.send(name)

    async def main() -> None:
        store = open_store(url)
        await asyncio.gather(*(caller(store, which) for which in range(WRITERS)))

    asyncio.run(main())
