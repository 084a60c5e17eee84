"""The contract of every adapter, over interface tables in a case system's database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Adapter, Document
from adapters.conformance import AdapterContract, Harness
from adapters.profiles.social_care import SocialCareAdapter
from tests.county import NURSES
from tests.profiles.interface import Interface
from tests.profiles.support import write_secrets


class System:
    """One system: rows of a database that is shared, counted from when it was made."""

    def __init__(self, home: Path, interface: Interface) -> None:
        self._home, self._interface = home, interface
        self._before = len(interface.run("SELECT key FROM hub_outbox"))
        self._known = {row["reference"] for row in interface.run("SELECT reference FROM hub_inbox")}

    def open(self) -> Adapter:
        """Return an adapter."""
        write_secrets(self._home)
        where = {"path": str(self._interface.path.parent), "file": self._interface.path.name}
        options = {"from": NURSES, "role": "social_worker", "ids": "ids", "gateway": "g", **where}
        return SocialCareAdapter.configure(options, self._home)

    def put(self, name: str, draft: bytes, documents: Sequence[Document] = ()) -> None:
        """Put the draft whole into the outbox."""
        self._interface.write(f"{self._home}/{name}", draft.decode(), documents=documents)

    def count_waiting(self) -> int:
        """Return how many wait."""
        return len(self._interface.run("SELECT key FROM hub_outbox WHERE state = 'ready'"))

    def count_records(self) -> int:
        """Return how many envelopes there are, and each that is there twice for one mailbox."""
        rows = [
            row for row in self._interface.inbox() if row["reference"] not in self._known and row["kind"] != "notice"
        ]
        pairs = [(row["envelope"], row["fields"]["hub"]["mailbox"]) for row in rows]
        return len({envelope for envelope, _ in pairs}) + len(pairs) - len(set(pairs))

    def read_record(self, record: str) -> Any:
        """Return the message under *record*."""
        query = "SELECT fields FROM hub_inbox WHERE reference = ?"
        (row,) = self._interface.run(query, record.partition("/")[2])
        return json.loads(row["fields"])["hub"]["message"]


class TestInterfaceTables(AdapterContract):
    """The adapter into interface tables keeps the contract; what differs on PostgreSQL is `test_tables`'s."""

    @pytest.fixture(autouse=True)
    def _open(self, tmp_path: Path) -> None:
        self._interface = Interface(f"sqlite://{tmp_path}/records.db")
        self._interface.make()

    def harness(self, tmp_path: Path) -> Harness:
        """Return a system that counts from now on."""
        return System(tmp_path, self._interface)
