"""Who waits for which mailbox, and the streams that hear of every change.

A wake-up is a hint: the database is the truth, so one that is lost only costs the rest of a wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from hub.kit.limits import LimitError
from schemas.identifiers import AgencyId, MailboxId, agency_of

MAX_QUEUE = 256


class Wakeups:
    """Long polls by mailbox and event streams by agency, of this process."""

    def __init__(self, max_per_agency: int) -> None:
        self._max_per_agency = max_per_agency
        self._waiting: dict[MailboxId, set[asyncio.Event]] = {}
        self._streams: dict[AgencyId, set[asyncio.Queue[MailboxId | None]]] = {}
        self._counts: dict[AgencyId, int] = {}
        self.stopping = False

    def wake(self, mailboxes: Iterable[MailboxId]) -> None:
        """Tell whoever waits for one of *mailboxes* that its feed has grown."""
        for mailbox in mailboxes:
            for event in self._waiting.get(mailbox, ()):
                event.set()
            for queue in self._streams.get(agency_of(mailbox), ()):
                # A stream that doesn't read misses hints, never the feed itself.
                if not queue.full():
                    queue.put_nowait(mailbox)

    def stop(self) -> None:
        """Answer every wait and end every stream, so that the hub can stop."""
        self.stopping = True
        for mailbox in list(self._waiting):
            self.wake([mailbox])
        for queues in self._streams.values():
            for queue in queues:
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(None)

    @contextmanager
    def waiting_for(self, mailbox: MailboxId) -> Iterator[asyncio.Event]:
        """Register a wait for *mailbox*; begin it before reading the feed, or a wake-up in between is lost."""
        event = asyncio.Event()
        with self._counted(agency_of(mailbox)):
            self._waiting.setdefault(mailbox, set()).add(event)
            try:
                yield event
            finally:
                waiters = self._waiting[mailbox]
                waiters.discard(event)
                if not waiters:
                    del self._waiting[mailbox]

    @contextmanager
    def stream(self, agency: AgencyId) -> Iterator[asyncio.Queue[MailboxId | None]]:
        """Register a stream of the agency's mailboxes whose feeds grow; ``None`` ends it."""
        queue: asyncio.Queue[MailboxId | None] = asyncio.Queue(MAX_QUEUE)
        with self._counted(agency):
            self._streams.setdefault(agency, set()).add(queue)
            try:
                yield queue
            finally:
                self._streams[agency].discard(queue)

    @contextmanager
    def _counted(self, agency: AgencyId) -> Iterator[None]:
        if self._counts.get(agency, 0) >= self._max_per_agency:
            raise LimitError(
                429, "too-many-requests", "the agency waits too often at once", "wait once for each mailbox"
            )
        self._counts[agency] = self._counts.get(agency, 0) + 1
        try:
            yield
        finally:
            self._counts[agency] -= 1
            if not self._counts[agency]:
                del self._counts[agency]


async def wait_for(event: asyncio.Event, seconds: float) -> bool:
    """Wait at most *seconds* for *event*; answer whether it came."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
