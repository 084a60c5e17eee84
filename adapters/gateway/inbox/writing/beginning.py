"""Beginning to write: what a person may send, and what a new message takes over from the one that it answers or follows.

Source: issue of the inbox (nothing asked twice; convene and hold); design 2 (9: who may send is the agreement's).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from adapters.errors import GatewayError
from adapters.gateway.inbox.context import Inbox, NotHereError
from adapters.gateway.inbox.forms.data import DATA
from adapters.gateway.inbox.forms.filling import carry
from adapters.gateway.inbox.forms.spec import Form, make_form
from adapters.gateway.inbox.people import Person
from adapters.gateway.inbox.relations import check_may
from adapters.gateway.inbox.taking import find_opened
from adapters.gateway.inbox.writing.drafts import Saved, begin_draft
from adapters.gateway.inbox.writing.recipients import may_write
from adapters.gateway.outgoing import Kept
from adapters.gateway.spool import Transaction
from keys.digests import new_id
from schemas.derivation import Derivations, spell_moment
from schemas.identifiers import EnvelopeId, MailboxId, MessageType, ThreadId, family_of

ADAPTER: Final = "inbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One type that somebody may write: from which of their teams; ``follows``: it answers, or follows from, a message."""

    type: MessageType
    title: str
    description: str
    mailboxes: tuple[MailboxId, ...]
    follows: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The message that a new one answers or follows: received, or sent from here (``is_own``)."""

    envelope: EnvelopeId
    type: MessageType
    thread: ThreadId
    mailbox: MailboxId
    sender: MailboxId
    is_own: bool
    message: Mapping[str, Any]


def list_kinds(inbox: Inbox, person: Person, earlier: Earlier | None = None) -> list[Kind]:
    """Return what *person* may write, by title; for an answer first what is made from *earlier*.

    Types that a gateway writes by itself, and types that only an answer can be, are left out where they can't be begun.
    """
    books = inbox.gateway.partnership.books
    rules, catalogue = books.rules_at(inbox.now()), inbox.gateway.catalogue
    newest: dict[str, MessageType] = {family_of(kind): kind for kind in catalogue.types()}
    pairs = Derivations.load().made_from(earlier.type) if earlier else ()
    following = {family_of(one.target) for one in pairs if one.by == "any" or (earlier and earlier.is_own)}
    found = []
    for family, boxes in may_write(person.teams, rules, books.index).items():
        kind = newest.get(family)
        if kind is None or family in DATA.machine:
            continue
        form = form_of(inbox, kind, person)
        same = earlier is not None and earlier.is_own and family_of(earlier.type) == family
        if form.of_thread and family not in following and not same:
            continue
        found.append(
            Kind(
                type=kind, title=form.title, description=form.description, mailboxes=tuple(boxes),
                follows=family in following or same,
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: (not one.follows, one.title))


def form_of(inbox: Inbox, kind: MessageType, person: Person) -> Form:
    """Return the form of *kind* for *person*: what is reserved to a sort of agency is there for who is of it."""
    index = inbox.gateway.partnership.books.index
    roles = {role for mailbox in person.teams for role in index.roles_of(mailbox)}
    return make_form(inbox.gateway.catalogue, kind, roles)


async def find_earlier(inbox: Inbox, tx: Transaction, person: Person, envelope: EnvelopeId) -> Earlier:
    """Return the message *envelope*, which *person* has opened or whose team sent it, to be answered or followed.

    Raises:
        NotHereError: it isn't there, or isn't for them.
        GatewayError: ``inbox-not-opened``, ``inbox-empty``.
    """
    sent = await tx.one("find_sent", envelope=envelope)
    if sent is not None:
        await check_may(inbox, tx, person, sent["thread"], sent["mailbox"], "answer")
        if sent["draft"] is None:
            raise GatewayError("inbox-empty", "What was written is no longer here", "Look in the record system")
        kept = msgspec.msgpack.decode(inbox.gateway.spool.unlock(bytes(sent["draft"]), envelope), type=Kept)
        return Earlier(
            envelope=envelope, type=sent["type"], thread=sent["thread"], mailbox=sent["mailbox"],
            sender=sent["mailbox"], is_own=True, message=kept.draft.message,
        )  # fmt: skip
    row, received = await find_opened(inbox, tx, person, envelope, "answer")
    return Earlier(
        envelope=envelope, type=row["type"], thread=row["thread"], mailbox=row["mailbox"], sender=row["sender"],
        is_own=False, message=received.message,
    )  # fmt: skip


async def begin(
    inbox: Inbox, tx: Transaction, person: Person, *, kind: MessageType, mailbox: MailboxId,
    earlier: Earlier | None, thread: ThreadId | None,
) -> str:  # fmt: skip
    """Keep a new draft of *kind* that takes over what *earlier* says already; return its id.

    Raises:
        NotHereError: *person* may not write such a message, or not in *thread*.
    """
    kinds = {one.type: one for one in list_kinds(inbox, person, earlier)}
    if kind not in kinds or mailbox not in kinds[kind].mailboxes:
        raise NotHereError
    if earlier is not None:
        thread = earlier.thread
    elif thread is not None:
        await check_may(inbox, tx, person, thread, mailbox, "answer")
    message: dict[str, Any] = {}
    replaced: EnvelopeId | None = None
    if earlier is not None:
        message = _take_over(inbox, form_of(inbox, kind, person), earlier, mailbox)
        replaced = earlier.envelope if earlier.is_own and family_of(earlier.type) == family_of(kind) else None
    answered = earlier.envelope if earlier is not None and not earlier.is_own else None
    return await begin_draft(
        inbox, tx, person, mailbox, kind, thread, Saved(message=message, re=answered, supersedes=replaced)
    )


def _take_over(inbox: Inbox, form: Form, earlier: Earlier, mailbox: MailboxId) -> dict[str, Any]:
    found = carry(form, earlier.type, earlier.message)
    pair = Derivations.load().find(earlier.type, form.type)
    if pair is None or (pair.by == "sender" and not earlier.is_own):
        return found
    now = inbox.now()
    derived = Derivations.load().derive(
        earlier.type, form.type, earlier.message, new_id=lambda: new_id(now), now=spell_moment(now),
        values=pair.addressed(sender=mailbox, recipient=earlier.sender),
    )  # fmt: skip
    return found | (derived or {})
