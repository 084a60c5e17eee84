"""Group commit: many works in one commit, each as if it were alone."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from hub import ledger
from hub.core.events import Event
from hub.store.base import Store, StoreBusyError, open_store
from hub.store.transaction import Transaction
from tests.store.support import BOB, NOW, new_id, put_envelope


def _append(tx: Transaction) -> int:
    return ledger.append(tx, Event(event="key-published"), NOW)


def _append_and_fail(tx: Transaction) -> None:
    _append(tx)
    put_envelope(tx, new_id())
    raise LookupError("mine alone")


@asynccontextmanager
async def held(store: Store) -> AsyncIterator[None]:
    """Hold the writer inside a work until the block ends, so that what is handed in meanwhile is one batch."""
    started, go = threading.Event(), threading.Event()

    def wait(tx: Transaction) -> None:
        started.set()
        assert go.wait(10)

    first = asyncio.ensure_future(store.write(wait))
    await asyncio.to_thread(started.wait, 10)
    try:
        yield
        await asyncio.sleep(0.05)
    finally:
        go.set()
        await first


async def together(store: Store, *works: Callable[[Transaction], object]) -> list[object]:
    """Have *works* run in one batch, and return what each returned or raised."""
    async with held(store):
        tasks = [asyncio.ensure_future(store.write(work)) for work in works]
        await asyncio.sleep(0)
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_waits_is_committed_together(store: Store) -> None:
    """Works that wait while another commits share one transaction."""
    seen = await together(store, *[lambda tx: (id(tx), _append(tx))] * 50)
    assert len({transaction for transaction, _ in seen}) == 1  # type: ignore[misc]
    assert [index for _, index in seen] == list(range(50))  # type: ignore[misc]


async def test_a_work_that_raises_undoes_itself_alone(store: Store) -> None:
    """Its rows, its leaf and its place in the log are gone; the others in the batch keep theirs, without a gap."""
    outcomes = await together(store, _append, _append_and_fail, _append, _append_and_fail, _append)
    assert [isinstance(outcome, LookupError) for outcome in outcomes] == [False, True, False, True, False]
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [0, 1, 2]
    assert await store.read(lambda tx: (tx.log_head().size, tx.feed_size(BOB))) == (3, 0)


async def test_a_single_work_that_raises_leaves_nothing(store: Store) -> None:
    """The caller gets the very error, and nothing of the work is kept."""
    with pytest.raises(LookupError, match="mine alone"):
        await store.write(_append_and_fail)
    assert await store.read(lambda tx: tx.log_head().size) == 0


async def test_a_mistake_in_sql_harms_nobody_else(store: Store) -> None:
    """A work that breaks a constraint fails; its neighbours are kept, even if it goes on after its error."""
    name = new_id()

    def twice(tx: Transaction) -> None:
        put_envelope(tx, name)
        put_envelope(tx, name)

    def swallow(tx: Transaction) -> None:
        with contextlib.suppress(Exception):  # what nobody should do
            twice(tx)
        raise LookupError

    outcomes = await together(store, _append, twice, _append, swallow, _append)
    assert [isinstance(outcome, int) for outcome in outcomes] == [True, False, True, False, True]
    assert await store.read(lambda tx: tx.log_head().size) == 3


async def test_every_error_reaches_its_caller(store: Store) -> None:
    """Even one that a future can't carry."""

    def stop(tx: Transaction) -> None:
        next(iter(()))

    outcomes = await together(store, _append, stop, _append)
    assert isinstance(outcomes[1], RuntimeError)
    assert [outcomes[0], outcomes[2]] == [0, 1]


async def test_a_cancelled_caller_leaves_no_half(store: Store) -> None:
    """What was handed in is done as a whole although nobody waits for it any more."""
    async with held(store):
        task = asyncio.ensure_future(store.write(lambda tx: [_append(tx), put_envelope(tx, new_id())]))
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.write(lambda tx: None)
    assert await store.read(lambda tx: (tx.log_head().size, tx.feed_size(BOB))) == (2, 1)


async def test_closing_finishes_what_was_handed_in(store: Store, store_url: str) -> None:
    """Works that waited are done and answered; later ones are refused."""
    async with held(store):
        tasks = [asyncio.ensure_future(store.write(_append)) for _ in range(5)]
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(store.close())
        await asyncio.sleep(0)
    await closing
    assert await asyncio.gather(*tasks) == [0, 1, 2, 3, 4]
    for refused in (store.write(_append), store.read(lambda tx: tx.log_head())):
        with pytest.raises(StoreBusyError):
            await refused
    assert not (await store.check()).ok


async def test_reading_sees_one_view_and_changes_nothing(store: Store) -> None:
    """A commit in the middle of a read isn't seen by it; a write in a read fails."""
    reading, written = threading.Event(), threading.Event()

    def look(tx: Transaction) -> tuple[int, int]:
        before = tx.log_head().size
        reading.set()
        assert written.wait(1.5)
        return before, len(tx.leaves(0, 10))

    task = asyncio.ensure_future(store.read(look))
    await asyncio.to_thread(reading.wait, 10)
    await store.write(_append)
    written.set()
    assert await task == (0, 0)
    assert await store.read(lambda tx: len(tx.leaves(0, 10))) == 1
    with pytest.raises(Exception, match=r"(?i)read.?only"):
        await store.read(lambda tx: tx.use_jti("one", NOW))
    assert await store.read(lambda tx: tx.log_head().size) == 1


async def test_many_readers_and_writers_at_once(store: Store) -> None:
    """Every read finds what was answered before it was asked."""

    async def one(number: int) -> None:
        index = await store.write(_append)
        assert await store.read(lambda tx: len(tx.leaves(index, index + 1))) == 1

    await asyncio.gather(*(one(number) for number in range(200)))
    assert await store.read(lambda tx: tx.log_head().size) == 200


async def test_a_store_opened_for_reading_leaves_the_hub_alone(store: Store, store_url: str) -> None:
    """Beside a running hub it reads what is durable, and refuses to write."""
    await store.write(_append)
    beside = open_store(store_url, read_only=True)
    try:
        assert await beside.read(lambda tx: tx.log_head().size) == 1
        with pytest.raises(StoreBusyError, match="reading only"):
            await beside.write(_append)
        assert (await beside.check()).ok
    finally:
        await beside.close()
    assert await store.write(_append) == 1
    assert (await store.check()).ok
