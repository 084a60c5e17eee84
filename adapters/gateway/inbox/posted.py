"""What a page's form sent: read once, with limits, and only from a page of this session.

Source: promises 2 (bombs, floods), 3 (aiohttp has no body timeout).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.multipart import BodyPartReader

from adapters.base import Document
from adapters.errors import GatewayError
from hub.kit.limits import BodyLimits, LimitError, read_body

MAX_FORM: Final = 2 * 1024 * 1024
MAX_UPLOAD: Final = 24 * 1024 * 1024
MAX_FIELDS: Final = 2000
SECONDS: Final = 120.0
_LIMITS: Final = BodyLimits(total_seconds=60.0, grace_seconds=10.0, min_bytes_per_second=1024)


@dataclass(frozen=True, slots=True)
class Posted:
    """The fields of a form in their order, and the documents that came with it."""

    fields: tuple[tuple[str, str], ...]
    documents: tuple[tuple[str, Document], ...] = ()
    _first: dict[str, str] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in self.fields:
            self._first.setdefault(name, value)

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of the field *name*."""
        return self._first.get(name, default)

    def all(self, name: str) -> list[str]:
        """Return every value of the field *name*."""
        return [value for one, value in self.fields if one == name]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.fields)


async def read_form(request: web.Request) -> Posted:
    """Return the form in *request*.

    Raises:
        GatewayError: ``form-shape``, ``form-too-large``, ``form-too-slow``.
    """
    try:
        if request.content_type == "application/x-www-form-urlencoded":
            body = await read_body(request, MAX_FORM, _LIMITS, lambda _: None)
            return Posted(tuple(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)))
        if request.content_type == "multipart/form-data":
            async with asyncio.timeout(SECONDS):
                return await _read_parts(request)
    except GatewayError:
        raise
    except LimitError as error:
        raise GatewayError(
            "form-too-large" if error.status == 413 else "form-too-slow", error.message, error.hint
        ) from error
    except TimeoutError as error:
        raise GatewayError("form-too-slow", "The form came too slowly", "Send it again") from error
    except (ValueError, AssertionError, HttpProcessingError) as error:
        raise GatewayError("form-shape", "The form could not be read", "Go back and send it again") from error
    raise GatewayError("form-shape", "The form could not be read", "Go back and send it again")


async def _read_parts(request: web.Request) -> Posted:
    fields: list[tuple[str, str]] = []
    documents: list[tuple[str, Document]] = []
    size = 0
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or len(fields) + len(documents) >= MAX_FIELDS:
            raise ValueError("nested, or too many parts")
        content = bytearray()
        while chunk := await part.read_chunk():
            size += len(chunk)
            if size > MAX_UPLOAD:
                raise GatewayError(
                    "form-too-large",
                    f"That is more than {MAX_UPLOAD // 1024 // 1024} MB",
                    "Send fewer or smaller files",
                )
            content += chunk
        if part.filename is None:
            fields.append((part.name or "", content.decode()))
        elif content or part.filename:
            kind = part.headers.get(hdrs.CONTENT_TYPE, "application/octet-stream")
            documents.append((part.name or "", Document(name=part.filename, type=kind, content=bytes(content))))
    return Posted(tuple(fields), tuple(documents))
