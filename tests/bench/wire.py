"""A connection that costs little: what a bench's driver spends, it takes from the hub on the same processors."""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Self

import msgspec

from keys import jws
from keys.digests import b64u, random_bytes
from schemas.statements import Assertion
from schemas.strict_json import dump
from tests.county import County


class Answer(NamedTuple):
    """One answer, read whole."""

    status: int
    body: bytes


class Line:
    """One kept-alive HTTP/1.1 connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Self:
        """Return a connection to a hub on this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**20))

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        await self._writer.wait_closed()

    async def call(
        self, method: str, path: str, token: str = "", body: bytes = b"", media: str = "", accept: str = "*/*"
    ) -> Answer:
        """Return the answer to one request."""
        head = f"{method} {path} HTTP/1.1\r\nHost: hub\r\nAccept: {accept}\r\n"
        if token:
            head += f"Authorization: Bearer {token}\r\n"
        if media:
            head += f"Content-Type: {media}\r\nContent-Length: {len(body)}\r\n"
        self._writer.write(head.encode() + b"\r\n" + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        return Answer(int(answer[9:12]), await self._reader.readexactly(length))

    async def sign_in(self, county: County, agency: str, url: str, seconds: int) -> str:
        """Return an access token of *agency*."""
        claims = Assertion(
            v=1,
            iss=agency,
            sub=agency,
            aud=url,
            jti=b64u(random_bytes(16)),
            iat=seconds,
            exp=seconds + 60,
        )
        signed = county.keyrings[agency].signing.sign(dump(claims), jws.ASSERTION)
        answer = await self.call(
            "POST", "/v1/token", body=dump({"assertion": signed.decode()}), media="application/json"
        )
        if answer.status != 200:
            raise RuntimeError(answer.body.decode())
        token: str = msgspec.json.decode(answer.body)["access_token"]
        return token
