"""Tokens of programs: a list, a new one, an end."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from hub import programs
from hub.core.rights import SCOPES
from hub.errors import HubError
from hub.kit.forms import Posted
from hub.kit.pages import see
from hub.web.console.frame import ROOT, Console, NotHereError, Visit
from schemas.identifiers import is_id

PAGE: Final = 50


async def show_programs(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer the list of tokens."""
    del visit
    return await _show(console, request, "", "")


async def _show(console: Console, request: web.Request, wrong: str, token: str) -> web.Response:
    after = request.query.get("after")
    rows = await console.hub.store.read(lambda tx: tx.programs(after if after and is_id(after) else None, PAGE + 1))
    context = {
        "programs": rows[:PAGE], "after": rows[PAGE - 1].id if len(rows) > PAGE else None, "wrong": wrong,
        "token": token, "scopes": SCOPES, "most_days": programs.MOST_DAYS,
    }  # fmt: skip
    return console.show(request, "programs.html", context, status=422 if wrong else 200)


async def add_program(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Make a token, which the page shows this once."""
    text = posted.get("days")
    days = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    try:
        _, token = await console.hub.store.write(
            lambda tx: programs.add_program(
                tx, visit.account.id, posted.get("name"), posted.all("scope"), days, console.now()
            )
        )
    except HubError as error:
        return await _show(console, request, f"{error.message.capitalize()}: {error.hint}", "")
    return await _show(console, request, "", token)


async def end_program(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """End a token at once."""
    del posted
    name = request.match_info["program"]
    if not is_id(name):
        raise NotHereError
    await console.hub.store.write(lambda tx: programs.end_program(tx, visit.account.id, name, console.now()))
    return see(f"{ROOT}/programs")
