"""A question to the audit log as a request asks it, and an entry as an answer has it."""

from __future__ import annotations

import re
from typing import Any, Final, get_args

import msgspec
from aiohttp import web

from hub.core.events import EventName
from hub.store.log import Filters
from hub.store.rows import LeafRow
from hub.web.problems import invalid
from hub.web.requests import moment, optional

FILTERS: Final = tuple(Filters.__annotations__)
EVENTS: Final[frozenset[str]] = frozenset(get_args(EventName))
_TYPE: Final = re.compile(r"\A[a-z][a-z0-9_.]{0,95}(?:/[1-9][0-9]{0,2})?\Z")


def filters_of(request: web.Request) -> Filters:
    """Return what a request's query asks the log by.

    Raises:
        HubError: ``request-invalid``; a value is not spelt as one that an entry could have.
    """
    event, kind = optional(request, "event", "text"), optional(request, "type", "text")
    if event is not None and event not in EVENTS:
        raise invalid("`event` isn't one that the log knows", "see the list in /docs")
    if kind is not None and not _TYPE.match(kind):
        raise invalid("`type` isn't spelt as it must be", "such as `minutes.full` or `minutes.full/1`")
    return Filters(
        event=event,
        agency=optional(request, "agency", "agency"),
        mailbox=optional(request, "mailbox", "mailbox"),
        envelope=optional(request, "envelope", "id"),
        thread=optional(request, "thread", "id"),
        obligation=optional(request, "obligation", "sha256"),
        type=kind,
        since=moment(request, "since"),
        until=moment(request, "until"),
    )


def entry_of(row: LeafRow) -> dict[str, Any]:
    """Return an entry: ``text`` is the leaf byte for byte as it was hashed into the tree, ``leaf`` the same as JSON."""
    return {"index": row.index, "leaf": msgspec.json.decode(row.body), "text": bytes(row.body).decode()}
