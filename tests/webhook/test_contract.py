"""The contract of every adapter, with a real server on one side and a real listener on the other."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Adapter, Document
from adapters.conformance import AdapterContract, Harness, collect
from adapters.webhook import WebhookAdapter
from tests.webhook.agency import DRAFTS_SECRET, SECRET, Agency
from tests.webhook.test_listening import OPTIONS, post, sign


class AgencySystem:
    """One system: records of its own at a server that is shared, and drafts that it posts."""

    def __init__(self, home: Path, agency: Agency, opened: list[WebhookAdapter]) -> None:
        home.mkdir(parents=True, exist_ok=True)
        (home / "secret").write_text(SECRET)
        (home / "drafts-secret").write_text(DRAFTS_SECRET)
        self._home, self._agency, self._opened = home, agency, opened
        self._before = set(agency.records)

    def _make(self) -> WebhookAdapter:
        options = {**OPTIONS, "url": self._agency.url, "secret": "secret"}
        return WebhookAdapter.configure(options, self._home)

    def open(self) -> Adapter:
        """Return an adapter, to be closed at the end."""
        self._opened.append(self._make())
        return self._opened[-1]

    def put(self, name: str, draft: bytes, documents: Sequence[Document] = ()) -> None:
        """Post the draft, from a thread of its own: the test waits for it."""
        papers = [{"name": one.name, "content": base64.b64encode(one.content).decode()} for one in documents]
        body = b'{"type":"draft","data":{"draft":%b,"documents":%b}}' % (draft, json.dumps(papers).encode())

        async def send() -> None:
            adapter = self._make()
            await collect(adapter)
            status, _ = await post(adapter, body, sign(body, name))
            assert status in {202, 400}
            await adapter.close()

        thread = threading.Thread(target=lambda: asyncio.run(send()))
        thread.start()
        thread.join()

    def count_waiting(self) -> int:
        """Return how many were answered for and not sent."""
        return len(list((self._home / "webhook/received").iterdir()))

    def count_records(self) -> int:
        """Return how many envelopes there are, and each that is there twice for one mailbox."""
        found = [held["about"] for record, held in self._agency.records.items() if record not in self._before]
        pairs = [(about["envelope"], about["mailbox"]) for about in found]
        return len({envelope for envelope, _ in pairs}) + len(pairs) - len(set(pairs))

    def read_record(self, record: str) -> Any:
        """Return the message under *record*."""
        return self._agency.records[record]["message"]


class TestWebhookAdapter(AdapterContract):
    """The built-in adapter for webhooks keeps the contract."""

    @pytest.fixture(autouse=True)
    async def _open(self) -> AsyncIterator[None]:
        self._opened: list[WebhookAdapter] = []
        self._agency = Agency()
        await self._agency.start()
        yield
        for adapter in self._opened:
            await adapter.close()
        await self._agency.close()

    def harness(self, tmp_path: Path) -> Harness:
        """Return a system that counts from now on."""
        return AgencySystem(tmp_path, self._agency, self._opened)
