"""A hub on a real socket over a given store, and callers that speak its API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from multidict import CIMultiDict

from hub.config import Config, parse_config
from hub.store.base import Store
from hub.web.app import Server
from hub.web.context import Hub
from hub.wiring import make_hub
from keys import jws
from keys.digests import b64u, random_bytes
from schemas.envelope import MEDIA_TYPE
from schemas.statements import Assertion
from schemas.strict_json import dump
from tests.county import County, Desk, Sent

URL = "https://hub.example.org"


@dataclass(frozen=True)
class Answer:
    """One answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Return the problem's code."""
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        code: str = self.json["code"]
        return code


@dataclass
class Api:
    """A caller without any rights, or with a token."""

    session: aiohttp.ClientSession
    base: str
    county: County
    token: str | None = None

    async def call(self, method: str, path: str, body: Any = None, media: str = "", **headers: str) -> Answer:
        """Return the answer to one request."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if media:
            sent["Content-Type"] = media
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        async with self.session.request(method, self.base + path, data=body, headers=sent) as answer:
            return Answer(answer.status, CIMultiDict(answer.headers), await answer.read())

    async def get(self, path: str, **headers: str) -> Answer:
        """Return the answer to a GET."""
        return await self.call("GET", path, **headers)

    async def post(self, path: str, value: Any, media: str = "application/json", **headers: str) -> Answer:
        """Return the answer to a POST of bytes, or of a value as JSON."""
        body = value if isinstance(value, bytes) else dump(value)
        return await self.call("POST", path, body, media, **headers)

    def assertion(self, agency: str, **changes: Any) -> bytes:
        """Return a fresh assertion of *agency* for this hub, with *changes*."""
        seconds = self.county.now // 1000
        said: dict[str, Any] = {
            "v": 1,
            "iss": agency,
            "sub": agency,
            "aud": URL,
            "jti": b64u(random_bytes(16)),
            "iat": seconds,
            "exp": seconds + 60,
        }
        claims = Assertion(**(said | changes))
        return self.county.keyrings[agency.partition("/")[0]].signing.sign(dump(claims), jws.ASSERTION)

    async def sign_in(self, agency: str, **changes: Any) -> Api:
        """Return a caller with a token of *agency*."""
        answer = await self.post("/v1/token", {"assertion": self.assertion(agency, **changes).decode()})
        assert answer.status == 200, answer.body
        return Api(self.session, self.base, self.county, answer.json["access_token"])

    async def send(self, sent: Sent) -> Answer:
        """Return the answer to one envelope."""
        return await self.post("/v1/envelopes", sent.raw, MEDIA_TYPE)


@dataclass
class Site:
    """A county, its hub, and a caller without rights."""

    county: County
    hub: Hub
    api: Api
    port: int
    desk: Desk
    callers: dict[str, Api] = field(default_factory=dict)

    async def as_agency(self, agency: str) -> Api:
        """Return a signed-in caller of *agency*."""
        if agency not in self.callers:
            self.callers[agency] = await self.api.sign_in(agency)
        return self.callers[agency]


def config(tmp: Path, text: str = "") -> Config:
    """Return a configuration for tests, with *text* added to it."""
    return parse_config(f'url = "{URL}"\nlog_level = "warning"\n{text}\n[listen]\nport = 0\n', tmp)


@asynccontextmanager
async def open_site(
    store: Store,
    tmp: Path,
    limits: str = "",
    poll: float | None = None,
    county: County | None = None,
    tables: str = "",
) -> AsyncIterator[Site]:
    """Give a hub that serves Exampleshire from *store*; *limits* is TOML of the ``[limits]`` table, *tables* of others."""
    county = county or County()
    registry = await county.found(store)
    settings = config(tmp, (f"[limits]\n{limits}\n" if limits else "") + tables)

    class Clock:
        def __call__(self) -> int:
            return county.now

        def in_doubt(self) -> bool:
            return False

    hub = make_hub(settings, store, registry, county.hub, Clock())
    hub.poll_seconds = poll
    hub.ready = True
    async with Server(hub) as server, aiohttp.ClientSession(auto_decompress=False) as session:
        base = f"http://127.0.0.1:{server.port}"
        yield Site(county, hub, Api(session, base, county), server.port, Desk(county, store, registry))
