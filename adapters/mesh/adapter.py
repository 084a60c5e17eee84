"""A trust's own MESH mailbox as its record system: messages go into it as packages, its engine answers, its drafts come.

``Filed`` is said only for the engine's own message on ``{workflow}_ACK`` with the record's reference and the digest of what it
has; that MESH took or delivered a message is not enough.

Source: NHS MESH API; design 6.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import msgspec
from mesh_client import MeshClient, Message
from msgspec import Meta

from adapters.base import DraftRefused, DraftResult, Incoming, Later, Manifest, NeedsPerson, Notice, Outcome, Outgoing
from adapters.durable import make_folder
from adapters.errors import place_of
from adapters.mesh.drafts import Drafts
from adapters.mesh.line import (
    ERRORS,
    Line,
    OwnFilesError,
    is_gone,
    judge,
    make_client,
    read_at_most,
    read_secret,
    retrieved,
)
from adapters.mesh.packages import MAX_PACKAGE, MEDIA_TYPE, pack
from adapters.mesh.sendings import MAX_ANSWER, Report, Sendings
from adapters.pair import describe_notice
from schemas.strict_json import MalformedError

_log = logging.getLogger("gateway.adapters.mesh")
_Workflow = Annotated[str, Meta(pattern=r"^[A-Z0-9_.-]{1,200}\Z")]
_Mailbox = Annotated[str, Meta(pattern=r"^[A-Z0-9_-]{1,100}\Z")]
_File = Annotated[str, Meta(min_length=1)]
ANY_TYPE: Final = "*"
_PAGE: Final = 500
# How many seconds one look takes, or telling does, before the rest waits for the next.
_LOOK: Final = 10.0
_NEAR: Final = re.compile(r"^http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?\Z")


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[adapters.mesh]``; docs/agencies/mesh.md says what each is."""

    path: _File
    url: Annotated[str, Meta(pattern=r"^https?://[A-Za-z0-9._:\[\]-]+\Z")]
    mailbox: _Mailbox
    to: _Mailbox
    password: _File
    shared_key: _File
    workflows: dict[str, _Workflow]
    drafts: _Workflow = "SAFEGUARDING_DRAFT"
    notices: _Workflow | None = None
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    seconds: Annotated[float, Meta(gt=0, le=600)] = 20.0
    pause: Annotated[float, Meta(ge=0, le=3600)] = 10.0
    chunk_mib: Annotated[int, Meta(ge=1, le=100)] = 20


class MeshAdapter:
    """The built-in adapter for a MESH mailbox inside a trust."""

    manifest: ClassVar[Manifest] = Manifest(
        name="mesh",
        title="MESH mailbox of a trust",
        transports=("mesh",),
        levels=("full", "summary", "reference_only"),
        network=True,
        writes=("path",),
        reads=("password", "shared_key", "ca", "certificate", "key"),
        answers_later=True,
        tested_against="the NHS's `mesh-sandbox`, by the NHS's `mesh-client`",
        limits="filed rests on the answer of the trust's engine, which names the digest of what it has; nothing is deleted there",
    )

    def __init__(self, options: Options, home: Path) -> None:
        self._options = options
        root = make_folder(home / options.path)
        self._sendings, self._drafts = Sendings(root / "sent"), Drafts(root)
        secrets = (home / options.password, home / options.shared_key)
        for path in secrets:
            read_secret(path)
        ca, certificate, key = (
            home / name if name else None for name in (options.ca, options.certificate, options.key)
        )
        make = partial(make_client, options.url, options.mailbox, secrets, (ca, certificate, key), options.seconds)
        self._out, self._in = Line(make, "out"), Line(make, "in")
        self._turn = asyncio.Lock()
        self._left: set[str] = set()
        self._failed: set[str] = set()
        self._looked = -options.pause
        self._unread: Exception | None = None

    @classmethod
    def configure(cls, options: Mapping[str, Any], home: Path) -> MeshAdapter:
        """Return the adapter for its table of the configuration."""
        try:
            chosen = msgspec.convert(dict(options), Options, strict=True)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error
        if any(one.endswith("_ACK") for one in (chosen.drafts, *chosen.workflows.values())):
            raise ValueError("`workflows` or `drafts`: a name that ends in _ACK is an answer's")
        if chosen.url.startswith("http:") and not _NEAR.match(chosen.url):
            raise ValueError("`url`: http only to the gateway's own machine")
        if bool(chosen.certificate) != bool(chosen.key):
            raise ValueError("`certificate` and `key` go together")
        try:
            return cls(chosen, home)
        except OSError as error:
            raise ValueError(f"`path`, `password` or `shared_key`: {type(error).__name__}") from error

    async def collect(self) -> AsyncIterator[Outgoing]:
        """Take what came, tell the engine what it is yet to be told, and yield the drafts.

        Raises:
            Exception: one of :data:`~adapters.mesh.line.ERRORS`; the mailbox couldn't be read at the last look.
        """
        await asyncio.to_thread(self._sendings.sweep)
        async with self._turn:
            await self._look()
            await self._tell_all()
        for key in await asyncio.to_thread(self._drafts.list_waiting):
            done = partial(self._settle, key)
            try:
                draft, documents = await asyncio.to_thread(self._drafts.load, key)
            except MalformedError as error:
                await done(DraftRefused(code=error.code, message=error.message, hint=error.hint))
                continue
            yield Outgoing(key=key, draft=draft, documents=documents, done=done)
        if self._unread is not None:
            raise self._unread

    async def file(self, message: Incoming) -> Outcome:
        """Send *message* unless MESH has it already; filed once the engine has answered."""
        async with self._turn:
            try:
                outcome = await self._out.run(partial(self._send, message))
            except OwnFilesError as error:
                _log.warning("a message can't be sent now: %s", place_of(error))
                return judge(error)
            if outcome != Later(reason="mesh-waiting"):
                return outcome
            await self._look()
            found = await asyncio.to_thread(self._sendings.find, message.envelope, message.mailbox)
        return (found and found.outcome) or outcome

    async def notify(self, notice: Notice) -> None:
        """Send *notice* to the engine, where `notices` names a workflow for them."""
        if self._options.notices:
            await asyncio.to_thread(self._drafts.note, notice.id, describe_notice(notice))

    async def close(self) -> None:
        """Let both threads finish, and close their clients."""
        await self._out.close()
        await self._in.close()

    async def _settle(self, key: str, result: DraftResult) -> None:
        await asyncio.to_thread(self._drafts.settle, key, result)

    async def _look(self) -> None:
        """Take what came, unless that was just done; a mailbox that can't be reached keeps nothing else."""
        if time.monotonic() - self._looked >= self._options.pause:
            self._unread = None
            try:
                await self._in.run(self._take_all)
            except ERRORS as error:
                _log.warning("the mailbox can't be read now: %s", place_of(error))
                self._unread = error
            self._looked = time.monotonic()

    async def _tell_all(self) -> None:
        """Tell the engine what waits for that; with nothing to tell no client is made, which would keep the files of today."""
        if await asyncio.to_thread(self._drafts.list_answers):
            try:
                await self._out.run(self._tell)
            except OwnFilesError as error:
                _log.warning("the record system can't be told now: %s", place_of(error))

    def _send(self, message: Incoming, client: MeshClient) -> Outcome:
        """Send *message* under a LocalID that is on disk before it goes; whatever came of it, the same may go again."""
        found = self._sendings.find(message.envelope, message.mailbox)
        if found is not None and (found.outcome or found.waiting):
            return found.outcome or Later(reason="mesh-waiting")
        workflows = self._options.workflows
        workflow = workflows.get(message.type) or workflows.get(ANY_TYPE)
        if workflow is None:
            return NeedsPerson(code="mesh-no-workflow")
        package = pack(message)
        sending = self._sendings.begin(message, workflow, package)
        try:
            name = client.send_message(
                self._options.to,
                package,
                max_chunk_size=self._options.chunk_mib * 1024 * 1024,
                workflow_id=workflow,
                local_id=sending.local_id,
                content_type=MEDIA_TYPE,
            )
        except ERRORS as error:
            _log.warning("a message can't be sent now: %s", place_of(error))
            self._out.drop()
            return judge(error)
        self._sendings.accepted(sending, name)
        return Later(reason="mesh-waiting")

    def _take_all(self, client: MeshClient) -> None:
        """Take each message that is for us; one that can't be taken comes last the next time, and keeps none behind it.

        What there is no time for is taken the next time: whoever waits for this has a limit.
        """
        until = time.monotonic() + _LOOK
        names = [name for name in client.iterate_message_ids(batch_size=_PAGE) if name not in self._left]
        for name in sorted(names, key=self._failed.__contains__):
            if time.monotonic() > until:
                return
            try:
                self._take(client, name)
                self._failed.discard(name)
            except ERRORS as error:
                if not is_gone(error):
                    self._failed.add(name)
                    raise
            except ValueError as error:
                # Its sender hears from MESH after five days that nobody acknowledged it.
                _log.warning("a message is left in the mailbox: %s", place_of(error))
                self._left.add(name)

    def _take(self, client: MeshClient, name: str) -> None:
        """Keep what the message *name* says, durably; only then acknowledge it.

        Raises:
            ValueError: it isn't ours, or can't be read.
        """
        with retrieved(client, name) as message:
            if message.message_type == "REPORT":
                keep: Callable[[], bool] = partial(self._sendings.take_report, _report(message))
            else:
                keep = self._read(message, name)
        if not keep():
            raise ValueError("it is about nothing that was sent from here")
        client.acknowledge_message(name)

    def _read(self, message: Message, name: str) -> Callable[[], bool]:
        workflow = message.workflow_id or ""
        if message.sender != self._options.to:
            raise ValueError("it is from another mailbox")
        if workflow == self._options.drafts:
            content = read_at_most(message, MAX_PACKAGE)
            return partial(self._drafts.take, content, message.local_id or "", name)
        # Also of a workflow that was configured when its message went.
        if not workflow.endswith("_ACK"):
            raise ValueError("it is on a workflow that isn't ours")
        content = read_at_most(message, MAX_ANSWER)
        return partial(self._sendings.take_answer, content or b"", workflow)

    def _tell(self, client: MeshClient) -> None:
        """Send what the engine is yet to be told; what can't be sent now stays, and what is refused keeps nothing else."""
        options, until = self._options, time.monotonic() + _LOOK
        for path, is_notice in self._drafts.list_answers():
            if time.monotonic() > until:
                return
            workflow = (options.notices or "") if is_notice else f"{options.drafts}_ACK"
            if not workflow:
                continue
            try:
                client.send_message(
                    options.to,
                    path.read_bytes(),
                    workflow_id=workflow,
                    local_id=path.stem,
                    content_type="application/json",
                )
            except ERRORS as error:
                _log.warning("the record system can't be told now: %s", place_of(error))
                if isinstance(judge(error), Later):
                    self._out.drop()
                    return
            else:
                self._drafts.told(path)


def _report(message: Message) -> Report:
    """Return what a report says; MESH and its elder interface spell the linked id differently."""
    said = {key.lower(): str(value) for key, value in message.mex_headers()}  # type: ignore[no-untyped-call]
    return Report(name=said.get("linkedmsgid", ""), local_id=said.get("localid", ""), code=said.get("statuscode", ""))
