"""The adapter in a process of its own, with the network that it was granted and no other."""

from __future__ import annotations

import socket
from pathlib import Path

from adapters.base import Filed, Later
from adapters.plugins import load_adapters
from tests.webhook.agency import DRAFTS_SECRET, SECRET, Agency
from tests.webhook.test_listening import OPTIONS, make_body, post
from tests.webhook.test_sending import MESSAGE


async def test_it_reaches_the_system_that_was_granted_and_no_other(tmp_path: Path) -> None:
    """With the system's place in `hosts` a message is filed; with another's it waits."""
    agency = Agency()
    await agency.start()
    (tmp_path / "secret").write_text(SECRET)
    table = {"url": agency.url, "secret": "secret", "network": True, "seconds": 5}
    for hosts, outcome in (
        (["127.0.0.1:9"], Later(reason="webhook-away")),
        ([f"127.0.0.1:{agency.port}"], Filed(record="R-1")),
    ):
        adapter = load_adapters({"webhook": {**table, "hosts": hosts}}, tmp_path)["webhook"]
        assert await adapter.file(MESSAGE) == outcome
        await adapter.close()
    assert list(agency.records) == ["R-1"]
    await agency.close()


async def test_it_is_reached_at_the_place_that_was_granted(tmp_path: Path) -> None:
    """With its place in `listen` a draft comes through to it and is handed over, though it has no network but that."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    (tmp_path / "drafts-secret").write_text(DRAFTS_SECRET)
    table = {**OPTIONS, "at": f"127.0.0.1:{port}", "network": True, "listen": [f"127.0.0.1:{port}"]}
    adapter = load_adapters({"webhook": table}, tmp_path)["webhook"]
    assert [one async for one in adapter.collect()] == []
    assert await post(None, make_body(), port=port) == (202, {"state": "waiting"})
    (one,) = [one async for one in adapter.collect()]
    assert one.draft.type == "meeting.claimed/1"
    await adapter.close()
