"""The console's pages as a table, behind one door: who asks, may they, may the form be trusted, what an error looks like.

Source: DESIGN 6 (sessions); promises 2.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, NamedTuple

from aiohttp import web

from hub.core.rights import Right
from hub.errors import HubError, known
from hub.kit.browsers import is_from, read_token
from hub.kit.forms import FormError, Posted, read_form
from hub.kit.pages import see
from hub.web.console import (
    account_pages,
    breach_pages,
    coverage_pages,
    directory_pages,
    draft_pages,
    figure_pages,
    health_pages,
    hold_pages,
    holding_pages,
    journey_pages,
    key_pages,
    log_pages,
    missing_pages,
    passkeys,
    people_pages,
    program_pages,
    proposals,
    provider,
    report_pages,
    retention_pages,
    signing_in,
    welcoming,
    witness_pages,
)
from hub.web.console.frame import NAVIGATION, ROOT, VISIT, Console, NotHereError, Visit
from hub.web.console.sessions import find_visit
from hub.web.problems import describe
from keys.digests import same
from keys.errors import KeysError
from schemas.strict_json import MalformedError

YEAR: Final = 31_536_000

Show = Callable[[Console, web.Request, Visit], Awaitable[web.StreamResponse]]
Do = Callable[[Console, web.Request, Visit, Posted], Awaitable[web.StreamResponse]]
PublicShow = Callable[[Console, web.Request], Awaitable[web.StreamResponse]]
PublicDo = Callable[[Console, web.Request, Posted], Awaitable[web.StreamResponse]]


class Page(NamedTuple):
    """One page (``show``) or one thing to do (``do``) for whoever has ``right``; ``None``: for everybody signed in."""

    path: str
    right: Right | None
    show: Show | None = None
    do: Do | None = None


class Open(NamedTuple):
    """A page or a thing to do for which nobody has to be signed in."""

    path: str
    show: PublicShow | None = None
    do: PublicDo | None = None


OPEN: Final[tuple[Open, ...]] = (
    Open("/sign-in", show=signing_in.show_sign_in, do=signing_in.sign_in),
    Open("/sign-in/oidc", show=provider.begin),
    Open(provider.BACK, show=provider.come_back),
    Open("/sign-in/passkey", do=passkeys.sign_in),
    Open("/sign-in/passkey/options", do=passkeys.offer_sign_in),
    Open("/welcome", show=welcoming.show_welcome, do=welcoming.take_code),
    Open("/welcome/choose", show=welcoming.show_choose),
    Open("/welcome/password", do=welcoming.set_password),
    Open("/welcome/passkey", do=welcoming.add_passkey),
    Open("/welcome/passkey/options", do=welcoming.offer_passkey),
)
PAGES: Final[tuple[Page, ...]] = (
    Page("/sign-out", None, do=signing_in.sign_out),
    Page("/account", None, show=account_pages.show_account),
    Page("/account/passkeys", None, do=account_pages.add_passkey),
    Page("/account/passkeys/options", None, do=account_pages.offer_passkey),
    Page("/account/passkeys/remove", None, do=account_pages.remove_passkey),
    Page("/", "figures", show=figure_pages.show_figures),
    Page("/coverage", "figures", show=coverage_pages.show_coverage),
    Page("/reports/quarter", "figures", show=report_pages.show_quarter),
    Page("/reports/quarter.csv", "figures", show=report_pages.send_csv),
    Page("/reports/quarter.pdf", "figures", show=report_pages.send_pdf),
    Page("/missing", "obligations", show=missing_pages.show_missing),
    Page("/obligations/{obligation}", "obligations", show=missing_pages.show_obligation),
    Page("/obligations/{obligation}/chase", "propose", do=missing_pages.chase_obligation),
    Page("/obligations/{obligation}/ending", "propose", do=missing_pages.propose_ending),
    Page("/envelopes/{envelope}", "envelopes", show=journey_pages.show_envelope),
    Page("/envelopes/{envelope}/proof.tar", "envelopes", show=journey_pages.send_proof),
    Page("/threads/{thread}", "envelopes", show=journey_pages.show_thread),
    Page("/log", "log", show=log_pages.show_log, do=log_pages.save_question),
    Page("/log/check", "log", show=log_pages.show_check),
    Page("/log/export.{kind}", "export", show=log_pages.export_log),
    Page("/people", "people", show=people_pages.show_people),
    Page("/people/add", "people", show=people_pages.show_add, do=people_pages.propose_add),
    Page("/people/{account}", "people", show=people_pages.show_person, do=people_pages.propose_change),
    Page("/people/{account}/code", "people", do=people_pages.give_code),
    Page("/programs", "programs", show=program_pages.show_programs, do=program_pages.add_program),
    Page("/programs/{program}/end", "programs", do=program_pages.end_program),
    Page("/proposals", "directory", show=proposals.show_proposals),
    Page("/proposals/{proposal}", "directory", show=proposals.show_proposal),
    Page("/proposals/{proposal}/decide", "decide", do=proposals.decide),
    Page("/proposals/{proposal}/withdraw", "propose", do=proposals.withdraw),
    Page("/holds", "holdings", show=hold_pages.show_holds),
    Page("/holds", "propose", do=hold_pages.propose_hold),
    Page("/retention", "holdings", show=retention_pages.show_retention),
    Page("/holdings", "holdings", show=holding_pages.show_form, do=holding_pages.find_holders),
    Page("/breaches", "breaches", show=breach_pages.show_breaches),
    Page("/breaches/{envelope}", "breaches", show=breach_pages.show_breach, do=breach_pages.propose_decision),
    Page("/breaches/{envelope}/statements", "breaches", show=breach_pages.give_statements),
    Page("/directory", "directory", show=directory_pages.show_directory),
    Page("/directory/agencies/{agency}", "directory", show=directory_pages.show_agency),
    Page("/directory/versions/{version}", "directory", show=directory_pages.show_directory_version),
    Page("/agreement", "directory", show=directory_pages.show_agreement),
    Page("/agreement/versions/{version}", "directory", show=directory_pages.show_agreement_version),
    Page("/keys", "directory", show=key_pages.show_keys),
    Page("/keys", "propose", do=key_pages.propose_key),
    Page("/witnesses", "directory", show=witness_pages.show_witnesses),
    Page("/drafts", "propose", show=draft_pages.show_drafts, do=draft_pages.take_draft),
    Page("/drafts/{digest}", "propose", show=draft_pages.show_draft, do=draft_pages.propose_draft),
    Page("/drafts/{digest}/file", "propose", show=draft_pages.give_draft),
    Page("/health", "health", show=health_pages.show_health),
)


def add_console(app: web.Application, console: Console) -> None:
    """Add the console's pages to *app*, under ``/console``."""
    for page in OPEN:
        if page.show is not None:
            app.router.add_get(_path(page.path), _serve_open(console, page.show), allow_head=False)
        if page.do is not None:
            app.router.add_post(_path(page.path), _take_open(console, page.do))
    for private in PAGES:
        if private.show is not None:
            app.router.add_get(_path(private.path), _serve(console, private, private.show), allow_head=False)
        if private.do is not None:
            app.router.add_post(_path(private.path), _take(console, private, private.do))
    app.router.add_get(f"{ROOT}/assets/{{version}}/{{name}}", partial(_serve_asset, console), allow_head=False)
    # Whoever types an address that isn't there gets a page, not a problem for programs.
    app.router.add_get(f"{ROOT}{{rest:(?:/.*)?}}", _door(console, _show_nothing))


def _path(path: str) -> str:
    return ROOT if path == "/" else f"{ROOT}{path}"


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _serve_open(console: Console, show: PublicShow) -> Handler:
    return _door(console, partial(show, console))


def _take_open(console: Console, do: PublicDo) -> Handler:
    async def take(request: web.Request) -> web.StreamResponse:
        posted = await _read(console, request)
        return await do(console, request, posted)

    return _door(console, take)


def _serve(console: Console, page: Page, show: Show) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        visit = request.get(VISIT)
        if visit is None or (page.path == "/" and page.right not in visit.rights):
            return await _show_nothing(request)
        _check_right(page, visit)
        return await show(console, request, visit)

    return _door(console, serve)


def _take(console: Console, page: Page, do: Do) -> Handler:
    async def take(request: web.Request) -> web.StreamResponse:
        visit = request.get(VISIT)
        if visit is None:
            return signing_in.see_sign_in(request)
        _check_right(page, visit)
        posted = await _read(console, request)
        if not same(posted.get("csrf").encode(), visit.csrf.encode()):
            raise HubError("form-session", "The page is from an earlier session", "Open the page again")
        return await do(console, request, visit, posted)

    return _door(console, take)


def _check_right(page: Page, visit: Visit) -> None:
    if page.right is not None and page.right not in visit.rights:
        raise NotHereError


async def _read(console: Console, request: web.Request) -> Posted:
    if not is_from(request, console.origin):
        raise HubError("form-origin", "The form did not come from a page of this console", "Open the page again")
    try:
        return await read_form(request)
    except FormError as error:
        raise HubError(error.code, error.message, error.hint) from error


async def _show_nothing(request: web.Request) -> web.StreamResponse:
    visit = request.get(VISIT)
    if visit is None:
        return signing_in.see_sign_in(request)
    first = next((link for link, _, right in NAVIGATION if right in visit.rights and link != "/"), "/account")
    if request.path in {ROOT, f"{ROOT}/"}:
        return see(ROOT + first)
    raise NotHereError


async def _serve_asset(console: Console, request: web.Request) -> web.StreamResponse:
    found = console.files.get(request.match_info["name"])
    if found is None or request.match_info["version"] != console.version:
        raise NotHereError
    content, kind = found
    headers = {"Cache-Control": f"public, max-age={YEAR}, immutable"}
    return web.Response(body=content, content_type=kind, charset="utf-8", headers=headers)


def _door(console: Console, handler: Handler) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            visit = await find_visit(console, read_token(request))
            if visit is not None:
                request[VISIT] = visit
                await console.see_witnesses()
            return await handler(request)
        except (ConnectionError, web.HTTPException):
            raise
        except (HubError, KeysError, MalformedError) as error:
            shown: dict[str, Any] = {"error": error, "path": ""}
            return console.show(request, "error.html", shown, status=known(error.code).status)
        except Exception as error:  # noqa: BLE001 - a page is shown for what nobody foresaw; `describe` logs it
            context = {"error": None, "reference": describe(error)["reference"], "path": ""}
            return console.show(request, "error.html", context, status=500)

    return answer
