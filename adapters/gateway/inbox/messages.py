"""One message: its cover, its content once somebody says that they open it, and what they say of it.

Looking at the cover says nothing to anybody; the button *Open* signs `opened`, and *Take receipt* `acknowledged`.

Source: protocol 4; issue of the inbox.
"""

from __future__ import annotations

from aiohttp import web

from adapters.base import Incoming
from adapters.gateway import filing
from adapters.gateway.inbox.access import may
from adapters.gateway.inbox.context import Inbox, visit_of
from adapters.gateway.inbox.posted import Posted
from adapters.gateway.inbox.relations import find_delivery, relation_of
from adapters.gateway.inbox.taking import receipts_by, take
from adapters.gateway.spool import Transaction
from hub.kit.pages import see
from schemas.receipt import DECLINE_CODES


async def show_message(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the cover of a message, or its content to who has opened it."""
    person = visit_of(request, "today").person
    envelope = request.match_info["envelope"]

    async def work(tx: Transaction) -> dict[str, object]:
        row = await find_delivery(inbox, tx, person, envelope, "list")
        said = await receipts_by(inbox, tx, row, person)
        levels = {one.level for one in said}
        content: Incoming | None = None
        relation = await relation_of(inbox, tx, person, row["thread"], row["mailbox"])
        may_open = may(person.duties, relation, "open")
        if may_open and "opened" in levels and row["content"] is not None:
            content = filing.read_content(inbox.gateway, row)
            await inbox.people.note(
                tx, person.id, "read", inbox.now(), thread=row["thread"], envelope=envelope, mailbox=row["mailbox"]
            )
        return {"row": row, "levels": levels, "said": said, "content": content, "may_open": may_open}

    return inbox.show(request, "message.html", await inbox.gateway.spool.write(work))


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
