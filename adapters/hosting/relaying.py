"""The only ways out of an adapter's network and into it: to the hosts, and from the addresses, that it was granted.

Bytes are carried as they are.  Out: :class:`Relay`, at the gateway, accepts on sockets that are in the adapter's network.  In:
:class:`Door`, at the gateway, accepts at its own addresses, and :class:`Visits`, in the adapter's process, carries on from there.
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
_PORT_BYTES: Final = 2
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
            task = asyncio.create_task(carry(near, host, port))
            self._open.add(task)
            task.add_done_callback(self._open.discard)


class Door:
    """What comes to each address goes into the adapter's process, through *control*; this closes it."""

    def __init__(self, control: socket.socket, places: Sequence[tuple[str, int]]) -> None:
        self._control = control
        self._doors: list[socket.socket] = []
        try:
            for address, port in places:
                self._doors.append(socket.create_server((address, port), backlog=64))
        except OSError:
            for door in self._doors:
                door.close()
            raise
        self._accepting = [asyncio.create_task(self._accept(door, number)) for number, door in enumerate(self._doors)]

    async def close(self) -> None:
        """Let nobody in any more."""
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        for one in (*self._doors, self._control):
            one.close()

    async def _accept(self, door: socket.socket, number: int) -> None:
        door.setblocking(False)
        loop = asyncio.get_running_loop()
        while True:
            visitor, _ = await loop.sock_accept(door)
            with visitor, suppress(OSError):
                # Where it doesn't take them, its visitors are turned away, and nothing waits for it.
                socket.send_fds(self._control, [number.to_bytes(_PORT_BYTES, "big")], [visitor.fileno()])


class Visits:
    """In the adapter's process: who comes through *control* is carried to where the adapter listens."""

    def __init__(self, control: socket.socket, places: Sequence[tuple[str, int]]) -> None:
        self._control, self._places = control, places
        self._open: set[asyncio.Task[None]] = set()
        control.setblocking(False)
        asyncio.get_running_loop().add_reader(control, self._take)

    async def close(self) -> None:
        """End every visit."""
        asyncio.get_running_loop().remove_reader(self._control)
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        self._control.close()

    def _take(self) -> None:
        try:
            number, handles, _, _ = socket.recv_fds(self._control, _PORT_BYTES, 1)
        except BlockingIOError:
            return
        if not number:
            asyncio.get_running_loop().remove_reader(self._control)
        for handle in handles:
            address, port = self._places[int.from_bytes(number, "big")]
            task = asyncio.create_task(carry(socket.socket(fileno=handle), _inside(address), port))
            self._open.add(task)
            task.add_done_callback(self._open.discard)


def _inside(address: str) -> str:
    """Return where something that listens at *address* is reached from inside."""
    return "127.0.0.1" if address == "0.0.0.0" else address  # noqa: S104 (compared, not listened at)


async def carry(near: socket.socket, host: str, port: int) -> None:
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
