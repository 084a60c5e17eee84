"""A profile of no particular agency, for tests of the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from adapters.base import Incoming, Manifest
from adapters.conformance import sample_incoming
from adapters.profiles.adapter import RecordsAdapter
from tests.profiles.server import RecordsServer
from tests.profiles.support import http_options, write_secrets
from tests.profiles.test_mapping import mapping

CHILD = {"local_id": "SC-1001", "name": "Robin Sample", "dob": "2011-05-06", "nhs_number": "9990000018"}
FLAG = {
    "flag_id": "AZ82p-KAfcKGpmUXAcWmjQ",
    "child": CHILD,
    "flag_kind": "CSE",
    "source_risk": "RISK-3",
    "review_by": "2026-10-06",
    "requested_at": "2026-07-06T08:00:00Z",
}
FLAGGED: Incoming = sample_incoming(type="flag.request/1", message=FLAG)


class SampleAdapter(RecordsAdapter):
    """What is tested is the engine, so its mapping is each test's own."""

    manifest: ClassVar[Manifest] = Manifest(name="sample", title="A sample", transports=("https",), network=True)


def open_adapter(server: RecordsServer, home: Path, table: Any = None, **changes: Any) -> SampleAdapter:
    """Return an adapter into *server* by the mapping *table*."""
    write_secrets(home)
    (home / "mapping.json").write_text(json.dumps(table or mapping()))
    options = http_options(server, "northmere-health/safeguarding", "named_nurse", mapping="mapping.json")
    adapter = SampleAdapter.configure(options | {"constants": {"home_la": "X99000001"}} | changes, home)
    assert isinstance(adapter, SampleAdapter)
    return adapter
