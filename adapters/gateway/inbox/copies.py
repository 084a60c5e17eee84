"""Copies to print or to keep: for whom, with who made it and when on every page, and each one recorded before it is there.

Breaking an embargo takes two people and is not done here: `gateway export --break-embargo`.

Source: domain 9.4, 9.5, 9.7; risks 2 to 4; issue of the inbox.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from adapters.errors import GatewayError
from adapters.gateway.exports.commands import Copy, note_copy, prepare_copy
from adapters.gateway.exports.policy import AGENCY, load_policy
from adapters.gateway.inbox.context import Inbox, visit_of
from adapters.gateway.inbox.taking import find_opened
from adapters.gateway.spool import Row, Transaction
from hub.kit.forms import Posted
from hub.kit.pages import HEADERS

# A copy styles itself and does nothing else: no script, no form, no link out, whatever was written into the message.
PRINTED: Final = HEADERS | {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-modals; frame-ancestors 'none'"
}
FORMS: Final = {"print": "html", "html": "html", "text": "text", "json": "json"}


async def show_copies(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the page on which one chooses for whom a copy is."""
    person = visit_of(request, "today").person
    envelope = request.match_info["envelope"]
    row, _ = await inbox.gateway.spool.write(lambda tx: find_opened(inbox, tx, person, envelope, "export"))
    return _choose(inbox, request, row)


def _choose(
    inbox: Inbox, request: web.Request, row: Row, wrong: str = "", *, audience: str = "", agency: str = ""
) -> web.Response:
    variants = {name: one.title for name, one in load_policy().variants.items()}
    agencies = sorted(one.id for one in inbox.gateway.partnership.books.index.directory.agencies)
    context = {
        "row": row, "variants": variants, "agencies": agencies, "wrong": wrong, "audience": audience, "agency": agency,
    }  # fmt: skip
    return inbox.show(request, "copies.html", context, status=422 if wrong else 200)


async def make_copy(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Record that a copy is made, then give it."""
    person = visit_of(request, "today").person
    envelope = request.match_info["envelope"]
    audience, form = posted.get("audience"), posted.get("form")
    named = f"{AGENCY}:{posted.get('agency')}" if audience == AGENCY else audience

    async def work(tx: Transaction) -> Copy | tuple[Row, str]:
        row, message = await find_opened(inbox, tx, person, envelope, "export")
        if not audience or form not in FORMS:
            return row, "Choose whom the copy is for, and in which form"
        try:
            copy = prepare_copy(inbox.gateway, message, audience=named, form=FORMS[form], by=person.name)
        except GatewayError as error:
            return row, f"{error.message[0].upper()}{error.message[1:]}"
        await note_copy(
            inbox.gateway, tx, message, mailbox=row["mailbox"], audience=named, form=FORMS[form], by=person.name
        )
        await inbox.people.note(
            tx, person.id, "copied", inbox.now(), thread=row["thread"], envelope=envelope, mailbox=row["mailbox"],
            code=audience,
        )  # fmt: skip
        return copy

    made = await inbox.gateway.spool.write(work)
    if not isinstance(made, Copy):
        return _choose(inbox, request, made[0], made[1], audience=audience, agency=posted.get("agency"))
    where = "inline" if form == "print" else "attachment"
    headers = PRINTED | {"Content-Disposition": f'{where}; filename="{made.name}"'}
    return web.Response(body=made.content, content_type=made.media, charset="utf-8", headers=headers)
