"""The hub's API as a gateway calls it: bytes out, bytes in, and three kinds of failure.

Nothing that comes back is believed here; ``trust``, ``opening`` and ``witness`` check it.

Source: protocol 9.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import aiohttp
import msgspec

from adapters.errors import GatewayError, NotYetError
from adapters.gateway.config import Clock
from keys import jws
from keys.digests import b64u, from_b64u, random_bytes
from schemas.envelope import BATCH_MEDIA_TYPE, MAX_BODY, MEDIA_TYPE
from schemas.identifiers import Moment
from schemas.rules.duty import Duty
from schemas.statements import Assertion
from schemas.strict_json import dump

MAX_ANSWER: Final = 160 * 1024 * 1024
MAX_BATCH: Final = 100
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
ASSERTION_SECONDS: Final = 60
FEED_LIMIT: Final = 50


class HubAwayError(NotYetError):
    """The hub can't be reached, is starting, or asks to wait; ``retry_after`` seconds if it said so."""

    def __init__(self, code: str, message: str, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(code, message, hint)
        self.retry_after = retry_after


class HubRefusedError(GatewayError):
    """The hub refuses; repeating the same won't help.  ``status`` is the answer's."""

    def __init__(self, status: int, code: str, message: str, hint: str = "") -> None:
        super().__init__(code, message, hint)
        self.status = status


class Answer(NamedTuple):
    """One answer: status, headers, bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body's JSON.

        Raises:
            HubAwayError: ``hub-answer``; it has none, so this is no hub, or a broken one.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise HubAwayError("hub-answer", "the hub's answer is not JSON", "check the hub's address") from error


class Client:
    """One agency's way to one hub, open between ``async with`` and its end."""

    def __init__(
        self, url: str, agency: str, signing: jws.SigningKey, clock: Clock, *, audience: str | None = None
    ) -> None:
        """Take the hub's *url* and, where it is reached by another than its public address, that *audience*."""
        self._url, self._agency, self._signing, self._clock = url.rstrip("/"), agency, signing, clock
        self.audience = audience or self._url
        self._token: str | None = None
        self._token_lock = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None
        self.heard_at: Moment | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=120, sock_connect=10, sock_read=60)
        self._session = aiohttp.ClientSession(timeout=timeout, auto_decompress=False, trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def fetch(self, path: str, *, signed_in: bool = False) -> Answer:
        """Return the answer to ``GET path``."""
        return await self._call("GET", path, signed_in=signed_in)

    async def look(self, path: str) -> Answer:
        """Return the answer to ``GET path``, signing in only where the hub asks for it: whoever isn't enrolled yet can't."""
        try:
            return await self.fetch(path)
        except HubRefusedError as error:
            if error.status != 401:
                raise
        return await self.fetch(path, signed_in=True)

    def use_key(self, signing: jws.SigningKey) -> None:
        """Sign in with *signing* from now on."""
        self._signing, self._token = signing, None

    async def envelope_state(self, envelope: str) -> Mapping[str, Any] | None:
        """Return where *envelope* stands, or ``None`` where the hub has none of that id for this agency."""
        try:
            answer: Mapping[str, Any] = (await self.fetch(f"/v1/envelopes/{envelope}", signed_in=True)).json()
        except HubRefusedError as error:
            if error.status != 404:
                raise
            return None
        return answer

    async def send_envelopes(self, envelopes: Sequence[bytes]) -> list[Mapping[str, Any]]:
        """Send *envelopes*; return one outcome each, in order: ``{"status", "acceptance"}`` or ``{"status", "problem"}``.

        Raises:
            HubAwayError: nobody knows whether the hub took them: send the same bytes again.
        """
        if len(envelopes) == 1:
            try:
                answer = await self._call("POST", "/v1/envelopes", body=envelopes[0], media=MEDIA_TYPE)
            except HubRefusedError as error:
                problem = {"code": error.code, "detail": error.message, "hint": error.hint}
                return [{"status": error.status, "problem": problem}]
            return [{"status": answer.status, "acceptance": answer.json()["acceptance"]}]
        body = b"".join(struct.pack(">I", len(envelope)) + envelope for envelope in envelopes)
        outcomes = (await self._call("POST", "/v1/envelopes", body=body, media=BATCH_MEDIA_TYPE)).json()["outcomes"]
        return _as_many(outcomes, len(envelopes))

    async def send_receipts(self, receipts: Sequence[str]) -> list[Mapping[str, Any]]:
        """Send *receipts*; return one outcome each, in order."""
        answer = await self._call("POST", "/v1/receipts", body=dump({"receipts": list(receipts)}))
        return _as_many(answer.json()["outcomes"], len(receipts))

    async def feed(self, mailbox: str, after: int, wait: float) -> Mapping[str, Any]:
        """Return what follows number *after* in the feed of *mailbox*, waiting *wait* seconds for the first of it."""
        query = f"after={after}&limit={FEED_LIMIT}&wait={int(wait)}"
        answer: Mapping[str, Any] = (await self._call("GET", f"/v1/mailboxes/{mailbox}/feed?{query}")).json()
        return answer

    async def body(self, envelope: str, length: int) -> bytes:
        """Return the sealed body of *envelope*, continuing by ranges where a connection breaks off.

        Raises:
            HubAwayError: it isn't whole yet after several tries.
        """
        held = b""
        for _ in range(5):
            headers = {"Range": f"bytes={len(held)}-"} if held else {}
            answer = await self._call("GET", f"/v1/envelopes/{envelope}/body", headers=headers)
            held = held + answer.body if answer.status == 206 else answer.body
            if len(held) >= length:
                return held
        raise HubAwayError("hub-answer", "a body came shorter than its header says", "the gateway asks again")

    async def put_wraps(self, envelope: str, wraps: bytes) -> None:
        """Replace the wraps of *envelope*."""
        await self._call("PUT", f"/v1/envelopes/{envelope}/wraps", body=wraps, media="application/jose")

    async def withdraw(self, envelope: str, withdrawal: bytes) -> str:
        """Withdraw *envelope*; return ``withdrawn`` or ``destruction-asked``."""
        path = f"/v1/envelopes/{envelope}/withdrawal"
        return str((await self._call("POST", path, body=withdrawal, media="application/jose")).json()["state"])

    async def waive(self, obligation: str, waiver: bytes) -> None:
        """Hand over a waiver."""
        await self._call("POST", f"/v1/obligations/{obligation}/waiver", body=waiver, media="application/jose")

    async def open_duties(self, thread: str) -> dict[str, Duty]:
        """Return what is open in *thread* that concerns this agency, by the obligation's id: at most 500."""
        path = f"/v1/obligations?thread={thread}&state=open&whole=yes&limit=500"
        rows = (await self._call("GET", path)).json()["obligations"]
        return {str(row["id"]): msgspec.convert(row["duty"], Duty) for row in rows}

    async def challenge(self, jwk: Mapping[str, str]) -> tuple[str, str]:
        """Return the hub's challenge ``(ek, wk)`` for a new sealing key."""
        answer = (await self._call("POST", "/v1/keys/challenge", body=dump({"jwk": dict(jwk)}))).json()
        return str(answer["ek"]), str(answer["wk"])

    async def publish_key(self, statement: str, officer: str | None = None) -> None:
        """Publish one key statement."""
        body = {"statement": statement} | ({"officer": officer} if officer else {})
        await self._call("POST", "/v1/keys", body=dump(body), signed_in=False)

    async def post_cosignature(self, line: str) -> None:
        """Hand over one cosignature line."""
        await self._call("POST", "/v1/audit/cosignatures", body=line.encode(), media="text/plain", signed_in=False)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        media: str = "application/json",
        headers: Mapping[str, str] | None = None,
        signed_in: bool = True,
    ) -> Answer:
        sent = dict(headers or {})
        if body is not None:
            sent["Content-Type"] = media
        for again in (False, True):
            if signed_in:
                sent["Authorization"] = f"Bearer {await self._get_token(fresh=again)}"
            answer = await self._exchange(method, path, body, sent)
            self.heard_at = self._clock()
            if answer.status != 401 or not signed_in or again:
                break
        return _judge(answer)

    async def _exchange(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        if self._session is None:
            raise RuntimeError("the client is not open")
        try:
            async with self._session.request(
                method, self._url + path, data=body, headers=headers, allow_redirects=False
            ) as response:
                chunks, size = [], 0
                async for chunk in response.content.iter_chunked(1 << 18):
                    size += len(chunk)
                    if size > MAX_ANSWER:
                        raise HubAwayError("hub-answer", "the hub's answer is too long", "check the hub's address")
                    chunks.append(chunk)
                return Answer(response.status, dict(response.headers), b"".join(chunks))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise HubAwayError(
                "hub-unreachable", "the hub can't be reached", "nothing is lost: the gateway goes on trying"
            ) from error

    async def _get_token(self, *, fresh: bool) -> str:
        async with self._token_lock:
            if self._token is None or fresh:
                self._token = await self._trade_assertion()
            return self._token

    async def _trade_assertion(self) -> str:
        now = self._clock() // 1000
        claims = Assertion(
            v=1, iss=self._agency, sub=self._agency, aud=self.audience, jti=b64u(random_bytes(16)), iat=now,
            exp=now + ASSERTION_SECONDS,
        )  # fmt: skip
        assertion = self._signing.sign(dump(claims), jws.ASSERTION).decode()
        headers = {"Content-Type": "application/json"}
        answer = _judge(await self._exchange("POST", "/v1/token", dump({"assertion": assertion}), headers))
        return str(answer.json()["access_token"])


def _judge(answer: Answer) -> Answer:
    if answer.status < 300:
        return answer
    code, message, hint = _read_problem(answer)
    if answer.status in {408, 425, 429} or answer.status >= 500:
        raise HubAwayError(code, message, hint or "the gateway asks again later", _retry_after(answer))
    raise HubRefusedError(answer.status, code, message, hint)


def _read_problem(answer: Answer) -> tuple[str, str, str]:
    try:
        problem = json.loads(answer.body)
        return str(problem["code"]), str(problem.get("detail", problem["title"])), str(problem.get("hint", ""))
    except (ValueError, KeyError, TypeError, RecursionError):
        return "hub-answer", f"the hub answered {answer.status}", "check the hub's address"


def _retry_after(answer: Answer) -> float | None:
    text = answer.headers.get("Retry-After", "")
    return min(float(text), 3600.0) if text.isascii() and text.isdigit() else None


def _as_many(outcomes: Any, count: int) -> list[Mapping[str, Any]]:
    if not isinstance(outcomes, list) or len(outcomes) != count:
        raise HubAwayError("hub-answer", "the hub answered for another number of things", "the gateway asks again")
    return outcomes


def decode_body(entry: Mapping[str, Any]) -> bytes | None:
    """Return the body that a feed entry carries inline, or ``None``.

    Raises:
        KeysError: ``b64u``.
    """
    text = entry.get("body")
    return from_b64u(text) if isinstance(text, str) and len(text) <= MAX_BODY * 2 else None
