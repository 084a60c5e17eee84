"""The audit figure over HTTP: the same from the log and from the rows, and no more than its reader may see."""

from __future__ import annotations

from pathlib import Path

from hub import reports
from hub.core.statistics import Period, count
from hub.store.base import Store
from hub.web.reports import as_csv, suppress
from tests.county import CAIT, COUNCIL, HEALTH, HOUR, MASH, NURSES, PAEDIATRICS, PARTNERSHIP, POLICE
from tests.web.support import Site, open_site

ALWAYS = "from=0&to=9999999999999"


async def play(site: Site) -> None:
    """Hold a meeting, send minutes to some of those who are owed them, let one of them file, let time pass."""
    council = await site.as_agency(COUNCIL)
    parties = [CAIT, NURSES, PAEDIATRICS]
    held = site.county.seal("meeting.held/1", MASH, parties, facts={"meeting": "strategy"}, parties=[MASH, *parties])
    assert (await council.send(held)).status == 201
    sent = site.county.seal(
        "minutes.full/1", MASH, [CAIT, NURSES], facts={"variant": "full"}, parties=parties, thread=held.header.thread
    )
    assert (await council.send(sent)).status == 201
    await site.desk.receive(sent, NURSES, "collected", "filed")
    await site.desk.tick(24 * 30 * HOUR)
    site.callers.clear()


async def test_the_log_and_the_rows_give_the_same_figures(store: Store, tmp_path: Path) -> None:
    """What anyone can recount from the leaves is what the hub answers."""
    async with open_site(store, tmp_path) as site:
        await play(site)
        index, now, period = site.hub.registry.snapshot.directory, site.county.now, Period(0, 9_999_999_999_999)
        logged, size = await reports.rows_from_log(store)
        stored = await store.read(lambda tx: reports.rows_from_store(tx, period))
        told = count(logged, period, index, now)
        assert told == count(stored, period, index, now)
        assert size == (await store.read(lambda tx: tx.log_head())).size
        assert told.by_agency[HEALTH].missing > 0
        assert told.by_type["minutes.full"].received == 1


async def test_the_partnership_sees_all_and_an_agency_its_own(site: Site) -> None:
    """Another's small counts are left out, and so is who waits for whom."""
    await play(site)
    path = f"/v1/reports/receipts?{ALWAYS}&type=minutes.full"
    whole = (await (await site.as_agency(PARTNERSHIP)).get(path)).json
    assert whole["rows"][HEALTH]["owed"] == 2
    assert whole["rows"][HEALTH]["received"] == 1
    assert {one["creditor"] for one in whole["missing"]} == {PAEDIATRICS}
    police = (await (await site.as_agency(POLICE)).get(path)).json
    assert police["rows"][POLICE]["owed"] == 1
    assert police["rows"][HEALTH]["owed"] is None
    assert police["rows"][HEALTH]["received_rate"] is None
    assert police["missing"] == []
    assert police["suppressed_below"] == 5
    health = (await (await site.as_agency(HEALTH)).get(path)).json
    assert [one["creditor"] for one in health["missing"]] == [PAEDIATRICS]


async def test_a_report_is_also_a_table(site: Site) -> None:
    """CSV on request, one row for each agency and the total last."""
    await play(site)
    caller = await site.as_agency(PARTNERSHIP)
    answer = await caller.get(f"/v1/reports/receipts?{ALWAYS}&by=sector", Accept="text/csv")
    lines = answer.body.decode().splitlines()
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert lines[0].startswith("sector,owed,sent,")
    assert lines[-1].startswith("total,")
    assert {line.partition(",")[0] for line in lines[1:-1]} >= {"health", "police"}


async def test_a_report_asks_for_a_period_and_a_known_grouping(site: Site) -> None:
    """Anything else is refused."""
    caller = await site.as_agency(PARTNERSHIP)
    for query in ("", "from=5&to=5", f"{ALWAYS}&by=child", "from=0", f"{ALWAYS}&thread=x"):
        assert (await caller.get(f"/v1/reports/receipts?{query}")).code == "request-invalid"


def test_a_rate_goes_with_the_small_count_that_it_would_give_away() -> None:
    """Four of ten can't be read from 0.4."""
    row = {"owed": 10, "received": 4, "received_rate": 0.4}
    report = {
        "by": "agency", "rows": {"a": row}, "total": row, "variants": [], "missing": [], "untaken": [],
        "by_agency": {"a": row}, "by_sector": {}, "by_type": {},
    }  # fmt: skip
    hidden = suppress(report, lambda _: False)
    assert hidden["rows"]["a"] == {"owed": 10, "received": None, "received_rate": None}
    assert suppress(report, lambda name: name == "a")["rows"]["a"] == row
    assert as_csv(hidden, "agency").splitlines()[1] == "a,10,,"
