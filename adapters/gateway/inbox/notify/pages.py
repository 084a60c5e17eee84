"""*Your account*, notifications: by which channels somebody is told, and which browsers are woken.

Source: issue of the inbox (receipt notifications); Push API.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aiohttp import web

from adapters.errors import GatewayError
from adapters.gateway.inbox.context import Inbox, NotHereError, visit_of
from adapters.gateway.inbox.notify.channels import may_push
from adapters.gateway.inbox.notify.config import NotifyConfig
from adapters.gateway.inbox.notify.notifier import push_key
from adapters.gateway.spool import Transaction
from hub.kit.forms import Posted
from hub.kit.pages import see
from keys.digests import sha256_b64u
from keys.tokens import push_public_key

MOST: Final = 10
MAX_ENDPOINT: Final = 1000


class Subscription(msgspec.Struct, frozen=True):
    """What a browser says of itself; of its keys nothing is kept, since nothing is ever sent inside."""

    endpoint: str


async def show_notifications(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer by which channels the person is told."""
    visit, config = visit_of(request, "account"), _config(inbox)

    async def work(tx: Transaction) -> dict[str, Any]:
        return {
            "choice": await tx.one("tell_choice_of", person=visit.person.id), "person": visit.person,
            "pushes": await tx.all("list_tell_push", person=visit.person.id), "config": config,
            "push_key": push_public_key(push_key(inbox)) if config.push_hosts else "",
        }  # fmt: skip

    return inbox.show(request, "notifications.html", await inbox.gateway.spool.write(work))


async def choose(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Keep by which channels, and whether all but what is urgent may wait for the digest."""
    visit = visit_of(request, "account")
    _config(inbox)
    await inbox.gateway.spool.run(
        "set_tell_choice", person=visit.person.id, email=posted.get("email") == "yes",
        digest_only=posted.get("when") == "digest",
    )  # fmt: skip
    return see("/account/notifications")


async def add_push(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Keep the browser as one that is woken.

    Raises:
        GatewayError: ``push-endpoint``; its push service is not one that the agency allows.
    """
    visit, config = visit_of(request, "account"), _config(inbox)
    try:
        endpoint = msgspec.json.decode(posted.get("subscription"), type=Subscription).endpoint
    except msgspec.MsgspecError:
        endpoint = ""
    if len(endpoint) > MAX_ENDPOINT or not may_push(endpoint, config.push_hosts):
        raise GatewayError(
            "push-endpoint", "Your agency does not allow this browser's push service", "Choose e-mail instead"
        )
    name = sha256_b64u(endpoint.encode())

    async def work(tx: Transaction) -> None:
        if len(await tx.all("list_tell_push", person=visit.person.id)) >= MOST:
            await tx.run("drop_tell_pushes", person=visit.person.id)
        locked = inbox.gateway.spool.lock(msgspec.json.encode(Subscription(endpoint)), f"push {name}")
        await tx.run("add_tell_push", id=name, person=visit.person.id, at=inbox.now(), content=locked)

    await inbox.gateway.spool.write(work)
    return see("/account/notifications")


async def remove_pushes(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Wake none of the person's browsers any more."""
    del posted
    visit = visit_of(request, "account")
    await inbox.gateway.spool.run("drop_tell_pushes", person=visit.person.id)
    return see("/account/notifications")


async def serve_worker(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the script that a woken browser runs; it has to lie at the root to be responsible for the pages."""
    del request
    content, kind = inbox.files["push-worker.js"]
    return web.Response(body=content, content_type=kind, charset="utf-8")


def _config(inbox: Inbox) -> NotifyConfig:
    if inbox.config.notify is None:
        raise NotHereError
    return inbox.config.notify
