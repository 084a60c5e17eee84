"""The adapter in a process of its own, with the network that it was granted and no other."""

from __future__ import annotations

from pathlib import Path

from adapters.base import Filed, Later
from adapters.conformance import ENVELOPE
from adapters.plugins import load_adapters
from tests.hl7.hospital import Hospital
from tests.hl7.test_sending import MESSAGE


async def test_it_reaches_the_system_that_was_granted_and_no_other(tmp_path: Path) -> None:
    """With the hospital's place in `hosts` a message is filed; with another's it waits."""
    hospital = Hospital()
    await hospital.start()
    table = {"path": "hl7", "to": hospital.place, "network": True, "seconds": 5}
    for hosts, outcome in ((["127.0.0.1:9"], Later(reason="hl7-away")), ([hospital.place], Filed(record=ENVELOPE))):
        adapter = load_adapters({"hl7": {**table, "hosts": hosts}}, tmp_path)["hl7"]
        assert await adapter.file(MESSAGE) == outcome
        await adapter.close()
    assert list(hospital.documents) == [ENVELOPE]
    await hospital.close()
