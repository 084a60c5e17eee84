"""The pages as a table, behind one door: who asks, may the form be trusted, and what an error looks like.

Source: design 6 (sessions); promises 2; decision inbox-access.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, cast

from aiohttp import web
from aiohttp.typedefs import Middleware

from adapters.errors import GatewayError, NotYetError, place_of
from adapters.gateway.context import Gateway
from adapters.gateway.guests import desk
from adapters.gateway.guests.serving import add_guest_routes
from adapters.gateway.inbox import (
    account_pages,
    checks,
    copies,
    glass,
    holding,
    live,
    messages,
    oidc,
    passkeys,
    people_pages,
    replies,
    search,
    sent,
    signing_in,
    team,
    threads,
    today,
    welcoming,
)
from adapters.gateway.inbox.config import InboxConfig
from adapters.gateway.inbox.context import VISIT, Inbox, NotHereError
from adapters.gateway.inbox.notify import pages as telling
from adapters.gateway.inbox.people import People
from adapters.gateway.inbox.sessions import find_visit
from adapters.gateway.inbox.writing import pages as writing
from adapters.gateway.watch import Watch
from hub.kit.assets import gather_files
from hub.kit.browsers import is_from, read_token
from hub.kit.forms import FormError, Posted, read_form
from hub.kit.headers import add_security_headers
from hub.kit.limits import SERVER_OPTIONS, limit_connections
from hub.kit.pages import make_environment
from keys.digests import same, sha256_b64u
from schemas.strict_json import MalformedError

_log = logging.getLogger("gateway.inbox")
MAX_CONNECTIONS: Final = 512
YEAR: Final = 31_536_000

Show = Callable[[Inbox, web.Request], Awaitable[web.StreamResponse]]
Do = Callable[[Inbox, web.Request, Posted], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One page (``show``) or one thing to do (``do``); ``public`` ones need nobody to be signed in."""

    path: str
    show: Show | None = None
    do: Do | None = None
    public: bool = False


ROUTES: Final = (
    Route("/", show=today.show_today),
    Route("/sign-in", show=signing_in.show_sign_in, do=signing_in.sign_in, public=True),
    Route("/sign-in/oidc", show=oidc.begin, public=True),
    Route(oidc.BACK, show=oidc.come_back, public=True),
    Route("/sign-in/passkey", do=passkeys.sign_in, public=True),
    Route("/sign-in/passkey/options", do=passkeys.offer_sign_in, public=True),
    Route("/sign-out", do=signing_in.sign_out, public=True),
    Route("/welcome", show=welcoming.show_welcome, do=welcoming.take_code, public=True),
    Route("/welcome/choose", show=welcoming.show_choose, public=True),
    Route("/welcome/password", do=welcoming.set_password, public=True),
    Route("/welcome/passkey", do=welcoming.add_passkey, public=True),
    Route("/welcome/passkey/options", do=welcoming.offer_passkey, public=True),
    Route("/account", show=account_pages.show_account),
    Route("/account/password", show=account_pages.show_password, do=account_pages.set_password),
    Route("/account/passkeys", do=account_pages.add_passkey),
    Route("/account/passkeys/options", do=account_pages.offer_passkey),
    Route("/account/passkeys/remove", do=account_pages.remove_passkey),
    Route("/account/sessions/end", do=account_pages.end_sessions),
    Route("/account/away", show=account_pages.show_away, do=account_pages.go_away),
    Route("/account/back", do=account_pages.be_back),
    Route("/account/notifications", show=telling.show_notifications, do=telling.choose),
    Route("/account/push", do=telling.add_push),
    Route("/account/push/remove", do=telling.remove_pushes),
    Route("/push-worker.js", show=telling.serve_worker, public=True),
    Route("/people", show=people_pages.show_people),
    Route("/people/add", show=people_pages.show_add, do=people_pages.add),
    Route("/people/{person}", show=people_pages.show_person, do=people_pages.change),
    Route("/people/{person}/code", do=people_pages.give_code),
    Route("/people/{person}/sessions/end", do=people_pages.end_sessions),
    Route("/people/{person}/leave", show=people_pages.show_leave, do=people_pages.leave),
    Route("/people/{person}/return", do=people_pages.come_back),
    Route("/messages/{envelope}", show=messages.show_message),
    Route("/messages/{envelope}/open", do=messages.open_message),
    Route("/messages/{envelope}/acknowledge", do=messages.acknowledge),
    Route("/messages/{envelope}/documents/{number}", show=messages.show_document),
    Route("/messages/{envelope}/documents/{number}/pages/{page}", show=messages.serve_page),
    Route("/messages/{envelope}/documents/{number}/file", show=messages.serve_file),
    Route("/messages/{envelope}/copy", show=copies.show_copies, do=copies.make_copy),
    Route("/messages/{envelope}/answers/{family}", show=replies.show_reply, do=replies.give_reply),
    Route("/write", show=writing.show_write, do=writing.begin),
    Route("/write/{draft}", show=writing.show_draft),
    Route("/write/{draft}/steps/{step}", show=writing.show_step, do=writing.take_step),
    Route("/write/{draft}/to", show=writing.show_recipients, do=writing.take_recipients),
    Route("/write/{draft}/sharing", show=writing.show_sharing, do=writing.take_sharing),
    Route("/write/{draft}/documents", show=writing.show_documents, do=writing.take_documents),
    Route("/write/{draft}/check", show=writing.show_check),
    Route("/write/{draft}/send", do=writing.send),
    Route("/write/{draft}/sent", show=writing.show_sent),
    Route("/write/{draft}/discard", do=writing.discard),
    Route("/events", show=live.show_events),
    Route("/messages/{envelope}/decline", show=messages.show_decline, do=messages.decline),
    Route("/threads/{thread}", show=threads.show_thread),
    Route("/threads/{thread}/take", do=holding.take_thread),
    Route("/threads/{thread}/release", do=holding.release_thread),
    Route("/threads/{thread}/break-glass", show=glass.show_glass, do=glass.break_glass),
    Route("/review", show=glass.show_review),
    Route("/review/{glass}", do=glass.review),
    Route("/search", show=search.show_search, do=search.search),
    Route("/receipts", show=sent.show_sent),
    Route("/checks", show=checks.show_checks, do=checks.check),
    Route("/guests", show=desk.show_guests),
    Route("/guests/{link}/code", do=desk.show_code),
    Route("/guests/{link}/send", do=desk.send_again),
    Route("/team", show=team.show_team),
    Route("/team/people/{person}", show=team.show_person),
    Route("/team/assign", do=team.assign),
)


def make_inbox(gateway: Gateway, watch: Watch, config: InboxConfig) -> Inbox:
    """Return the inbox of *gateway*."""
    found, has_script = gather_files("adapters.gateway.inbox", "inbox.css", "inbox.js", "push.js", "push-worker.js")
    return Inbox(
        gateway=gateway, watch=watch, people=People(gateway.spool, gateway.keyring), config=config, files=found,
        version=sha256_b64u(b"".join(content for content, _ in found.values()))[:12], has_script=has_script,
        environment=make_environment("adapters.gateway.inbox", "adapters.gateway.guests"), provider=oidc.make_provider(gateway, config),
    )  # fmt: skip


def make_app(inbox: Inbox) -> web.Application:
    """Return the application that serves *inbox*."""
    # Bodies are read by `posted` alone: what aiohttp itself would read may have no byte.
    app = web.Application(middlewares=[_door(inbox)], client_max_size=1)
    for route in ROUTES:
        if route.show is not None:
            app.router.add_get(route.path, _serve(inbox, route, route.show), allow_head=False)
        if route.do is not None:
            app.router.add_post(route.path, _serve_form(inbox, route, route.do))
    add_guest_routes(app, inbox)
    app.router.add_get("/assets/{version}/{name}", partial(_serve_asset, inbox), allow_head=False)
    app.on_response_prepare.append(add_security_headers)
    return app


def _serve(inbox: Inbox, route: Route, show: Show) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        if VISIT not in request and not route.public:
            return signing_in.see_sign_in(request)
        return await show(inbox, request)

    return serve


def _serve_form(inbox: Inbox, route: Route, do: Do) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        visit = request.get(VISIT)
        if visit is None and not route.public:
            return signing_in.see_sign_in(request)
        if not is_from(request, inbox.config.origin):
            raise GatewayError("form-origin", "The form did not come from a page of this inbox", "Open the page again")
        try:
            posted = await read_form(request)
        except FormError as error:
            raise GatewayError(error.code, error.message, error.hint) from error
        if visit is not None and not same(posted.get("csrf").encode(), visit.csrf.encode()):
            raise GatewayError("form-session", "The page is from an earlier session", "Open the page again")
        return await do(inbox, request, posted)

    return serve


async def _serve_asset(inbox: Inbox, request: web.Request) -> web.Response:
    found = inbox.files.get(request.match_info["name"])
    if found is None or request.match_info["version"] != inbox.version:
        raise NotHereError
    content, kind = found
    headers = {"Cache-Control": f"public, max-age={YEAR}, immutable"}
    return web.Response(body=content, content_type=kind, charset="utf-8", headers=headers)


def _door(inbox: Inbox) -> Middleware:
    @web.middleware
    async def answer(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            if not request.path.startswith("/assets/"):
                visit = await find_visit(inbox, read_token(request))
                if visit is not None:
                    request[VISIT] = visit
            return await handler(request)
        except ConnectionError:
            raise
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return _show_error(inbox, request, NotHereError() if error.status == 404 else None, error.status)
        except Exception as error:  # noqa: BLE001 - the one place where nothing may get past
            return _explain(inbox, request, error)

    return answer


def _explain(inbox: Inbox, request: web.Request, error: Exception) -> web.StreamResponse:
    if isinstance(error, NotHereError):
        return _show_error(inbox, request, error, 404)
    if isinstance(error, NotYetError):
        return _show_error(inbox, request, error, 503)
    if isinstance(error, (GatewayError, MalformedError)):
        status = (
            403 if error.code in {"form-origin", "form-session"} else 413 if error.code == "form-too-large" else 422
        )
        return _show_error(inbox, request, error, status)
    # Its text may hold content, so only its kind and place are logged.
    _log.error("a page failed: %s", place_of(error))
    return _show_error(inbox, request, None, 500)


def _show_error(
    inbox: Inbox, request: web.Request, error: GatewayError | MalformedError | None, status: int
) -> web.Response:
    # The same wherever it was asked for: no part of the navigation is marked as the one where this is.
    return inbox.show(request, "error.html", {"error": error, "status": status, "path": ""}, status=status)


class Server:
    """The pages on a socket; as a context manager it starts and stops."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._runner = web.AppRunner(make_app(inbox), handle_signals=False, shutdown_timeout=2, **SERVER_OPTIONS)
        self.port = 0

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        config = self._inbox.config
        factory = limit_connections(cast(web.Server, self._runner.server), MAX_CONNECTIONS)
        self._socket = await asyncio.get_running_loop().create_server(
            factory, config.host, config.port, ssl=_tls(self._inbox), reuse_address=True
        )
        self.port = self._socket.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()
        self._inbox.stopping.set()
        await self._runner.cleanup()


def _tls(inbox: Inbox) -> ssl.SSLContext | None:
    config, home = inbox.config, inbox.gateway.home
    if not config.certificate:
        return None
    context: Any = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(home / config.certificate, Path(home / config.certificate_key))
    except (OSError, ssl.SSLError) as error:
        raise GatewayError(
            "inbox-certificate", "the certificate can't be read", "check `certificate` and `certificate_key`"
        ) from error
    return cast(ssl.SSLContext, context)
