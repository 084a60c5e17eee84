"""Records of breaches: the list, one record with both sides' signed words, and what two people decide about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from hub import breaches
from hub.breaches import Record
from hub.core.breaching import EXITS, REASONS, TELL_WITHIN
from hub.errors import HubError
from hub.kit.forms import Posted
from hub.web.console.frame import Console, NotHereError, Visit
from hub.web.console.proposing import PAGE, propose, read_index, say
from schemas.identifiers import is_id

SAYS: Final = {
    "to_tell": "The regulator has to be told",
    "told": "The regulator has been told",
    "not_notifiable": "A breach, and a risk to people is unlikely: the regulator need not be told",
    "no_breach": "No breach: whoever had it was entitled to it",
}


async def show_breaches(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer the records in one state, the newest first."""
    del visit
    state = request.query.get("state", "open")
    if state not in EXITS:
        raise NotHereError
    rows = await console.hub.store.read(lambda tx: tx.breaches(read_index(request), PAGE + 1, state))
    context = {
        "breaches": rows[:PAGE], "after": rows[PAGE - 1].index if len(rows) > PAGE else None, "state": state,
        "states": tuple(EXITS), "within": TELL_WITHIN,
    }  # fmt: skip
    return console.show(request, "breaches.html", context)


async def show_breach(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer one record."""
    del visit
    return await _show(console, request, "")


async def _show(console: Console, request: web.Request, wrong: str) -> web.Response:
    record = await _find(console, request)
    context = {
        "record": record, "breach": record.breach, "wrong": wrong, "says": SAYS, "reasons": REASONS,
        "decisions": [one for one in SAYS if one in EXITS[record.breach.state]],
        "tell_by": record.breach.at + TELL_WITHIN,
    }  # fmt: skip
    return console.show(request, "breach.html", context, status=422 if wrong else 200)


async def _find(console: Console, request: web.Request) -> Record:
    name = request.match_info["envelope"]
    found = await console.hub.store.read(lambda tx: breaches.find_record(tx, name)) if is_id(name) else None
    if found is None:
        raise NotHereError
    return found


async def propose_decision(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Propose what is decided about a record."""
    record = await _find(console, request)
    try:
        about: dict[str, Any] = {"envelope": record.breach.envelope, "decision": posted.get("decision")}
        if posted.get("decision") == "told":
            about["told_at"] = _read_moment(console, posted.get("told_at"))
        return await propose(console, visit, posted, "breach-decide", about)
    except HubError as error:
        return await _show(console, request, say(error))


def _read_moment(console: Console, text: str) -> int:
    zone = ZoneInfo(console.hub.config.console.time_zone)
    try:
        return int(datetime.strptime(text, "%Y-%m-%dT%H:%M").replace(tzinfo=zone).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise HubError("breach-moment", "that is no date and time", "give both") from error


async def give_statements(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer both sides' signed words as a file, for whoever verifies them."""
    del visit
    record = await _find(console, request)
    said = {
        "envelope": record.breach.envelope,
        "acceptance": record.envelope.acceptance.decode(),
        "header": record.envelope.header.decode(),
        "withdrawals": [row.jws.decode() for row in record.asked],
        "receipts": [row.jws.decode() for row in record.answered],
    }
    headers = {"Content-Disposition": f'attachment; filename="breach-{record.breach.envelope}.json"'}
    return web.Response(body=msgspec.json.encode(said), content_type="application/json", headers=headers)
