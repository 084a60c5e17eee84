"""How a page's form becomes a proposal, and lists go on by the log's index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from hub import acts
from hub.errors import HubError
from hub.kit.forms import Posted
from hub.kit.pages import see
from hub.web.console.frame import ROOT, Console, Visit
from keys.errors import KeysError
from schemas.strict_json import MalformedError

PAGE: Final = 50


async def propose(
    console: Console, visit: Visit, posted: Posted, act: str, about: Mapping[str, Any]
) -> web.StreamResponse:
    """Propose *act*, for the form's reason, and show the proposal that somebody else decides.

    Raises:
        HubError: ``request-invalid``, ``act-*``, and what the act's own check objects.
    """
    said = make_about(act, about)
    row = await console.hub.store.write(
        lambda tx: acts.propose(tx, visit.account.id, act, said, posted.get("reason"), console.now())
    )
    return see(f"{ROOT}/proposals/{row.id}")


def make_about(act: str, about: Mapping[str, Any]) -> msgspec.Struct:
    """Return what *act* is about.

    Raises:
        HubError: ``request-invalid``; a reference isn't spelt as one.
    """
    try:
        return msgspec.convert({name: value for name, value in about.items() if value}, acts.ACTS[act].about)
    except msgspec.ValidationError as error:
        raise HubError("request-invalid", "a reference isn't as it must be", "copy it from a page") from error


def say(error: HubError | KeysError | MalformedError) -> str:
    """Return an error as a page says it."""
    return f"{error.message[:1].upper()}{error.message[1:]}: {error.hint}"


def read_index(request: web.Request) -> int | None:
    """Return the log's index before which a list goes on, or ``None``."""
    text = request.query.get("after", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
