"""Who calls: an assertion signed with an agency's key becomes a short token, and a token becomes a caller.

A token names the key that asked for it.  Verified tokens are remembered until they end, so that no signature is
checked twice; key and agency are looked up at each request, so that a revoked one is refused at once.

Source: protocol 9 (``/v1/token``); RFC 7523; promises P11.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from hub.core.authenticity import SUSPENDED, Caller, KeyFact, is_usable
from hub.errors import HubError, NotAuthenticError
from hub.registry import Registry, Snapshot
from hub.store.base import Store, StoreFullError
from keys import jws, tokens
from keys.errors import KeysError
from keys.keyring import HubKeyring
from schemas.identifiers import Moment, agency_of
from schemas.statements import Assertion, parse_assertion

SCOPE: Final = "gateway"
TOKEN_SECONDS: Final = 300
MAX_ASSERTION_SECONDS: Final = 60
CLOCK_SKEW_SECONDS: Final = 30
_REMEMBERED: Final = 20_000

__all__ = ["Caller", "Identity", "check_active"]


class Identity:
    """Tokens of one hub: made, checked and remembered."""

    def __init__(self, url: str, keyring: HubKeyring) -> None:
        self._url, self._keyring = url, keyring
        self._known: OrderedDict[str, Caller] = OrderedDict()
        self._unstored: dict[str, Moment] = {}

    async def trade(self, assertion: bytes, store: Store, registry: Registry, now: Moment) -> str:
        """Return an access token for a ``hub-assertion+jws``, which works once.

        Raises:
            KeysError, MalformedError: not an assertion.
            NotAuthenticError: ``assertion-*``, ``key-*`` or ``agency-not-active``.
        """
        unverified = jws.parse(assertion, jws.ASSERTION)
        snapshot = registry.snapshot
        key, fact = snapshot.verifying.get(unverified.kid), snapshot.keys.get(unverified.kid)
        if key is None or fact is None:
            raise NotAuthenticError("key-unknown", "the assertion's key isn't known here", "publish the key first")
        jws.check(unverified, key)
        claims = parse_assertion(unverified.payload)
        self._check(claims, fact, now)
        agency, mailbox = fact.agency, claims.sub if "/" in claims.sub else None
        check_active(snapshot, fact, now)
        if not await self._use(claims, store, now):
            raise NotAuthenticError("assertion-used", "the assertion was used before", "sign a new one each time")
        return tokens.issue_access_token(
            self._keyring.token_key,
            issuer=self._url,
            subject=agency,
            mailbox=mailbox,
            scope=f"{SCOPE} {fact.kid}",
            now=now,
        )

    async def _use(self, claims: Assertion, store: Store, now: Moment) -> bool:
        """Answer whether *claims* were not used before; remembered for longer than they could be shown again."""
        self._unstored = {jti: until for jti, until in self._unstored.items() if until > now}
        if claims.jti in self._unstored:
            return False
        until = (claims.exp + CLOCK_SKEW_SECONDS) * 1000
        try:
            return await store.write(lambda tx: tx.use_jti(claims.jti, until))
        except StoreFullError:
            # A full disk shall stay readable for longer than a token lasts: here this process alone remembers.
            self._unstored[claims.jti] = until
            return True

    def _check(self, claims: Assertion, fact: KeyFact, now: Moment) -> None:
        own = claims.sub == fact.agency if fact.mailbox is None else claims.sub == fact.mailbox
        inside = fact.mailbox is None and "/" in claims.sub and agency_of(claims.sub) == fact.agency
        if claims.iss != claims.sub or not (own or inside) or claims.aud != self._url:
            raise NotAuthenticError(
                "assertion-invalid",
                "the assertion isn't of its key's agency or mailbox, or is for another hub",
                f"iss and sub are the caller, aud is {self._url}",
            )
        seconds = now // 1000
        if not claims.iat - CLOCK_SKEW_SECONDS <= seconds < claims.exp + CLOCK_SKEW_SECONDS or (
            not 0 < claims.exp - claims.iat <= MAX_ASSERTION_SECONDS
        ):
            raise NotAuthenticError(
                "assertion-expired",
                "the assertion has expired, or lasts longer than 60 seconds",
                "check the gateway's clock and sign a new one",
            )

    def authenticate(self, authorization: str | None, registry: Registry, now: Moment) -> Caller:
        """Return who a request with this ``Authorization`` header comes from.

        Raises:
            NotAuthenticError: ``token-*``, ``key-not-active`` or ``agency-not-active``.
        """
        if authorization is None or not authorization.startswith("Bearer "):
            raise NotAuthenticError("token-missing", "an access token is needed", "trade an assertion at /v1/token")
        token = authorization[7:]
        caller = self._known.get(token)
        if caller is None:
            caller = self._verify(token, now)
            self._remember(token, caller)
        elif caller.expires <= now:
            del self._known[token]
            raise NotAuthenticError("token-expired", "the access token has expired", "trade a new assertion")
        check_active(registry.snapshot, registry.snapshot.keys.get(caller.kid), now)
        return caller

    def _verify(self, token: str, now: Moment) -> Caller:
        try:
            claims = tokens.verify_access_token(
                token, self._keyring.token_key.public, issuer=self._url, audience=self._url, now=now
            )
        except KeysError as error:
            code = error.code if error.code == "token-expired" else "token-invalid"
            raise NotAuthenticError(code, "the access token isn't valid", "trade a new assertion") from error
        scope, _, kid = claims.scope.partition(" ")
        if scope != SCOPE or not kid:
            raise HubError("token-scope", "the access token doesn't allow this", "use a gateway's token")
        return Caller(claims.subject, claims.mailbox, kid, claims.expires)

    def _remember(self, token: str, caller: Caller) -> None:
        self._known[token] = caller
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def check_active(snapshot: Snapshot, fact: KeyFact | None, now: Moment) -> None:
    """Return if *fact* is a signing key in use of an agency that is in the directory and within its dates.

    Raises:
        NotAuthenticError: ``key-suspended``, ``key-not-active`` or ``agency-not-active``.
    """
    if fact is not None and fact.suspended:
        raise NotAuthenticError(SUSPENDED.code, SUSPENDED.message, SUSPENDED.hint)
    if fact is None or not is_usable(fact, "sign", now):
        raise NotAuthenticError("key-not-active", "the caller's key isn't active", "use a current key")
    agency = snapshot.directory.find_agency(fact.agency)
    if agency is None or agency.valid_from > now or (agency.valid_to is not None and agency.valid_to <= now):
        raise NotAuthenticError("agency-not-active", "the agency isn't active in the directory", "ask the partnership")
