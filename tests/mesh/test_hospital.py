"""A hospital whose record system is reached by MESH, as its gateway and the sender see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from adapters.gateway.agent import Agent
from adapters.mesh import MeshAdapter
from hub.store.base import Store
from keys import jws
from schemas.receipt import parse_receipt
from schemas.strict_json import dump
from tests.county import COUNCIL, HEALTH, MASH, NURSES
from tests.gateway.support import HELD_AT, Town, draft, drop, minutes_full, open_town, settle
from tests.mesh.sandbox import Engine, running_sandbox
from tests.mesh.test_trust_mailbox import options
from tests.schemas import samples

ESCALATION = "escalation.raise/1"


@pytest.fixture
async def town(sqlite_store: Store, tmp_path: Path) -> AsyncIterator[Town]:
    """Give a hub that runs."""
    async with open_town(sqlite_store, tmp_path) as opened:
        yield opened


async def levels(town: Town, envelope: str) -> list[str]:
    """Return the levels of the receipts that the hub has, and thus the sender."""
    rows = await town.site.hub.store.read(lambda tx: tx.receipts_of(envelope))
    return [parse_receipt(jws.parse(row.jws, jws.RECEIPT).payload).level for row in rows]


async def again(agent: Agent, envelope: str) -> None:
    """Let a gateway do everything once more, without waiting for its pause to end."""
    agent.gateway.pacer.worked(f"file {envelope} {NURSES}")
    await settle(agent, rounds=1)


async def test_the_sender_reads_filed_when_the_record_system_has_it(town: Town, tmp_path: Path) -> None:
    """Minutes go by the hub and MESH into the hospital's records, and an escalation goes back the same way."""
    async with AsyncExitStack() as stack:
        sandbox = stack.enter_context(running_sandbox())
        engine = Engine(sandbox)
        adapter = MeshAdapter.configure(options(engine, tmp_path), tmp_path)
        stack.push_async_callback(adapter.close)
        async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
            said = minutes_full([MASH, NURSES])
            drop(town.homes[COUNCIL], "minutes", draft("minutes.full/1", MASH, message=said))
            await settle(council)
            health.gateway.adapters["folder"] = adapter  # type: ignore[index]
            await settle(health, rounds=1)
            (row,) = await health.gateway.spool.all("list_incoming")
            await again(health, row["envelope"])
            assert await levels(town, row["envelope"]) == ["collected"]
            engine.work()
            await again(health, row["envelope"])
            assert await levels(town, row["envelope"]) == ["collected", "filed"]
            (record,) = engine.records
            assert engine.read(record) == said
            dates = {"raised_at": HELD_AT, "respond_by": "2026-07-09T08:00:00Z"}
            own = draft(ESCALATION, NURSES, to=[MASH], message=samples.message(ESCALATION, **dates))
            engine.send(dump(own), local_id="L-1")
            await settle(health, council)
            engine.work()
            told = [answer for _, answer in engine.told if answer.get("draft") == "L-1"]
            assert [one["sent"] for one in told] == [True], told
            assert (town.homes[COUNCIL] / "in" / told[0]["envelope"] / "message.json").exists()
