"""Signing in at an OpenID provider.

Nobody gets an account by it: one must be here beforehand.  The first time, the login claim says whose it is, and the account
is pinned to the provider's subject; from then on only the subject counts, so that an address given to somebody else opens
nothing.  Second factors are the provider's.

Source: OpenID Connect Core 2 (``sub``), 5.7 (stable claims); DESIGN 6 (transport identity).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from msgspec.structs import replace

from hub import people
from hub.errors import HubError
from hub.kit.browsers import read_token
from hub.kit.oidc import Attempt, Client, Identity, OidcError, Provider, UnknownKeyError
from hub.kit.oidc_config import OidcConfig
from hub.kit.pages import HEADERS, see
from hub.store.transaction import Transaction
from hub.web.console.frame import ROOT, Console, NotHereError
from hub.web.console.sessions import begin_step, hand_over, take_step
from hub.web.console.signing_in import back_path
from hub.web.context import Hub
from keys.digests import b64u, random_bytes, sha256_b64u
from keys.errors import KeysError
from keys.tokens import verify_id_token

BACK: Final = "/sign-in/oidc/back"


def make_provider(hub: Hub) -> Provider | None:
    """Return the provider that the configuration names, or ``None``.

    Raises:
        HubError: ``config``.
    """
    config, oidc = hub.config.console, hub.config.console.oidc
    if oidc is None:
        return None
    if "openid" not in oidc.scopes:
        raise HubError("config", "`console.oidc.scopes` leaves `openid` out", "add it in hub.toml")
    secret = _read_secret(hub.config.home_path, oidc)

    def verify(token: str, jwks: Sequence[Mapping[str, Any]], nonce: str) -> Mapping[str, Any]:
        try:
            return verify_id_token(
                token, jwks, algorithm=oidc.algorithm, issuer=oidc.issuer, client=oidc.client_id, nonce=nonce,
                now=hub.clock(),
            )  # fmt: skip
        except KeysError as error:
            if error.code == "token-key-unknown":
                raise UnknownKeyError from error
            raise

    client = Client(
        issuer=oidc.issuer, id=oidc.client_id, secret=secret, scopes=oidc.scopes, prompt=oidc.prompt,
        redirect_uri=(config.origin or hub.config.url) + ROOT + BACK,
    )  # fmt: skip
    return Provider(client, verify)


def _read_secret(home: Path, oidc: OidcConfig) -> str:
    if not oidc.client_secret_file:
        return ""
    try:
        return (home / oidc.client_secret_file).read_text("utf-8").strip()
    except OSError as error:
        raise HubError(
            "config", "the provider's secret can't be read", "check `console.oidc.client_secret_file`"
        ) from error


async def begin(console: Console, request: web.Request) -> web.StreamResponse:
    """Send the browser to the provider."""
    provider, _ = _configured(console)
    attempt = Attempt(*(b64u(random_bytes(32)) for _ in range(3)))
    try:
        address = await provider.address(attempt, sha256_b64u(attempt.verifier.encode()))
    except OidcError as error:
        raise HubError(error.code, error.message, error.hint) from error
    response = web.Response(status=303, headers={"Location": address} | HEADERS)
    await begin_step(console, response, "oidc", attempt._asdict() | {"back": back_path(request.query.get("back", ""))})
    return response


async def come_back(console: Console, request: web.Request) -> web.StreamResponse:
    """Begin a session for whom the provider says has signed in, if they have an account here."""
    provider, oidc = _configured(console)
    step = await console.hub.store.write(lambda tx: take_step(console, tx, request, "oidc"))
    if step is None:
        raise HubError("oidc-step", "This sign-in has ended or was begun elsewhere", "Sign in again from the beginning")
    try:
        attempt = Attempt(step["state"], step["nonce"], step["verifier"])
        identity = await provider.redeem(attempt, {name: request.query[name] for name in request.query})
        subject = sha256_b64u(f"{oidc.issuer} {identity.claims['sub']}".encode())
        login = await _read_login(console, provider, oidc, identity, subject)
    except OidcError as error:
        raise HubError(error.code, error.message, error.hint) from error
    except KeysError as error:
        raise HubError(
            "oidc-token", "Your organisation's sign-in can't be trusted as it is", "Tell your support desk"
        ) from error
    token = await console.hub.store.write(lambda tx: _enter(console, tx, subject, login, read_token(request)))
    return hand_over(see(back_path(step["back"])), token)


def _configured(console: Console) -> tuple[Provider, OidcConfig]:
    oidc = console.hub.config.console.oidc
    if console.provider is None or oidc is None:
        raise NotHereError
    return console.provider, oidc


async def _read_login(console: Console, provider: Provider, oidc: OidcConfig, identity: Identity, subject: str) -> str:
    """Return the login that the provider says, empty where it isn't needed or doesn't count."""
    if await console.hub.store.read(lambda tx: tx.find_account_by_subject(subject)) is not None:
        return ""
    claims = identity.claims
    if oidc.login_claim not in claims:
        claims = await provider.ask(identity)
    login = claims.get(oidc.login_claim)
    if not isinstance(login, str) or (oidc.login_claim == "email" and claims.get("email_verified") is not True):
        return ""
    return login.strip().casefold()


def _enter(console: Console, tx: Transaction, subject: str, login: str, old: str) -> str:
    row = tx.find_account_by_subject(subject)
    if row is None and login and len(login) <= people.MAX_LOGIN:
        named = tx.find_account_by_login(login)
        # An account that is pinned to somebody else's subject stays theirs.
        if named is not None and named.state == "active" and named.subject is None:
            row = replace(named, subject=subject)
            tx.set_account_secrets(row)
    if row is None or row.state != "active":
        raise HubError("oidc-stranger", "You have no account here", "Ask whoever keeps the accounts for one")
    return people.begin_session(tx, row.id, "oidc", console.now(), instead_of=old)
