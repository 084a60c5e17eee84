"""The network between gateway and hub, which a test can cut: before a request arrives, or before its answer does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Wire:
    """A TCP proxy to the hub at *port*.

    ``dark``: nobody answers.  ``swallow``: as many answers to a request whose first line holds ``match`` are lost,
    after the hub has done what was asked.
    """

    port: int
    dark: bool = False
    swallow: int = 0
    match: bytes = b""
    lost: int = 0
    listening: int = 0
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def base(self) -> str:
        """Return the address that gateways use."""
        return f"http://127.0.0.1:{self.listening}"

    def cut(self) -> None:
        """Go dark, in the middle of whatever is said."""
        self.dark = True
        for writer in self.writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        if self.dark:
            writer.transport.abort()
            return
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers |= {writer, up_writer}
        state = {"swallow": False}
        up = asyncio.create_task(self._carry(reader, up_writer, state, asks=True))
        down = asyncio.create_task(self._carry(up_reader, writer, state, asks=False))
        with suppress(Exception):
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
        for one in (writer, up_writer):
            self.writers.discard(one)
            one.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: dict[str, bool], *, asks: bool
    ) -> None:
        while data := await reader.read(1 << 16):
            if asks and self.swallow and data.startswith((b"POST ", b"PUT ")) and self.match in data.split(b"\r\n")[0]:
                self.swallow -= 1
                state["swallow"] = True
            if not asks and state["swallow"]:
                self.lost += 1
                return
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def open_wire(port: int) -> AsyncIterator[Wire]:
    """Give a wire to the hub at *port*."""
    wire = Wire(port)
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.listening = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        wire.cut()
        await server.wait_closed()
        await asyncio.sleep(0.02)
