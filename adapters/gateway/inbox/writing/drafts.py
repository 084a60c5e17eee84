"""What somebody is writing, kept encrypted until it is sent or thrown away: only they can come back to it.

Source: issue of the inbox (save and return); domain 9.8 (no re-entry).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from adapters.base import Document
from adapters.errors import GatewayError
from adapters.gateway.inbox.access import Action
from adapters.gateway.inbox.context import Inbox, NotHereError
from adapters.gateway.inbox.people import Person
from adapters.gateway.inbox.relations import check_may
from adapters.gateway.spool import Transaction
from keys.digests import new_id
from schemas.identifiers import EnvelopeId, MailboxId, MessageType, Moment, ThreadId

MAX_DRAFTS: Final = 50
MAX_DOCUMENTS: Final = 16
MAX_BYTES: Final = 24 * 1024 * 1024


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed of a draft: what was answered so far, to whom, and under which codes.

    ``message`` is partial; ``typed`` is what was typed into steps that can't be read yet, by step and field.
    """

    message: dict[str, Any] = {}
    typed: dict[str, list[tuple[str, str]]] = {}
    to: tuple[MailboxId, ...] = ()
    split: str | None = None
    re: EnvelopeId | None = None
    supersedes: EnvelopeId | None = None
    purpose: str = ""
    basis: tuple[str, ...] = ()
    consent: str = ""
    classification: str = "OFFICIAL-SENSITIVE"
    marks: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """One draft of one person: ``version`` grows with each saving, so that two windows can't overwrite each other unseen."""

    id: str
    person: str
    mailbox: MailboxId
    type: MessageType
    thread: ThreadId | None
    at: Moment
    version: int
    envelope: EnvelopeId | None
    saved: Saved


async def begin_draft(
    inbox: Inbox, tx: Transaction, person: Person, mailbox: MailboxId, kind: MessageType, thread: ThreadId | None,
    saved: Saved,
) -> str:  # fmt: skip
    """Keep a new draft; return its id.

    Raises:
        GatewayError: ``drafts-many``.
    """
    if len(await tx.all("list_saved", person=person.id)) >= MAX_DRAFTS:
        raise GatewayError("drafts-many", f"You have {MAX_DRAFTS} drafts already", "Send some, or throw some away")
    name = new_id(inbox.now())
    await tx.run(
        "add_saved", id=name, person=person.id, mailbox=mailbox, type=kind, thread=thread, at=inbox.now(),
        content=_lock(inbox, name, saved),
    )  # fmt: skip
    return name


async def find_draft(inbox: Inbox, tx: Transaction, person: Person, name: str) -> Draft:
    """Return the draft *name* of *person*.

    Raises:
        NotHereError: there is none, or it is another's, or it belongs to what is no longer for them.
    """
    row = await tx.one("find_saved", id=name)
    if row is None or row["person"] != person.id or row["mailbox"] not in person.teams:
        raise NotHereError
    if row["thread"] is not None:
        # It may hold what was taken over from a message: who may not see that any more doesn't see it here.
        action: Action = "answer" if row["envelope"] is None else "list"
        await check_may(inbox, tx, person, row["thread"], row["mailbox"], action)
    content = inbox.gateway.spool.unlock(bytes(row["content"]), f"draft {name}")
    members: Mapping[str, Any] = {
        key: row[key] for key in ("id", "person", "mailbox", "type", "thread", "at", "version")
    }
    return Draft(**members, envelope=row["envelope"], saved=msgspec.msgpack.decode(content, type=Saved))


async def save_draft(inbox: Inbox, tx: Transaction, draft: Draft, saved: Saved) -> None:
    """Keep *saved* in place of what *draft* held.

    Raises:
        GatewayError: ``draft-changed``: it was saved in another window since; ``draft-sent``.
    """
    if draft.envelope is not None:
        raise GatewayError("draft-sent", "This was sent already", "Write another")
    changed = await tx.run(
        "save_saved", id=draft.id, version=draft.version, at=inbox.now(), content=_lock(inbox, draft.id, saved)
    )
    if not changed:
        raise GatewayError("draft-changed", "This was changed in another window", "Open it again, and go on from there")


async def end_draft(inbox: Inbox, tx: Transaction, draft: Draft, envelope: EnvelopeId, thread: ThreadId) -> None:
    """Note that *draft* became *envelope*; what was written is now the outbox's, and goes from here."""
    await tx.run("drop_saved_documents", draft=draft.id)
    await tx.run(
        "end_saved",
        id=draft.id,
        envelope=envelope,
        thread=thread,
        content=_lock(inbox, draft.id, Saved(to=draft.saved.to)),
    )


async def drop_draft(tx: Transaction, draft: Draft) -> None:
    """Throw *draft* away."""
    await tx.run("drop_saved_documents", draft=draft.id)
    await tx.run("drop_saved", id=draft.id)


# ---- documents


async def add_document(inbox: Inbox, tx: Transaction, draft: Draft, document: Document) -> None:
    """Keep *document* with *draft*.

    Raises:
        GatewayError: ``documents-many``, ``documents-large``.
    """
    held = await tx.all("list_saved_documents", draft=draft.id)
    if len(held) >= MAX_DOCUMENTS:
        raise GatewayError("documents-many", f"A message carries {MAX_DOCUMENTS} documents", "Take one away first")
    if sum(row["size"] for row in held) + len(document.content) > MAX_BYTES:
        raise GatewayError(
            "documents-large", f"A message carries {MAX_BYTES // 1024 // 1024} MB", "Take one away first"
        )
    number = max((row["number"] for row in held), default=0) + 1
    packed = msgspec.msgpack.encode((document.name, document.type, document.content))
    await tx.run(
        "add_saved_document", draft=draft.id, number=number, size=len(document.content),
        content=inbox.gateway.spool.lock(packed, f"draft {draft.id} {number}"),
    )  # fmt: skip


async def read_documents(inbox: Inbox, tx: Transaction, draft: Draft) -> dict[int, Document]:
    """Return the documents of *draft* by number, in order."""
    found = {}
    for row in await tx.all("read_saved_documents", draft=draft.id):
        packed = inbox.gateway.spool.unlock(bytes(row["content"]), f"draft {draft.id} {row['number']}")
        name, kind, content = msgspec.msgpack.decode(packed, type=tuple[str, str, bytes])
        found[int(row["number"])] = Document(name=name, type=kind, content=content)
    return found


def _lock(inbox: Inbox, name: str, saved: Saved) -> bytes:
    return inbox.gateway.spool.lock(msgspec.msgpack.encode(saved), f"draft {name}")
