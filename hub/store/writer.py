"""Threads that run ``work`` functions, and group commit.

A :class:`Lane` drains what is waiting and hands it on as one batch.  :func:`write_batch` commits a batch at once;
no caller is answered before that commit, so what was answered is durable.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeVar

from hub.store.base import StoreBusyError, StoreError, StoreRetryError, StoreUnknownError
from hub.store.transaction import Transaction

T = TypeVar("T")
MOST_TOGETHER: Final = 256
TRIES: Final = 6


class Engine(Protocol):
    """One connection as a lane uses it, on the lane's thread only."""

    def begin(self) -> Transaction:
        """Start a transaction; on a writing connection, one that keeps every other writer out."""

    def commit(self) -> None:
        """Make the transaction durable."""

    def rollback(self) -> None:
        """Undo the transaction, whatever state it is in; never raises."""

    def savepoint(self) -> None:
        """Remember this place."""

    def release(self) -> None:
        """Forget the place, keep what came since."""

    def rollback_to(self) -> None:
        """Undo what came since the place, and forget it."""

    def close(self) -> None:
        """Let go of the connection."""


class Job:
    """One ``work`` function, whoever waits for it, and how it ended."""

    __slots__ = ("error", "future", "loop", "value", "work")

    def __init__(self, work: Callable[[Transaction], Any]) -> None:
        """Take *work* for a caller on the running event loop."""
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.value: Any = None
        self.error: BaseException | None = None


def write_batch(engine: Engine, jobs: list[Job]) -> None:
    """Run *jobs* in one commit; each ends with its value or its error, and an error has undone its job alone.

    First without savepoints, which is what nearly always happens; when one raises, again with a savepoint each;
    when the database itself can't, one commit each, so that what still fits is kept.
    """
    try:
        _attempt(engine, jobs, apart=False)
    except StoreUnknownError as error:
        _fail(jobs, error)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is its caller's
        if len(jobs) == 1:
            _fail(jobs, error)
            return
        try:
            _attempt(engine, jobs, apart=True)
        except StoreUnknownError as unknown:
            _fail(jobs, unknown)
        except BaseException:  # noqa: BLE001 - each finds out for itself what it was
            for job in jobs:
                write_batch(engine, [job])


def _fail(jobs: list[Job], error: BaseException) -> None:
    for job in jobs:
        job.error = error


def _attempt(engine: Engine, jobs: list[Job], *, apart: bool) -> None:
    for tries in range(1, TRIES + 1):
        try:
            tx = engine.begin()
            for job in jobs:
                if apart:
                    _run_apart(engine, tx, job)
                else:
                    job.value, job.error = job.work(tx), None
            tx.flush()
            engine.commit()
        except BaseException as error:
            engine.rollback()
            if not isinstance(error, StoreRetryError) or tries == TRIES:
                raise
            time.sleep(0.01 * 2**tries)
        else:
            # Durable from here.  What isn't done of these, or fails, leaves files that nobody names: the next start
            # removes them.  It must not look as if the work had failed.
            for effect in tx.after:
                with contextlib.suppress(OSError):
                    effect()
            return


def _run_apart(engine: Engine, tx: Transaction, job: Job) -> None:
    mark = tx.mark()
    engine.savepoint()
    try:
        job.value, job.error = job.work(tx), None
    except StoreError:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is its caller's
        tx.restore(mark)
        engine.rollback_to()
        job.value, job.error = None, error
    else:
        engine.release()


def read_batch(engine: Engine, jobs: list[Job]) -> None:
    """Run each of *jobs* on a view of its own of what is durable; a lost connection is tried once more."""
    for job in jobs:
        for _ in range(2):
            try:
                job.value, job.error = job.work(engine.begin()), None
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is its caller's
                job.error = error
            engine.rollback()
            if not isinstance(job.error, StoreRetryError):
                break


class Lane:
    """Threads with an engine each that share one queue of jobs."""

    def __init__(
        self, name: str, engines: Sequence[Engine], run: Callable[[Engine, list[Job]], None], together: int
    ) -> None:
        """Start a thread for each of *engines*, which gets batches of up to *together* jobs."""
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._run, self._together, self._closing = run, together, False
        self.batches = 0
        # Daemons: a program that forgets to close its store still ends, and a commit is whole or not at all.
        self._threads = [
            threading.Thread(target=self._work, args=(engine,), name=f"store-{name}-{number}", daemon=True)
            for number, engine in enumerate(engines)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[Transaction], T]) -> asyncio.Future[T]:
        """Hand in *work*; what it returns or raises comes through the future.

        Cancelling the future changes nothing about *work*.
        """
        if self._closing:
            raise StoreBusyError("the store is closing", "ask again when the hub is up")
        job = Job(work)
        self._queue.put(job)
        return job.future

    def waiting(self) -> int:
        """Return how many jobs no thread has taken yet."""
        return self._queue.qsize()

    def alive(self) -> bool:
        """Answer whether every thread still runs."""
        return not self._closing and all(thread.is_alive() for thread in self._threads)

    async def close(self) -> None:
        """Refuse new jobs, finish those handed in, then let go of the connections."""
        self._closing = True
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def _work(self, engine: Engine) -> None:
        last = False
        while not last:
            jobs, last = self._take()
            if jobs:
                try:
                    self._run(engine, jobs)
                except BaseException as error:  # noqa: BLE001 - a thread that ends would leave everybody waiting
                    _fail(jobs, error)
                # Threads share the number, which is exact where there is one: the writer's, a commit a batch.
                self.batches += 1
                _answer(jobs)
        engine.close()

    def _take(self) -> tuple[list[Job], bool]:
        """Wait for a job, take what waits behind it, and tell whether the lane closes after these."""
        jobs: list[Job] = []
        item = self._queue.get()
        while item is not None:
            jobs.append(item)
            if len(jobs) == self._together:
                return jobs, False
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return jobs, False
        return jobs, True


def _answer(jobs: list[Job]) -> None:
    """Resolve all callers of one event loop by one call into it."""
    loops: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        loops.setdefault(job.loop, []).append(job)
    for loop, mine in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, mine)
        except RuntimeError:
            # The loop has ended, and with it everybody who waited.
            continue


def _resolve(jobs: list[Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is None:
            job.future.set_result(job.value)
        elif isinstance(job.error, StopIteration):
            # A future can't carry it, and the callers behind this one must get their answers.
            job.future.set_exception(RuntimeError("a work function raised StopIteration"))
        else:
            job.future.set_exception(job.error)
