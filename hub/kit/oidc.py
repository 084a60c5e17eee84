"""OpenID Connect as a relying party: authorisation code with PKCE, state and nonce, at one configured issuer.

How an id token is verified, and where random text comes from, is handed in: no cryptography is here.  Every answer of the
provider is read with a limit and a deadline, and no redirect is followed.

Source: OpenID Connect Core and Discovery 1.0; RFC 7636 (PKCE), RFC 9207 (``iss`` of the answer), RFC 9700.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus, urlencode, urlsplit

import aiohttp

MAX_ANSWER: Final = 256 * 1024
MAX_KEYS: Final = 50
SECONDS: Final = 10.0
DISCOVERY_SECONDS: Final = 3600.0
# How often the keys are asked for again at most, whoever sends tokens with unknown ones.
REFRESH_SECONDS: Final = 60.0
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class OidcError(Exception):
    """A sign-in at the provider did not work.  ``code`` permanent, ``message`` without tokens or names, ``hint`` the way out."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


class UnknownKeyError(Exception):
    """What a verifier raises where a token names a key that isn't among those that it was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """How this relying party is known to the issuer; an empty ``secret`` is a public client's."""

    issuer: str
    id: str
    secret: str = field(default="", repr=False)
    redirect_uri: str
    scopes: tuple[str, ...] = ("openid",)
    prompt: str = ""


class Attempt(NamedTuple):
    """What one sign-in must bring back or prove: random texts of 43 characters or more; kept on the server meanwhile."""

    state: str
    nonce: str
    verifier: str


class Identity(NamedTuple):
    """Who signed in: the verified claims of the id token, and the token with which more may be asked."""

    claims: Mapping[str, Any]
    access_token: str


Verify = Callable[[str, Sequence[Mapping[str, Any]], str], Mapping[str, Any]]
"""Takes an id token, the issuer's keys and the nonce; returns its claims, or raises :class:`UnknownKeyError` or its own."""


class Provider:
    """One issuer, with what it published kept for a while."""

    def __init__(self, client: Client, verify: Verify) -> None:
        """Take how we are known to it, and how its id tokens are verified."""
        self._client, self._verify = client, verify
        self._metadata: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, Sequence[Mapping[str, Any]]] | None = None

    async def address(self, attempt: Attempt, challenge: str) -> str:
        """Return where the browser goes to sign in; *challenge* is the S256 of the attempt's verifier.

        Raises:
            OidcError: ``oidc-away``, ``oidc-answer``.
        """
        endpoint = await self._endpoint("authorization_endpoint")
        asked = {
            "response_type": "code", "client_id": self._client.id, "redirect_uri": self._client.redirect_uri,
            "scope": " ".join(self._client.scopes), "state": attempt.state, "nonce": attempt.nonce,
            "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        if self._client.prompt:
            asked["prompt"] = self._client.prompt
        return endpoint + ("&" if "?" in endpoint else "?") + urlencode(asked)

    async def redeem(self, attempt: Attempt, answer: Mapping[str, str]) -> Identity:
        """Return who signed in, from the query *answer* with which the browser came back.

        Raises:
            OidcError: ``oidc-state`` (another sign-in's), ``oidc-refused``, ``oidc-away``, ``oidc-answer``; and what the
                verifier raises.
        """
        metadata = await self._discover()
        issuer = answer.get("iss")
        needs_issuer = metadata.get("authorization_response_iss_parameter_supported") is True
        if answer.get("state") != attempt.state or (
            issuer != self._client.issuer if issuer is not None or needs_issuer else False
        ):
            raise OidcError("oidc-state", "That answer belongs to another sign-in", "Sign in again from the beginning")
        if "error" in answer or not answer.get("code"):
            raise OidcError("oidc-refused", "Your organisation did not sign you in", "Sign in again, or ask them why")
        tokens = await self._exchange(metadata, attempt, answer["code"])
        token, access = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(token, str) or not isinstance(access, str):
            raise _odd("no id token")
        return Identity(await self._check(token, attempt.nonce), access)

    async def ask(self, identity: Identity) -> Mapping[str, Any]:
        """Return what the issuer tells of *identity* beyond the id token.

        Raises:
            OidcError: ``oidc-away``, ``oidc-answer``: among others, where it tells of somebody else.
        """
        endpoint = await self._endpoint("userinfo_endpoint")
        told = await _fetch("GET", endpoint, headers={"Authorization": f"Bearer {identity.access_token}"})
        if told.get("sub") != identity.claims.get("sub"):
            raise _odd("somebody else's claims")
        return told

    async def _check(self, token: str, nonce: str) -> Mapping[str, Any]:
        try:
            return self._verify(token, await self._find_keys(), nonce)
        except UnknownKeyError:
            pass
        # It may be the issuer's next key; or anybody's, so that this is asked once a minute at most.
        try:
            return self._verify(token, await self._find_keys(again=True), nonce)
        except UnknownKeyError as error:
            raise _odd("a token by an unknown key") from error

    async def _exchange(self, metadata: Mapping[str, Any], attempt: Attempt, code: str) -> Mapping[str, Any]:
        client = self._client
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": client.redirect_uri,
            "code_verifier": attempt.verifier,
        }  # fmt: skip
        headers: dict[str, str] = {}
        known = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if client.secret and "client_secret_basic" in known:
            pair = f"{quote_plus(client.id)}:{quote_plus(client.secret)}"
            headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode()
        else:
            form |= {"client_id": client.id} | ({"client_secret": client.secret} if client.secret else {})
        return await _fetch("POST", await self._endpoint("token_endpoint"), form=form, headers=headers)

    async def _find_keys(self, *, again: bool = False) -> Sequence[Mapping[str, Any]]:
        now = asyncio.get_running_loop().time()
        if self._keys is None or now - self._keys[0] > (REFRESH_SECONDS if again else DISCOVERY_SECONDS):
            keys = (await _fetch("GET", await self._endpoint("jwks_uri"))).get("keys")
            if not isinstance(keys, list) or len(keys) > MAX_KEYS or not all(isinstance(key, dict) for key in keys):
                raise _odd("no keys")
            self._keys = (now, keys)
        return self._keys[1]

    async def _endpoint(self, name: str) -> str:
        return _check_address((await self._discover()).get(name))

    async def _discover(self) -> Mapping[str, Any]:
        now = asyncio.get_running_loop().time()
        if self._metadata is None or now - self._metadata[0] > DISCOVERY_SECONDS:
            issuer = _check_address(self._client.issuer)
            found = await _fetch("GET", issuer.rstrip("/") + "/.well-known/openid-configuration")
            if found.get("issuer") != self._client.issuer:
                raise _odd("another issuer")
            self._metadata = (now, found)
        return self._metadata[1]


def _check_address(address: Any) -> str:
    """Return *address* if what goes there is encrypted on its way, or stays on this machine."""
    if not isinstance(address, str):
        raise _odd("no such endpoint")
    parts = urlsplit(address)
    plain = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not (parts.scheme == "https" or plain) or not parts.hostname or parts.username or parts.fragment:
        raise _odd("an address that isn't https")
    return address


def _odd(what: str) -> OidcError:
    return OidcError("oidc-answer", f"Your organisation's sign-in gave {what}", "Tell your support desk")


async def _fetch(
    method: str, address: str, *, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> Mapping[str, Any]:
    """Return the JSON object that *address* answers."""
    asked = {"Accept": "application/json"} | dict(headers or {})
    body = bytearray()
    try:
        async with (
            asyncio.timeout(SECONDS),
            # A session each: sign-ins are rare, and no cookie or connection of one may serve another.
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
            http.request(method, address, data=form, headers=asked, allow_redirects=False) as answer,
        ):
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise _odd("more than can be meant")
            status = answer.status
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise OidcError("oidc-away", "Your organisation's sign-in can't be reached", "Try again in a moment") from error
    if status >= 500:
        raise OidcError("oidc-away", "Your organisation's sign-in has a fault", "Try again in a moment")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _odd("an answer that can't be read") from error
    if status != 200 or not isinstance(value, dict):
        raise _odd("an answer that can't be read" if status == 200 else f"the answer {status}")
    return value
