"""What is owed, for its parties; and the end of an obligation without a message.

Source: protocol 5 and 9.
"""

from __future__ import annotations

from typing import Any, Final, get_args

from aiohttp import web

from hub import amendments
from hub.entries import is_administrator
from hub.store.rows import ObligationRow
from hub.web.context import Hub
from hub.web.identity import Caller
from hub.web.problems import invalid, not_found
from hub.web.requests import (
    check_query,
    integer,
    optional,
    path_id,
    read_compact,
    reply,
)
from schemas.identifiers import MailboxId, Moment
from schemas.rules.duty import State

MAX_WAIVER: Final = 8 * 1024
MAX_LIMIT: Final = 500


async def list_obligations(hub: Hub, request: web.Request, caller: Caller) -> web.Response:
    """Answer the obligations of which one of the caller's mailboxes is debtor or creditor, by their due moments.

    The partnership's own agency sees everybody's.  ``whole``: each with the duty as the rules found it, for a gateway's watch.
    """
    check_query(request, "mailbox", "state", "thread", "after", "limit", "whole")
    whole = request.query.get("whole")
    if whole not in {None, "yes"}:
        raise invalid("`whole` isn't `yes`", "leave it out, or ask with whole=yes")
    mailbox, thread = optional(request, "mailbox", "mailbox"), optional(request, "thread", "id")
    state, after = optional(request, "state", "text"), optional(request, "after", "sha256")
    if state is not None and state not in get_args(State):
        raise invalid("`state` isn't a state of obligations", f"one of {', '.join(get_args(State))}")
    limit = integer(request, "limit", 100, most=MAX_LIMIT) or 1
    boxes = None if is_administrator(hub.registry.snapshot.directory, caller) else own_mailboxes(hub, caller)
    if mailbox is not None and boxes is not None and mailbox not in boxes:
        raise not_found()
    mine = [mailbox] if mailbox else boxes
    rows = await hub.store.read(
        lambda tx: tx.list_obligations(mailboxes=mine, thread=thread, state=state, after_id=after, limit=limit + 1)
    )
    now = hub.clock()
    answer: dict[str, Any] = {"obligations": [describe(row, now, whole=whole is not None) for row in rows[:limit]]}
    if len(rows) > limit:
        answer["next"] = rows[limit - 1].id
    return reply(answer)


def own_mailboxes(hub: Hub, caller: Caller) -> list[MailboxId]:
    """Return the caller's mailboxes, with those of agencies that it succeeds."""
    if caller.mailbox:
        return [caller.mailbox]
    index = hub.registry.snapshot.directory
    return [
        box.id
        for agency in index.directory.agencies
        if index.is_same_or_successor(caller.agency, agency.id, hub.clock())
        for box in agency.mailboxes
    ]


def describe(row: ObligationRow, now: Moment, *, whole: bool = False) -> dict[str, Any]:
    """Return one obligation as it is shown; ``overdue`` is derived, never stored."""
    duty = row.duty
    said: dict[str, Any] = {
        "id": row.id,
        "kind": duty.kind,
        "rule": duty.rule,
        "thread": duty.thread,
        "types": duty.types,
        "debtor": duty.debtor,
        "creditor": duty.creditor,
        "envelope": duty.envelope,
        "item": duty.item,
        "due": duty.due,
        "state": row.state,
        "settled_at": row.settled_at,
        "settled_by": row.settled_by,
        "overdue": row.state == "open" and duty.due < now,
        "duty": duty if whole else None,
    }
    return {name: value for name, value in said.items() if value not in (None, "")}


async def take_waiver(hub: Hub, request: web.Request, caller: Caller) -> web.Response:
    """Take a waiver signed by a party to the obligation."""
    check_query(request)
    raw = await read_compact(hub, request, MAX_WAIVER)
    done = await amendments.record_waiver(
        hub.store, hub.registry, caller.agency, path_id(request, "sha256"), raw, hub.clock()
    )
    hub.wakeups.wake(done.wake)
    return reply({"status": done.state})
