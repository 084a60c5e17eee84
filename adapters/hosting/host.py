"""An adapter in a process of its own, as the gateway sees it: an ``Adapter`` like any other.

It never raises for what the process does: a message on which the process dies or hangs is asked again, and the third time it
is set aside for a person; nothing is dropped, and nothing is called filed that the process didn't call filed.

Source: design 5 (adapters).
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from adapters.at_risk import AtRiskList, Attendance, AttendanceAnswer
from adapters.base import (
    DraftRefused,
    DraftResult,
    Filed,
    Held,
    Incoming,
    Later,
    NeedsPerson,
    Notice,
    Outcome,
    Outgoing,
    Spooled,
    parse_draft,
)
from adapters.errors import GatewayError
from adapters.hosting import frames
from adapters.hosting.confining import ALL
from adapters.hosting.frames import OPTIONAL, Answer, Question, Ready, Setup
from adapters.hosting.grants import Grants, PluginError
from adapters.hosting.process import Process, ProcessEndedError
from schemas.identifiers import EnvelopeId, MailboxId
from schemas.strict_json import MalformedError

_log = logging.getLogger("gateway.adapters")
# A message that ended the process so often is set aside; an adapter that ended so often in a row is an alarm.
LIVES: Final = 3
FIRST_REST, LONGEST_REST = 0.5, 300.0
_PLACE: Final = re.compile(r"[A-Za-z_][\w.]{0,60} at [\w.?]{1,100}:?[0-9]{0,7}")


class HostedError(GatewayError):
    """An adapter couldn't do what it was asked; its own words are left out, for they may hold content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An adapter fails: ``reason`` is a code, ``message`` the envelope that was set aside because of it."""

    reason: str
    message: EnvelopeId | None = None
    mailbox: MailboxId | None = None


class HostedAdapter:
    """The adapter *name*; what *described* says that it offers (the methods of ``frames.OPTIONAL``) it has too."""

    def __init__(
        self, name: str, setup: Setup, described: Ready, *, printed: Callable[[bytes], None] | None = None
    ) -> None:
        self.name, self.manifest = name, described.manifest
        self.holds: tuple[str, ...] = ()
        self._setup, self._printed = setup, printed
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._deaths: dict[tuple[EnvelopeId, MailboxId], int] = {}
        self._ended = 0
        self._rests_until = 0.0
        self._troubles: list[Trouble] = []
        for method in described.offers:
            if method in OPTIONAL:
                # Only what it has: the gateway looks which methods there are.
                setattr(self, method, getattr(self, f"_{method}"))

    async def start(self) -> None:
        """Start its process now, where it isn't running.

        Raises:
            PluginError: it can't be had as it is configured.
        """
        async with self._turn:
            if self._process is None or not self._process.is_alive:
                await self._start()

    async def close(self) -> None:
        """End its process."""
        if self._process is not None:
            await self._process.end()

    def take_troubles(self) -> list[Trouble]:
        """Return what went wrong since the last look, each once."""
        found, self._troubles = self._troubles, []
        return found

    async def collect(self) -> AsyncIterator[Outgoing]:
        """Yield what it hands over; a draft that isn't one is refused, and those behind it come."""
        if self._rests():
            return
        await self._done_by(frames.Collect)
        while isinstance(answer := await self._done_by(frames.Next), frames.Drafted):
            done = partial(self._settle, answer.key)
            try:
                draft = parse_draft(answer.draft)
            except MalformedError as error:
                await done(DraftRefused(code=error.code, message=error.message, hint=error.hint))
                continue
            yield Outgoing(key=answer.key, draft=draft, documents=answer.documents, done=done)

    async def file(self, message: Incoming) -> Outcome:
        """Have it file *message*: what it answers, ``Later`` while it is away, a person where it died of it three times."""
        key = (message.envelope, message.mailbox)
        if self._rests():
            return Later(reason="adapter-restarting")
        try:
            answer = await self._done_by(lambda seq: frames.File(seq, message))
        except ProcessEndedError as error:
            return self._count_death(key, error.reason)
        except PluginError as error:
            return Later(reason=error.code)
        self._deaths.pop(key, None)
        if isinstance(answer, frames.Outcome):
            if answer.record is not None:
                return Filed(record=answer.record, mode=answer.mode, practitioners=answer.practitioners)
            return Later(reason=answer.later) if answer.later is not None else NeedsPerson(code=answer.person or "")
        return NeedsPerson(code="adapter-answer")

    async def _notify(self, notice: Notice) -> None:
        await self._done_by(lambda seq: frames.Tell(seq, notice))

    async def _delete(self, envelope: EnvelopeId, mailbox: MailboxId) -> bool:
        answer = await self._done_by(lambda seq: frames.Delete(seq, envelope, mailbox))
        return isinstance(answer, frames.Answered) and answer.yes

    async def _read_back(self, record: str) -> Held | None:
        answer = await self._done_by(lambda seq: frames.ReadBack(seq, record))
        if not isinstance(answer, frames.Standing):
            raise HostedError("adapter-answer", "an adapter answered something else than it was asked")
        return answer.held

    async def _at_risk(self) -> AtRiskList | None:
        answer = await self._done_by(frames.AtRisk)
        if not isinstance(answer, frames.Listing):
            raise HostedError("adapter-answer", "an adapter answered something else than it was asked")
        return answer.found

    async def _attendances(self) -> AsyncIterator[Attendance]:
        if self._rests():
            return
        answer = await self._done_by(frames.WhoAttends)
        if not isinstance(answer, frames.Attended):
            raise HostedError("adapter-answer", "an adapter answered something else than it was asked")
        for one in answer.attendances:
            yield one

    async def _tell_attendance(self, said: AttendanceAnswer) -> None:
        await self._done_by(lambda seq: frames.TellAttendance(seq, said))

    async def _settle(self, key: str, result: DraftResult) -> None:
        spooled = result if isinstance(result, Spooled) else None
        refused = result if isinstance(result, DraftRefused) else None
        await self._done_by(lambda seq: frames.Done(seq, key, spooled, refused))

    async def _done_by(self, make: Callable[[int], Question]) -> Answer:
        """Return the process's answer; it is started where it isn't running.  One at a time, so that it is known what it died of.

        Raises:
            ProcessEndedError: it ended over this.
            PluginError: it can't be started, or is resting.
            HostedError: the adapter raised.
        """
        async with self._turn:
            running = self._process is not None and self._process.is_alive
            process = self._process if self._process is not None and running else await self._start()
            answer = await self._ask(process, make)
            if isinstance(answer, frames.Stale):
                answer = await self._ask(await self._start(), make)
        self._ended = 0
        if isinstance(answer, frames.Failed):
            place = answer.place if _PLACE.fullmatch(answer.place) else "no place given"
            _log.error("the adapter `%s` raised %s", self.name, place)
            raise HostedError("adapter-raised", f"the adapter `{self.name}` raised {place}", "see its own log")
        return answer

    async def _ask(self, process: Process, make: Callable[[int], Question]) -> Answer:
        printed = process.output
        try:
            answer = await process.ask(make)
        except ProcessEndedError as error:
            self._note_end(error.reason)
            raise
        if process.output > printed:
            _log.info("the adapter `%s` printed something, which is left out", self.name)
        return answer

    async def _start(self) -> Process:
        if self._rests():
            raise PluginError("adapter-restarting", f"the adapter `{self.name}` failed and rests", "see its notice")
        if self._process is not None:
            await self._process.end()
        self._process = Process(self.name, self._setup, printed=self._printed)
        try:
            ready = await self._process.start()
        except PluginError as error:
            self._note_end(error.code)
            raise
        if self.holds != ready.holds:
            missing = [one for one in ALL if one not in ready.holds]
            _log.info("the adapter `%s` is confined: %s", self.name, ", ".join(ready.holds) or "nothing holds")
            if missing and not (missing == ["network"] and self._setup.grants.is_free):
                _log.warning("the adapter `%s` isn't confined as to %s", self.name, ", ".join(missing))
        self.holds = ready.holds
        return self._process

    def _rests(self) -> bool:
        return time.monotonic() < self._rests_until

    def _note_end(self, reason: str) -> None:
        self._ended += 1
        rest = min(FIRST_REST * 2.0 ** min(self._ended - 1, 30), LONGEST_REST)
        self._rests_until = time.monotonic() + rest
        _log.error("the process of the adapter `%s` ended: %s", self.name, reason)
        if self._ended == LIVES or reason == "adapter-options":
            self._troubles.append(Trouble(reason=reason))

    def _count_death(self, key: tuple[EnvelopeId, MailboxId], reason: str) -> Outcome:
        """Return what becomes of a message over which the process ended."""
        deaths = self._deaths.pop(key, 0) + 1
        if deaths < LIVES:
            self._deaths[key] = deaths
            return Later(reason=reason)
        # That it ends is told with the message that it ends of.
        self._troubles = [one for one in self._troubles if one.message is not None]
        self._troubles.append(Trouble(reason=reason, message=key[0], mailbox=key[1]))
        return NeedsPerson(code="adapter-poison")


def make_setup(value: str, options: Mapping[str, Any], home: Path, grants: Grants) -> Setup:
    """Return the first frame for the class that *value* (``module:attribute``) names."""
    module, _, attribute = value.partition(":")
    # The folder in which the gateway happens to have been started adds no code.
    paths = tuple(path for path in sys.path if Path(path).is_absolute())
    return Setup(
        module=module, attribute=attribute, options=options, home=str(home.resolve()), grants=grants, paths=paths
    )
