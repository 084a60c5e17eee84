"""Attachments shown safely: decided by what the bytes are, drawn by a process that can do nothing else.

A PDF or a photograph becomes pictures, a plain text becomes escaped text; everything else, whatever it calls itself, is
only ever downloaded, as bytes that no browser runs.

Source: issue of the inbox; RFC 6266 and 8187 (file names); WHATWG MIME Sniffing; promises 2.
"""

from __future__ import annotations

import asyncio
import re
import sys
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote

from adapters.base import Document
from adapters.errors import GatewayError

Kind = Literal["pdf", "image", "text", "other"]

MAX_SHOWN: Final = 32 * 1024 * 1024
MAX_SHOWN_TEXT: Final = 512 * 1024
MAX_PAGES: Final = 200
MAX_ANSWER: Final = 24 * 1024 * 1024
SECONDS: Final = 15.0
AT_ONCE: Final = 2
MAX_NAME: Final = 100

_MODULE: Final = "adapters.gateway.inbox.reading.render"
_NO_PAGE: Final = 3
_PICTURES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
# A text that some program would take for more than a text.
_MARKUP: Final = re.compile(r"\A\s*(?:<|\{\\rtf|%!|#!|MIME-Version:)|<(?:\?xml|!doctype|script|html|svg|body|iframe)\b", re.IGNORECASE)  # fmt: skip
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_RESERVED: Final = re.compile(r"\A(?:con|prn|aux|nul|com\d|lpt\d)\Z", re.IGNORECASE)

# Headers of everything that comes from an attachment, pictures of it included.
SHOWN_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """One document of a message: its number from 1, and as what it can be looked at."""

    number: int
    name: str
    size: int
    kind: Kind


def list_documents(documents: tuple[Document, ...]) -> tuple[Attached, ...]:
    """Return what is said of each of *documents*."""
    return tuple(
        Attached(number=number, name=one.name, size=len(one.content), kind=kind_of(one))
        for number, one in enumerate(documents, 1)
    )


def kind_of(document: Document) -> Kind:
    """Return as what *document* is shown, by its bytes alone: its stated type and its name are the sender's claims.

    ``other`` is what is not shown at all, which includes everything that is too large.
    """
    content = document.content
    if len(content) > MAX_SHOWN:
        return "other"
    # At the very start: what only has it further on may be something else to another program.
    if content.startswith(b"%PDF-"):
        return "pdf"
    if content.startswith(_PICTURES):
        return "image"
    return "other" if _as_text(content) is None else "text"


def text_of(document: Document) -> str:
    """Return the text of *document*, which has to be escaped like any other.

    Raises:
        GatewayError: ``document-not-shown``: it is no plain text.
    """
    text = _as_text(document.content)
    if text is None:
        raise _not_shown()
    return text


def _as_text(content: bytes) -> str | None:
    if not content or len(content) > MAX_SHOWN_TEXT:
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) or _MARKUP.search(text) else text


class Drawer:
    """Draws documents, a few at once, each question in a process of its own that is ended when its time is over."""

    def __init__(self, *, at_once: int = AT_ONCE, seconds: float = SECONDS) -> None:
        self._turn = asyncio.Semaphore(at_once)
        self._seconds = seconds

    async def count_pages(self, document: Document) -> int:
        """Return how many pages *document* has; of these :data:`MAX_PAGES` at most are drawn.

        Raises:
            GatewayError: ``document-not-shown``.
        """
        answer = await self._ask(document, "count", 1)
        if not answer.isdigit() or len(answer) > 9:
            raise _not_shown()
        return int(answer)

    async def render_page(self, document: Document, number: int) -> bytes:
        """Return page *number*, from 1, of *document* as PNG.

        Raises:
            GatewayError: ``document-not-shown``, ``document-page``.
        """
        return await self._ask(document, "page", number)

    async def read_page(self, document: Document, number: int) -> str:
        """Return the text of page *number*, from 1, for who can't see the picture; empty where it has none.

        Raises:
            GatewayError: ``document-not-shown``, ``document-page``.
        """
        if kind_of(document) != "pdf":
            return ""
        return (await self._ask(document, "text", number)).decode("utf-8", "replace").replace("\r\n", "\n")

    async def _ask(self, document: Document, ask: str, number: int) -> bytes:
        kind = kind_of(document)
        if kind not in {"pdf", "image"}:
            raise _not_shown()
        if not 1 <= number <= MAX_PAGES:
            raise _no_page()
        async with self._turn:
            try:
                status, answer = await asyncio.wait_for(_run(document.content, kind, ask, str(number)), self._seconds)
            except (TimeoutError, OSError) as error:
                raise _not_shown() from error
        if status == _NO_PAGE:
            raise _no_page()
        if status or not answer:
            # A page without text answers with nothing and is no failure.
            if status == 0 and ask == "text":
                return b""
            raise _not_shown()
        return answer


async def _run(content: bytes, *arguments: str) -> tuple[int, bytes]:
    """Return exit status and answer of one process over *content*; when this is cancelled, the process is gone."""
    # `-I`: neither environment nor folder has a say in what is imported.  No descriptor of ours is inherited.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-m", _MODULE, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, env={}, cwd="/", close_fds=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None  # noqa: S101 - asked for above
    assert process.stdout is not None  # noqa: S101
    feeding = asyncio.ensure_future(_feed(process.stdin, content))
    try:
        answer = bytearray()
        while chunk := await process.stdout.read(1 << 16):
            answer += chunk
            if len(answer) > MAX_ANSWER:
                return 1, b""
        return await process.wait(), bytes(answer)
    finally:
        feeding.cancel()
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await process.wait()


async def _feed(pipe: asyncio.StreamWriter, content: bytes) -> None:
    # It may end before it has read everything; then its status says what was wrong.
    with suppress(ConnectionError):
        pipe.write(content)
        await pipe.drain()
        pipe.close()


def download_headers(document: Document) -> dict[str, str]:
    """Return the headers under which the bytes of *document* go to a browser: to be saved, never to be shown or run."""
    name = safe_name(document.name)
    plain = re.sub(r"[^A-Za-z0-9 ._()-]", "_", unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode())
    plain = plain.strip(" .") or "document"
    return SHOWN_HEADERS | {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
    }


def safe_name(name: str) -> str:
    """Return *name* as a file name and nothing more: no folder, no control or direction mark, not hidden, not long."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    # Categories C and Z: controls, direction marks, lone surrogates, unusual spaces; a file may not look like another.
    kept = "".join(c if c == " " or unicodedata.category(c)[0] not in "CZ" else "" for c in last)
    kept = re.sub(r'[:*?"<>|%;]', "_", kept).strip(" .")
    stem, dot, suffix = kept.rpartition(".")
    if not dot or len(suffix) > 10:
        stem, dot, suffix = kept, "", ""
    if _RESERVED.match(stem.partition(".")[0].strip()):
        stem = f"_{stem}"
    return f"{stem[:MAX_NAME].strip()}{dot}{suffix}".strip(" .") or "document"


def _not_shown() -> GatewayError:
    return GatewayError(
        "document-not-shown", "The document can't be shown here", "Download it, and open it only if you expect it"
    )


def _no_page() -> GatewayError:
    return GatewayError("document-page", "The document has no such page, or too many to show", "Download it")
