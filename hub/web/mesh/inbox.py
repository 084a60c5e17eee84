"""Collecting: an inbox is the mailbox's feed, less what was acknowledged, with reports of what it sent in front.

Acknowledged is delivered and nothing more: receipts of ours are signed, by the agency, and sent on ``…_ACK``.

Source: NHS MESH API 2.0.0, receiving.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import urlencode

from aiohttp import web
from msgspec.structs import replace

from hub import mesh
from hub.store.rows import MeshSentRow
from hub.store.transaction import Transaction
from hub.web.context import Hub
from hub.web.mesh.answers import answer, malformed, unknown, version_of
from hub.web.mesh.calling import Caller
from hub.web.mesh.reports import report_due

DEFAULT: Final = 500
_RANGE: Final = range(10, 5001)
_PLACE: Final = re.compile(r"\AF([0-9]{1,15})\Z|\AR([A-Z0-9]{1,64})\Z")
_FILTER: Final = re.compile(r"\A(!?)(\*?)([A-Za-z0-9_.-]{1,300})(\*?)\Z")


class Place(NamedTuple):
    """Where a page begins: after a report's message, while there are reports, or after a number of the feed."""

    report: str | None
    seq: int


class Page(NamedTuple):
    """One page: names that match, where the next one begins if there is one, and about how many wait in all."""

    names: list[str]
    next: str | None
    size: int


async def list_inbox(hub: Hub, request: web.Request, caller: Caller, body: bytes) -> web.Response:
    """Answer what waits, the oldest first."""
    del body
    most, place, matches = _most(request), _place(request), _matcher(request.query.get("workflow_filter"))
    version = version_of(request)
    await report_due(hub, caller)
    page = await hub.store.read(lambda tx: _page(tx, caller, place, most, matches))
    if version == 1:
        return answer({"messages": page.names})
    path = f"/messageexchange/{caller.address}/inbox"
    links = {"self": path}
    if page.next:
        kept = {name: request.query[name] for name in ("max_results", "workflow_filter") if name in request.query}
        links["next"] = f"{path}?{urlencode(kept | {'continue_from': page.next})}"
    return answer({"messages": page.names, "links": links, "approx_inbox_count": page.size})


def _page(tx: Transaction, caller: Caller, place: Place, most: int, matches: Callable[[str], bool]) -> Page:
    box = tx.find_mesh_mailbox(caller.mailbox)
    through = box.through if box else 0
    size = tx.mesh_inbox_size(caller.mailbox, through) + len(tx.mesh_reports(caller.mailbox, "", most))
    names: list[str] = []
    if place.report is not None:
        reports = tx.mesh_reports(caller.mailbox, place.report, most)
        names += (mesh.report_name(row.id) for row in reports if matches(row.workflow))
        if len(reports) == most:
            return Page(names, f"R{reports[-1].id}", size)
        most -= len(reports)
    entries = tx.mesh_inbox(caller.mailbox, max(place.seq, through), most + 1)
    for entry in entries[:most]:
        if matches(mesh.workflow_in(entry.kind, entry.type)):
            names.append(mesh.message_name(entry.kind, entry.ref, caller.mailbox))
    more = entries[most - 1].seq if len(entries) > most else None
    return Page(names, None if more is None else f"F{more}", size)


def _most(request: web.Request) -> int:
    text = request.query.get("max_results", str(DEFAULT))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) in _RANGE):
        raise malformed("max_results is a number from 10 to 5000")
    return int(text)


def _place(request: web.Request) -> Place:
    text = request.query.get("continue_from", "")
    if not text:
        return Place("", 0)
    found = _PLACE.match(text)
    if found is None:
        raise malformed("continue_from is what `next` said")
    return Place(found[2], int(found[1] or 0))


def _matcher(text: str | None) -> Callable[[str], bool]:
    if not text:
        return lambda _: True
    found = _FILTER.match(text)
    if found is None or (found[2] and not found[4]):
        raise malformed("workflow_filter is X, X* or *X*, or one of these after !")
    no, before, word, after = bool(found[1]), found[2], found[3], found[4]

    def matches(workflow: str) -> bool:
        if before:
            return (word in workflow) != no
        return (workflow.startswith(word) if after else workflow == word) != no

    return matches


async def count_inbox(hub: Hub, request: web.Request, caller: Caller, body: bytes) -> web.Response:
    """Answer how many wait."""
    del request, body
    await report_due(hub, caller)

    def look(tx: Transaction) -> int:
        box = tx.find_mesh_mailbox(caller.mailbox)
        waiting = tx.mesh_inbox_size(caller.mailbox, box.through if box else 0)
        return waiting + len(tx.mesh_reports(caller.mailbox, "", _RANGE[-1]))

    return answer({"count": await hub.store.read(look)})


async def acknowledge(hub: Hub, request: web.Request, caller: Caller, body: bytes) -> web.Response:
    """Close one message: it leaves the inbox. Doing it again changes nothing."""
    del body
    name = request.match_info["id"]

    def work(tx: Transaction) -> None:
        report = find_report(tx, name, caller.mailbox)
        if report is not None:
            tx.set_mesh_report(replace(report, report_taken=report.report_taken or caller.at))
            return
        entry = mesh.parse_name(name, caller.mailbox)
        found = tx.mesh_entry(caller.mailbox, *entry) if entry else None
        if found is None:
            raise unknown(name)
        tx.mesh_acknowledge(caller.mailbox, found.seq, caller.at)

    await hub.store.write(work)
    return web.Response()


def find_report(tx: Transaction, name: str, mailbox: str) -> MeshSentRow | None:
    """Return the message about which the report *name* tells *mailbox*, if there is one."""
    if not (mesh.is_name(name) and name.startswith("P")):
        return None
    row = tx.find_mesh_sent(name[1:])
    return row if row and row.sender == mailbox and row.reported is not None else None
