"""From what somebody wrote to the outbox: once, however often they press the button.

The outbox knows the draft by its id: killed between keeping it there and noting it here, or pressed twice, it is the same message.

Source: design 2 (6); domain 9.2 to 9.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from adapters.base import Document, DraftAuthor, Outgoing, Spooled, is_plain_name
from adapters.base import Draft as Outbound
from adapters.gateway import outgoing
from adapters.gateway.exports.shapes import labels
from adapters.gateway.handling_policy import load_policy
from adapters.gateway.inbox.context import Inbox
from adapters.gateway.inbox.forms.answers import Checked, check
from adapters.gateway.inbox.forms.spec import Form
from adapters.gateway.inbox.people import Person
from adapters.gateway.inbox.writing.beginning import ADAPTER
from adapters.gateway.inbox.writing.drafts import Draft, Saved, end_draft, read_documents
from adapters.gateway.inbox.writing.recipients import Proposed, propose
from adapters.gateway.negatives import date_negative
from adapters.gateway.spool import Transaction
from adapters.gateway.watch import duty_of, header_of
from keys.digests import new_id, sha256_b64u
from schemas.identifiers import MailboxId, family_of
from schemas.rules.duty import Duty
from schemas.strict_json import MalformedError

DOCUMENTS_FIELD: Final = "attachments"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A draft as it would be sent now: the finished message or what is wrong with it, its documents, who would get it."""

    checked: Checked
    documents: Mapping[int, Document]
    proposed: list[Proposed]
    to: tuple[MailboxId, ...]
    missing: tuple[Proposed, ...]


def takes_documents(inbox: Inbox, draft: Draft) -> bool:
    """Answer whether a message of the draft's type carries documents."""
    return DOCUMENTS_FIELD in inbox.gateway.catalogue.schema(draft.type)["properties"]


async def prepare(inbox: Inbox, tx: Transaction, draft: Draft, form: Form) -> Ready:
    """Return *draft* as it would be sent now."""
    now = inbox.now()
    documents = await read_documents(inbox, tx, draft)
    message = dict(draft.saved.message)
    if documents and takes_documents(inbox, draft):
        message[DOCUMENTS_FIELD] = [_refer(document, new_id(now)) for document in documents.values()]
    date_negative(inbox.gateway, draft.type, message)
    checked = check(
        inbox.gateway.catalogue, form, message, new_id=lambda: new_id(now), now=now, unread=tuple(draft.saved.typed)
    )
    proposed = await find_proposed(inbox, tx, draft, checked.message)
    to = draft.saved.to or tuple(one.mailbox for one in proposed)
    missing = tuple(one for one in proposed if one.required and one.mailbox not in to)
    return Ready(checked=checked, documents=documents, proposed=proposed, to=to, missing=missing)


def _refer(document: Document, name: str) -> dict[str, Any]:
    return {
        "attachment_id": name, "name": document.name, "media_type": document.type, "size": len(document.content),
        "sha256": sha256_b64u(document.content),
    }  # fmt: skip


async def find_proposed(inbox: Inbox, tx: Transaction, draft: Draft, message: Mapping[str, Any]) -> list[Proposed]:
    """Return who should have *draft*, whose *message* may be incomplete, with the reasons."""
    books, now = inbox.gateway.partnership.books, inbox.now()
    parties: Sequence[MailboxId] = ()
    facts: Mapping[str, str] | None = None
    try:
        inbox.gateway.catalogue.validate(draft.type, message)
        clear = inbox.gateway.catalogue.clear(draft.type, message)
        parties, facts = clear.parties, clear.facts
    except MalformedError:
        pass  # it is asked again when the message is whole
    duties: list[Duty] = []
    if draft.thread is not None:
        duties = [duty_of(row) for row in await tx.all("open_in_thread", thread=draft.thread)]
    answered = await tx.all("find_for_any", envelope=draft.saved.re) if draft.saved.re else []
    replaced = await tx.one("find_sent", envelope=draft.saved.supersedes) if draft.saved.supersedes else None
    return propose(
        draft.type, sender=draft.mailbox, rules=books.rules_at(now), index=books.index, now=now, parties=parties,
        duties=duties, answered=answered[0]["sender"] if answered else None,
        had=header_of(replaced).to if replaced else (), facts=facts,
    )  # fmt: skip


def with_defaults(saved: Saved) -> Saved:
    """Return *saved* with what a safeguarding message goes with unless its writer says otherwise."""
    safe = load_policy().safe
    return msgspec.structs.replace(
        saved, purpose=saved.purpose or safe.purpose, basis=saved.basis or safe.basis,
        consent=saved.consent or safe.consent,
    )  # fmt: skip


async def send(inbox: Inbox, person: Person, draft: Draft, ready: Ready) -> Spooled:
    """Put *draft* into the outbox, and note that it is there.

    Raises:
        GatewayError: why it can't be sent as it is.
    """
    saved = with_defaults(draft.saved)
    books = inbox.gateway.partnership.books
    terms = books.rules_at(inbox.now()).agreement.types[family_of(draft.type)]
    documents = tuple(ready.documents.values())
    message = dict(ready.checked.message)
    outbound = Outbound(
        type=draft.type, from_=draft.mailbox, to=ready.to, thread=draft.thread, re=saved.re, supersedes=saved.supersedes,
        split=saved.split, purpose=saved.purpose, basis=saved.basis, consent=saved.consent,
        classification="OFFICIAL" if saved.classification == "OFFICIAL" else "OFFICIAL-SENSITIVE", marks=saved.marks,
        retention=date_negative(inbox.gateway, draft.type, message),
        basis_class="safeguarding" if "safeguarding" in terms.basis_classes else terms.basis_classes[0],
        author=DraftAuthor(name=person.actor, role=person.role), attachments=tuple(one.name for one in documents),
        message=message,
    )  # fmt: skip
    kept = Outgoing(key=f"draft {draft.id}", draft=outbound, documents=documents)
    # Killed after this line, the draft is still here; sending it again finds it in the outbox.
    spooled = await outgoing.take_now(inbox.gateway, ADAPTER, kept)

    async def note(tx: Transaction) -> None:
        await end_draft(inbox, tx, draft, spooled.envelope, spooled.thread)
        await note_sent(inbox, tx, person, spooled, draft.mailbox)

    await inbox.gateway.spool.write(note)
    return spooled


async def note_sent(inbox: Inbox, tx: Transaction, person: Person, spooled: Spooled, mailbox: MailboxId) -> None:
    """Write down that *person* sent *spooled* from *mailbox*; who sends what nobody there holds becomes its holder."""
    thread, now = spooled.thread, inbox.now()
    await inbox.people.note(tx, person.id, "sent", now, thread=thread, envelope=spooled.envelope, mailbox=mailbox)
    if not await tx.all("holders_here", thread=thread, mailbox=mailbox, now=now):
        await tx.run("add_holder", thread=thread, mailbox=mailbox, person=person.id, at=now, by=person.id)


def tidy_document(document: Document, taken: Sequence[str]) -> Document:
    """Return *document* under a name that can stand in a message: without folders, and unlike those *taken*."""
    name = document.name.replace("\\", "/").rpartition("/")[2].strip()
    stem, dot, suffix = name.rpartition(".")
    if not is_plain_name(name) or name in {"message.json", "envelope.json"}:
        stem, dot, suffix = "document", ".", suffix if suffix.isalnum() and len(suffix) < 6 else "bin"
    name = f"{stem}{dot}{suffix}" if stem else name
    for number in range(2, len(taken) + 3):
        if name not in taken:
            break
        name = f"{stem or suffix}-{number}{dot if stem else ''}{suffix if stem else ''}"
    return replace(
        document, name=name, type=document.type.partition(";")[0].strip().lower() or "application/octet-stream"
    )


def sharing_choices() -> dict[str, Mapping[str, str]]:
    """Return the codes with their words that the sharing step chooses from."""
    return {
        "purpose": labels("PurposeCode"), "basis": labels("BasisCode"), "consent": labels("Consent"),
        "marks": labels("HandlingMark"),
    }  # fmt: skip
