"""One message: its cover, its content once somebody says that they open it, and what they say of it.

Looking at the cover says nothing to anybody; the button *Open* signs `opened`, and *Take receipt* `acknowledged`.

Source: protocol 4; issue of the inbox.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from adapters.base import Document, Incoming
from adapters.gateway import embargo, filing
from adapters.gateway.exports.commands import as_incoming
from adapters.gateway.inbox.access import may
from adapters.gateway.inbox.context import Inbox, NotHereError, visit_of
from adapters.gateway.inbox.people import Person
from adapters.gateway.inbox.reached import find_reached
from adapters.gateway.inbox.reading.changes import Change, compare
from adapters.gateway.inbox.reading.documents import (
    SHOWN_HEADERS,
    download_headers,
    kind_of,
    list_documents,
    text_of,
)
from adapters.gateway.inbox.reading.saying import Manner
from adapters.gateway.inbox.reading.sheet import make_sheet
from adapters.gateway.inbox.relations import find_delivery, relation_of
from adapters.gateway.inbox.replies import Reply, find_replies
from adapters.gateway.inbox.taking import find_opened, receipts_by, take
from adapters.gateway.outgoing import Kept
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.watch import header_of
from hub.kit.forms import Posted
from hub.kit.pages import see
from schemas.receipt import DECLINE_CODES


async def show_message(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the cover of a message, or its content to who has opened it; and to its sender's team what they sent."""
    person = visit_of(request, "today").person
    envelope = request.match_info["envelope"]

    async def work(tx: Transaction) -> dict[str, Any]:
        sent = await tx.one("find_sent", envelope=envelope)
        if sent is not None and sent["mailbox"] in person.teams:
            return await _look_sent(inbox, tx, person, sent)
        return await _look_received(inbox, tx, person, envelope)

    return inbox.show(request, "message.html", await inbox.gateway.spool.write(work))


async def _look_received(inbox: Inbox, tx: Transaction, person: Person, envelope: str) -> dict[str, Any]:
    row = await find_delivery(inbox, tx, person, envelope, "list")
    said = await receipts_by(inbox, tx, row, person)
    levels = {one.level for one in said}
    content: Incoming | None = None
    replies: list[Reply] = []
    relation = await relation_of(inbox, tx, person, row["thread"], row["mailbox"])
    may_open = may(person.duties, relation, "open")
    if may_open and "opened" in levels and row["content"] is not None:
        content = filing.read_content(inbox.gateway, row)
        await inbox.people.note(
            tx, person.id, "read", inbox.now(), thread=row["thread"], envelope=envelope, mailbox=row["mailbox"]
        )
        if may(person.duties, relation, "answer"):
            replies = await find_replies(inbox, tx, person, row, content)
    return {
        "row": row, "sender": row["sender"], "recipients": inbox.words().party(row["mailbox"]), "at": row["accepted_at"],
        "is_own": False, "is_embargoed": row["state"] == embargo.STATE, "levels": levels, "said": said,
        "may_open": may_open, "who": (), **_show(inbox, content),
        "newer": await _find_newer(tx, row) if may_open else None,
        "changes": await _compare(inbox, tx, row, content) if content is not None else None, "replies": replies,
    }  # fmt: skip


async def _look_sent(inbox: Inbox, tx: Transaction, person: Person, sent: Row) -> dict[str, Any]:
    relation = await relation_of(inbox, tx, person, sent["thread"], sent["mailbox"])
    if not may(person.duties, relation, "list"):
        raise NotHereError
    content: Incoming | None = None
    if sent["draft"] is not None and may(person.duties, relation, "open"):
        locked = inbox.gateway.spool.unlock(bytes(sent["draft"]), sent["envelope"])
        content = as_incoming(msgspec.msgpack.decode(locked, type=Kept), sent)
        await inbox.people.note(
            tx, person.id, "read", inbox.now(), thread=sent["thread"], envelope=sent["envelope"], mailbox=sent["mailbox"]
        )  # fmt: skip
    to = header_of(sent).to if sent["header"] is not None else ()
    reached = (await find_reached(inbox, tx, [sent])).get(sent["envelope"], ())
    return {
        "row": sent, "sender": sent["mailbox"], "recipients": "; ".join(inbox.words().party(box) for box in to),
        "at": sent["at"], "is_own": True, "is_embargoed": False, "levels": set(), "said": [], "may_open": True,
        "who": reached, **_show(inbox, content), "newer": None, "changes": None,
        "replies": (),
    }  # fmt: skip


def _show(inbox: Inbox, content: Incoming | None) -> dict[str, Any]:
    if content is None:
        return {"shown": None, "attached": ()}
    sheet = make_sheet(content, inbox.gateway.catalogue.schema(content.type), _manner(inbox))
    return {"shown": sheet, "attached": list_documents(content.documents)}


def _manner(inbox: Inbox) -> Manner:
    """Return how messages are told on the pages: agencies and teams by name, moments in local time."""
    return Manner(name_of=inbox.words().party, zone=ZoneInfo(inbox.config.time_zone))


async def _find_newer(tx: Transaction, row: Row) -> str | None:
    """Return the version that replaces the delivery in *row*, if it is here."""
    for other in await tx.all("replacing_in_thread", thread=row["thread"], mailbox=row["mailbox"]):
        if header_of(other).supersedes == row["envelope"]:
            return str(other["envelope"])
    return None


async def _compare(inbox: Inbox, tx: Transaction, row: Row, content: Incoming) -> tuple[Change, ...] | None:
    """Return what changed since the version that *content* replaces, if that is still here and of the same type."""
    if content.supersedes is None:
        return None
    before = await tx.one("find_incoming", envelope=content.supersedes, mailbox=row["mailbox"])
    if before is None or before["content"] is None or before["type"] != row["type"]:
        return None
    earlier = filing.read_content(inbox.gateway, before)
    return compare(earlier, content, inbox.gateway.catalogue.schema(content.type), _manner(inbox))


async def open_message(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Sign that the person opens it, then show it."""
    del posted
    envelope = request.match_info["envelope"]
    await take(inbox, visit_of(request, "today").person, envelope, "opened")
    return see(f"/messages/{envelope}")


async def acknowledge(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Sign that the person has it and that it is for them."""
    del posted
    envelope = request.match_info["envelope"]
    await take(inbox, visit_of(request, "today").person, envelope, "acknowledged")
    return see(f"/messages/{envelope}")


async def show_decline(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the page on which a message is declined with a reason."""
    person = visit_of(request, "today").person
    envelope = request.match_info["envelope"]
    row = await inbox.gateway.spool.write(lambda tx: find_delivery(inbox, tx, person, envelope, "decline"))
    return inbox.show(request, "decline.html", {"row": row, "codes": sorted(DECLINE_CODES), "wrong": ""})


async def decline(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Sign that the person returns it to its sender, and why."""
    person = visit_of(request, "today").person
    envelope, code = request.match_info["envelope"], posted.get("code")
    if code not in DECLINE_CODES:
        row = await inbox.gateway.spool.write(lambda tx: find_delivery(inbox, tx, person, envelope, "decline"))
        context = {"row": row, "codes": sorted(DECLINE_CODES), "wrong": "Choose why you decline it"}
        return inbox.show(request, "decline.html", context, status=422)
    await take(inbox, person, envelope, "declined", code)
    return see(f"/messages/{envelope}")


# ---- documents


async def show_document(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer one document of a message, a page at a time, as a picture with its text beside, or as plain text."""
    document = await _find_document(inbox, request)
    kind, page = kind_of(document), _number(request.query.get("page", "1"))
    text, pages = "", 1
    if kind == "text":
        text = text_of(document)
    elif kind in {"pdf", "image"}:
        pages = await inbox.drawer.count_pages(document)
        text = await inbox.drawer.read_page(document, page)
    else:
        raise NotHereError
    context = {
        "envelope": request.match_info["envelope"], "number": _number(request.match_info["number"]), "name": document.name,
        "kind": kind, "page": page, "pages": pages, "text": text,
    }  # fmt: skip
    return inbox.show(request, "document.html", context)


async def serve_page(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the picture of one page."""
    document = await _find_document(inbox, request)
    picture = await inbox.drawer.render_page(document, _number(request.match_info["page"]))
    return web.Response(body=picture, headers=SHOWN_HEADERS | {"Content-Type": "image/png"})


async def serve_file(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the bytes of a document, to be saved and never to be run; that it was is recorded."""
    document = await _find_document(inbox, request, saved=True)
    return web.Response(body=document.content, headers=download_headers(document))


async def _find_document(inbox: Inbox, request: web.Request, *, saved: bool = False) -> Document:
    """Return the document that the page is about, to who has opened its message.

    Raises:
        NotHereError: there is none, or not for them.
        GatewayError: as ``find_opened``.
    """
    person, envelope = visit_of(request, "today").person, request.match_info["envelope"]
    number = _number(request.match_info["number"])

    async def work(tx: Transaction) -> Incoming:
        row, message = await find_opened(inbox, tx, person, envelope, "export" if saved else "open")
        if saved:
            await inbox.people.note(
                tx, person.id, "saved-document", inbox.now(), thread=row["thread"], envelope=envelope,
                mailbox=row["mailbox"],
            )  # fmt: skip
        return message

    documents = (await inbox.gateway.spool.write(work)).documents
    if not 1 <= number <= len(documents):
        raise NotHereError
    return documents[number - 1]


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise NotHereError
    return int(text)
