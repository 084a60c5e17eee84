"""The audit log: search by every filter, saved questions, export, and a check of the newest checkpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, get_args
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from hub import questions
from hub.core.authenticity import Caller
from hub.core.events import EventName, Leaf
from hub.entries import SCAN
from hub.errors import HubError
from hub.journeys.log_check import WHAT, check_log, parse_noted
from hub.journeys.tracing import Entry
from hub.kit.forms import Posted
from hub.kit.pages import see
from hub.store.log import Filters
from hub.store.transaction import Transaction
from hub.web import exports
from hub.web.console import saying
from hub.web.console.frame import ROOT, Console, NotHereError, Visit
from hub.web.console.proposing import PAGE, read_index, say
from schemas.identifiers import is_agency, is_id, is_mailbox, is_sha256

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TYPE: Final = re.compile(r"[a-z][a-z0-9_.]{0,95}(?:/[1-9][0-9]{0,2})?")
_DAYS: Final = 7
EVENTS: Final = get_args(EventName)
_SPELT: Final[Mapping[str, Any]] = {
    "event": lambda text: text in EVENTS,
    "agency": is_agency,
    "mailbox": is_mailbox,
    "type": _TYPE.fullmatch,
    "envelope": is_id,
    "thread": is_id,
    "obligation": is_sha256,
}
NAMES: Final = (*_SPELT, "since", "until")
_LABELS: Final[Mapping[str, str]] = {"since": "from", "until": "until"}
# What everybody asks of the log.  Those that need a reference to be filled in lead to the form.
ASKED_OFTEN: Final[tuple[tuple[str, Mapping[str, str]], ...]] = (
    ("Who looked at the log?", {"event": "log-read"}),
    ("What did two people agree on?", {"event": "act-approved"}),
    ("What was refused that an agency sent?", {"event": "envelope-refused"}),
    ("Which duties were ended without a message?", {"event": "waiver-recorded"}),
    ("Who was reminded by hand?", {"event": "obligation-chased"}),
    ("What was taken back?", {"event": "withdrawal-recorded"}),
    ("Whose keys changed?", {"event": "key-published"}),
)


async def show_log(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer the entries that fit the filters, oldest first; of the last week where there are none."""
    asked = {name: text for name in NAMES if (text := request.query.get(name, "").strip())}
    if not asked and "after" not in request.query:
        asked = {"since": f"{console.words().local(console.now()) - timedelta(days=_DAYS):%Y-%m-%d}"}
    return await _show(console, request, visit, asked, "")


async def _show(
    console: Console, request: web.Request, visit: Visit, asked: Mapping[str, str], wrong: str
) -> web.Response:
    after, filters = read_index(request), Filters()
    try:
        filters = read_filters(console, asked)
    except HubError as error:
        wrong = wrong or say(error)

    def look(tx: Transaction) -> dict[str, Any]:
        if wrong:
            return {"entries": (), "after": None, "people": {}, "questions": tx.questions(None, questions.MOST)}
        found = tx.search_leaves(after=-1 if after is None else after, limit=PAGE, scan=SCAN, **filters)
        entries = [Entry(row, msgspec.json.decode(row.body, type=Leaf)) for row in found.rows]
        names = {entry.leaf.person for entry in entries if entry.leaf.person}
        people = {name: row.name for name in names if (row := tx.find_account(name)) is not None}
        rows = (tx.find_obligation(name) for name in {entry.leaf.obligation or "" for entry in entries} if name)
        return {
            "entries": entries,
            "after": found.next,
            "people": people,
            "duties": {row.id: row.duty for row in rows if row is not None},
            "questions": tx.questions(None, questions.MOST),
        }

    if not wrong:
        await console.hub.looks.note_person(console.hub.store, visit.account.id, "entries", console.now(), filters)
    context = await console.hub.store.read(look) | {
        "asked": asked, "wrong": wrong, "saying": saying, "events": EVENTS, "query": urlencode(asked), "asked_often": ASKED_OFTEN,
        "agencies": console.hub.registry.snapshot.directory.directory.agencies, "titles": sorted(console.titles.items(), key=lambda item: item[1]),
        "href": lambda filters: f"{ROOT}/log?{urlencode(filters)}", "read": questions.asked_by,
    }  # fmt: skip
    return console.show(request, "log.html", context, status=422 if wrong else 200)


def read_filters(console: Console, asked: Mapping[str, str]) -> Filters:
    """Return what *asked* means; days are the county's.

    Raises:
        HubError: ``request-invalid``; one isn't spelt as it must be.
    """
    for name, text in asked.items():
        if name in _SPELT and not _SPELT[name](text):
            raise HubError("request-invalid", f"that is no {name}", "copy it from a page, or choose from the list")
    since, until = (_day(console, asked.get(name), name) for name in ("since", "until"))
    spelt = {name: asked[name] for name in _SPELT if name in asked}
    # The last day that is named counts whole.
    ends = None if until is None else _moment(until + timedelta(days=1))
    found: Filters = {"since": None if since is None else _moment(since), "until": ends}
    found.update(spelt)  # type: ignore[typeddict-item]
    return found


def _day(console: Console, text: str | None, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        if not _DATE.fullmatch(text):
            raise ValueError(text)  # noqa: TRY301 - one way to say what is wrong
        return datetime.fromisoformat(text).replace(tzinfo=console.words().zone)
    except ValueError as error:
        raise HubError("request-invalid", f"“{_LABELS[name]}” is no date", "write it like 2026-07-06") from error


def _moment(day: datetime) -> int:
    return int(day.timestamp() * 1000)


async def save_question(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Save what was asked under a title."""
    asked = {name: text for name in NAMES if (text := posted.get(name).strip())}
    try:
        read_filters(console, asked)
        await console.hub.store.write(
            lambda tx: questions.save(tx, visit.account.id, posted.get("title"), asked, console.now())
        )
    except HubError as error:
        return await _show(console, request, visit, asked, say(error))
    return see(f"{ROOT}/log?{urlencode(asked)}")


async def export_log(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Stream the entries that fit the filters as JSON Lines or CSV."""
    kind = request.match_info["kind"]
    if kind not in exports.MEDIA:
        raise NotHereError
    filters = read_filters(console, {name: text for name in NAMES if (text := request.query.get(name, "").strip())})
    hub, now = console.hub, console.now()
    await hub.looks.note_person(hub.store, visit.account.id, "export", now, filters)
    # Whoever may export at the console sees what the partnership's own agency sees.
    everything = Caller(hub.registry.snapshot.directory.directory.partnership, None, "", now)
    return await exports.send_entries(hub, request, everything, kind, filters, -1)


async def show_check(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer a check of the newest checkpoint, and how anybody makes it without the hub."""
    del visit
    size, root = request.query.get("size", "").strip(), request.query.get("root", "").strip()
    wrong, noted = "", None
    if size or root:
        try:
            noted = parse_noted(size, root)
        except HubError as error:
            wrong = say(error)
    snapshot, now = console.hub.registry.snapshot, console.now()
    found = await console.hub.store.read(lambda tx: check_log(tx, snapshot, now, noted))
    context = {"found": found, "what": WHAT, "size": size, "root": root, "wrong": wrong}
    return console.show(request, "log_check.html", context, status=422 if wrong else 200)
