"""Asking outside witnesses to cosign the log, as C2SP's tlog-witness has it.

One ``POST URL/add-checkpoint`` each time the log grew: ``old N``, the proof from N, an empty line, the signed checkpoint.
A witness answers its cosignature, or 409 with the size that it has.  What it signs is kept with the agencies' lines; what
went wrong is kept as a code, for the console and for whoever reads ``GET /v1/audit/witnesses``.

Nothing that a witness says can stop the hub: only its signature says anything at all.

Source: c2sp.org/tlog-witness; docs/witnesses.md.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, NamedTuple, Self

import aiohttp
from msgspec.structs import replace

from hub import ledger
from hub.errors import HubError
from hub.registry import Registry
from hub.store.base import Store
from hub.store.rows import WitnessRow
from hub.store.transaction import Transaction
from hub.witnessing import Times, Witnessed, policy_of, state
from keys import notes
from keys.errors import KeysError
from schemas.identifiers import Moment
from schemas.witnessing import Outsider

MAX_ANSWER: Final = 16 * 1024
ANSWER_SECONDS: Final = 5.0
MAX_BACKOFF: Final = 300.0
SIZE_TYPE: Final = "text/x.tlog.size"
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,18})\n")
_log = logging.getLogger("hub.asking")


class _Conflict(NamedTuple):
    """The witness has cosigned another size than we thought; ``None``: the same size, but another tree."""

    size: int | None


@dataclass(slots=True, kw_only=True)
class Asker:
    """Asks every outsider that has an address; open between ``async with`` and its end.

    ``see`` is shown, each round, how far the log is witnessed; ``count_failure`` is told each code of what went wrong.
    """

    store: Store
    registry: Registry
    clock: Callable[[], Moment]
    times: Times
    see: Callable[[Witnessed], None] = lambda _: None
    count_failure: Callable[[str], None] = lambda _: None
    monotonic: Callable[[], float] = time.monotonic
    _session: aiohttp.ClientSession | None = None
    # How often in a row asking failed, and when to ask again.
    _failed: dict[str, tuple[int, float]] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        self._session = aiohttp.ClientSession(timeout=timeout, auto_decompress=False, trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def round(self) -> None:
        """Ask each outsider that lacks the last checkpoint and need not be spared, all at once; then look where we are."""
        snapshot, now = self.registry.snapshot, self.clock()
        last = await self.store.read(lambda tx: tx.last_checkpoint())
        if last is not None:
            due = [one for one in policy_of(snapshot).outsiders if one.url and self._is_due(one)]
            await asyncio.gather(*(self._try(one, last[0], last[2]) for one in due))
        self.see(await self.store.read(lambda tx: state(tx, snapshot, now)))

    async def check_not_behind(self) -> None:
        """Return unless an outsider says that it cosigned a longer log than the database has.

        A database that was put back together with the checkpoint beside the keys looks whole from here.  Whoever can't be
        reached, or says anything else, says nothing about that.

        Raises:
            HubError: ``rolled-back``.  Going on would sign a second history over the entries that are missing.
        """
        last = await self.store.read(lambda tx: tx.last_checkpoint())
        if last is None:
            return
        asked = [one for one in policy_of(self.registry.snapshot).outsiders if one.url]
        said = await asyncio.gather(
            *(self._ask(one, last[0], last[2], always=True) for one in asked), return_exceptions=True
        )
        for error in said:
            if isinstance(error, HubError) and error.code == "witness-ahead":
                raise HubError(
                    "rolled-back",
                    "an outside witness has cosigned a longer log than the database has",
                    "restore the newest backup; if entries are lost for good, the partnership decides how to go on",
                ) from error
            if isinstance(error, BaseException) and not isinstance(error, (HubError, KeysError)):
                raise error

    def _is_due(self, outsider: Outsider) -> bool:
        return self._failed.get(outsider.verifier, (0, 0.0))[1] <= self.monotonic()

    async def _try(self, outsider: Outsider, size: int, note: str) -> None:
        code = None
        try:
            if not await self._ask(outsider, size, note):
                return
        except (HubError, KeysError) as error:
            code = error.code
            _log.warning("a witness did not cosign", extra={"code": code, "size": size})
            self.count_failure(code)
        times = self._failed.pop(outsider.verifier, (0, 0.0))[0] + 1
        if code is not None:
            self._failed[outsider.verifier] = (times, self.monotonic() + min(2.0**times, MAX_BACKOFF))
        now = self.clock()

        def record(tx: Transaction) -> None:
            row = tx.find_witness(outsider.key_name) or WitnessRow(outsider.key_name)
            tx.put_witness(replace(row, asked_at=now, error=code))

        await self.store.write(record)

    async def _ask(self, outsider: Outsider, size: int, note: str, *, always: bool = False) -> bool:
        """Have *note* cosigned; answer whether there was anything to ask, which there is *always* if told so.

        Raises:
            HubError: ``witness-*``.
            KeysError: ``note-*``; what it answered is no cosignature of its own.
        """
        row = await self.store.read(lambda tx: tx.find_witness(outsider.key_name))
        known = row is not None and row.key_id == outsider.verifier.split("+")[1]
        old = min(row.size, size) if row is not None and known else 0
        if known and old == size and not always:
            return False
        answer = await self._post(outsider, old, size, note)
        if isinstance(answer, _Conflict) and answer.size is not None:
            if answer.size > size:
                # Another process of this hub may have signed more, and asked, since we looked.
                last = await self.store.read(lambda tx: tx.last_checkpoint())
                size, note = (last[0], last[2]) if last else (size, note)
            if answer.size <= size:
                # It knows a later one of ours than we kept: its line was lost on the way.
                answer = await self._post(outsider, answer.size, size, note)
        if isinstance(answer, _Conflict):
            raise _conflict(answer, size)
        now = self.clock()
        text = notes.split_note(note)[0]
        body = f"{text}\n{answer}".encode()
        for one in await ledger.add_cosignatures(self.store, [outsider.verifier], body, now):
            self.times.hear(one.name, one.at, now)
        return True

    async def _post(self, outsider: Outsider, old: int, size: int, note: str) -> str | _Conflict:
        proof = await self.store.read(lambda tx: ledger.consistency_proof(tx, old, size)) if old else []
        lines = [f"old {old}", *(b64encode(hashed).decode() for hashed in proof), "", note]
        if self._session is None:
            raise RuntimeError("the asker is not open")
        try:
            async with self._session.post(
                f"{outsider.url}/add-checkpoint",
                data="\n".join(lines).encode(),
                allow_redirects=False,
                headers={"Content-Type": "text/plain; charset=utf-8"},
            ) as response:
                return _judge(response.status, response.content_type, await _read(response.content))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise HubError(
                "witness-unreachable", "a witness can't be reached", "it is asked again; ask who runs it"
            ) from error


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Return what comes, up to one byte more than may: no witness fills our memory."""
    body = b""
    while len(body) <= MAX_ANSWER and (chunk := await content.read(MAX_ANSWER + 1 - len(body))):
        body += chunk
    return body


def _judge(status: int, kind: str, body: bytes) -> str | _Conflict:
    if status == 409:
        found = _SIZE.fullmatch(body) if kind == SIZE_TYPE else None
        return _Conflict(int(found[1]) if found else None)
    if (refusal := _refusal(status)) is not None:
        raise refusal
    if status != 200 or len(body) > MAX_ANSWER:
        raise _no_answer(f"a witness answered {status}")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise _no_answer("a witness answered no text") from error


def _no_answer(message: str) -> HubError:
    return HubError("witness-answer", message, "it is asked again; ask who runs it")


def _refusal(status: int) -> HubError | None:
    match status:
        case 403:
            return HubError("witness-key", "a witness doesn't know the log's keys", "give it the directory in force")
        case 404:
            return HubError("witness-log", "a witness doesn't follow this log", "give it the directory in force")
        case 422:
            return HubError(
                "witness-proof", "a witness was not convinced that the log only grew", "see docs/witnesses.md at once"
            )
    return None


def _conflict(answer: _Conflict, size: int) -> HubError:
    if answer.size is not None and answer.size > size:
        return HubError(
            "witness-ahead",
            "a witness says that it cosigned a longer log than this hub has",
            "if the database was restored from a backup, entries are lost: see docs/witnesses.md",
        )
    return HubError(
        "witness-conflict",
        "a witness says that it cosigned another log of this size",
        "stop, and compare both: see docs/witnesses.md",
    )
