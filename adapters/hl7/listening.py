"""Hearing a hospital system: what comes is durable here before it is acknowledged, and a referral is sent once however often it comes."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from hl7.mllp import InvalidBlockError, start_hl7_server

from adapters.base import Document, parse_draft
from adapters.desks import Desk, UsedError
from adapters.errors import place_of
from adapters.hl7.attendances import Registrations
from adapters.hl7.referrals import Settings, read_referral
from adapters.hl7.wire import Hl7Error, escape, join, parse, segment, text_of
from keys.digests import new_id
from schemas.catalogue import Catalogue
from schemas.strict_json import MalformedError, dump

_log = logging.getLogger("gateway.adapters.hl7")
MAX_MESSAGE: Final = 48 * 1024 * 1024
IDLE_SECONDS: Final = 600.0
MAX_CONNECTIONS: Final = 16
ANY: Final = "any"
# MSH-18 to what Python calls it.
_ENCODINGS: Final = {"": "utf-8", "ASCII": "ascii", "UNICODE UTF-8": "utf-8", "8859/1": "latin-1"}
_KINDS: Final = {("REF", "I12")}


class Ear:
    """What is heard goes onto *desk*, or where registrations are kept."""

    def __init__(self, desk: Desk, settings: Settings, registrations: Registrations) -> None:
        self._desk, self._settings, self._registrations = desk, settings, registrations
        self._catalogue = Catalogue.load()

    def hear(self, raw: bytes) -> bytes:
        """Make *raw* a draft, durably, and return the acknowledgment; what was taken before is acknowledged again."""
        message = _read(raw)
        if message is None:
            return _acknowledge(None, "AR", "100", "it can't be read")
        try:
            kind = tuple(text_of(message, message.segment("MSH"), 9, part) for part in (1, 2))
            if _encoding(message) is None:
                return _acknowledge(message, "AR", "102", "MSH-18 names characters that aren't taken here")
            if self._registrations.hears(kind[0]):
                self._registrations.take(message)
                return _acknowledge(message, "AA")
            if kind not in _KINDS or not self._settings.mailbox:
                return _acknowledge(message, "AR", "201", "only REF^I12 is taken here, and ADT where it is asked for")
            return self._take(message, raw)
        except MalformedError as error:
            return _acknowledge(message, "AE", "101", f"{error.code}: {error.message}")
        except OSError as error:
            _log.warning("what was heard can't be kept now: %s", place_of(error))
            return _acknowledge(message, "AR", "207", "it can't be kept now")

    def _take(self, message: Any, raw: bytes) -> bytes:
        head = message.segment("MSH")
        control = text_of(message, head, 10)
        if not control:
            return _acknowledge(message, "AE", "101", "MSH-10 is empty")
        name = "|".join([text_of(message, head, 3), text_of(message, head, 4), control])
        try:
            self._desk.take(name, raw, partial(self._make, message))
        except UsedError:
            return _acknowledge(message, "AE", "205", "another message had this MSH-10")
        return _acknowledge(message, "AA")

    def _make(self, message: Any) -> tuple[bytes, Iterable[Document]]:
        draft, documents = read_referral(message, self._settings)
        content = dump(draft)
        parse_draft(content)
        self._catalogue.validate(draft["type"], draft["message"])
        return content, documents


class Listener:
    """A port on which the hospital system's messages come; only from *peers*, by their addresses, where any are named."""

    def __init__(
        self, ear: Ear, place: tuple[str, int], peers: tuple[str, ...], context: ssl.SSLContext | None
    ) -> None:
        self._ear, self._place, self._peers, self._context = ear, place, frozenset(peers), context
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    @property
    def port(self) -> int:
        """Return the port, once it listens."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else self._place[1]

    async def ensure(self) -> None:
        """Listen, unless it does already.

        Raises:
            OSError: the port is taken.
        """
        if self._server is None:
            self._server = await start_hl7_server(self._meet, *self._place, limit=MAX_MESSAGE, ssl=self._context)

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    def _meet(self, reader: Any, writer: Any) -> None:
        peer = (writer.get_extra_info("peername") or ("",))[0]
        if (self._peers and ANY not in self._peers and peer not in self._peers) or len(self._open) >= MAX_CONNECTIONS:
            _log.warning("a connection to the HL7 listener was turned away")
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._hear(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _hear(self, reader: Any, writer: Any) -> None:
        try:
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    raw = await reader.readblock()
                async with self._turn:
                    answer = await asyncio.to_thread(self._ear.hear, raw)
                writer.writeblock(answer)
                await writer.drain()
        except (InvalidBlockError, ValueError):
            _log.warning("a connection to the HL7 listener sent what is no message, or one that is too long")
        except (asyncio.IncompleteReadError, TimeoutError, OSError):
            pass  # it hung up, or says nothing any more
        finally:
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()


def _read(raw: bytes) -> Any | None:
    """Return the message in *raw*, which is UTF-8, or else what MSH-18 says."""
    for encoding in ("utf-8", "latin-1"):
        with suppress(Hl7Error):
            message = parse(raw, encoding)
            if encoding == "utf-8" or _encoding(message) == encoding:
                return message
    return None


def _encoding(message: Any) -> str | None:
    return _ENCODINGS.get(text_of(message, message.segment("MSH"), 18))


def _acknowledge(message: Any, code: str, error: str = "", says: str = "") -> bytes:
    """Return an acknowledgment; *says* names fields, never what is in them."""
    names, control, processing = [""] * 4, "", "P"
    if message is not None:
        head = message.segment("MSH")
        names = [escape(text_of(message, head, number)) for number in (5, 6, 3, 4)]
        control, processing = text_of(message, head, 10), text_of(message, head, 11) or "P"
    segments = [
        segment("MSH|^~\\&", *names, "", "", "ACK", new_id(0)[-20:], escape(processing), "2.5.1"),
        segment("MSA", code, escape(control)),
    ]
    if error:
        segments.append(segment("ERR", "", "", error, "E", "", "", "", escape(says)))
    return join(segments)
