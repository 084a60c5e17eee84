"""The adapter's side of the pipe: each question becomes a call of the adapter, each result an answer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from typing import Any, BinaryIO, Final, get_args

import msgspec

from adapters.at_risk import Attendance
from adapters.base import MAX_DRAFT, DraftRefused, Filed, Later, NeedsPerson, Outgoing
from adapters.errors import place_of
from adapters.hosting import frames
from adapters.hosting.frames import Answer, Question, pack, parse_question, read_frame
from schemas.receipt import Mode
from schemas.strict_json import dump

# Of the time that it may take; an adapter that waits for its partner longer is asked again later, not ended.
PATIENCE: Final = 0.8
_WORD: Final = 200
_MAX_DOCUMENTS: Final = frames.MAX_FRAME - 2 * MAX_DRAFT
_TOO_LONG: Final = DraftRefused(
    code="draft-too-long", message="a draft's documents are longer than a gateway can take", hint="split it"
)


class Places:
    """The files and folders of the options, as they were when they were granted.

    A share that was mounted again, or a certificate that was replaced, is another file to the kernel, under the same name.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = tuple(paths)
        self._were = self._look()

    def _look(self) -> list[tuple[int, int] | None]:
        found: list[tuple[int, int] | None] = []
        for path in self._paths:
            try:
                facts = os.stat(path)  # noqa: PTH116
            except OSError:
                found.append(None)
            else:
                found.append((facts.st_dev, facts.st_ino))
        return found

    def have_changed(self) -> bool:
        """Answer whether one is another now, or there where it wasn't."""
        return self._look() != self._were


class Service:
    """One adapter, as its gateway asks it."""

    def __init__(self, adapter: Any, seconds: float, places: Places) -> None:
        self._adapter, self._seconds, self._places = adapter, seconds, places
        self._waiting: AsyncIterator[Outgoing] | None = None
        self._yielded: dict[str, Outgoing] = {}

    async def answer(self, question: Question) -> Answer:
        """Return what the adapter says; an error becomes its kind and place."""
        seq = question.seq
        try:
            async with asyncio.timeout(self._seconds * PATIENCE):
                # Looking may hang as long as a network share does.
                if await asyncio.to_thread(self._places.have_changed):
                    return frames.Stale(seq=seq)
                return await self._ask(question)
        except TimeoutError:
            if isinstance(question, frames.File):
                return frames.Outcome(seq=seq, later="adapter-slow")
            return frames.Failed(seq=seq, place="TimeoutError at adapter:0")
        except Exception as error:  # noqa: BLE001
            return frames.Failed(seq=seq, place=place_of(error)[:400])

    async def _ask(self, question: Question) -> Answer:
        match question:
            case frames.File(seq, message):
                return _say(seq, await self._adapter.file(message))
            case frames.Collect(seq):
                await self._begin()
                return frames.Answered(seq=seq)
            case frames.Next(seq):
                return await self._next(seq)
            case frames.Done(seq, key, spooled, refused):
                await self._settle(key, spooled or refused)
                return frames.Answered(seq=seq)
            case frames.Tell(seq, notice):
                await self._adapter.notify(notice)
                return frames.Answered(seq=seq)
            case frames.Delete(seq, envelope, mailbox):
                return frames.Answered(seq=seq, yes=bool(await self._adapter.delete(envelope, mailbox)))
            case frames.ReadBack(seq, record):
                return frames.Standing(seq=seq, held=await self._adapter.read_back(record))
            case frames.AtRisk() | frames.WhoAttends() | frames.TellAttendance():
                return await self._ask_of_risk(question)
            case frames.Setup():
                raise frames.FrameError("it is set up already")

    async def _ask_of_risk(self, question: frames.AtRisk | frames.WhoAttends | frames.TellAttendance) -> Answer:
        match question:
            case frames.AtRisk(seq):
                return frames.Listing(seq=seq, found=await self._adapter.at_risk())
            case frames.WhoAttends(seq):
                return frames.Attended(seq=seq, attendances=await _first(self._adapter.attendances()))
            case frames.TellAttendance(seq, answer):
                await self._adapter.tell_attendance(answer)
                return frames.Answered(seq=seq)

    async def _begin(self) -> None:
        if self._waiting is not None and hasattr(self._waiting, "aclose"):
            await self._waiting.aclose()
        self._yielded.clear()
        self._waiting = aiter(self._adapter.collect())

    async def _next(self, seq: int) -> Answer:
        if self._waiting is None:
            return frames.Answered(seq=seq)
        async for outgoing in self._waiting:
            length = sum(len(one.content) for one in outgoing.documents)
            if length > _MAX_DOCUMENTS:
                # It would never get through, and would keep what is behind it.
                await outgoing.done(_TOO_LONG)
                continue
            self._yielded[outgoing.key] = outgoing
            draft = dump(msgspec.to_builtins(outgoing.draft))
            return frames.Drafted(seq=seq, key=outgoing.key, draft=draft, documents=tuple(outgoing.documents))
        self._waiting = None
        return frames.Answered(seq=seq)

    async def _settle(self, key: str, result: Any) -> None:
        outgoing = self._yielded.get(key)
        # Yielded before a restart: it is yielded again, and settled then.
        if outgoing is not None and result is not None:
            await outgoing.done(result)


async def _first(attendances: AsyncIterator[Attendance]) -> tuple[Attendance, ...]:
    """Return as many as go with one answer; what is left is yielded again."""
    found: list[Attendance] = []
    async for one in attendances:
        found.append(one)
        if len(found) == frames.MAX_ATTENDANCES:
            break
    if hasattr(attendances, "aclose"):
        await attendances.aclose()
    return tuple(found)


def _say(seq: int, outcome: object) -> Answer:
    match outcome:
        case Filed(record=str() as record, mode=mode, practitioners=people) if mode in get_args(Mode):
            named = tuple(one for one in people if isinstance(one, str) and len(one) <= _WORD)
            return frames.Outcome(seq=seq, record=record, mode=mode, practitioners=named[: frames.MAX_PRACTITIONERS])
        case Later(reason=str() as reason):
            return frames.Outcome(seq=seq, later=reason[:_WORD])
        case NeedsPerson(code=str() as code):
            return frames.Outcome(seq=seq, person=code[:_WORD])
    return frames.Outcome(seq=seq, person="adapter-answer")


async def serve(adapter: Any, asking: BinaryIO, answering: BinaryIO, places: Places, *, seconds: float) -> None:
    """Answer what *asking* brings, one question at a time, until it ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), asking)
    service = Service(adapter, seconds, places)
    answering.flush()
    try:
        while True:
            question = parse_question(await read_frame(reader))
            answering.write(pack(await service.answer(question)))
            answering.flush()
    except EOFError:
        return
    finally:
        transport.close()
