"""A system of the agency's own that takes and sends signed webhooks: messages are posted to it, its drafts come to a port.

``Filed`` is said only when the system, asked again under the record that it named, holds what it was sent.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta
from yarl import URL

from adapters.base import Filed, Held, Incoming, Later, Manifest, NeedsPerson, Notice, Outcome, Outgoing
from adapters.desks import Desk
from adapters.durable import make_folder
from adapters.webhook.bodies import digests_of, is_same, make_message, make_notice, name_of
from adapters.webhook.listening import Listener, Pace
from adapters.webhook.sending import RECORD, Endpoint, WebhookError, parse_record
from adapters.webhook.signing import Secrets

_log = logging.getLogger("gateway.adapters.webhook")
_LOCAL: Final = frozenset({"127.0.0.1", "localhost"})


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[adapters.webhook]``; docs/agencies/webhook.md says what each is."""

    url: Annotated[str, Meta(max_length=500)] | None = None
    secret: str | None = None
    ca: str | None = None
    seconds: Annotated[float, Meta(gt=0, le=600)] = 20.0
    at: Annotated[str, Meta(pattern=r"^[0-9.]+:[0-9]{1,5}\Z")] | None = None
    path: Annotated[str, Meta(min_length=1)] | None = None
    drafts_secret: str | None = None
    certificate: str | None = None
    key: str | None = None
    waiting: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    per_minute: Annotated[int, Meta(ge=1, le=100_000)] = 120


class WebhookAdapter:
    """The built-in adapter for Standard Webhooks."""

    manifest: ClassVar[Manifest] = Manifest(
        name="webhook",
        title="Signed webhooks",
        transports=("https",),
        levels=("full",),
        network=True,
        writes=("path",),
        reads=("secret", "drafts_secret", "ca", "certificate", "key"),
        tested_against="small HTTP servers; signatures by the `standardwebhooks` library, both ways",
        limits="the agency writes the endpoint, and it reads back what it holds; a draft has 32 MiB of documents; nothing is deleted there",
    )

    def __init__(self, options: Options, home: Path) -> None:
        self._options = options
        self._turn = asyncio.Lock()
        files = {name: Secrets(home / name) for name in (options.secret, options.drafts_secret) if name}
        self._endpoint: Endpoint | None = None
        if options.url and options.secret:
            context = ssl.create_default_context(cafile=home / options.ca if options.ca else None)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            self._endpoint = Endpoint(options.url, files[options.secret], seconds=options.seconds, context=context)
        self._desk: Desk | None = None
        self.listener: Listener | None = None
        if options.at and options.path and options.drafts_secret:
            if options.secret and files[options.secret].shares(files[options.drafts_secret]):
                # What the gateway sent could be sent back to it.
                raise ValueError("`secret` and `drafts_secret` hold one secret; each way needs its own")
            self._desk = Desk(make_folder(home / options.path), options.waiting)
            address, _, port = options.at.partition(":")
            self.listener = Listener(
                self._desk, files[options.drafts_secret], (address, int(port)), _serve_tls(options, home), Pace(options.per_minute)
            )  # fmt: skip

    @classmethod
    def configure(cls, options: Mapping[str, Any], home: Path) -> WebhookAdapter:
        """Return the adapter for its table of the configuration."""
        try:
            chosen = msgspec.convert(dict(options), Options, strict=True)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error
        _check(chosen)
        try:
            return cls(chosen, home)
        except OSError as error:
            named = "`secret`, `drafts_secret`, `ca`, `certificate`, `key` or `path`"
            raise ValueError(f"{named}: {type(error).__name__}") from error

    async def collect(self) -> AsyncIterator[Outgoing]:
        """Yield the drafts that came; it listens from the first time on."""
        if self._desk is None or self.listener is None:
            return
        await self.listener.ensure()
        async for one in self._desk.collect():
            yield one

    async def file(self, message: Incoming) -> Outcome:
        """Post *message*, and read back what the system holds under the record that it named."""
        if self._endpoint is None:
            return NeedsPerson(code="webhook-listens-only")
        body = await asyncio.to_thread(make_message, message)
        async with self._turn:
            try:
                async with asyncio.timeout(self._options.seconds):
                    record = parse_record(await self._endpoint.send(name_of(message), body))
                    copy = await self._endpoint.read(record)
            except TimeoutError:
                return Later(reason="webhook-slow")
            except WebhookError as error:
                return error.outcome
        if copy is None:
            return Later(reason="webhook-not-there")
        if copy.ended or not is_same(message.message, copy.message) or list(copy.documents) != digests_of(message):
            return NeedsPerson(code="webhook-differs")
        return Filed(record=record)

    async def notify(self, notice: Notice) -> None:
        """Post *notice*; whatever success is answered is enough, and a system that takes no notices needn't.

        Raises:
            WebhookError: it can't be taken now; the gateway tells it again.
        """
        if self._endpoint is None:
            return
        try:
            await self._endpoint.send(*make_notice(notice))
        except WebhookError as error:
            if isinstance(error.outcome, Later):
                raise
            _log.warning("a notice isn't taken: %s", error.outcome.code)

    async def read_back(self, record: str) -> Held | None:
        """Return what the system holds under *record* now."""
        if self._endpoint is None or not RECORD.fullmatch(record):
            return None
        copy = await self._endpoint.read(record)
        if copy is None:
            return None
        members = {f"/{name}": value for name, value in copy.message.items() if not set(name) & set("/*~")}
        return Held(record=record, members=members, ended=copy.ended)

    async def close(self) -> None:
        """Stop listening."""
        if self.listener is not None:
            await self.listener.close()


def _check(options: Options) -> None:
    """Refuse options that don't go together, or would send content where others can read it."""
    if not options.url and not options.at:
        raise ValueError("neither `url` nor `at` is set")
    if bool(options.url) != bool(options.secret):
        raise ValueError("`url` and `secret` belong together")
    # A folder alone does no harm: `gateway adapter check` gives one to whoever may have one.
    if bool(options.at) != bool(options.drafts_secret) or (options.at and not options.path):
        raise ValueError("`at`, `path` and `drafts_secret` belong together")
    if bool(options.certificate) != bool(options.key):
        raise ValueError("`certificate` and `key` belong together")
    if options.url:
        url = URL(options.url)
        if url.scheme != "https" and not (url.scheme == "http" and url.host in _LOCAL):
            raise ValueError("`url` isn't https")
        if not url.host or url.user or url.password or url.query_string or url.fragment:
            raise ValueError("`url` has a user, a query or a fragment, or no host")
    if options.at and not options.certificate and not ip_address(options.at.partition(":")[0]).is_loopback:
        raise ValueError("`at` is reached by others, and needs `certificate` and `key`")


def _serve_tls(options: Options, home: Path) -> ssl.SSLContext | None:
    if not options.certificate or not options.key:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(home / options.certificate, home / options.key)
    return context
