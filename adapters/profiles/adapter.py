"""An adapter into an agency's own records: what they send and where what comes is filed is a mapping, how they are reached a system.

A profile is a subclass with its manifest, in a package that has the mapping: ``mapping.json``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from adapters.base import (
    DraftRefused,
    DraftResult,
    Filed,
    Held,
    Incoming,
    Later,
    Manifest,
    NeedsPerson,
    Notice,
    Outcome,
    Outgoing,
)
from adapters.profiles.checking import is_needed, options_of, parse_mapping
from adapters.profiles.drafting import Drafted, Settings, draft_record
from adapters.profiles.mapping import Mapping as Table
from adapters.profiles.opening import open_system
from adapters.profiles.placing import hold, is_kept, place, place_notice
from adapters.profiles.records import NotSent, Placed, Record, RecordsError, RecordSystem, Sent
from keys.digests import derived_id
from schemas.catalogue import Catalogue
from schemas.identifiers import Code, EnvelopeId, MailboxId

_log: Final = logging.getLogger("gateway.adapters.records")
_MIN_KEY: Final = 32
_Family = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_.]{0,62}\Z")]


class Options(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """What every profile's table may have beside how its system is reached; docs/agencies/records.md says what each is."""

    from_: MailboxId
    senders: dict[_Family, MailboxId] = {}
    to: dict[_Family, tuple[MailboxId, ...]] = {}
    role: Code
    basis: dict[_Family, tuple[Code, ...]] = {}
    retention: dict[_Family, Code] = {}
    constants: dict[str, Any] = {}
    zone: str = "Europe/London"
    mapping: str | None = None
    ids: str | None = None
    batch: Annotated[int, Meta(ge=1, le=1000)] = 50
    wait: Annotated[float, Meta(gt=0, le=600)] = 40.0


OPTIONS: Final = frozenset(one.encode_name for one in msgspec.structs.fields(Options))


class RecordsAdapter:
    """An agency's records, behind the manifest and the mapping of its profile."""

    manifest: ClassVar[Manifest]

    def __init__(self, mapping: Table, settings: Settings, system: RecordSystem, options: Options) -> None:
        self.mapping, self.system = mapping, system
        self._settings, self._options = settings, options
        self._turn = asyncio.Lock()

    @classmethod
    def configure(cls, options: Mapping[str, Any], home: Path) -> RecordsAdapter:
        """Return the adapter for its table of the configuration."""
        try:
            chosen = msgspec.convert({name: options[name] for name in options if name in OPTIONS}, Options, strict=True)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error
        mapping = cls._load_mapping(home / chosen.mapping if chosen.mapping else None)
        settings = _make_settings(chosen, mapping, home)
        rest = {name: options[name] for name in options if name not in OPTIONS}
        return cls(mapping, settings, cls.open_system(rest, home), chosen)

    @classmethod
    def open_system(cls, options: Mapping[str, Any], home: Path) -> RecordSystem:
        """Return the system that the remaining *options* lead to.

        Raises:
            ValueError: an option is unknown, ill-typed or missing; the text names it.
        """
        return open_system(options, home)

    @classmethod
    def _load_mapping(cls, path: Path | None) -> Table:
        try:
            raw = path.read_bytes() if path else files(cls.__module__).joinpath("mapping.json").read_bytes()
        except OSError as error:
            raise ValueError(f"`mapping`: {type(error).__name__}") from error
        return parse_mapping(raw, Catalogue.load())

    async def collect(self) -> AsyncIterator[Outgoing]:
        """Yield what waits in the outbox; what can't be a draft is answered with the reason, and keeps nothing behind it.

        Raises:
            RecordsError: the outbox can't be looked through now.
        """
        for record in await self.system.waiting(self._options.batch):
            drafted = self.draft(record)
            if not isinstance(drafted, DraftRefused):
                done = partial(self._done, record.key, drafted.ids)
                yield Outgoing(key=record.key, draft=drafted.draft, documents=drafted.documents, done=done)
                continue
            try:
                await self._done(record.key, {}, drafted)
            except RecordsError as error:
                # It is told at the next look; what is behind it goes.
                _log.info("a record's refusal can't be told: %s", error)

    def draft(self, record: Record) -> Drafted | DraftRefused:
        """Return what *record* becomes, or why it can't be sent."""
        return draft_record(record, self.mapping, self._settings)

    async def file(self, message: Incoming) -> Outcome:
        """Put the record that *message* becomes, and say ``Filed`` if it stands there as it was put."""
        placed = place(message, self.mapping, self._settings.zone)
        if isinstance(placed, NeedsPerson):
            return placed
        async with self._turn:
            try:
                async with asyncio.timeout(self._options.wait):
                    return await self._put(placed)
            except TimeoutError:
                return Later(reason="records-slow")
            except RecordsError as error:
                return error.outcome

    async def _put(self, placed: Placed) -> Outcome:
        reference = await self.system.put(placed)
        standing = await self.system.get(placed.kind, reference)
        if standing is None:
            return Later(reason="records-not-there")
        if not is_kept(placed, standing):
            return NeedsPerson(code="records-differs")
        record = f"{placed.kind}/{reference}"
        return Filed(record=record, mode=placed.mode, practitioners=standing.practitioners)

    async def notify(self, notice: Notice) -> None:
        """Put *notice* where staff see it in their own system; one that takes no notices needn't.

        Raises:
            RecordsError: it can't be taken now; the gateway tells it again.
        """
        try:
            await self.system.put(place_notice(notice))
        except RecordsError as error:
            if isinstance(error.outcome, Later):
                raise
            _log.warning("a notice isn't taken: %s", error.outcome.code)

    async def read_back(self, record: str) -> Held | None:
        """Return what stands under *record* now."""
        kind, _, reference = record.partition("/")
        standing = await self.system.get(kind, reference)
        return None if standing is None else hold(record, standing, self.mapping)

    async def delete(self, envelope: EnvelopeId, mailbox: MailboxId) -> bool:
        """Have the system delete all that is under *envelope*, of whichever team."""
        del mailbox
        return await self.system.delete(envelope)

    async def close(self) -> None:
        """Let go of the system."""
        await self.system.close()

    async def _done(self, key: str, ids: Mapping[str, str], result: DraftResult) -> None:
        if isinstance(result, DraftRefused):
            await self.system.answer(key, NotSent(code=result.code, message=result.message, hint=result.hint))
        else:
            await self.system.answer(key, Sent(envelope=result.envelope, thread=result.thread, ids=ids))


def _make_settings(options: Options, mapping: Table, home: Path) -> Settings:
    try:
        zone = ZoneInfo(options.zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError('`zone` is no zone, as "Europe/London" is') from error
    if missing := sorted(options_of(mapping) - options.constants.keys()):
        raise ValueError(f"`constants`: the mapping asks for {', '.join(missing)}")
    key = None
    if options.ids:
        try:
            key = (home / options.ids).read_bytes()
        except OSError as error:
            raise ValueError(f"`ids`: {type(error).__name__}") from error
        if len(key) < _MIN_KEY:
            raise ValueError(f"`ids`: the file has fewer than {_MIN_KEY} bytes")
    elif is_needed(mapping, "own-id"):
        raise ValueError("`ids` isn't set: the mapping makes ids of the system's own numbers")
    return Settings(
        sender=options.from_,
        senders=options.senders,
        to=options.to,
        role=options.role,
        basis=options.basis,
        retention=options.retention,
        constants=options.constants,
        zone=zone,
        name_it=partial(_name_it, key) if key else None,
    )


def _name_it(key: bytes, scope: str, number: str) -> str:
    return derived_id(key, f"{scope}\n{number}")
