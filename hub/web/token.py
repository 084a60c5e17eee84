"""``POST /v1/token``."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from hub.web.context import Hub
from hub.web.identity import TOKEN_SECONDS
from hub.web.requests import MEMORY, check_query, read_json, reply
from schemas.envelope import Struct

MAX_REQUEST = 8 * 1024


class TokenRequest(Struct, frozen=True, kw_only=True):
    """A compact ``hub-assertion+jws``."""

    assertion: Annotated[str, Meta(max_length=4096)]


async def give_token(hub: Hub, request: web.Request) -> web.Response:
    """Answer an assertion with an access token."""
    check_query(request)
    request[MEMORY] = hub.sign_in_memory
    asked = await read_json(hub, request, TokenRequest, MAX_REQUEST)
    # A lone surrogate can't be here, but a letter beyond ASCII can: it is no JWS, and is told so.
    assertion = asked.assertion.encode()
    token = await hub.identity.trade(assertion, hub.store, hub.registry, hub.clock())
    return reply({"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS})
