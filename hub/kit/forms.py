"""What a page's form sent: read once, with limits.

Source: promises 2 (bombs, floods), 3 (aiohttp has no body timeout).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.multipart import BodyPartReader

from hub.kit.limits import BodyLimits, LimitError, read_body

MAX_FORM: Final = 2 * 1024 * 1024
MAX_UPLOAD: Final = 24 * 1024 * 1024
MAX_FIELDS: Final = 2000
SECONDS: Final = 120.0
_LIMITS: Final = BodyLimits(total_seconds=60.0, grace_seconds=10.0, min_bytes_per_second=1024)


class FormError(Exception):
    """A form that can't be taken.  ``code`` permanent: ``form-shape``, ``form-too-large`` or ``form-too-slow``."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


class Upload(NamedTuple):
    """A file that came with a form: its name and media type as the browser says them, and its bytes."""

    name: str
    type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Posted:
    """The fields of a form in their order, and the files that came with it."""

    fields: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, Upload], ...] = ()
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
        FormError: it isn't one, or too large or slow.
    """
    try:
        if request.content_type == "application/x-www-form-urlencoded":
            body = await read_body(request, MAX_FORM, _LIMITS, lambda _: None)
            return Posted(tuple(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)))
        if request.content_type == "multipart/form-data":
            async with asyncio.timeout(SECONDS):
                return await _read_parts(request)
    except LimitError as error:
        code = "form-too-large" if error.status == 413 else "form-too-slow"
        raise FormError(code, error.message, error.hint) from error
    except TimeoutError as error:
        raise FormError("form-too-slow", "The form came too slowly", "Send it again") from error
    except (ValueError, AssertionError, HttpProcessingError) as error:
        raise FormError("form-shape", "The form could not be read", "Go back and send it again") from error
    raise FormError("form-shape", "The form could not be read", "Go back and send it again")


async def _read_parts(request: web.Request) -> Posted:
    fields: list[tuple[str, str]] = []
    files: list[tuple[str, Upload]] = []
    size = 0
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or len(fields) + len(files) >= MAX_FIELDS:
            raise ValueError("nested, or too many parts")
        content = bytearray()
        while chunk := await part.read_chunk():
            size += len(chunk)
            if size > MAX_UPLOAD:
                raise FormError(
                    "form-too-large",
                    f"That is more than {MAX_UPLOAD // 1024 // 1024} MB",
                    "Send fewer or smaller files",
                )
            content += chunk
        if part.filename is None:
            fields.append((part.name or "", content.decode()))
        elif content or part.filename:
            kind = part.headers.get(hdrs.CONTENT_TYPE, "application/octet-stream")
            files.append((part.name or "", Upload(part.filename, kind, bytes(content))))
    return Posted(tuple(fields), tuple(files))
