"""``POST /v1/receipts``: one or many, one outcome each in order."""

from __future__ import annotations

from typing import Annotated, Any, Final

from aiohttp import web
from msgspec import Meta

from hub import exchange
from hub.web.context import Hub
from hub.web.identity import Caller
from hub.web.problems import describe
from hub.web.requests import check_query, read_json, reply
from schemas.envelope import Struct

MAX_RECEIPTS: Final = 500
MAX_COMPACT: Final = 8 * 1024
MAX_REQUEST: Final = MAX_RECEIPTS * MAX_COMPACT


class Receipts(Struct, frozen=True, kw_only=True):
    """Compact ``hub-receipt+jws``."""

    receipts: Annotated[
        tuple[Annotated[str, Meta(max_length=MAX_COMPACT)], ...], Meta(min_length=1, max_length=MAX_RECEIPTS)
    ]


async def take_receipts(hub: Hub, request: web.Request, caller: Caller) -> web.Response:
    """Take receipts of the caller's mailboxes."""
    check_query(request)
    asked = await read_json(hub, request, Receipts, MAX_REQUEST)
    raws = [text.encode() for text in asked.receipts]
    outcomes = await exchange.accept_receipts(
        hub.store, hub.registry, caller.agency, raws, hub.clock(), hub.keyring.signing
    )
    for outcome in outcomes:
        if isinstance(outcome, exchange.Taken):
            hub.wakeups.wake(outcome.wake)
    return reply({"outcomes": [_outcome(outcome) for outcome in outcomes]})


def _outcome(outcome: Any) -> dict[str, Any]:
    if isinstance(outcome, exchange.Taken):
        return {"status": 200 if outcome.repeat else 201, "id": outcome.id, "index": outcome.index, "at": outcome.at}
    problem = describe(outcome)
    return {"status": problem["status"], "problem": problem}
