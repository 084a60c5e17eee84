"""The contract of every adapter, with a real server."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Adapter, Document
from adapters.conformance import AdapterContract, Harness
from tests.profiles.sample import open_adapter
from tests.profiles.server import RecordsServer


class System:
    """One system: records at a server that is shared, counted from when it was made."""

    def __init__(self, home: Path, server: RecordsServer) -> None:
        self._home, self._server = home, server
        self._before = set(server.records)

    def open(self) -> Adapter:
        """Return an adapter."""
        return open_adapter(self._server, self._home)

    def put(self, name: str, draft: bytes, documents: Sequence[Document] = ()) -> None:
        """Put the draft whole into the outbox."""
        self._server.send("draft", json.loads(draft), key=name)
        self._server.outbox[name]["documents"] = [
            {"name": one.name, "type": one.type, "content": base64.b64encode(one.content).decode()} for one in documents
        ]

    def count_waiting(self) -> int:
        """Return how many wait."""
        return len(self._server.outbox)

    def count_records(self) -> int:
        """Return how many envelopes there are, and each that is there twice for one mailbox."""
        found = [
            held["fields"]["hub"]
            for reference, held in self._server.records.items()
            if reference not in self._before and held["kind"] != "notice"
        ]
        pairs = [(hub["envelope"], hub["mailbox"]) for hub in found]
        return len({envelope for envelope, _ in pairs}) + len(pairs) - len(set(pairs))

    def read_record(self, record: str) -> Any:
        """Return the message under *record*."""
        return self._server.records[record.partition("/")[2]]["fields"]["hub"]["message"]


class TestRecordsAdapter(AdapterContract):
    """The adapter into an agency's records keeps the contract."""

    @pytest.fixture(autouse=True)
    async def _open(self) -> AsyncIterator[None]:
        self._server = RecordsServer()
        await self._server.start()
        yield
        await self._server.close()

    def harness(self, tmp_path: Path) -> Harness:
        """Return a system that counts from now on."""
        return System(tmp_path, self._server)
