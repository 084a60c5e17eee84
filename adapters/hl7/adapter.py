"""A hospital system that speaks HL7 v2 over MLLP: messages go to it as documents, its referrals come as drafts, and it may say who attends.

``Filed`` is said only for an application's acceptance (``AA``) of every document; a transport's (``CA``) is not enough.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from adapters.at_risk import Attendance, AttendanceAnswer
from adapters.base import Filed, Incoming, Later, Manifest, NeedsPerson, Outcome, Outgoing
from adapters.desks import Desk
from adapters.durable import make_folder
from adapters.hl7.attendances import Registrations, is_shown, make_observation
from adapters.hl7.documents import Names, make_questions
from adapters.hl7.listening import Ear, Listener
from adapters.hl7.referrals import Settings
from adapters.hl7.wire import Hl7Error, ask, make_context
from adapters.marks import Marks
from schemas.identifiers import Code, MailboxId

_log = logging.getLogger("gateway.adapters.hl7")
_Name = Annotated[str, Meta(max_length=180)]
_PLACE = r"^[A-Za-z0-9._-]+:[0-9]{1,5}\Z"


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """``[adapters.hl7]``; docs/agencies/hl7.md says what each is."""

    path: Annotated[str, Meta(min_length=1)]
    to: Annotated[str, Meta(pattern=_PLACE)] | None = None
    tls: bool = False
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    application: _Name = "SGH"
    facility: _Name = ""
    to_application: _Name = ""
    to_facility: _Name = ""
    processing: Literal["P", "T", "D"] = "P"
    document_type: _Name = "CN"
    seconds: Annotated[float, Meta(gt=0, le=600)] = 20.0
    at: Annotated[str, Meta(pattern=_PLACE)] | None = None
    peers: tuple[str, ...] = ()
    from_: MailboxId | None = None
    refer_to: tuple[MailboxId, ...] = ()
    role: Code = "referrer"
    basis: tuple[str, ...] = ()
    attends_on: tuple[Annotated[str, Meta(pattern=r"\AA[0-9]{2}\Z")], ...] = ()
    shows: Literal["nothing", "known"] = "nothing"
    zone: str = "Europe/London"


class Hl7Adapter:
    """The built-in adapter for HL7 v2."""

    manifest: ClassVar[Manifest] = Manifest(
        name="hl7",
        title="HL7 v2 over MLLP",
        transports=("mllp", "mllps"),
        levels=("full",),
        network=True,
        writes=("path",),
        reads=("ca", "certificate", "key"),
        tested_against="a small MLLP hospital system on the `hl7` library",
        limits="HL7 has no reading back: filed rests on the application's AA; nothing is deleted there",
    )

    def __init__(self, options: Options, home: Path) -> None:
        self._options = options
        root = make_folder(home / options.path)
        self._filed = Marks(root / "filed")
        self._turn = asyncio.Lock()
        self._parties = (options.application, options.facility, options.to_application, options.to_facility)
        files = [home / name if name else None for name in (options.ca, options.certificate, options.key)]
        self._context = make_context(*files) if options.tls else None
        self._desk: Desk | None = None
        self.listener: Listener | None = None
        self._registrations = Registrations(root, options.attends_on, options.zone)
        if options.at:
            self._desk = Desk(root)
            ear = Ear(self._desk, _settings(options), self._registrations)
            context = make_context(*files, server=True) if options.tls else None
            self.listener = Listener(ear, _place(options.at), options.peers, context)

    @classmethod
    def configure(cls, options: Mapping[str, Any], home: Path) -> Hl7Adapter:
        """Return the adapter for its table of the configuration."""
        try:
            chosen = msgspec.convert(dict(options), Options, strict=True)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error
        if not chosen.to and not chosen.at:
            raise ValueError("neither `to` nor `at` is set")
        if chosen.at and not ((chosen.from_ or chosen.attends_on) and (chosen.peers or chosen.tls)):
            raise ValueError("`at` needs `from` or `attends_on`, and `peers` or `tls`")
        if (chosen.attends_on and not chosen.at) or (chosen.shows == "known" and not chosen.to):
            raise ValueError("`attends_on` needs `at`, and `shows` needs `to`")
        if chosen.at and chosen.tls and not (chosen.certificate and chosen.ca):
            raise ValueError("`at` with `tls` needs `certificate`, `key` and `ca`")
        try:
            ZoneInfo(chosen.zone)
            return cls(chosen, home)
        except (OSError, KeyError) as error:
            raise ValueError(f"`zone`, `ca`, `certificate`, `key` or `path`: {type(error).__name__}") from error

    async def collect(self) -> AsyncIterator[Outgoing]:
        """Yield the referrals that were heard; it listens from the first time on."""
        await asyncio.to_thread(self._filed.sweep)
        if self._desk is None or self.listener is None:
            return
        await self.listener.ensure()
        async for one in self._desk.collect():
            yield one

    async def file(self, message: Incoming) -> Outcome:
        """Send *message* as a document for each child's record; filed when the application took them all."""
        options = self._options
        if options.to is None:
            return NeedsPerson(code="hl7-listens-only")
        names = Names(parties=self._parties, document_type=options.document_type, processing=options.processing)
        questions = await asyncio.to_thread(make_questions, message, names)
        if isinstance(questions, NeedsPerson):
            return questions
        async with self._turn:
            for question in questions:
                # What the application took isn't sent again when a later one of the same message failed.
                if await asyncio.to_thread(self._filed.find, question.control) is not None:
                    continue
                objection = await ask(
                    _place(options.to), question.raw, question.control, context=self._context, seconds=options.seconds
                )
                if objection is not None:
                    return objection
                await asyncio.to_thread(self._filed.add, question.control)
        return Filed(record=message.envelope)

    async def attendances(self) -> AsyncIterator[Attendance]:
        """Yield whom the hospital's system registered."""
        for one in await asyncio.to_thread(self._registrations.waiting):
            yield one

    async def tell_attendance(self, answer: AttendanceAnswer) -> None:
        """Forget the registration, and show *answer* at the hospital's system where it is known and `shows` says so."""
        if self._options.to is not None and self._options.shows == "known" and is_shown(answer):
            raw, control = make_observation(
                answer, self._parties, self._options.processing, time.time_ns() // 1_000_000
            )
            async with self._turn:
                objection = await ask(
                    _place(self._options.to), raw, control, context=self._context, seconds=self._options.seconds
                )
            if isinstance(objection, Later):
                raise Hl7Error(objection.reason)
            if objection is not None:
                # It never will; the gateway's own notice tells of the match.
                _log.warning("the hospital's system refuses to show an answer: %s", objection.code)
        await asyncio.to_thread(self._registrations.let_go, answer.context)

    async def close(self) -> None:
        """Stop listening."""
        if self.listener is not None:
            await self.listener.close()


def _settings(options: Options) -> Settings:
    return Settings(
        mailbox=options.from_ or "", to=options.refer_to, role=options.role, basis=options.basis, zone=options.zone
    )


def _place(text: str) -> tuple[str, int]:
    name, _, port = text.rpartition(":")
    return name, int(port)
