"""Signing in at the agency's own OpenID provider.

Nobody gets an account by it: one must be here beforehand.  The first time, the login claim says whose it is, and the account
is pinned to the provider's subject; from then on only the subject counts, so that an address given to somebody else opens
nothing.

Source: OpenID Connect Core 2 (``sub``), 5.7 (stable claims); design 6 (transport identity).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from adapters.errors import GatewayError, NotYetError
from adapters.gateway.context import Gateway
from adapters.gateway.inbox.config import InboxConfig
from adapters.gateway.inbox.context import Inbox, NotHereError
from adapters.gateway.inbox.sessions import begin_session, hand_over
from adapters.gateway.inbox.signing_in import back_path
from adapters.gateway.inbox.steps import begin_step, take_step
from adapters.gateway.spool import Transaction
from hub.kit.browsers import read_token
from hub.kit.oidc import Attempt, Client, Identity, OidcError, Provider, UnknownKeyError
from hub.kit.oidc_config import OidcConfig
from hub.kit.pages import HEADERS, see
from keys.digests import b64u, random_bytes, sha256_b64u
from keys.errors import KeysError
from keys.tokens import verify_id_token

BACK: Final = "/sign-in/oidc/back"


def make_provider(gateway: Gateway, config: InboxConfig) -> Provider | None:
    """Return the provider that *config* names, or ``None``.

    Raises:
        GatewayError: ``inbox-oidc``.
    """
    oidc = config.oidc
    if oidc is None:
        return None
    if "openid" not in oidc.scopes:
        raise GatewayError("inbox-oidc", "`scopes` leaves `openid` out", "add it in gateway.toml")
    try:
        secret = (gateway.home / oidc.client_secret_file).read_text("utf-8").strip() if oidc.client_secret_file else ""
    except OSError as error:
        raise GatewayError("inbox-oidc", "the provider's secret can't be read", "check `client_secret_file`") from error

    def verify(token: str, jwks: Sequence[Mapping[str, Any]], nonce: str) -> Mapping[str, Any]:
        try:
            return verify_id_token(
                token, jwks, algorithm=oidc.algorithm, issuer=oidc.issuer, client=oidc.client_id, nonce=nonce,
                now=gateway.clock(),
            )  # fmt: skip
        except KeysError as error:
            if error.code == "token-key-unknown":
                raise UnknownKeyError from error
            raise

    client = Client(
        issuer=oidc.issuer, id=oidc.client_id, secret=secret, redirect_uri=config.origin + BACK, scopes=oidc.scopes,
        prompt=oidc.prompt,
    )  # fmt: skip
    return Provider(client, verify)


async def begin(inbox: Inbox, request: web.Request) -> web.StreamResponse:
    """Send the browser to the provider."""
    provider, _ = _configured(inbox)
    attempt = Attempt(*(b64u(random_bytes(32)) for _ in range(3)))
    try:
        address = await provider.address(attempt, sha256_b64u(attempt.verifier.encode()))
    except OidcError as error:
        raise _explain(error) from error
    response = web.Response(status=303, headers={"Location": address} | HEADERS)
    await begin_step(inbox, response, "oidc", attempt._asdict() | {"back": back_path(request.query.get("back", ""))})
    return response


async def come_back(inbox: Inbox, request: web.Request) -> web.StreamResponse:
    """Begin a session for whom the provider says has signed in, if they have an account here."""
    provider, config = _configured(inbox)
    step = await inbox.gateway.spool.write(lambda tx: take_step(inbox, tx, request, "oidc"))
    if step is None:
        raise GatewayError(
            "oidc-step", "This sign-in has ended or was begun elsewhere", "Sign in again from the beginning"
        )
    try:
        attempt = Attempt(step["state"], step["nonce"], step["verifier"])
        identity = await provider.redeem(attempt, {name: request.query[name] for name in request.query})
        login = await _read_login(inbox, provider, config, identity)
    except OidcError as error:
        raise _explain(error) from error
    except KeysError as error:
        raise GatewayError(
            "oidc-token", "Your organisation's sign-in can't be trusted as it is", "Tell your support desk"
        ) from error
    token = await inbox.gateway.spool.write(
        lambda tx: _enter(inbox, tx, _subject(inbox, config, identity), login, read_token(request))
    )
    return hand_over(see(back_path(step["back"])), token)


def _configured(inbox: Inbox) -> tuple[Provider, OidcConfig]:
    if inbox.provider is None or inbox.config.oidc is None:
        raise NotHereError
    return inbox.provider, inbox.config.oidc


def _explain(error: OidcError) -> GatewayError:
    kind = NotYetError if error.code == "oidc-away" else GatewayError
    return kind(error.code, str(error), error.hint)


def _subject(inbox: Inbox, config: OidcConfig, identity: Identity) -> str:
    return inbox.people.digest("subject", f"{config.issuer} {identity.claims['sub']}")


async def _read_login(inbox: Inbox, provider: Provider, config: OidcConfig, identity: Identity) -> str:
    """Return the login that the provider says, empty where it isn't needed or doesn't count."""
    if await inbox.gateway.spool.one("find_subject", subject=_subject(inbox, config, identity)) is not None:
        return ""
    claims = identity.claims
    if config.login_claim not in claims:
        claims = await provider.ask(identity)
    login = claims.get(config.login_claim)
    if not isinstance(login, str) or (config.login_claim == "email" and claims.get("email_verified") is not True):
        return ""
    return login


async def _enter(inbox: Inbox, tx: Transaction, subject: str, login: str, old: str) -> str:
    row = await tx.one("find_subject", subject=subject)
    if row is None and login:
        person = await inbox.people.find_login(tx, login)
        # An account that is pinned to somebody else's subject stays theirs.
        if (
            person is not None
            and person.state == "active"
            and await tx.run("pin_subject", id=person.id, subject=subject)
        ):
            await inbox.people.note(tx, person.id, "subject-pinned", inbox.now())
            row = await tx.one("find_subject", subject=subject)
    if row is None or row["state"] != "active":
        raise GatewayError(
            "oidc-stranger", "You have no account in this inbox", "Ask whoever keeps the accounts for one"
        )
    return await begin_session(inbox, tx, row["id"], "oidc", instead_of=old)
