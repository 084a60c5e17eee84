"""One question to a partner system over HTTP, and the ways in which it isn't answered.

An answer is read no further than it may be long, followed nowhere, and taken for nothing that it isn't.
"""

from __future__ import annotations

import io
import ssl
from collections.abc import Mapping
from typing import Any, Literal

import aiohttp
from yarl import URL

from schemas.strict_json import MalformedError, parse

Reason = Literal["slow", "certificate", "away", "answer"]


class UnansweredError(Exception):
    """There was no answer that counts.  ``reason`` says why; nothing of what came is in the text."""

    def __init__(self, reason: Reason, *, is_too_long: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.is_too_long = reason, is_too_long


async def ask(
    method: str,
    url: URL,
    body: bytes | None,
    *,
    headers: Mapping[str, str],
    context: ssl.SSLContext | bool,
    within: aiohttp.ClientTimeout,
    most: int,
) -> tuple[int, bytes]:
    """Return status and body of the answer to one question, JSON both ways, on a connection of its own.

    Raises:
        UnansweredError: none came in time, the certificate doesn't hold, nobody is there, or it has more than *most* bytes.
    """
    said = {"Accept": "application/json", "Accept-Encoding": "identity", "Cache-Control": "no-store", **headers}
    if body is not None:
        said["Content-Type"] = "application/json"
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=context), timeout=within, trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(), skip_auto_headers=("User-Agent",), auto_decompress=False,
            ) as session,
            session.request(
                method, url, headers=said, data=None if body is None else io.BytesIO(body), allow_redirects=False
            ) as answer,
        ):  # fmt: skip
            return answer.status, await _read(answer, most)
    except TimeoutError as error:
        raise UnansweredError("slow") from error
    except (aiohttp.ClientSSLError, ssl.SSLError) as error:
        raise UnansweredError("certificate") from error
    except (aiohttp.ClientError, OSError) as error:
        raise UnansweredError("away") from error


async def _read(answer: aiohttp.ClientResponse, most: int) -> bytes:
    raw = bytearray()
    async for chunk in answer.content.iter_any():
        raw += chunk
        if len(raw) > most:
            raise UnansweredError("answer", is_too_long=True)
    return bytes(raw)


def parse_object(raw: bytes, most: int) -> dict[str, Any]:
    """Return the JSON object that *raw*, of up to *most* bytes, is.

    Raises:
        UnansweredError: it is none.
    """
    try:
        said = parse(raw, max_bytes=most, content=True)
    except MalformedError as error:
        raise UnansweredError("answer") from error
    if not isinstance(said, dict):
        raise UnansweredError("answer")
    return said
