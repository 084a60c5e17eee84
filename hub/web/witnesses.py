"""Who has cosigned the log, how far, and whether that is enough: for anyone, to check with public tools.

Source: protocol 8; C2SP tlog-cosignature.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from hub import witnessing
from hub.store.transaction import Transaction
from hub.web.context import Hub
from hub.web.requests import check_query, reply


async def show_witnesses(hub: Hub, request: web.Request) -> web.Response:
    """Answer how far the log is witnessed, with the last cosigned checkpoint of each witness.

    ``policy`` is the quorum as any C2SP tool reads it; ``cosigned`` is a signed note of the witness alone: whoever has its key and a consistency proof needs nothing else.
    """
    check_query(request)
    snapshot, now = hub.registry.snapshot, hub.clock()
    policy = witnessing.expanded_policy(snapshot, now)

    def look(tx: Transaction) -> dict[str, Any]:
        state = witnessing.state(tx, snapshot, now)
        return {
            "size": state.size,
            "root": state.root,
            "at": state.at,
            "witnessed_size": state.witnessed_size,
            "witnessed_at": state.witnessed_at,
            "quorum": state.quorum,
            "policy": policy,
            "witnesses": [
                {
                    "name": one.name,
                    "title": one.title,
                    "kind": one.kind,
                    "size": one.size,
                    "at": one.said_at,
                    "error": one.error,
                    "cosigned": witnessing.cosigned(tx, one.name, one.size),
                }
                for one in state.witnesses
            ],
        }

    return reply(await hub.store.read(look))
