"""A small hospital system that speaks MLLP: documents by their number, observations at a visit, registrations; it can misbehave."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from contextlib import suppress
from typing import Any

import hl7
from hl7.mllp import open_hl7_connection, start_hl7_server


class Hospital:
    """Documents by TXA-12; ``answers`` are given before it behaves again: a code, `hang`, `hang-up`, `garbage`, `other`, `later-hang-up`."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}
        # What a visit's screen shows, by the control id of what brought it: a repeat changes nothing.
        self.screens: dict[str, dict[str, str]] = {}
        self.heard = 0
        self.answers: list[str] = []
        self._port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def place(self) -> str:
        """Return where it listens."""
        if self._server is None:
            raise RuntimeError("it isn't open")
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        """Listen, at the port that it had before."""
        self._server = await start_hl7_server(self._meet, "127.0.0.1", self._port, limit=64 * 1024 * 1024, ssl=context)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop, whatever is open."""
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def read(self, number: str) -> Any:
        """Return the message that the document *number* holds."""
        for part in self.documents[number].segments("OBX"):
            if str(part(2)) == "ED" and str(part(3)[0][0]) == "message.json":
                return json.loads(base64.b64decode(str(part(5)[0][4])))
        raise KeyError(number)

    def see(self, visit: str) -> list[str]:
        """Return what the screen of *visit* shows, oldest first."""
        return list(self.screens.get(visit, {}).values())

    async def register(self, port: int, *lines: str) -> str:
        """Send a registration to *port*; return MSA-1."""
        reader, writer = await open_hl7_connection("127.0.0.1", port)
        try:
            writer.writeblock("\r".join(lines).encode())
            return str(hl7.parse((await reader.readblock()).decode()).segment("MSA")(1))
        finally:
            writer.close()
            await writer.wait_closed()

    def _meet(self, reader: Any, writer: Any) -> None:
        task = asyncio.get_running_loop().create_task(self._hear(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _hear(self, reader: Any, writer: Any) -> None:
        try:
            while True:
                await self._answer(hl7.parse((await reader.readblock()).decode()), writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(self, message: Any, writer: Any) -> None:
        self.heard += 1
        way = self.answers.pop(0) if self.answers else "AA"
        control = str(message.segment("MSH")(10))
        if way in {"AA", "CA AA", "later-hang-up"}:
            # A repeat of a document that it has changes nothing.
            self._keep(message, control)
        if way == "hang":
            await asyncio.sleep(3600)
        if way in {"hang-up", "later-hang-up"}:
            raise ConnectionResetError
        if way == "garbage":
            writer.writeblock(b"<html>")
            return
        for code in way.split():
            kind, _, error = code.partition("/")
            head = "MSH|^~\\&|PAS|TRUST|SGH||20260714120000||ACK|1|P|2.5.1"
            about = "another" if kind == "other" else control
            lines = [head, f"MSA|{'AA' if kind == 'other' else kind}|{about}"]
            if error:
                lines.append(f"ERR|||{error}^words|E")
            writer.writeblock(("\r".join(lines) + "\r").encode())

    def _keep(self, message: Any, control: str) -> None:
        if str(message.segment("MSH")(9)[0][0]) == "ORU":
            visit = str(message.segment("PV1")(19))
            shown = str(message.segments("OBX")[0](5)[0][1])
            self.screens.setdefault(visit, {}).setdefault(control, shown)
        else:
            self.documents.setdefault(str(message.segment("TXA")(12)[0][0]), message)


def registration(
    visit: str, number: str, born: str, *, event: str = "A04", name: str = "Sample^Alex", at: str = "20260706090000"
) -> list[str]:
    """Return the segments with which a clinic's system registers somebody who has come."""
    return [
        f"MSH|^~\\&|CLINIC|NORTHMERE|SGH||20260706090000||ADT^{event}^ADT_A01|{event}-{visit}|P|2.5.1||||||UNICODE UTF-8",
        f"EVN|{event}|{at}",
        f"PID|1||L-{visit}^^^CLINIC^MR~{number}^^^NHS^NH||{name}||{born}|F",
        f"PV1|1|O|||||||||||||||||{visit}",
    ]
