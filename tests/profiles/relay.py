"""A network before a PostgreSQL server that can refuse, fall silent, break off and lose an answer."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from psycopg.conninfo import conninfo_to_dict

# PostgreSQL's protocol 55.2.10: the client asks for TLS before it says anything else.
_ASKS_FOR_TLS = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


class Relay:
    """A port of this machine from which what comes goes to the server's socket, and back.

    ``silent``: takes connections and passes nothing on.  ``cut_after``: breaks off when so many bytes have come from the
    client.  ``tls``: it speaks TLS with the client, as the server itself would.  ``lose_commit``: what the server says to a COMMIT is lost, and the connection with it.
    """

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._server = conninfo_to_dict(url)
        self._tasks: set[Any] = set()
        self._listening: asyncio.Server | None = None
        self._port = 0
        self.silent = False
        self.cut_after: int | None = None
        self.lose_commit = False

    @property
    def address(self) -> dict[str, Any]:
        """Return the address of the same database through this network."""
        return {**self._server, "host": "127.0.0.1", "port": self._port}

    async def listen(self) -> None:
        """Take connections, at the port that it had before."""
        self._listening = await asyncio.start_server(self._take, "127.0.0.1", self._port)
        self._port = self._listening.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Refuse connections from now on."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = f"{self._server['host']}/.s.PGSQL.{self._server.get('port', 5432)}"
        if self._tls is not None and await reader.readexactly(8) == _ASKS_FOR_TLS:
            writer.write(b"S")
            try:
                await writer.start_tls(self._tls)
            except (OSError, ssl.SSLError):
                writer.close()
                return
        there, theirs = await asyncio.open_unix_connection(path)
        lost = asyncio.Event()

        async def forward() -> None:
            passed = 0
            while data := await reader.read(65536):
                passed += len(data)
                if self.lose_commit and b"COMMIT" in data:
                    lost.set()
                if self.cut_after is not None and passed > self.cut_after:
                    break
                if not self.silent:
                    theirs.write(data)

        async def back() -> None:
            while data := await there.read(65536):
                if lost.is_set():
                    break
                writer.write(data)

        jobs = [asyncio.create_task(one()) for one in (forward, back)]
        self._tasks.add(own := asyncio.current_task())
        try:
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            for one in (writer, theirs):
                one.close()
                with suppress(OSError):
                    await one.wait_closed()
            self._tasks.discard(own)

    async def __aenter__(self) -> Self:
        """Begin to listen."""
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.refuse()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
