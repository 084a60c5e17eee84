"""Answers that need no words: from the message's page to the outbox by one button, once somebody has seen what it will say.

Which there are follows from ``schemas/derivations.json`` and the agreement; ``replies.json`` has only what their buttons say.
The outbox knows each by the key of ``gateway answer``: pressed twice, or given at the command line too, it is one message.

Source: domain 1 (3: every request has an answer), 2 (systems 4, 6, 13, 14, 23, 24); risk 15.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec
from aiohttp import web

from adapters.base import Draft, DraftAuthor, Incoming, Spooled
from adapters.errors import GatewayError
from adapters.gateway import answering
from adapters.gateway.answering import Asked
from adapters.gateway.exports.commands import as_incoming
from adapters.gateway.inbox.context import Inbox, visit_of
from adapters.gateway.inbox.people import Person
from adapters.gateway.inbox.reading.saying import Manner
from adapters.gateway.inbox.reading.sheet import make_sheet
from adapters.gateway.inbox.taking import find_opened
from adapters.gateway.inbox.writing.beginning import Earlier, list_kinds
from adapters.gateway.inbox.writing.sending import note_sent
from adapters.gateway.outgoing import Kept
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.watch import header_of
from hub.kit.forms import Posted
from hub.kit.pages import see
from schemas.derivation import Derivation, Derivations, read
from schemas.identifiers import EnvelopeId, MessageType, family_of
from schemas.strict_json import MalformedError

LIMIT: Final = 300


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``replies.json`` holds of one family: its button, the title of its page, what to do before."""

    button: str
    title: str
    before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer that could be given at once; ``given``: the envelope by which the team has given such an answer already."""

    type: MessageType
    said: Said
    given: EnvelopeId | None = None

    @property
    def family(self) -> str:
        """Return the type without its version."""
        return family_of(self.type)


@cache
def _load() -> Mapping[str, Said]:
    raw = files("adapters.gateway.inbox").joinpath("replies.json").read_bytes()
    return msgspec.json.decode(raw, type=dict[str, Said])


async def find_replies(inbox: Inbox, tx: Transaction, person: Person, row: Row, content: Incoming) -> list[Reply]:
    """Return what *person* can answer, without a word of their own, to the delivery in *row*, which says *content*."""
    found = []
    for pair in _pairs(inbox, person, row, content):
        asked = Asked(row=row, pair=pair, author=_author(person))
        try:
            drafts = await answering.make_drafts(inbox.gateway, tx, asked)
        except (GatewayError, MalformedError):
            continue  # it needs words after all
        if len(drafts) == 1:
            found.append(
                Reply(type=pair.target, said=_say(inbox, pair.target), given=await _find_given(inbox, tx, asked))
            )
    return found


def _pairs(inbox: Inbox, person: Person, row: Row, content: Incoming) -> list[Derivation]:
    pairs = Derivations.load().made_from(row["type"])
    wordless = [one for one in pairs if one.by == "any" and not (one.automatic or one.needs or one.each)]
    if not wordless:
        return []
    earlier = Earlier(
        envelope=row["envelope"], type=row["type"], thread=row["thread"], mailbox=row["mailbox"], sender=row["sender"],
        is_own=False, message=content.message,
    )  # fmt: skip
    able = {kind.type for kind in list_kinds(inbox, person, earlier) if row["mailbox"] in kind.mailboxes}
    return [one for one in wordless if one.target in able]


def _author(person: Person) -> DraftAuthor:
    return DraftAuthor(name=person.actor, role=person.role)


def _say(inbox: Inbox, kind: MessageType) -> Said:
    title = f"Answer: {inbox.words().title_of(kind)}"
    return _load().get(family_of(kind)) or Said(button=title, title=title, before="")


async def _find_given(inbox: Inbox, tx: Transaction, asked: Asked) -> EnvelopeId | None:
    """Return an answer of that family that the team has given to the message by whatever way, refused ones left out."""
    key = answering.key_of(inbox.gateway, asked)
    mine = await tx.one("find_draft", adapter=answering.ADAPTER, key=f"{key} 0")
    if mine is not None and mine["state"] != "refused":
        return str(mine["envelope"])
    row = asked.row
    sent = await tx.all(
        "sent_in", thread=row["thread"], mailboxes=msgspec.json.encode([row["mailbox"]]).decode(), limit=LIMIT
    )
    for one in sent:
        is_such = family_of(one["type"]) == family_of(asked.pair.target) and one["state"] != "refused"
        if is_such and one["header"] is not None and header_of(one).re == row["envelope"]:
            return str(one["envelope"])
    return None


async def _prepare(
    inbox: Inbox, tx: Transaction, person: Person, envelope: str, family: str
) -> tuple[Asked, Reply, Draft]:
    """Return the answer that *person* could give now to a message that they have opened.

    Raises:
        NotHereError: it isn't there, or not for them.
        GatewayError: ``answer-unknown``: it has no such answer that needs no words; and as ``find_opened``.
    """
    row, content = await find_opened(inbox, tx, person, envelope, "answer")
    for reply in await find_replies(inbox, tx, person, row, content):
        if reply.family == family:
            asked = Asked(row=row, pair=answering.find_pair(row["type"], family), author=_author(person))
            (draft,) = await answering.make_drafts(inbox.gateway, tx, asked)
            return asked, reply, draft
    raise GatewayError("answer-unknown", "This message has no such answer in one step", "Write the answer instead")


async def show_reply(inbox: Inbox, request: web.Request) -> web.StreamResponse:
    """Answer what would be said, to whom, and how long it stays, with the button that says it."""
    person = visit_of(request, "write").person
    envelope, family = request.match_info["envelope"], request.match_info["family"]
    asked, reply, draft = await inbox.gateway.spool.write(lambda tx: _prepare(inbox, tx, person, envelope, family))
    if reply.given is not None:
        return see(f"/messages/{envelope}")
    shown = as_incoming(Kept(draft, ()), {"envelope": "", "thread": asked.row["thread"], "at": inbox.now()})
    words = inbox.words()
    sheet = make_sheet(shown, inbox.gateway.catalogue.schema(draft.type), Manner(name_of=words.party, zone=words.zone))
    context = {
        "row": asked.row, "reply": reply, "shown": sheet, "to": "; ".join(words.party(box) for box in draft.to),
        "last_day": _last_day(draft),
    }  # fmt: skip
    return inbox.show(request, "reply.html", context)


def _last_day(draft: Draft) -> str:
    """Return the last day of a negative in words: ``4 September 2026``; of other answers nothing."""
    negative = Derivations.load().find_negative(draft.type, draft.message)
    day = read(draft.message, negative.date) if negative is not None else None
    return f"{date.fromisoformat(day):%-d %B %Y}" if day else ""


async def give_reply(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Put the answer into the outbox in the person's name; pressed again, it is there already."""
    del posted
    person = visit_of(request, "write").person
    envelope, family = request.match_info["envelope"], request.match_info["family"]
    asked, reply, draft = await inbox.gateway.spool.write(lambda tx: _prepare(inbox, tx, person, envelope, family))
    if reply.given is None:
        (spooled,) = await answering.give(inbox.gateway, asked, [draft])
        await inbox.gateway.spool.write(lambda tx: _note(inbox, tx, person, asked, spooled))
    return see(f"/messages/{envelope}")


async def _note(inbox: Inbox, tx: Transaction, person: Person, asked: Asked, spooled: Spooled) -> None:
    # Two presses at once meet in the outbox; the second writes nothing down.
    events: list[dict[str, Any]] = [dict(one) for one in await tx.all("events_in", thread=spooled.thread)]
    if not any((one["action"], one["envelope"]) == ("sent", spooled.envelope) for one in events):
        await note_sent(inbox, tx, person, spooled, asked.row["mailbox"])
