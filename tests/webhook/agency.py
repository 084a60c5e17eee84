"""A small system of an agency's that takes signed webhooks, checks them by the library, and can be made to misbehave."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import ssl
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
NEW_SECRET = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()
DRAFTS_SECRET = "whsec_" + base64.b64encode(bytes(range(64, 96))).decode()
Answer = web.StreamResponse


class Agency:
    """Records by their reference; ``ways`` are what it does before it behaves again: a status, or a word of :meth:`_misbehave`."""

    def __init__(self, secret: str = SECRET) -> None:
        self.records: dict[str, Any] = {}
        self.notices: dict[str, Any] = {}
        self.bodies: list[bytes] = []
        self.asked: list[str] = []
        self.ways: list[int | str] = []
        self.known: dict[str, str] = {}
        self.hook = Webhook(secret)
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Return where messages are posted."""
        return f"http://127.0.0.1:{self.port}/safeguarding"

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        """Listen, at the port that it had before."""
        app = web.Application(client_max_size=256 * 1024 * 1024)
        app.router.add_post("/safeguarding", self._take)
        app.router.add_get("/safeguarding/{record}", self._give)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=context, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stop."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _take(self, request: web.Request) -> Answer:
        raw = await request.read()
        self.bodies.append(raw)
        self.asked.append(request.raw_path)
        try:
            body = self.hook.verify(raw, dict(request.headers))
        except WebhookVerificationError:
            return web.json_response({}, status=401)
        if self.ways and self.ways[0] not in {"forgets", "changes", "loses-paper", "ended", "another", "read-503"}:
            way = self.ways.pop(0)
            if way == "took-then-hangs-up":
                self._keep(request.headers["webhook-id"], body)
            return await self._misbehave(request, way)
        if body["type"] == "notice":
            self.notices[request.headers["webhook-id"]] = body["data"]
            return web.Response(status=204)
        return web.json_response({"record": self._keep(request.headers["webhook-id"], body)}, status=201)

    def _keep(self, name: str, body: Any) -> str:
        record = self.known.setdefault(name, f"R-{len(self.known) + 1}")
        self.records.setdefault(record, body["data"])
        return record

    async def _give(self, request: web.Request) -> Answer:
        self.asked.append(request.raw_path)
        record = request.match_info["record"]
        try:
            self.hook.verify(b"", dict(request.headers), json_parse=False)
        except WebhookVerificationError:
            return web.json_response({}, status=401)
        way = self.ways.pop(0) if self.ways else ""
        if way == "read-503":
            return web.Response(status=503)
        if request.headers["webhook-id"] != record or record not in self.records or way == "forgets":
            return web.Response(status=404)
        held = self.records[record]
        papers = [hashlib.sha256(base64.b64decode(one["content"])).hexdigest() for one in held["documents"]]
        said = {"record": record, "message": held["message"], "documents": papers}
        changes: dict[int | str, dict[str, Any]] = {
            "changes": {"message": {**held["message"], "note": "other"}},
            "loses-paper": {"documents": []},
            "ended": {"ended": True},
            "another": {"record": "R-0"},
        }
        return web.json_response(said | changes.get(way, {}))

    async def _misbehave(self, request: web.Request, way: int | str) -> Answer:
        if isinstance(way, int):
            return web.json_response({"record": "R-9"}, status=way, headers={"Location": "/elsewhere"})
        if way in {"hangs-up", "took-then-hangs-up"}:
            assert request.transport is not None
            request.transport.abort()
        if way == "hangs":
            await asyncio.sleep(3600)
        if way in {"trickles", "floods"}:
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b" " * (1 if way == "trickles" else 65_536))
                await asyncio.sleep(0.05 if way == "trickles" else 0)
        texts = {
            "html": "<html>", "nothing": "", "list": "[]", "no-record": "{}", "number": '{"record": 7}',
            "path": '{"record": "../../x"}', "twice": '{"record": "a", "record": "b"}', "deep": "[" * 100_000,
            "dot": '{"record": "R.1"}', "long": json.dumps({"record": "x" * 500}),
        }  # fmt: skip
        return web.Response(text=texts.get(str(way), ""))
