"""A record system reached by a small JSON interface over HTTPS, as docs/agencies/records.md describes it.

Nothing of a person is in an address: keys, identities and references are opaque.  A redirect is never followed, answers are read
up to a limit and in a time, and nothing that the system says is logged.

Source: RFC 9110 15 (status codes); RFC 6750 2.1 (bearer tokens).
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final

import aiohttp
import msgspec
from msgspec import Meta
from yarl import URL

from adapters.asking import UnansweredError, ask, parse_object
from adapters.base import Document, Later, NeedsPerson
from adapters.profiles.records import Answer, Placed, Record, RecordsError, Sent, Standing
from keys.digests import sha256

# Documents of 60 MiB in Base64, and what is around them.
MAX_ANSWER: Final = 96 * 1024 * 1024
MAX_WORD: Final = 64 * 1024
# It stands in an address, so it may be nothing that has a meaning there.
OPAQUE: Final = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]{0,99}")
_LOCAL: Final = frozenset({"127.0.0.1", "localhost"})
_LATER: Final = frozenset({408, 423, 425, 429})
_UNANSWERED: Final = {
    "slow": "records-slow", "certificate": "records-certificate", "away": "records-away", "answer": "records-answer",
}  # fmt: skip
_GONE: Final = frozenset({404, 410})
_CANNOT: Final = frozenset({405, 501})
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_log: Final = logging.getLogger(__name__)


class HttpOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of a system that is reached over HTTPS."""

    url: Annotated[str, Meta(max_length=500)]
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    token: str | None = None
    seconds: Annotated[float, Meta(gt=0, le=600)] = 20.0


class _Paper(msgspec.Struct, frozen=True):
    name: str
    content: str
    type: str = "application/octet-stream"


class _Entry(msgspec.Struct, frozen=True):
    kind: str
    fields: dict[str, Any]
    documents: tuple[_Paper, ...] = ()


class _Standing(msgspec.Struct, frozen=True):
    fields: dict[str, Any]
    documents: tuple[str, ...] = ()
    ended: bool = False
    practitioners: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...], Meta(max_length=16)] = ()


class _TooLongError(RecordsError):
    """An answer is longer than is read."""


class HttpRecords:
    """The record system at an address."""

    def __init__(self, options: HttpOptions, home: Path) -> None:
        """Take *options*, whose files are in *home*.

        Raises:
            ValueError: options that don't go together, or would send content where others can read it.
            OSError: a file can't be read.
        """
        _check(options)
        self._url = URL(options.url.rstrip("/"), encoded=True)
        self._timeout = aiohttp.ClientTimeout(total=options.seconds)
        self._token = home / options.token if options.token else None
        if self._token is not None:
            _read_token(self._token)
        self._context = ssl.create_default_context(cafile=home / options.ca if options.ca else None)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        if options.certificate and options.key:
            self._context.load_cert_chain(home / options.certificate, home / options.key)

    async def waiting(self, limit: int) -> Sequence[Record]:
        """Return what waits in the outbox; where that is too long to be read at once, the first of it."""
        where = self._url.joinpath("outbox")
        try:
            status, raw = await self._ask("GET", where.with_query(limit=limit), None, MAX_ANSWER)
        except _TooLongError:
            if limit == 1:
                raise
            return await self.waiting(1)
        if status != 200:
            raise RecordsError(judge(status))
        entries = _object(raw, MAX_ANSWER).get("records")
        if not isinstance(entries, list):
            raise RecordsError(Later(reason="records-answer"))
        found = [record for one in entries[:limit] if (record := _read_entry(one)) is not None]
        if len(found) < len(entries[:limit]):
            _log.warning("the outbox has an entry whose key can't stand in an address; it is left there")
        return found

    async def answer(self, key: str, answer: Answer) -> None:
        """Say what became of *key*; an entry that isn't there any more needs no answer."""
        said: dict[str, Any] = {"sent": True, "envelope": "", "thread": "", "ids": {}}
        if isinstance(answer, Sent):
            said |= {"envelope": answer.envelope, "thread": answer.thread, "ids": dict(answer.ids)}
        else:
            said = {"sent": False, "code": answer.code, "message": answer.message, "hint": answer.hint}
        status, _ = await self._ask("POST", self._url.joinpath("outbox", key), said, MAX_WORD)
        if not 200 <= status < 300 and status not in _GONE:
            raise RecordsError(judge(status))

    async def put(self, record: Placed) -> str:
        """Put *record*, by its identity."""
        papers = [
            {"name": one.name, "type": one.type, "sha256": sha256(one.content).hex(), "content": base64.b64encode(one.content).decode()}
            for one in record.documents
        ]  # fmt: skip
        body = {"envelope": record.envelope, "mode": record.mode, "fields": record.fields, "documents": papers}
        where = self._url.joinpath("records", record.kind, record.identity)
        status, raw = await self._ask("PUT", where, body, MAX_WORD)
        if not 200 <= status < 300:
            raise RecordsError(judge(status))
        reference = _object(raw, MAX_WORD).get("reference")
        if not isinstance(reference, str) or not OPAQUE.fullmatch(reference):
            raise RecordsError(Later(reason="records-answer"))
        return reference

    async def get(self, kind: str, reference: str) -> Standing | None:
        """Return what stands there."""
        if not OPAQUE.fullmatch(kind) or not OPAQUE.fullmatch(reference):
            return None
        status, raw = await self._ask("GET", self._url.joinpath("records", kind, reference), None, MAX_ANSWER)
        if status in _GONE:
            return None
        if status != 200:
            raise RecordsError(judge(status))
        try:
            found = msgspec.convert(_object(raw, MAX_ANSWER), _Standing, strict=True)
        except msgspec.ValidationError as error:
            raise RecordsError(Later(reason="records-answer")) from error
        papers = tuple(one.casefold() for one in found.documents)
        return Standing(fields=found.fields, documents=papers, ended=found.ended, practitioners=found.practitioners)

    async def delete(self, envelope: str) -> bool:
        """Have all that is under *envelope* deleted; a system that can't leaves it to people."""
        status, _ = await self._ask("DELETE", self._url.joinpath("envelopes", envelope), None, MAX_WORD)
        if 200 <= status < 300 or status in _GONE:
            return True
        if status in _CANNOT:
            return False
        raise RecordsError(judge(status))

    async def fetch(self, *names: str) -> dict[str, Any] | None:
        """Return the object at another place of the same system; ``None``: nothing is there.  *names* are opaque words.

        Raises:
            RecordsError: the system doesn't say.
        """
        status, raw = await self._ask("GET", self._url.joinpath(*names), None, MAX_ANSWER)
        if status in _GONE:
            return None
        if status != 200:
            raise RecordsError(judge(status))
        return _object(raw, MAX_ANSWER)

    async def close(self) -> None:
        """Nothing stays open between two questions."""

    async def _ask(self, method: str, url: URL, body: Mapping[str, Any] | None, most: int) -> tuple[int, bytes]:
        headers = {}
        if self._token is not None:
            try:
                headers["Authorization"] = f"Bearer {_read_token(self._token)}"
            except (OSError, ValueError) as error:
                raise RecordsError(Later(reason="records-unauthorised")) from error
        data = msgspec.json.encode(body) if body is not None else None
        try:
            return await ask(method, url, data, headers=headers, context=self._context, within=self._timeout, most=most)
        except UnansweredError as error:
            kind = _TooLongError if error.is_too_long else RecordsError
            raise kind(Later(reason=_UNANSWERED[error.reason])) from error


def judge(status: int) -> Later | NeedsPerson:
    """Return what becomes of a message that was answered with *status*, no success.

    A token or a certificate that isn't taken is the system's trouble, not the message's.
    """
    if status in {401, 403, 407}:
        return Later(reason="records-unauthorised")
    if status in _LATER or status >= 500:
        return Later(reason="records-busy")
    if status == 413:
        return NeedsPerson(code="records-too-large")
    if 400 <= status < 500:
        return NeedsPerson(code="records-refused")
    return Later(reason="records-answer")


def _read_entry(entry: Any) -> Record | None:
    key = entry.get("key") if isinstance(entry, dict) else None
    if not isinstance(key, str) or not OPAQUE.fullmatch(key):
        return None
    with suppress(msgspec.ValidationError, binascii.Error, ValueError):
        found = msgspec.convert(entry, _Entry, strict=True)
        papers = tuple(
            Document(name=one.name, type=one.type, content=base64.b64decode(one.content, validate=True))
            for one in found.documents
        )
        return Record(key=key, kind=found.kind, fields=found.fields, documents=papers)
    return Record(key=key)


def _object(raw: bytes, most: int) -> dict[str, Any]:
    try:
        return parse_object(raw, most)
    except UnansweredError as error:
        raise RecordsError(Later(reason=_UNANSWERED[error.reason])) from error


def _read_token(path: Path) -> str:
    """Return the token in the file at *path*, which is looked at each time: a change needs no restart."""
    token = path.read_text("ascii").strip()
    if not _TOKEN.fullmatch(token):
        raise ValueError("`token` holds no bearer token")
    return token


def _check(options: HttpOptions) -> None:
    url = URL(options.url)
    if url.scheme != "https" and not (url.scheme == "http" and url.host in _LOCAL):
        raise ValueError("`url` isn't https")
    if not url.host or url.user or url.password or url.query_string or url.fragment:
        raise ValueError("`url` has a user, a query or a fragment, or no host")
    if bool(options.certificate) != bool(options.key):
        raise ValueError("`certificate` and `key` belong together")
