"""A guest's pages: the link and its code, what they were sent, and the buttons by which they take receipt.

Looking changes nothing, since programs follow links in mail; whatever counts is a button.  Every link that can't be used, for
whichever reason, is answered alike.

Source: issue of secure e-mail; decision secure-email.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from adapters.gateway.exports.shapes import labels
from adapters.gateway.guests.book import Book
from adapters.gateway.guests.codes import Taken, take_code
from adapters.gateway.guests.links import digest_of, look_at, read_for, tell_desk
from adapters.gateway.guests.taking import DECLINES, GuestVisit, LinkOverError, Said, copy_for, find_visit, take
from adapters.gateway.inbox.context import Inbox
from adapters.gateway.inbox.sessions import MINUTE
from adapters.gateway.spool import Transaction
from hub.kit.browsers import read_token, set_token
from hub.kit.forms import Posted
from hub.kit.pages import see
from keys.digests import same

COOKIE: Final = "__Host-guest"
WRONG: Final = "That code is not right, or no longer counts"
DAY: Final = 24 * 60 * MINUTE
ITEM: Final = "/guest/item"
THANKS: Final = "/guest/thanks"
# A saved copy runs and fetches nothing, wherever it is opened.
_SAVED: Final = {"Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'"}


class Desk:
    """The inbox whose server these pages are on, and its guests."""

    def __init__(self, inbox: Inbox, book: Book) -> None:
        """Take both."""
        self.inbox, self.book = inbox, book

    async def write(self, work: Callable[[Transaction], Awaitable[Any]]) -> Any:
        """Run *work* as one transaction."""
        return await self.inbox.gateway.spool.write(work)

    def show(self, request: web.Request, page: str, *, status: int = 200, **context: Any) -> web.Response:
        """Return one of the guests' pages."""
        around = {"telephone": self.book.config.telephone}
        return self.inbox.show(request, f"guest/{page}.html", around | context, status=status)


def show_over(desk: Desk, request: web.Request) -> web.Response:
    """Return the page for every link that can't be used; one that was asked for by its link offers a new one."""
    return desk.show(request, "over", status=404, token=request.match_info.get("token", ""))


# ---- the link


async def show_link(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Answer the page that asks for the code."""
    token = request.match_info["token"]

    async def work(tx: Transaction) -> tuple[bool, bool]:
        link = await tx.one("find_guest_token", token=digest_of(token))
        visit = await find_visit(desk.book, tx, read_token(request, COOKIE))
        is_theirs = visit is not None and link is not None and visit.found.link["id"] == link["id"]
        found = await look_at(desk.book, tx, link)
        return is_theirs, found is not None and found.link["state"] == "open"

    is_theirs, is_open = await desk.write(work)
    if is_theirs:
        return see(ITEM)
    if not is_open:
        raise LinkOverError
    return desk.show(request, "code", token=token, wrong="")


async def use_link(desk: Desk, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Begin the visit of whoever has the link and its code."""
    token, code = request.match_info["token"], posted.get("code")[:40]
    taken: Taken = await desk.write(lambda tx: take_code(desk.book, tx, token, code))
    if taken.is_over:
        raise LinkOverError
    if not taken.token:
        return desk.show(request, "code", token=token, wrong=WRONG, status=422)
    response = see(ITEM)
    set_token(response, taken.token, COOKIE, seconds=desk.book.config.session_minutes * 60)
    return response


async def ask_again(desk: Desk, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Tell the desk that somebody wants a new link, if this was one of its links; the answer is the same."""
    del posted
    token = request.match_info["token"]

    async def work(tx: Transaction) -> None:
        link = await tx.one("find_guest_token", token=digest_of(token))
        if link is not None:
            await tell_desk(desk.book, tx, "guest-asks", link, again=f":{desk.inbox.now() // DAY}")

    await desk.write(work)
    return see("/guest/asked")


async def show_asked(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Answer that a new link was asked for, if there was one before."""
    return desk.show(request, "asked")


# ---- the message


async def show_item(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Answer what the link leads to: its cover, or what it says to who has opened it."""

    async def work(tx: Transaction) -> tuple[GuestVisit, Any]:
        visit = await _find(desk, tx, request)
        opened = "opened" in visit.said and not visit.is_done
        return visit, read_for(desk.book, visit.found.guest, visit.found.row) if opened else None

    visit, sheet = await desk.write(work)
    if visit.is_done:
        return see(THANKS)
    words = labels("HandlingMark")
    return desk.show(
        request, "item", guest=visit.found.guest, row=visit.found.row, csrf=visit.csrf, sheet=sheet,
        marks_of=lambda marks: [words[mark] for mark in marks],
    )  # fmt: skip


async def open_item(desk: Desk, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Sign that the guest opens it, then show it."""
    await _take(desk, request, posted, "opened")
    return see(ITEM)


async def acknowledge(desk: Desk, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Sign that the guest has read it and understands what is asked; the link is used up."""
    await _take(desk, request, posted, "acknowledged")
    return see(THANKS)


async def show_decline(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Answer the page on which it is sent back with a reason."""
    visit: GuestVisit = await desk.write(lambda tx: _find(desk, tx, request))
    return see(THANKS) if visit.is_done else desk.show(request, "decline", csrf=visit.csrf, codes=DECLINES, wrong="")


async def decline(desk: Desk, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Sign that it isn't for the guest, and why; the link is used up."""
    if posted.get("code") not in DECLINES:
        visit: GuestVisit = await desk.write(lambda tx: _find(desk, tx, request, posted))
        wrong = "Choose why it is not for you"
        return desk.show(request, "decline", csrf=visit.csrf, codes=DECLINES, wrong=wrong, status=422)
    await _take(desk, request, posted, "declined", posted.get("code"))
    return see(THANKS)


async def save_copy(desk: Desk, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Answer what was opened as a file for the guest's own record; that it was saved is noted first."""

    async def work(tx: Transaction) -> Any:
        return await copy_for(desk.book, tx, await _find(desk, tx, request, posted))

    copy = await desk.write(work)
    headers = _SAVED | {"Content-Disposition": f'attachment; filename="{copy.name}"'}
    return web.Response(body=copy.content, content_type=copy.media, charset="utf-8", headers=headers)


async def show_thanks(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Answer that all is said."""
    return desk.show(request, "thanks")


async def _take(desk: Desk, request: web.Request, posted: Posted, level: Said, code: str | None = None) -> None:
    async def work(tx: Transaction) -> None:
        await take(desk.book, tx, await _find(desk, tx, request, posted), level, code)

    await desk.write(work)


async def _find(desk: Desk, tx: Transaction, request: web.Request, posted: Posted | None = None) -> GuestVisit:
    """Return who asks, by their cookie and, of a form, by the token that this visit's forms carry.

    Raises:
        LinkOverError: nobody, or no longer.
    """
    visit = await find_visit(desk.book, tx, read_token(request, COOKIE))
    if visit is None or (posted is not None and not same(posted.get("csrf").encode(), visit.csrf.encode())):
        raise LinkOverError
    return visit
