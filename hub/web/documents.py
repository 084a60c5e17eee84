"""The signed documents: directory, agreement and key statements.  Anyone may read or bring them.

What is brought takes effect by its own signatures, not by the rights of whoever brings it.

Source: protocol 7 and 9.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from hub import enrolment, registry
from hub.store.rows import DocumentRow
from hub.web.context import Hub
from hub.web.identity import Caller
from hub.web.problems import invalid, not_found
from hub.web.requests import (
    body_of,
    check_media,
    check_query,
    integer,
    read_json,
    reply,
)
from keys import digests, sealing
from keys.keyring import HubKeyring
from schemas.directory import Jwk
from schemas.envelope import Struct

MAX_COMPACT: Final = 16 * 1024
# Anyone may bring a document, so a longer one is published by `hub` on the hub's own machine.
MAX_BROUGHT: Final = 4 * 1024 * 1024
MAX_KEYS: Final = 1000
CHALLENGE_ID: Final = "key-proof"
CHALLENGE_SENDER: Final = "hub"


class KeyRequest(Struct, frozen=True, kw_only=True):
    """A key statement, with an officer's word where the key shall be used at once."""

    statement: Annotated[str, Meta(max_length=MAX_COMPACT)]
    officer: Annotated[str, Meta(max_length=MAX_COMPACT)] | None = None


class ChallengeRequest(Struct, frozen=True, kw_only=True):
    """A new sealing key of the caller's."""

    jwk: Jwk


async def _show(hub: Hub, request: web.Request, kind: Literal["directory", "agreement"]) -> web.Response:
    check_query(request)
    text = request.match_info.get("version")
    if text is not None and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise not_found()

    def look(tx: Any) -> DocumentRow | None:
        row: DocumentRow | None = tx.current_document(kind) if text is None else tx.find_document(kind, int(text))
        return row

    row = await hub.store.read(look)
    if row is None:
        raise not_found()
    tag = f'"{row.sha256}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=row.document, content_type="application/json", headers=headers)


async def show_directory(hub: Hub, request: web.Request) -> web.Response:
    """Answer the directory in force, or one version of it: an array of compact JWS over one payload."""
    return await _show(hub, request, "directory")


async def show_agreement(hub: Hub, request: web.Request) -> web.Response:
    """Answer the newest agreement, which may come into force later, or one version of it."""
    return await _show(hub, request, "agreement")


async def _announce(hub: Hub) -> None:
    await hub.registry.refresh(hub.store)
    hub.wakeups.wake(hub.registry.snapshot.directory.open_mailboxes(hub.clock()))


async def take_directory(hub: Hub, request: web.Request) -> web.Response:
    """Publish the next directory version."""
    check_query(request)
    check_media(request, "application/json")
    async with body_of(hub, request, MAX_BROUGHT) as document:
        published = await registry.publish_directory(hub.store, document, hub.clock(), signer=hub.keyring.signing)
    await _announce(hub)
    return reply({"version": published.version})


async def take_agreement(hub: Hub, request: web.Request) -> web.Response:
    """Publish the next agreement version."""
    check_query(request)
    check_media(request, "application/json")
    async with body_of(hub, request, MAX_BROUGHT) as document:
        published = await registry.publish_agreement(hub.store, document, hub.clock(), hub.keyring.signing)
    await _announce(hub)
    return reply({"version": published.version})


async def list_keys(hub: Hub, request: web.Request) -> web.Response:
    """Answer the newest statement about every key, or with ``all=true`` every statement, in the order of the log.

    ``indexes`` are their places in the log and ``at`` the moments of their leaves, so that a reader can ask for the
    proof of each.  Who joins late needs all: a key's old signatures are judged by what was said of it then.
    """
    check_query(request, "after", "limit", "all")
    after = integer(request, "after", 0)
    limit = integer(request, "limit", MAX_KEYS, most=MAX_KEYS) or 1
    if request.query.get("all", "false") not in {"true", "false"}:
        raise invalid("`all` is neither true nor false", "leave it out, or ask with all=true")
    if request.query.get("all") == "true":
        rest = await hub.store.read(lambda tx: tx.key_statements(after, limit + 1))
    else:
        rows = sorted(await hub.store.read(lambda tx: tx.keys()), key=lambda row: row.index)
        rest = [row for row in rows if row.index >= after]
    page = rest[:limit]
    answer: dict[str, Any] = {
        "keys": [row.statement.decode() for row in page],
        "indexes": [row.index for row in page],
        "at": [row.at for row in page],
        "usable_from": [row.usable_from for row in page],
    }
    if len(rest) > limit:
        answer["next"] = str(page[-1].index + 1)
    return reply(answer)


async def take_key(hub: Hub, request: web.Request) -> web.Response:
    """Publish one key statement."""
    check_query(request)
    asked = await read_json(hub, request, KeyRequest, 3 * MAX_COMPACT)
    said = await enrolment.publish_key(
        hub.store,
        hub.registry,
        asked.statement.encode(),
        asked.officer.encode() if asked.officer else None,
        challenge_secret(hub.keyring),
        hub.clock(),
    )
    return reply({"agency": said.agency, "sequence": said.sequence, "state": said.state})


async def challenge_key(hub: Hub, request: web.Request, caller: Caller) -> web.Response:
    """Answer a secret wrapped to the caller's new sealing key: ``proof`` in its statement is the secret's digest."""
    check_query(request)
    asked = await read_json(hub, request, ChallengeRequest, 8 * 1024)
    members = {name: value for name, value in msgspec.to_builtins(asked.jwk).items() if value is not None}
    key = sealing.SealingKey.from_jwk(members)
    secret = enrolment.challenge(challenge_secret(hub.keyring), key.kid)
    ek, wk = sealing.wrap(
        secret, key, envelope_id=CHALLENGE_ID, sender=CHALLENGE_SENDER, mailbox=caller.mailbox or caller.agency
    )
    return reply({"ek": ek, "wk": wk})


def challenge_secret(keyring: HubKeyring) -> bytes:
    """Return the secret of all challenges: every process of one hub has the same, and none has to remember any."""
    return digests.from_b64u(digests.keyed_digest(keyring.signing.seed(), "hub-key-challenge/1"))
