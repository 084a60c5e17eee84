"""Two hub processes on one PostgreSQL: one log, one number after the other, one answer to the same question."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub import registry
from hub.exchange import Accepted
from hub.store.base import Store, open_store
from tests.county import CAIT, COUNCIL, NURSES, County, Desk
from tests.hub.support import hold, minutes, refused, verify
from tests.invariants import check
from tests.postgres import Server

pytestmark = pytest.mark.needs_postgres


@pytest.fixture
async def stores(postgres: Server, postgres_template: str) -> AsyncIterator[tuple[Store, Store]]:
    """Give two stores, each with a writer of its own, on one database."""
    with postgres.database(postgres_template) as url:
        both = open_store(url), open_store(url)
        try:
            yield both
            await check(both[0])
        finally:
            for one in both:
                await one.close()


async def test_two_hubs_write_one_log(stores: tuple[Store, Store], tmp_path: Path) -> None:
    """Envelopes through both at once, each also through the other: once each, no gap, and the log verifies."""
    county = County()
    one = Desk(county, stores[0], await county.found(stores[0]))
    two = Desk(county, stores[1], await registry.Registry.load(stores[1]))
    thread = hold(county).header.thread
    sent = [minutes(county, thread, CAIT, NURSES) for _ in range(24)]
    answers = await asyncio.gather(*(desk.send(each) for each in sent for desk in (one, two)))
    assert all(isinstance(answer, Accepted) for answer in answers)
    assert sum(answer.repeat for answer in answers) == len(sent)
    for first, second in zip(answers[::2], answers[1::2], strict=True):
        assert first.acceptance == second.acceptance
    await asyncio.gather(*(desk.receive(each, CAIT, "collected", "filed") for each in sent for desk in (one, two)))
    swept = await asyncio.gather(one.tick(30 * 86_400_000), two.tick())
    assert sum(each.count for each in swept) == len(sent)
    assert [row.entry.seq for row in await one.feed(NURSES)] == list(range(1, len(await two.feed(NURSES)) + 1))
    assert (await verify(stores[0], county, tmp_path / "export")).problems == []


async def test_what_one_hub_publishes_binds_the_other_at_once(stores: tuple[Store, Store]) -> None:
    """A key revoked through one hub signs nothing through the other, however old its snapshot."""
    county = County()
    one = Desk(county, stores[0], await county.found(stores[0]))
    two = Desk(county, stores[1], await registry.Registry.load(stores[1]))
    sent = minutes(county, hold(county).header.thread, CAIT)
    key = county.keyrings[COUNCIL].signing
    await one.publish_key(county.statement(COUNCIL, "sign", key.public.jwk, state="revoked"))
    with refused("key-not-active"):
        await two.send(sent)
