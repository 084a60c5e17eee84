"""The guests' routes on the inbox's server, behind a door of their own: nobody is signed in here.

Source: promises 2 (floods, forged forms); decision secure-email.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from adapters.errors import GatewayError, NotYetError, place_of
from adapters.gateway.guests import pages
from adapters.gateway.guests.book import Book
from adapters.gateway.guests.pages import Desk, show_over
from adapters.gateway.guests.taking import LinkOverError
from adapters.gateway.inbox.context import Inbox
from hub.kit.browsers import is_from
from hub.kit.forms import FormError, Posted, read_form
from schemas.identifiers import Moment

_log = logging.getLogger("gateway.guests")
LINK: Final = "/guest/{token:[A-Za-z0-9_-]{43}}"
# So many links that lead nowhere, and wrong codes, from one address in ten minutes; a proxy is one address.
MOST: Final = 300
MOST_ADDRESSES: Final = 10_000
SPAN: Final = 600_000
Show = Callable[[Desk, web.Request], Awaitable[web.StreamResponse]]
Do = Callable[[Desk, web.Request, Posted], Awaitable[web.StreamResponse]]
SHOWN: Final[dict[str, Show]] = {
    LINK: pages.show_link,
    "/guest/asked": pages.show_asked,
    pages.ITEM: pages.show_item,
    f"{pages.ITEM}/decline": pages.show_decline,
    pages.THANKS: pages.show_thanks,
}
DONE: Final[dict[str, Do]] = {
    LINK: pages.use_link,
    f"{LINK}/ask": pages.ask_again,
    f"{pages.ITEM}/open": pages.open_item,
    f"{pages.ITEM}/acknowledge": pages.acknowledge,
    f"{pages.ITEM}/decline": pages.decline,
    f"{pages.ITEM}/copy": pages.save_copy,
}


class Pace:
    """How many vain tries each address has made lately."""

    def __init__(self) -> None:
        """Begin with none."""
        self._began: Moment = 0
        self._vain: Counter[str] = Counter()

    def is_too_much(self, address: str, now: Moment) -> bool:
        """Answer whether *address* has to wait."""
        if now - self._began >= SPAN or now < self._began:
            self._began = now
            self._vain.clear()
        return self._vain[address] >= MOST

    def count(self, address: str) -> None:
        """Count one vain try of *address*; of too many addresses nothing is remembered."""
        if len(self._vain) >= MOST_ADDRESSES:
            self._vain.clear()
        self._vain[address] += 1


def add_guest_routes(app: web.Application, inbox: Inbox) -> None:
    """Serve the guests' pages with those of *inbox*, where the configuration has guests."""
    if inbox.config.guests is None:
        return
    desk, pace = Desk(inbox, Book(inbox.gateway, inbox.config.guests)), Pace()
    for path, show in SHOWN.items():
        app.router.add_get(path, _guard(desk, pace, show), allow_head=False)
    for path, do in DONE.items():
        app.router.add_post(path, _guard(desk, pace, _as_form(do)))


def _as_form(do: Do) -> Show:
    async def serve(desk: Desk, request: web.Request) -> web.StreamResponse:
        if not is_from(request, desk.inbox.config.origin):
            raise GatewayError("form-origin", "The form did not come from a page of this inbox", "Open the link again")
        try:
            posted = await read_form(request)
        except FormError as error:
            raise GatewayError(error.code, error.message, error.hint) from error
        return await do(desk, request, posted)

    return serve


def _guard(desk: Desk, pace: Pace, show: Show) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        address = request.remote or ""
        if pace.is_too_much(address, desk.inbox.now()):
            response: web.StreamResponse = desk.show(request, "sorry", status=429, error=None)
        else:
            response = await _answer(desk, request, show)
            if response.status in {404, 422}:
                pace.count(address)
        # The address of the page opens half a door; our own host is all that anybody is told of it.
        response.headers["Referrer-Policy"] = "strict-origin"
        return response

    return serve


async def _answer(desk: Desk, request: web.Request, show: Show) -> web.StreamResponse:
    try:
        return await show(desk, request)
    except LinkOverError:
        return show_over(desk, request)
    except NotYetError as error:
        return desk.show(request, "sorry", status=503, error=error)
    except GatewayError as error:
        status = 403 if error.code == "form-origin" else 413 if error.code == "form-too-large" else 422
        return desk.show(request, "sorry", status=status, error=error)
    except (ConnectionError, web.HTTPException):
        raise
    except Exception as error:  # noqa: BLE001 - the one place where nothing may get past
        # Its text may hold content, so only its kind and place are logged.
        _log.error("a guest's page failed: %s", place_of(error))
        return desk.show(request, "sorry", status=500, error=None)
