"""What goes over the pipe between a gateway and an adapter's process: length, then one MessagePack value.

The gateway asks, the process answers, one at a time; ``seq`` ties the answer to its question, so that a frame that
nobody asked for is never taken for an answer.  A draft goes as its JSON, so that one strict parser reads every draft.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Annotated, Any, Final, Protocol

import msgspec
from msgspec import Meta

from adapters.at_risk import AtRiskList, Attendance, AttendanceAnswer
from adapters.base import MAX_ATTACHMENTS, Document, DraftRefused, Held, Incoming, Manifest, Notice, Spooled
from adapters.hosting.grants import Grants
from schemas.identifiers import EnvelopeId, MailboxId
from schemas.receipt import Mode

# The methods that an adapter may have beside `collect` and `file`.
OPTIONAL: Final = ("notify", "delete", "read_back", "at_risk", "attendances", "tell_attendance")
# How many attendances come with one answer; the rest comes with the next.
MAX_ATTENDANCES: Final = 1000
MAX_PRACTITIONERS: Final = 16
MAX_FRAME: Final = 96 * 1024 * 1024
_LENGTH: Final = struct.Struct(">I")
Line = Annotated[str, Meta(max_length=500)]


class FrameError(ValueError):
    """What came is no frame, or not one of those that may come."""


class Setup(msgspec.Struct, frozen=True, kw_only=True, tag="setup"):
    """The first frame: which class, and all that its process may reach.

    ``paths`` is where code is looked for, as in the gateway.  ``describe``: only say what it is, then end.
    """

    seq: int = 0
    module: str
    attribute: str
    options: Mapping[str, Any] = {}
    home: str = ""
    grants: Grants = Grants()
    paths: tuple[str, ...] = ()
    describe: bool = False


class Collect(msgspec.Struct, frozen=True, tag="collect"):
    """Begin to hand over what waits."""

    seq: int


class Next(msgspec.Struct, frozen=True, tag="next"):
    """Hand over the next draft, or say that there is none."""

    seq: int


class Done(msgspec.Struct, frozen=True, tag="done"):
    """What became of the draft *key*: one of the two results."""

    seq: int
    key: str
    spooled: Spooled | None = None
    refused: DraftRefused | None = None


class File(msgspec.Struct, frozen=True, tag="file"):
    """Put a message into the record system."""

    seq: int
    message: Incoming


class Tell(msgspec.Struct, frozen=True, tag="tell"):
    """Show a notice."""

    seq: int
    notice: Notice


class Delete(msgspec.Struct, frozen=True, tag="delete"):
    """Delete an envelope's copy."""

    seq: int
    envelope: EnvelopeId
    mailbox: MailboxId


class ReadBack(msgspec.Struct, frozen=True, tag="read-back"):
    """Say what stands under a record."""

    seq: int
    record: str


class AtRisk(msgspec.Struct, frozen=True, tag="at-risk"):
    """Say which list of children at risk the system has."""

    seq: int


class WhoAttends(msgspec.Struct, frozen=True, tag="who-attends"):
    """Say who has come."""

    seq: int


class TellAttendance(msgspec.Struct, frozen=True, tag="tell-attendance"):
    """Show what is known of somebody who has come."""

    seq: int
    answer: AttendanceAnswer


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """The adapter is there: what it says of itself, which optional methods it has, which confinements hold."""

    seq: int = 0
    manifest: Manifest
    offers: tuple[Line, ...]
    holds: tuple[Line, ...] = ()


class Unfit(msgspec.Struct, frozen=True, kw_only=True, tag="unfit"):
    """It can't be had: *code* `adapter-options`, `adapter-manifest`, `adapter-import` or `adapter-unconfined`, and what to correct."""

    seq: int = 0
    code: Line
    text: Line


class Drafted(msgspec.Struct, frozen=True, kw_only=True, tag="drafted"):
    """One draft, as strict JSON, with its documents."""

    seq: int
    key: Annotated[str, Meta(min_length=1, max_length=1000)]
    draft: bytes
    documents: Annotated[tuple[Document, ...], Meta(max_length=MAX_ATTACHMENTS)] = ()


class Answered(msgspec.Struct, frozen=True, kw_only=True, tag="answered"):
    """It is done, where there is nothing more to say; of ``delete``, whether none is left."""

    seq: int
    yes: bool = True


class Outcome(msgspec.Struct, frozen=True, kw_only=True, tag="outcome"):
    """What became of a message: exactly one of ``record`` (with its mode), ``later`` and ``person``."""

    seq: int
    record: Annotated[str, Meta(max_length=2000)] | None = None
    mode: Mode = "full"
    practitioners: Annotated[tuple[Line, ...], Meta(max_length=MAX_PRACTITIONERS)] = ()
    later: Line | None = None
    person: Line | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True, tag="standing"):
    """What stands under a record."""

    seq: int
    held: Held | None


class Listing(msgspec.Struct, frozen=True, kw_only=True, tag="listing"):
    """Which list of children at risk the system has."""

    seq: int
    found: AtRiskList | None


class Attended(msgspec.Struct, frozen=True, kw_only=True, tag="attended"):
    """Who has come, the oldest first."""

    seq: int
    attendances: Annotated[tuple[Attendance, ...], Meta(max_length=MAX_ATTENDANCES)]


class Stale(msgspec.Struct, frozen=True, kw_only=True, tag="stale"):
    """A file or folder of its options isn't the one that it was granted any more: it did nothing, and has to be started anew."""

    seq: int


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """The adapter raised: kind and place of the error, without its text, which may hold content."""

    seq: int
    place: Line


Question = Setup | Collect | Next | Done | File | Tell | Delete | ReadBack | AtRisk | WhoAttends | TellAttendance
Answer = Ready | Unfit | Drafted | Answered | Outcome | Standing | Listing | Attended | Stale | Failed
_questions: Final[msgspec.msgpack.Decoder[Question]] = msgspec.msgpack.Decoder(Question)
_answers: Final[msgspec.msgpack.Decoder[Answer]] = msgspec.msgpack.Decoder(Answer)


class Source(Protocol):
    """What frames are read from."""

    async def readexactly(self, n: int, /) -> bytes:
        """Return the next *n* bytes."""
        ...


def pack(value: Question | Answer) -> bytes:
    """Return *value* as a frame.

    Raises:
        FrameError: it is longer than any that may go.
    """
    raw = msgspec.msgpack.encode(value)
    if len(raw) > MAX_FRAME:
        raise FrameError("a frame is too long")
    return _LENGTH.pack(len(raw)) + raw


async def read_frame(source: Source, *, max_bytes: int = MAX_FRAME) -> bytes:
    """Return the bytes of the next frame.

    Raises:
        FrameError: it says that it is longer than *max_bytes*; nothing of it is read.
        EOFError: the other side has ended.
    """
    (length,) = _LENGTH.unpack(await source.readexactly(_LENGTH.size))
    if length > max_bytes:
        raise FrameError("a frame is too long")
    return await source.readexactly(length)


def parse_question(raw: bytes) -> Question:
    """Return what the gateway asks."""
    return _questions.decode(raw)


def parse_answer(raw: bytes, seq: int) -> Answer:
    """Return what an adapter's process answered to question *seq*.

    Raises:
        FrameError: it is no answer, or one to another question.
    """
    try:
        answer = _answers.decode(raw)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise FrameError("a frame is no answer") from error
    if answer.seq != seq:
        raise FrameError("a frame answers another question")
    return answer
