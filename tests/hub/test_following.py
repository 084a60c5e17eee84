"""The worker's part in the figures: it adds up what is new, and keeps when each agency's gateway last called."""

from __future__ import annotations

from pathlib import Path

from hub.store.base import Store
from hub.wiring import make_worker
from tests.county import CAIT, COUNCIL, MINUTE, NURSES, POLICE
from tests.hub import adding
from tests.hub.support import hold
from tests.web.support import open_site


async def test_the_worker_adds_up_and_keeps_who_called(store: Store, tmp_path: Path) -> None:
    """A gateway that called is seen, a later call is kept the next time, and the figures are all counted."""
    async with open_site(store, tmp_path) as site:
        worker = make_worker(site.hub, tmp_path, lambda: False)
        await site.desk.send(hold(site.county, CAIT, NURSES))
        await (await site.as_agency(COUNCIL)).get("/v1/obligations")
        first = site.county.now
        await worker.follow_figures()
        await worker.keep_gateways()
        assert await store.read(lambda tx: tx.agencies_seen()) == {COUNCIL: first}
        assert site.hub.gateways == {}
        site.county.now += MINUTE
        await (await site.as_agency(COUNCIL)).get("/v1/obligations")
        await (await site.as_agency(POLICE)).get("/v1/obligations")
        await worker.keep_gateways()
        later = site.county.now
        assert await store.read(lambda tx: tx.agencies_seen()) == {COUNCIL: later, POLICE: later}
        await store.write(lambda tx: tx.see_agencies([(POLICE, first)]))
        assert (await store.read(lambda tx: tx.agencies_seen()))[POLICE] == later
        place, _ = await store.read(lambda tx: tx.figure_place())
        assert place == (await store.read(lambda tx: tx.log_head())).size
        await adding.check(store, site.hub.registry.snapshot, site.county.now)
