"""A health record with a FHIR R4 interface: messages become its resources, in one transaction, and are read back."""

from __future__ import annotations

import asyncio
import base64
import binascii
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta
from yarl import URL

from adapters.base import Held, Incoming, Manifest, Notice, Outcome, Outgoing
from adapters.fhir.client import Client, Credentials
from adapters.fhir.filing import file_message
from adapters.fhir.finding import REFERENCE
from adapters.fhir.judging import FhirError
from adapters.fhir.mapping import Systems
from adapters.fhir.outbox import find_drafts
from adapters.fhir.resources import WHOLE, Resource
from adapters.fhir.telling import tell
from schemas.strict_json import MalformedError, parse

_Url = Annotated[str, Meta(pattern=r"^https?://[^\s?#]+\Z", max_length=2000)]
_NHS_NUMBER: Final = "https://fhir.nhs.uk/Id/nhs-number"
_MAX_MESSAGE: Final = 64 * 1024 * 1024
_ENDED: Final = frozenset({"inactive", "entered-in-error", "superseded"})


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[adapters.fhir]``; docs/agencies/fhir.md says what each is."""

    base: _Url
    system: _Url = "https://safeguarding-hub.example/fhir"
    nhs_number: _Url = _NHS_NUMBER
    profiles: dict[str, _Url] = {}
    practitioner: _Url | None = None
    outbox: bool = False
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    token_url: _Url | None = None
    client: str | None = None
    secret: str | None = None
    scope: str = ""
    seconds: Annotated[float, Meta(gt=0, le=600)] = 20.0


class FhirAdapter:
    """The built-in adapter for FHIR R4."""

    manifest: ClassVar[Manifest] = Manifest(
        name="fhir",
        title="FHIR R4",
        transports=("https",),
        levels=("full",),
        network=True,
        reads=("ca", "certificate", "key", "secret"),
        tested_against="Medplum's FHIR server (its router, transactions, search and validator; in memory), a small server that misbehaves, resources by the `fhir.resources` library (R4B)",
        limits="the server needs transactions and conditional create; it never makes a patient; nothing is deleted there, which FHIR can't do for good",
    )

    def __init__(self, options: Options, home: Path) -> None:
        self._systems = Systems(base=options.system.rstrip("/"), nhs_number=options.nhs_number)
        self._options = options
        self._turn = asyncio.Lock()
        credentials = None
        if options.token_url and options.client and options.secret:
            secret = (home / options.secret).read_text("utf-8").strip()
            credentials = Credentials(url=options.token_url, client=options.client, secret=secret, scope=options.scope)
        self._client = Client(
            options.base, seconds=options.seconds, context=_context(options, home), credentials=credentials
        )

    @classmethod
    def configure(cls, options: Mapping[str, Any], home: Path) -> FhirAdapter:
        """Return the adapter for its table of the configuration."""
        try:
            chosen = msgspec.convert(dict(options), Options, strict=True)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error
        for name in ("base", "token_url"):
            url = getattr(chosen, name)
            # What goes there is about children, or opens what is.
            if url and not url.startswith("https:") and URL(url).host not in {"127.0.0.1", "localhost"}:
                raise ValueError(f"`{name}` isn't https")
        if len({bool(chosen.token_url), bool(chosen.client), bool(chosen.secret)}) > 1:
            raise ValueError("`token_url`, `client` and `secret` belong together")
        if bool(chosen.certificate) != bool(chosen.key):
            raise ValueError("`certificate` and `key` belong together")
        try:
            return cls(chosen, home)
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"`ca`, `certificate`, `key` or `secret`: {type(error).__name__}") from error

    async def collect(self) -> AsyncIterator[Outgoing]:
        """Yield the drafts that wait at the server, where `outbox` is set.

        Raises:
            FhirError: they can't be looked for now.
        """
        if self._options.outbox:
            async for outgoing in find_drafts(self._client, self._systems):
                yield outgoing

    async def file(self, message: Incoming) -> Outcome:
        """Write *message* in one transaction, and read all of it back."""
        async with self._turn:
            try:
                async with self._client.talk() as talk:
                    return await file_message(
                        talk, message, self._systems, self._options.profiles, self._options.practitioner
                    )
            except FhirError as error:
                return error.outcome

    async def notify(self, notice: Notice) -> None:
        """Put *notice* where staff see it in their own system."""
        async with self._client.talk() as talk:
            await tell(talk, notice, self._systems)

    async def read_back(self, record: str) -> Held | None:
        """Return what the server holds under *record* now."""
        if not REFERENCE.fullmatch(record):
            return None
        async with self._client.talk() as talk:
            found = await talk.read(record)
        if found is None:
            return None
        members = self._flag_members(found) if found.get("resourceType") == "Flag" else _members(found)
        return Held(record=record, members=members, ended=found.get("status") in _ENDED)

    def _flag_members(self, flag: Resource) -> dict[str, Any]:
        system = f"{self._systems.base}/flag-kind"
        codings = flag.get("code", {}).get("coding", [])
        # A flag without our code is another flag than came.
        return {"/flag_kind": next((one.get("code") for one in codings if one.get("system") == system), None)}


def _members(document: Resource) -> dict[str, Any]:
    """Return the members of the message that *document* holds whole."""
    for part in document.get("content", []):
        attachment = part.get("attachment", {})
        if attachment.get("title") != WHOLE:
            continue
        try:
            raw = base64.b64decode(attachment.get("data", ""), validate=True)
            message = parse(raw, max_bytes=_MAX_MESSAGE, content=True)
        except (binascii.Error, ValueError, MalformedError):
            break
        if isinstance(message, dict):
            return {f"/{name}": value for name, value in message.items() if "/" not in name and "*" not in name}
        break
    # Nothing of the message is there any more: no member equals this.
    return {"/": None}


def _context(options: Options, home: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=home / options.ca if options.ca else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.certificate and options.key:
        context.load_cert_chain(home / options.certificate, home / options.key)
    return context
