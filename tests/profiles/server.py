"""A record system behind the JSON interface of docs/agencies/records.md, which can be made to misbehave.

The sample systems of agencies are made on it: what they do with what is put is theirs.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

TOKEN = "c2FtcGxlLXRva2Vu"
Answer = web.StreamResponse


class RecordsServer:
    """Records by their reference, an outbox by its keys.

    ``ways`` are what it does with the next requests that ``spoils`` names before it behaves again: a status, or a word of
    :meth:`_misbehave`.  ``asked`` are the methods and addresses of all requests.
    """

    def __init__(self) -> None:
        self.outbox: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self.identities: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []
        self.ways: list[int | str] = []
        self.spoils: tuple[str, ...] = ("GET", "POST", "PUT", "DELETE")
        self.deletes = True
        self.token = TOKEN
        self.port = 0
        self.context: ssl.SSLContext | None = None
        self._runner: web.AppRunner | None = None

    # ---- what the agency's staff do

    def send(self, kind: str, fields: dict[str, Any], *, key: str | None = None, **documents: bytes) -> str:
        """Put a record into the outbox, and return its key."""
        key = key or f"out-{len(self.outbox) + len(self.answers) + 1}"
        papers = [
            {"name": name.replace("_", "."), "type": "application/pdf", "content": base64.b64encode(content).decode()}
            for name, content in documents.items()
        ]
        self.outbox[key] = {"key": key, "kind": kind, "fields": fields, "documents": papers}
        return key

    def filed(self, kind: str) -> list[dict[str, Any]]:
        """Return the fields of the records of *kind*, in the order in which they came."""
        return [one["fields"] for one in self.records.values() if one["kind"] == kind]

    # ---- what a sample system adds

    def took(self, kind: str, reference: str, record: dict[str, Any]) -> None:
        """Do what the system does with a new record of *kind*."""

    def told(self, key: str, entry: dict[str, Any], answer: dict[str, Any]) -> None:
        """Do what the system does when it hears what became of what it wanted to send."""

    def allocated(self, record: dict[str, Any]) -> list[str]:
        """Return who the system says works with the person of *record*."""
        return record.get("allocated", [])

    def routes(self, app: web.Application) -> None:
        """Add places of the system's own."""

    # ---- the interface

    @property
    def url(self) -> str:
        """Return where the interface is."""
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}/hub"

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        """Listen, at the port that it had before."""
        self.context = context
        app = web.Application(client_max_size=256 * 1024 * 1024)
        for method, path, handler in (
            ("GET", "/hub/outbox", self._give_outbox),
            ("POST", "/hub/outbox/{key}", self._hear),
            ("PUT", "/hub/records/{kind}/{identity}", self._put),
            ("GET", "/hub/records/{kind}/{reference}", self._get),
            ("DELETE", "/hub/envelopes/{envelope}", self._delete),
        ):
            app.router.add_route(method, path, self._guard(handler))
        self.routes(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=context, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stop, as when the machine is off; what it holds stays."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _guard(self, handler: Callable[[web.Request], Awaitable[Answer]]) -> Callable[[web.Request], Awaitable[Answer]]:
        async def answer(request: web.Request) -> Answer:
            self.asked.append((request.method, request.raw_path))
            if request.headers.get("Authorization") != f"Bearer {self.token}":
                return web.Response(status=401)
            if self.ways and request.method in self.spoils:
                way = self.ways.pop(0)
                if way == "took-then-hangs-up":
                    await handler(request)
                return await self._misbehave(request, handler, way)
            return await handler(request)

        return answer

    async def _give_outbox(self, request: web.Request) -> Answer:
        return web.json_response({"records": list(self.outbox.values())[: int(request.query["limit"])]})

    async def _hear(self, request: web.Request) -> Answer:
        key = request.match_info["key"]
        said = await request.json()
        if key in self.outbox:
            entry = self.outbox.pop(key)
            self.answers[key] = said
            self.told(key, entry, said)
        return web.Response(status=204 if key in self.answers else 404)

    async def _put(self, request: web.Request) -> Answer:
        kind, identity = request.match_info["kind"], request.match_info["identity"]
        body = await request.json()
        if identity not in self.identities:
            reference = f"{kind[:3].upper()}-{len(self.identities) + 1}"
            self.identities[identity] = reference
            self.records[reference] = {"kind": kind, **body, "ended": False}
            self.took(kind, reference, self.records[reference])
        return web.json_response({"reference": self.identities[identity]})

    async def _get(self, request: web.Request) -> Answer:
        held = self.records.get(request.match_info["reference"])
        if held is None or held["kind"] != request.match_info["kind"]:
            return web.Response(status=404)
        papers = [hashlib.sha256(base64.b64decode(one["content"])).hexdigest() for one in held["documents"]]
        said = {
            "fields": held["fields"],
            "documents": papers,
            "ended": held["ended"],
            "practitioners": self.allocated(held),
        }
        return web.json_response(said)

    async def _delete(self, request: web.Request) -> Answer:
        if not self.deletes:
            return web.Response(status=405)
        envelope = request.match_info["envelope"]
        for reference in [one for one, held in self.records.items() if held["envelope"] == envelope]:
            self.forget(reference)
        for key in [one for one, said in self.answers.items() if said.get("envelope") == envelope]:
            del self.answers[key]
        return web.Response(status=204)

    def forget(self, reference: str) -> None:
        """Take a record out for good, and whatever the system made of it."""
        del self.records[reference]
        self.identities = {name: one for name, one in self.identities.items() if one != reference}

    async def _misbehave(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[Answer]], way: int | str
    ) -> Answer:
        if isinstance(way, int):
            return web.json_response({"reference": "X-9"}, status=way, headers={"Location": "/elsewhere"})
        if way in {"hangs-up", "took-then-hangs-up"}:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if way == "hangs":
            await asyncio.sleep(3600)
        if way == "forgets":
            return web.Response(status=404)
        if way == "floods":
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b" " * 1024 * 1024)
        if way in {"changes", "loses-paper", "ended", "half"}:
            return await self._spoil(request, handler, str(way))
        texts = {
            "html": "<html>", "nothing": "", "list": "[]", "no-reference": "{}", "number": '{"reference": 7}',
            "path": '{"reference": "../../x"}', "twice": '{"reference": "a", "reference": "b"}', "deep": "[" * 100_000,
            "long": '{"reference": "' + "x" * 500 + '"}', "no-fields": '{"documents": []}',
        }  # fmt: skip
        return web.Response(text=texts[str(way)])

    async def _spoil(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[Answer]], way: str
    ) -> Answer:
        answer = await handler(request)
        assert isinstance(answer, web.Response)
        raw = answer.body
        assert isinstance(raw, bytes)
        if way == "half":
            return web.Response(body=raw[: len(raw) // 2])
        said = json.loads(raw)
        if way == "changes":
            name = next(one for one in said["fields"] if one != "hub") if len(said["fields"]) > 1 else "hub"
            said["fields"][name] = "something else"
        if way == "loses-paper":
            said["documents"] = []
        if way == "ended":
            said["ended"] = True
        return web.json_response(said)
