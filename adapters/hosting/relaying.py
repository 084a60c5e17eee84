"""The one way out of an adapter's network: what it sends to a host that was granted is carried there, as it is.

The adapter's process listens nowhere and reaches nobody else: these listeners are in its network, this end is in the gateway's.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

_log = logging.getLogger("gateway.adapters")
_CHUNK: Final = 65_536
CONNECT_SECONDS: Final = 20.0


class Relay:
    """What comes to each listener goes to the host that it stands for."""

    def __init__(self, ways: Sequence[tuple[socket.socket, tuple[str, int]]]) -> None:
        self._ways = ways
        self._open: set[asyncio.Task[None]] = set()
        self._accepting = [asyncio.create_task(self._accept(listener, *host)) for listener, host in ways]

    async def close(self) -> None:
        """Cut every connection."""
        tasks = [*self._accepting, *self._open]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for listener, _ in self._ways:
            listener.close()

    async def _accept(self, listener: socket.socket, host: str, port: int) -> None:
        listener.setblocking(False)
        loop = asyncio.get_running_loop()
        while True:
            near, _ = await loop.sock_accept(listener)
            task = asyncio.create_task(_carry(near, host, port))
            self._open.add(task)
            task.add_done_callback(self._open.discard)


async def _carry(near: socket.socket, host: str, port: int) -> None:
    """Carry one connection both ways until both sides have ended."""
    writers: list[asyncio.StreamWriter] = []
    try:
        reader, writer = await asyncio.open_connection(sock=near)
        writers.append(writer)
        async with asyncio.timeout(CONNECT_SECONDS):
            far_reader, far_writer = await asyncio.open_connection(host, port)
        writers.append(far_writer)
        # One side that ends leaves the other its half; one that breaks off ends both.
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
    except (OSError, TimeoutError):
        _log.info("a connection of an adapter broke off, or its host can't be reached")
    finally:
        for one in writers:
            one.close()
        for one in writers:
            with suppress(OSError):
                await one.wait_closed()
        if not writers:
            near.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while chunk := await source.read(_CHUNK):
        target.write(chunk)
        await target.drain()
    if target.can_write_eof():
        target.write_eof()
