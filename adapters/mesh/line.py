"""One thread with one client of a MESH mailbox, and what its errors mean.

The client is synchronous and counts its tokens without a lock, so that none is ever used by two threads.

Source: NHS Message Exchange for Social Care and Health (MESH) API, mesh-client 5.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import requests
import urllib3.exceptions
from mesh_client import MeshClient, MeshError, Message

from adapters.base import Later, NeedsPerson

T = TypeVar("T")
# What MESH says of the message itself or of who may get it: it says so again, however often it is asked.
_FINAL: Final = frozenset({"06", "07", "08", "11", "12", "15", "16", "17"})
_CLOSED: Final = frozenset({404, 410})
# Too long, or not now: the client would take what comes with these for a refusal, or for an answer that can't be read.
_PLAIN: Final = frozenset({408, 413, 425, 429})
# The last three: the client reads some answers without looking at their shape.
ERRORS: Final = (
    MeshError,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    AttributeError,
    LookupError,
    TypeError,
)


class OwnFilesError(OSError):
    """The gateway's own certificate, password or key can't be used; *reason* is why a message waits."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Client(MeshClient):
    """The client, which raises what a server says by its status alone."""

    def send_chunk(self, *given: Any, **named: Any) -> requests.Response:
        answer = super().send_chunk(*given, **named)
        if answer.status_code in _PLAIN:
            answer.raise_for_status()
        return answer


class Line:
    """A thread that has a client of its own, made when it is first needed."""

    def __init__(self, make: Callable[[], MeshClient], name: str) -> None:
        self._make = make
        self._client: MeshClient | None = None
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"mesh-{name}")

    async def run(self, work: Callable[[MeshClient], T]) -> T:
        """Return what *work* does with the client; one at a time."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work)

    async def close(self) -> None:
        """End the thread once what it does is done, and close the client."""
        with suppress(RuntimeError):
            await asyncio.get_running_loop().run_in_executor(self._threads, self.drop)
        self._threads.shutdown(wait=False)

    def _run(self, work: Callable[[MeshClient], T]) -> T:
        if self._client is None:
            self._client = self._make()
        try:
            return work(self._client)
        except ERRORS:
            self.drop()
            raise

    def drop(self) -> None:
        """On its thread, close the client: the next has what its files say by then, and connections of its own."""
        if self._client is not None:
            self._client.close()  # type: ignore[no-untyped-call]
            self._client = None


def make_client(
    url: str,
    mailbox: str,
    secrets: tuple[Path, Path],
    files: tuple[Path | None, Path | None, Path | None],
    seconds: float,
) -> MeshClient:
    """Return a client of *mailbox*; *secrets* hold its password and the shared key, *files* the CA, certificate and key.

    It repeats nothing by itself: whoever asks it does, and knows what was recorded before.

    Raises:
        OwnFilesError: a file can't be read, isn't what it should be, or its words aren't ASCII.
    """
    try:
        password, shared_key = (read_secret(path) for path in secrets)
    except (OSError, ValueError) as error:
        raise OwnFilesError(reason="mesh-forbidden") from error
    ca, certificate, key = files
    try:
        _try_files(ca, certificate, key)
    except OSError as error:
        raise OwnFilesError(reason="mesh-certificate") from error
    return _Client(
        url,
        mailbox,
        password,
        shared_key=shared_key.encode("ascii"),
        verify=str(ca) if ca else None,
        cert=(str(certificate), str(key)) if certificate and key else None,
        check_hostname=True if url.startswith("https:") else None,
        max_retries=0,
        timeout=seconds,
        application_name="safeguarding-hub",
    )


def _try_files(ca: Path | None, certificate: Path | None, key: Path | None) -> None:
    """Read what a client would, which can't be closed where it fails at that."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca:
        context.load_verify_locations(ca)
    if certificate and key:
        # Without a word of its own for a passphrase it would ask at the terminal, and wait.
        context.load_cert_chain(certificate, key, password=str)


def read_secret(path: Path) -> str:
    """Return the one line of *path*.

    Raises:
        OSError: it can't be read.
        ValueError: it is empty, or not ASCII, which the authorization's digest is made of.
    """
    text = path.read_text("utf-8").strip()
    if not text or not text.isascii() or not text.isprintable():
        raise ValueError("a password or shared key is empty or not ASCII")
    return text


def judge(error: BaseException) -> Later | NeedsPerson:
    """Return what *error* of the client means for the message that was being sent."""
    if isinstance(error, OwnFilesError):
        return Later(reason=error.reason)
    if isinstance(error, MeshError):
        return NeedsPerson(code="mesh-refused") if _code_of(error) in _FINAL else Later(reason="mesh-forbidden")
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 413:
        return NeedsPerson(code="mesh-refused")
    if isinstance(status, int):
        return Later(reason="mesh-forbidden" if status in {401, 403} else "mesh-busy")
    if isinstance(error, (requests.Timeout, TimeoutError)):
        return Later(reason="mesh-slow")
    if isinstance(error, (requests.exceptions.SSLError, ssl.SSLError)):
        return Later(reason="mesh-certificate")
    if isinstance(error, (requests.exceptions.JSONDecodeError, AttributeError, LookupError, TypeError)):
        return Later(reason="mesh-answer")
    return Later(reason="mesh-away")


def _code_of(error: MeshError) -> str:
    """Return MESH's code in what the client makes of a refused send, in either version's spelling."""
    said = error.args[-1] if error.args else None
    if not isinstance(said, dict):
        return ""
    details = said.get("detail") or [{"code": said.get("errorCode")}]
    return str(details[0].get("code") or "")


def is_gone(error: BaseException) -> bool:
    """Answer whether *error* says that a message is no longer in the inbox."""
    return getattr(getattr(error, "response", None), "status_code", None) in _CLOSED


@contextmanager
def retrieved(client: MeshClient, name: str) -> Iterator[Message]:
    """Give the message *name*, and close it; unlike its own `with`, this acknowledges nothing."""
    message = client.retrieve_message(name)
    try:
        yield message
    finally:
        message.close()  # type: ignore[no-untyped-call]


def read_at_most(message: Message, size: int) -> bytes | None:
    """Return the content of *message*; ``None`` where it is longer than *size*."""
    content = message.read(size + 1)
    return content if len(content) <= size else None
