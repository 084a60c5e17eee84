"""HTTP to a FHIR server: one conversation for a question of the gateway, with a token where the server wants one.

Nothing that identifies a person is in a URL: searches are forms in a body.

Source: FHIR R4 3.1.0 (RESTful API); RFC 6749 4.4 (client credentials).
"""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus

import aiohttp
import msgspec
from yarl import URL

from adapters.base import Later
from adapters.fhir.judging import FhirError, judge

JSON: Final = "application/fhir+json"
# A filed document of 60 MiB in Base64, and what is around it.
MAX_ANSWER: Final = 96 * 1024 * 1024
_EARLY: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How the adapter shows who it is: client credentials at a token endpoint."""

    url: str
    client: str
    secret: str
    scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the server said."""

    status: int
    body: Any


class Client:
    """A FHIR server, reached at *base*."""

    def __init__(
        self, base: str, *, seconds: float, context: ssl.SSLContext | None, credentials: Credentials | None
    ) -> None:
        self._base = base.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._context = context
        self._credentials = credentials
        self._token: tuple[str, float] | None = None

    @asynccontextmanager
    async def talk(self) -> AsyncIterator[Talk]:
        """Give one conversation.

        Raises:
            FhirError: the server is away, slow, has a certificate that doesn't hold, or answered what is no answer.
        """
        connector = aiohttp.TCPConnector(limit=4, ssl=self._context or True)
        try:
            async with aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            ) as session:
                yield Talk(self, session)
        except TimeoutError as error:
            raise FhirError(Later(reason="fhir-slow")) from error
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError, ssl.SSLError) as error:
            raise FhirError(Later(reason="fhir-certificate")) from error
        except (aiohttp.ClientError, OSError) as error:
            raise FhirError(Later(reason="fhir-away")) from error

    def url(self, path: str) -> URL:
        """Return where *path* is at the server."""
        return URL(f"{self._base}/{path}" if path else self._base, encoded=True)

    async def authorise(self, session: aiohttp.ClientSession, *, anew: bool = False) -> dict[str, str]:
        """Return the headers that show who asks.

        Raises:
            FhirError: the token endpoint gives no token.
        """
        if self._credentials is None:
            return {}
        now = asyncio.get_running_loop().time()
        if anew or self._token is None or self._token[1] <= now:
            self._token = await _fetch_token(session, self._credentials, now)
        return {"Authorization": f"Bearer {self._token[0]}"}

    @property
    def has_credentials(self) -> bool:
        """Answer whether a new token can be had."""
        return self._credentials is not None


class Talk:
    """One conversation with a server."""

    def __init__(self, client: Client, session: aiohttp.ClientSession) -> None:
        self._client = client
        self._session = session

    async def read(self, reference: str) -> dict[str, Any] | None:
        """Return the resource at *reference*, ``None`` where none is or it was deleted.

        Raises:
            FhirError: the server says neither.
        """
        reply = await self._ask("GET", reference)
        if reply.status in {404, 410}:
            return None
        return _resource(reply)

    async def search(self, kind: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the resources of *kind* that match *parameters*, of the first page.

        Raises:
            FhirError: the server doesn't say.
        """
        bundle = _resource(await self._ask("POST", f"{kind}/_search", form=parameters))
        if bundle.get("resourceType") != "Bundle":
            raise FhirError(Later(reason="fhir-answer"))
        found = [entry.get("resource") for entry in bundle.get("entry") or [] if isinstance(entry, dict)]
        return [one for one in found if isinstance(one, dict) and one.get("resourceType") == kind]

    async def update(self, resource: Mapping[str, Any]) -> None:
        """Put *resource*, unless it was changed since it was read.

        Raises:
            FhirError: it isn't taken.
        """
        version = resource.get("meta", {}).get("versionId")
        match = {"If-Match": f'W/"{version}"'} if version else {}
        path = f"{resource['resourceType']}/{resource['id']}"
        _resource(await self._ask("PUT", path, body=resource, headers=match))

    async def transact(self, bundle: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the ``response`` of each entry of a transaction, in its order, all of them successes.

        Raises:
            FhirError: it isn't taken.
        """
        answer = _resource(await self._ask("POST", "", body=bundle))
        entries = answer.get("entry")
        if answer.get("type") != "transaction-response" or not isinstance(entries, list):
            raise FhirError(Later(reason="fhir-answer"))
        responses = [entry.get("response") if isinstance(entry, dict) else None for entry in entries]
        if len(responses) != len(bundle["entry"]):
            raise FhirError(Later(reason="fhir-answer"))
        for response in responses:
            status = str(response.get("status", ""))[:3] if isinstance(response, dict) else ""
            if not status.isdecimal():
                raise FhirError(Later(reason="fhir-answer"))
            if not 200 <= int(status) < 300:
                raise FhirError(judge(int(status), (response or {}).get("outcome")))
        return [response for response in responses if response is not None]

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        sent: dict[str, Any] = {"data": form}
        # A search or a page kept from before would hide what was just written.
        more = {"Accept": JSON, "Prefer": "return=minimal", "Cache-Control": "no-cache", **(headers or {})}
        if body is not None:
            sent = {"data": io.BytesIO(msgspec.json.encode(body))}
            more["Content-Type"] = JSON
        for anew in (False, True):
            shown = await self._client.authorise(self._session, anew=anew)
            async with self._session.request(
                method, self._client.url(path), headers={**more, **shown}, allow_redirects=False, **sent
            ) as response:
                reply = Reply(status=response.status, body=await _read(response))
            if reply.status != 401 or not self._client.has_credentials:
                break
        return reply


def _resource(reply: Reply) -> dict[str, Any]:
    if not 200 <= reply.status < 300:
        raise FhirError(judge(reply.status, reply.body))
    # A PUT that asks for a minimal answer has none.
    if not isinstance(reply.body, dict):
        raise FhirError(Later(reason="fhir-answer"))
    return reply.body


async def _read(response: aiohttp.ClientResponse) -> Any:
    raw = bytearray()
    async for chunk in response.content.iter_any():
        raw += chunk
        if len(raw) > MAX_ANSWER:
            raise FhirError(Later(reason="fhir-answer"))
    if not raw:
        return {}
    try:
        return msgspec.json.decode(bytes(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


async def _fetch_token(session: aiohttp.ClientSession, credentials: Credentials, now: float) -> tuple[str, float]:
    form = {"grant_type": "client_credentials"} | ({"scope": credentials.scope} if credentials.scope else {})
    # RFC 6749 2.3.1: both are form-encoded first.
    shown = aiohttp.encode_basic_auth(quote_plus(credentials.client), quote_plus(credentials.secret))
    async with session.post(
        URL(credentials.url, encoded=True),
        data=form,
        headers={"Accept": "application/json", "Authorization": shown},
        allow_redirects=False,
    ) as response:
        said = await _read(response)
        status = response.status
    token = said.get("access_token") if isinstance(said, dict) else None
    if status >= 500 or status == 429:
        raise FhirError(Later(reason="fhir-busy"))
    if status != 200 or not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise FhirError(Later(reason="fhir-unauthorised"))
    lasts = said.get("expires_in")
    return token, now + (max(0.0, lasts - _EARLY) if isinstance(lasts, int | float) else 0.0)
