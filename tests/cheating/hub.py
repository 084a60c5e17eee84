"""A hub that cheats: it holds the real hub's keys and database, and shows whoever it likes something else.

It stands before the real hub, which keeps the log that everybody else sees.  What a test doesn't change goes through.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from keys import merkle, notes
from tests.county import ORIGIN, County

Change = Callable[[Any], Any]
# What the real hub said, as the cheat may change it: status and bytes.
Said = tuple[int, bytes]
Answer = Callable[[web.Request, bytes], Awaitable[Said | None]]
_TILE = re.compile(r"/v1/audit/tile/(\d)/([x0-9/]+?)(?:\.p/(\d+))?$")


@dataclass
class Fork:
    """A log of the cheat's own making over *leaves*, signed with the hub's keys."""

    county: County
    leaves: Sequence[bytes]
    nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        frontier = merkle.Frontier()
        for index, leaf in enumerate(self.leaves):
            self.nodes[0, index] = merkle.leaf_hash(leaf)
            for height, place, hashed in frontier.append(self.nodes[0, index]):
                self.nodes[height, place] = hashed
        self.head = notes.Checkpoint(ORIGIN, frontier.size, frontier.root())
        self.note = notes.sign_checkpoint(self.head, self.county.note_signers)

    async def answer(self, request: web.Request, body: bytes) -> Said | None:
        """Answer what concerns the log; ``None`` for anything else."""
        del body
        if request.path == "/v1/audit/checkpoint":
            return 200, self.note.encode()
        if request.path == "/v1/audit/cosignatures":
            return 200, b'{"taken":1}'
        if request.path == "/v1/audit/proof/consistency":
            old, new = int(request.query["from"]), int(request.query["to"])
            if not old <= new <= self.head.size:
                return 404, b"{}"
            proof = merkle.consistency_proof(old, new, lambda height, place: self.nodes[height, place])
            return 200, json.dumps({"proof": [b64encode(one).decode() for one in proof]}).encode()
        if found := _TILE.match(request.path):
            level, number = int(found[1]), int(found[2].replace("x", "").replace("/", ""))
            width = int(found[3] or 256)
            hashes = [self.nodes.get((level * 8, number * 256 + place)) for place in range(width)]
            return (404, b"{}") if None in hashes else (200, b"".join(one for one in hashes if one))
        return None


@dataclass
class CheatingHub:
    """A server before the hub at *port*; *answers* are asked first, then *changes* by path are made to what the hub said."""

    port: int
    answers: list[Answer] = field(default_factory=list)
    changes: dict[str, Change] = field(default_factory=dict)
    base: str = ""
    session: aiohttp.ClientSession | None = None

    def on(self, pattern: str, change: Change) -> None:
        """Change the JSON that the real hub says on paths that match *pattern*."""
        self.changes[pattern] = change

    async def _handle(self, request: web.Request) -> web.Response:
        assert self.session is not None
        body = await request.read()
        for answer in self.answers:
            if (own := await answer(request, body)) is not None:
                return web.Response(status=own[0], body=own[1])
        url = f"http://127.0.0.1:{self.port}{request.path_qs}"
        headers = {name: value for name, value in request.headers.items() if name != "Host"}
        async with self.session.request(request.method, url, data=body, headers=headers) as said:
            status, data = said.status, await said.read()
            kept = {name: said.headers[name] for name in ("Content-Type", "Retry-After") if name in said.headers}
        for pattern, change in self.changes.items():
            if status < 300 and re.search(pattern, request.path):
                data = json.dumps(change(json.loads(data))).encode()
        return web.Response(status=status, body=data, headers=kept)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[CheatingHub]:
        """Serve on a port of its own."""
        app = web.Application(client_max_size=1 << 28)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(auto_decompress=False) as self.session:
            yield self
        await runner.cleanup()
