"""Who calls: a mailbox by its HMAC, each token for one request.

The client repeats a request with the same token when it got no answer: a token is bound to method, path and body, so that an
identical repeat is answered again and anything else is refused.

Source: NHS MESH API 2.0.0, authorization.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

from aiohttp import web

from hub import mesh
from hub.store.transaction import Transaction
from hub.web.context import Hub
from hub.web.mesh.answers import DoorError
from keys.digests import sha256_b64u
from keys.mesh import Secrets, Token, is_by, parse_token, unlock_secrets
from schemas.identifiers import AgencyId, MailboxId, Moment, agency_of

HOUR: Final = 3_600_000
AROUND: Final = 2 * HOUR
REMEMBERED: Final = 4 * HOUR
# Compared with where there is no such mailbox, so that the answer comes no sooner.
_NOBODY: Final = Secrets("nobody", "nobody")


class Caller(NamedTuple):
    """A mailbox that proved itself; ``token`` is the digest of its token, ``at`` when it called."""

    mailbox: MailboxId
    address: str
    token: str
    at: Moment

    @property
    def agency(self) -> AgencyId:
        """Return the caller's agency."""
        return agency_of(self.mailbox)


def _refused() -> DoorError:
    return DoorError(403, "token-invalid", "The mailbox, its password or the token is wrong", event="AUTHENTICATE")


async def prove(hub: Hub, request: web.Request) -> Caller:
    """Return who calls; its token isn't used yet.

    Raises:
        DoorError: 403, the same whatever was wrong.
    """
    token, now = parse_token(request.headers.get("Authorization", "")), hub.clock()
    said = _moment(token) if token else None
    if token is None or said is None or abs(said - now) > AROUND:
        raise _refused()
    mailbox = mesh.find_address(hub.registry.snapshot.directory, token.mailbox, now)
    row = await hub.store.read(lambda tx: tx.find_mesh_mailbox(mailbox)) if mailbox else None
    secrets = unlock_secrets(row.mailbox, row.secrets, hub.keyring.secrets_key) if row else _NOBODY
    if not is_by(token, secrets) or row is None:
        raise _refused()
    if request.match_info.get("mailbox", token.mailbox) != token.mailbox:
        raise _refused()
    hub.gateways[agency_of(row.mailbox)] = now
    used = f"{token.mailbox}:{token.nonce}:{token.number}:{token.said_at}"
    return Caller(row.mailbox, token.mailbox, sha256_b64u(used.encode()), now)


async def use(hub: Hub, request: web.Request, caller: Caller, body: bytes) -> None:
    """Use the caller's token for this request, which has come whole.

    Raises:
        DoorError: 403; it was used for another one.
    """
    asked = sha256_b64u(f"{request.method}\n{request.path_qs}\n{sha256_b64u(body)}".encode(errors="surrogateescape"))

    def work(tx: Transaction) -> bool:
        tx.forget_mesh_tokens(caller.at)
        return tx.use_mesh_token(caller.token, asked, caller.at + REMEMBERED)

    if not await hub.store.write(work):
        raise _refused()


def _moment(token: Token) -> Moment | None:
    try:
        said = datetime.strptime(token.said_at, "%Y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError:
        return None
    return round(said.timestamp() * 1000)
