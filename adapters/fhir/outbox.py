"""Drafts that wait at the server: Communications in preparation, in our category, with a draft as an attachment."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from adapters.base import Document, Draft, DraftRefused, DraftResult, Outgoing, Spooled, parse_draft
from adapters.fhir.client import Client
from adapters.fhir.finding import REFERENCE
from adapters.fhir.judging import FhirError
from adapters.fhir.mapping import Systems, moment_of
from adapters.fhir.resources import WHOLE, Resource
from schemas.strict_json import MalformedError

_log: Final = logging.getLogger(__name__)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


async def find_drafts(client: Client, systems: Systems) -> AsyncIterator[Outgoing]:
    """Yield what waits; what can't be read as a draft is stopped, with the reason, and keeps nothing behind it.

    Raises:
        FhirError: the server can't be asked.
    """
    category = f"{systems.base}/outbox|draft"
    async with client.talk() as talk:
        waiting = await talk.search("Communication", {"status": "preparation", "category": category})
    for one in sorted(waiting, key=_order):
        reference = f"Communication/{one.get('id')}"
        if not REFERENCE.fullmatch(reference) or not _is_draft(one, systems):
            continue
        done: Callable[[DraftResult], Awaitable[None]] = partial(settle, client, systems, reference)
        try:
            draft, documents = _load(one)
        except MalformedError as error:
            try:
                await done(DraftRefused(code=error.code, message=error.message, hint=error.hint))
            except FhirError as failed:
                # It keeps none behind it; it is told again with the next look.
                _log.warning("the server doesn't take what became of a draft: %s", failed)
            continue
        yield Outgoing(key=reference, draft=draft, documents=documents, done=done)


def _order(resource: Resource) -> tuple[datetime, str]:
    """Return what tells an older draft from a newer: when its staff say that it was sent, else when they last wrote it."""
    meta = resource.get("meta")
    written = meta.get("lastUpdated") if isinstance(meta, dict) else None
    return moment_of(resource.get("sent")) or moment_of(written) or _NEVER, str(resource.get("id"))


async def settle(client: Client, systems: Systems, reference: str, result: DraftResult) -> None:
    """Say at the server what became of the draft at *reference*; saying it again changes nothing.

    Raises:
        FhirError: the server didn't take it.
    """
    async with client.talk() as talk:
        found = await talk.read(reference)
        if found is None or not _is_draft(found, systems):
            return
        await talk.update({**found, **_end(found, systems, result)})


def _end(found: Resource, systems: Systems, result: DraftResult) -> dict[str, Any]:
    if isinstance(result, Spooled):
        # By these an answer finds in whose record it belongs.
        own = [systems.identifier("envelope", result.envelope), systems.identifier("thread", result.thread)]
        return {"status": "completed", "identifier": [*found.get("identifier", []), *own]}
    reason = systems.concept("refusal", result.code)
    return {"status": "stopped", "statusReason": {**reason, "text": result.message}}


def _is_draft(resource: Resource, systems: Systems) -> bool:
    """Answer whether it is one, also where the server left out a part of the search."""
    wanted = systems.coding("outbox", "draft")
    codings = [code for part in resource.get("category", []) for code in part.get("coding", [])]
    return resource.get("status") == "preparation" and any(wanted.items() <= one.items() for one in codings)


def _load(resource: Resource) -> tuple[Draft, tuple[Document, ...]]:
    documents: dict[str, Document] = {}
    for document in _attachments(resource):
        documents.setdefault(document.name, document)
    if WHOLE not in documents:
        raise MalformedError("draft-missing", "the Communication has no message.json", "attach the draft by that title")
    draft = parse_draft(documents[WHOLE].content)
    if not set(draft.attachments) <= documents.keys():
        raise _spoilt()
    return draft, tuple(documents[name] for name in draft.attachments)


def _attachments(resource: Resource) -> list[Document]:
    found = []
    for part in resource.get("payload", []):
        attachment = part.get("contentAttachment") if isinstance(part, dict) else None
        if not isinstance(attachment, dict):
            continue
        try:
            content = base64.b64decode(str(attachment.get("data", "")), validate=True)
        except (binascii.Error, ValueError) as error:
            raise _spoilt() from error
        kind = str(attachment.get("contentType", "application/octet-stream"))
        found.append(Document(name=str(attachment.get("title", "")), type=kind, content=content))
    return found


def _spoilt() -> MalformedError:
    return MalformedError(
        "draft-attachment",
        "an attachment of the draft is missing or isn't Base64",
        "attach it anew, or remove its name",
    )
