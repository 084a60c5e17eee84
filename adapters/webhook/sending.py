"""Requests to the agency's endpoint, each signed, and what its answers mean.

A redirect is never followed, answers are read up to a limit and in a time, and nothing of a message is in a URL.

Source: Standard Webhooks 1.0.0 (delivery); RFC 9110 15 (status codes).
"""

from __future__ import annotations

import re
import ssl
import time
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from yarl import URL

from adapters.asking import UnansweredError, ask, parse_object
from adapters.base import Later, NeedsPerson
from adapters.webhook.signing import Secrets

MAX_ANSWER: Final = 64 * 1024
MAX_COPY: Final = 16 * 1024 * 1024
# It stands in a URL, so it may be nothing that has a meaning there, or ends the id in what is signed.
RECORD: Final = re.compile(r"[A-Za-z0-9_~-]{1,100}")
_LATER: Final = frozenset({408, 425, 429})
_UNANSWERED: Final = {
    "slow": "webhook-slow", "certificate": "webhook-certificate", "away": "webhook-away", "answer": "webhook-answer",
}  # fmt: skip
_GONE: Final = frozenset({404, 410})
_REFUSED: Final = {
    400: "webhook-malformed", 401: "webhook-unauthorised", 403: "webhook-unauthorised", 404: "webhook-not-found",
    409: "webhook-conflict", 410: "webhook-gone", 413: "webhook-too-large", 422: "webhook-malformed",
}  # fmt: skip


class WebhookError(Exception):
    """The endpoint hasn't taken it; ``outcome`` is what becomes of the message."""

    def __init__(self, outcome: Later | NeedsPerson) -> None:
        super().__init__(outcome.reason if isinstance(outcome, Later) else outcome.code)
        self.outcome = outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What the system holds under a record: the message and SHA-256 of each document, in hexadecimal digits."""

    message: dict[str, Any]
    documents: tuple[str, ...] = ()
    ended: bool = False


class Endpoint:
    """The agency's endpoint at *url*."""

    def __init__(self, url: str, secrets: Secrets, *, seconds: float, context: ssl.SSLContext) -> None:
        self._url, self._secrets, self._context = URL(url.rstrip("/"), encoded=True), secrets, context
        self._timeout = aiohttp.ClientTimeout(total=seconds)

    async def send(self, name: str, body: bytes) -> bytes:
        """Hand *body* over under the id *name*, and return the answer's body.

        Raises:
            WebhookError: it isn't taken.
        """
        status, raw = await self._ask("POST", self._url, name, body, MAX_ANSWER)
        if not 200 <= status < 300:
            raise WebhookError(judge(status))
        return raw

    async def read(self, record: str) -> Copy | None:
        """Return what is held under *record*; ``None``: nothing.

        Raises:
            WebhookError: it isn't said.
        """
        where = self._url.joinpath(record)
        status, raw = await self._ask("GET", where, record, b"", MAX_COPY)
        if status in _GONE:
            return None
        if status != 200:
            raise WebhookError(judge(status))
        return _parse_copy(raw, record)

    async def _ask(self, method: str, url: URL, name: str, body: bytes, most: int) -> tuple[int, bytes]:
        headers = self._secrets.sign(name, int(time.time()), body)
        try:
            return await ask(
                method, url, body or None, headers=headers, context=self._context, within=self._timeout, most=most
            )
        except UnansweredError as error:
            raise WebhookError(Later(reason=_UNANSWERED[error.reason])) from error


def judge(status: int) -> Later | NeedsPerson:
    """Return what becomes of a message that was answered with *status*, no success."""
    if status in _LATER or status >= 500:
        return Later(reason="webhook-busy")
    if 300 <= status < 400:
        return Later(reason="webhook-redirect")
    if 400 <= status < 500:
        return NeedsPerson(code=_REFUSED.get(status, "webhook-refused"))
    return Later(reason="webhook-answer")


def parse_record(raw: bytes) -> str:
    """Return the record that the answer *raw* to a message names.

    Raises:
        WebhookError: it names none.
    """
    record = _parse(raw, MAX_ANSWER).get("record")
    if not isinstance(record, str) or not RECORD.fullmatch(record):
        raise WebhookError(Later(reason="webhook-answer"))
    return record


def _parse_copy(raw: bytes, record: str) -> Copy:
    said = _parse(raw, MAX_COPY)
    message, documents, ended = said.get("message"), said.get("documents", []), said.get("ended", False)
    if (
        said.get("record") != record
        or not isinstance(message, dict)
        or not isinstance(documents, list)
        or not all(isinstance(one, str) for one in documents)
        or not isinstance(ended, bool)
    ):
        raise WebhookError(Later(reason="webhook-answer"))
    return Copy(message=message, documents=tuple(one.casefold() for one in documents), ended=ended)


def _parse(raw: bytes, most: int) -> dict[str, Any]:
    try:
        return parse_object(raw, most)
    except UnansweredError as error:
        raise WebhookError(Later(reason=_UNANSWERED[error.reason])) from error
