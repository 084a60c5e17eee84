"""The reports over HTTP: the same from the log and from the rows, and no more than their reader may see."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from hub import reports
from hub.core.authenticity import Caller
from hub.core.statistics import Period, count
from hub.store.base import Store
from schemas.rules.periods import days_of
from tests.county import (
    CAIT,
    COUNCIL,
    HEALTH,
    HOUR,
    MASH,
    NURSES,
    OFFICERS,
    PAEDIATRICS,
    PARTNERSHIP,
    POLICE,
    PROBATION,
    Sent,
)
from tests.web.support import Site, open_site

ALWAYS = "from=0&to=9999999999999"
# 1 July and 1 October 2026, midnight in London.
QUARTER = "from=1782860400000&to=1790809200000"
DAY = 24 * HOUR


async def hold(site: Site, *parties: str, receive: bool = True) -> Sent:
    """Hold a meeting, and send its minutes to the first two of those who are owed them; the second files them."""
    desk, county = site.desk, site.county
    held = county.seal("meeting.held/1", MASH, parties, facts={"meeting": "strategy"}, parties=[MASH, *parties])
    await desk.send(held)
    sent = county.seal(
        "minutes.full/1", MASH, parties[:2], facts={"variant": "full"}, parties=parties, thread=held.header.thread
    )
    await desk.send(sent)
    if receive:
        await desk.receive(sent, parties[1], "collected", "filed")
    return sent


async def play(site: Site, times: int = 1, days: int = 30) -> None:
    """Hold *times* meetings, and let time pass."""
    for _ in range(times):
        await hold(site, CAIT, NURSES, PAEDIATRICS)
    await site.desk.tick(days * DAY)
    site.callers.clear()


async def ask(site: Site, agency: str, query: str, report: str = "receipts") -> Any:
    """Return what *agency* is answered."""
    answer = await (await site.as_agency(agency)).get(f"/v1/reports/{report}?{query}")
    assert answer.status == 200, answer.body
    return answer.json


async def test_the_log_and_the_rows_give_the_same_figures(store: Store, tmp_path: Path) -> None:
    """What anyone can recount from the leaves is what the hub answers, week by week too."""
    async with open_site(store, tmp_path) as site:
        await play(site)
        snapshot, now, period = site.hub.registry.snapshot, site.county.now, Period(0, 9_999_999_999_999)
        days = days_of(snapshot.rules_at(now).agreement)
        logged, size = await reports.rows_from_log(store)
        stored = await store.read(lambda tx: reports.rows_from_store(tx, period))
        told = count(logged, period, snapshot.directory, now, days=days)
        assert told == count(stored, period, snapshot.directory, now, days=days)
        assert size == (await store.read(lambda tx: tx.log_head())).size
        assert told.by_agency[HEALTH].missing > 0
        assert told.by_type["minutes.full"].received == 1
        minutes = count(logged, period, snapshot.directory, now, {"minutes.full"}, days)
        assert {name: row.owed for name, row in minutes.by_week.items()} == {"2026-W29": 3}


async def test_the_partnership_sees_all_and_an_agency_what_it_is_a_party_to(site: Site) -> None:
    """Another's small counts are left out, and so is who waits for whom; whoever owes is a party to it."""
    await play(site)
    query = f"{ALWAYS}&type=minutes.full"
    whole = await ask(site, PARTNERSHIP, query)
    assert (whole["rows"][HEALTH]["owed"], whole["rows"][HEALTH]["received"]) == (2, 1)
    assert {one["creditor"] for one in whole["missing"]} == {PAEDIATRICS}
    assert "suppressed_below" not in whole
    council = await ask(site, COUNCIL, query)
    assert (council["rows"], council["missing"]) == (whole["rows"], whole["missing"])
    police = await ask(site, POLICE, query)
    assert police["rows"][POLICE]["owed"] == 1
    assert police["rows"][HEALTH]["owed"] is None
    assert police["rows"][HEALTH]["received_rate"] is None
    assert police["missing"] == []
    assert (police["suppressed_below"], police["others_shown"]) == (5, False)
    health = await ask(site, HEALTH, query)
    assert [one["creditor"] for one in health["missing"]] == [PAEDIATRICS]


async def test_others_figures_are_of_one_whole_quarter_that_is_over(site: Site) -> None:
    """Any other period, and any filter by sector, could be subtracted from this one."""
    await play(site, times=6)
    query = f"{QUARTER}&type=minutes.full"
    assert (await ask(site, PROBATION, query))["others_shown"] is False
    await site.desk.tick(60 * DAY)
    site.callers.clear()
    shown = await ask(site, PROBATION, query)
    assert shown["others_shown"] is True
    assert shown["rows"][HEALTH] | {"waived": 0} == dict.fromkeys(shown["rows"][HEALTH], None) | {
        "owed": 12, "sent": 6, "received": 6, "missing": 6, "received_rate": 0.5, "waived": 0,
    }  # fmt: skip
    assert shown["by_week"]["2026-W29"]["owed"] == shown["total"]["owed"] == 18
    for other in (f"{ALWAYS}&type=minutes.full", f"{query}&sector=health"):
        hidden = await ask(site, PROBATION, other)
        assert hidden["others_shown"] is False
        assert {row["owed"] for row in hidden["rows"].values()} == {None}
    every_type = await ask(site, PROBATION, f"{QUARTER}&by=type")
    assert every_type["rows"]["minutes.full"]["owed"] == 18
    assert every_type["total"]["owed"] is None


async def test_a_mailbox_is_told_no_more_than_its_agency(site: Site) -> None:
    """Whoever has both could subtract one from the other."""
    snapshot, now = site.hub.registry.snapshot, site.county.now
    agency, team = Caller(HEALTH, None, "", 0), Caller(HEALTH, NURSES, "", 0)
    assert reports.readers_of(snapshot, Caller(PARTNERSHIP, None, "", 0), now) is None
    (whole,) = reports.readers_of(snapshot, agency, now) or ()
    own, agencys = reports.readers_of(snapshot, team, now) or ()
    assert [whole(box) for box in (NURSES, PAEDIATRICS, CAIT)] == [True, True, False]
    assert [own(box) for box in (NURSES, PAEDIATRICS, CAIT)] == [True, False, False]
    assert [agencys(box) for box in (NURSES, PAEDIATRICS, CAIT)] == [True, True, False]


async def test_figures_of_one_sector(site: Site) -> None:
    """Health only, with every variant and its definition."""
    await play(site)
    told = await ask(site, PARTNERSHIP, f"{ALWAYS}&type=minutes.full&sector=health&by=variant")
    assert (told["sector"], told["total"]["owed"], list(told["by_sector"])) == ("health", 2, ["health"])
    received = told["rows"]["received_by_deadline"]
    assert (received["count"], received["of"], received["rate"]) == (1, 2, 0.5)
    assert all(one["definition"] for one in told["rows"].values())
    assert told["definitions"]["received_rate"]


async def test_a_report_is_also_a_table(site: Site) -> None:
    """CSV on request: a row for each sector and the total last; variants with their definitions; duties by agency."""
    await play(site)
    caller = await site.as_agency(PARTNERSHIP)
    answer = await caller.get(f"/v1/reports/receipts?{ALWAYS}&by=sector", Accept="text/csv")
    lines = answer.body.decode().splitlines()
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert lines[0].startswith("sector,owed,sent,")
    assert lines[-1].startswith("total,")
    assert {line.partition(",")[0] for line in lines[1:-1]} >= {"health", "police"}
    answer = await caller.get(f"/v1/reports/receipts?{ALWAYS}&by=variant", Accept="text/csv")
    rows = list(csv.DictReader(answer.body.decode().splitlines()))
    assert list(rows[0]) == ["name", "count", "of", "rate", "definition"]
    assert {row["name"] for row in rows} >= {"received_by_deadline", "opened_by_deadline", "received_of_those_sent"}
    answer = await caller.get(f"/v1/reports/duties?{ALWAYS}&type=meeting.held", Accept="text/csv")
    rows = list(csv.DictReader(answer.body.decode().splitlines()))
    assert [(row["rule"], row["agency"], row["owed"]) for row in rows if row["rule"] == "full-minutes"] == [
        ("full-minutes", COUNCIL, "3"), ("full-minutes", "total", "3"),
    ]  # fmt: skip
    police = await site.as_agency(POLICE)
    answer = await police.get(f"/v1/reports/receipts?{ALWAYS}&type=minutes.full", Accept="text/csv")
    assert f"{HEALTH},,,,,,,,,,,,,,," in answer.body.decode().splitlines()


async def test_a_report_asks_for_a_period_and_a_known_grouping(site: Site) -> None:
    """Anything else is refused."""
    caller = await site.as_agency(PARTNERSHIP)
    for query in ("", "from=5&to=5", f"{ALWAYS}&by=child", "from=0", f"{ALWAYS}&thread=x"):
        assert (await caller.get(f"/v1/reports/receipts?{query}")).code == "request-invalid"
    for query in ("", ALWAYS, "from=5&to=5&type=referral", f"{ALWAYS}&type=referral&by=agency"):
        assert (await caller.get(f"/v1/reports/duties?{query}")).code == "request-invalid"


async def test_how_the_duties_of_a_type_went(site: Site) -> None:
    """Rule by rule in the agreement's order, with what is stuck, how long it took, and how good it was."""
    sent = await hold(site, CAIT, NURSES, PAEDIATRICS)
    dispute = site.county.seal("minutes.dispute/1", NURSES, [MASH], thread=sent.header.thread, re=sent.id)
    await site.desk.send(dispute)
    await site.desk.receive(sent, CAIT, "collected", "declined")
    await site.desk.tick(30 * DAY)
    site.callers.clear()
    told = await ask(site, PARTNERSHIP, f"{ALWAYS}&type=meeting.held", "duties")
    assert told["all_parties"] is True
    full = {one["rule"]: one for one in told["rules"]}["full-minutes"]
    total = full["total"]
    assert (total["owed"], total["met"], total["stuck"], total["in_time_rate"]) == (3, 2, 1, 0.6667)
    # Sent at once to two, taken receipt of by one; the other declined, and somebody disputes what it says.
    assert (total["followed"], total["threads"], total["threads_followed"]) == (1, 1, 0)
    assert (total["median_hours"], total["messages"], total["declined"], total["disputed"]) == (0.0, 2, 1, 2)
    assert full["by_agency"][COUNCIL] == total
    assert [(one["creditor"], one["thread"]) for one in full["stuck"]] == [(PAEDIATRICS, sent.header.thread)]
    assert full["because"].startswith("domain 4")
    names = [one["rule"] for one in told["rules"]]
    assert names.index("decision-note") < names.index("full-minutes")
    assert told["definitions"]["stuck"]


async def test_a_newer_version_is_a_correction(site: Site) -> None:
    """Speed is shown beside how often what was sent had to be replaced."""
    sent = await hold(site, CAIT, NURSES, receive=False)
    again = site.county.seal(
        "minutes.full/1", MASH, [CAIT, NURSES], facts={"variant": "full"}, parties=[CAIT, NURSES],
        thread=sent.header.thread, supersedes=sent.id,
    )  # fmt: skip
    await site.desk.send(again)
    await site.desk.receive(again, CAIT, "collected", "filed")
    await site.desk.tick(30 * DAY)
    site.callers.clear()
    told = await ask(site, PARTNERSHIP, f"{ALWAYS}&type=meeting.held&rule=full-minutes", "duties")
    (full,) = told["rules"]
    assert (full["total"]["corrected"], full["total"]["faulty_rate"], full["total"]["followed"]) == (2, 1.0, 1)
    (taken,) = (await ask(site, PARTNERSHIP, f"{ALWAYS}&type=minutes.full&rule=full-received", "duties"))["rules"]
    assert (taken["total"]["owed"], taken["total"]["superseded"], taken["total"]["stuck"]) == (2, 2, 1)


async def test_duties_between_others_are_not_shown(site: Site) -> None:
    """An agency sees those that it owes or is owed; nobody else's, small or large."""
    await play(site)
    police = await ask(site, POLICE, f"{ALWAYS}&type=meeting.held&rule=full-minutes", "duties")
    assert (police["all_parties"], police["rules"][0]["total"]["owed"]) == (False, 1)
    probation = await ask(site, PROBATION, f"{ALWAYS}&type=meeting.held&rule=full-minutes", "duties")
    assert (probation["rules"][0]["total"]["owed"], probation["rules"][0]["by_agency"]) == (0, {})


async def test_probation_is_consulted_when_its_answer_came(site: Site) -> None:
    """Of two discussions it was asked about one, and answered: asked is met, answered is followed."""
    county, desk = site.county, site.desk
    convened = [
        county.seal(
            "meeting.convened/1", MASH, [CAIT], facts={"meeting": "strategy"}, parties=[MASH, CAIT],
            moments={"starts": county.now + DAY},
        )
        for _ in range(2)
    ]  # fmt: skip
    for sent in convened:
        await desk.send(sent)
    asked = county.seal("check.adult.request/1", MASH, [OFFICERS], thread=convened[0].header.thread)
    await desk.send(asked)
    query = f"{ALWAYS}&type=meeting.convened&rule=probation-asked"
    (before,) = (await ask(site, PARTNERSHIP, query, "duties"))["rules"]
    answer = county.seal(
        "check.adult.response/1", OFFICERS, [MASH], thread=convened[0].header.thread, re=asked.id,
        facts={"variant": "not_known"},
    )  # fmt: skip
    await desk.send(answer)
    await desk.tick(3 * DAY)
    site.callers.clear()
    (after,) = (await ask(site, PARTNERSHIP, query, "duties"))["rules"]
    assert (before["total"]["met"], before["total"]["followed"]) == (1, 0)
    assert (after["total"]["threads"], after["total"]["threads_followed"], after["total"]["followed_rate"]) == (
        2,
        1,
        0.5,
    )
