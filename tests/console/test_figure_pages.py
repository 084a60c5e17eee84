"""Figures, coverage and reports as pages: what they say after a quarter of discussions."""

from __future__ import annotations

import csv
import io

import pytest
from pypdf import PdfReader

from tests.console.support import seat, text_of
from tests.county import COUNCIL, DAY, HEALTH, POLICE
from tests.hub import adding
from tests.web.support import Site

QUARTER = "from=2026-07&to=2026-09"


@pytest.mark.parametrize("followed", [False, True])
async def test_a_quarter_of_full_minutes_reached_health_by_a_quarter(quarter: Site, followed: bool) -> None:
    """8 of 32 sets of full minutes, whether they were added up before or are counted now."""
    if followed:
        await adding.follow(quarter.hub.store, quarter.hub.registry.snapshot, quarter.hub.clock())
    page = await (await seat(quarter, "governance")).get(f"/console?{QUARTER}&type=minutes.full&agency={HEALTH}")
    said = text_of(page)
    assert page.status == 200
    assert "Of 32 records owed and due from July 2026 to September 2026, 8 (25%) were received" in said
    assert "no better" in said
    assert page.body.count(b"<svg") == 5


async def test_a_follower_that_is_far_behind_is_named(quarter: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says how much is counted, instead of letting a part look like the whole."""
    monkeypatch.setattr("hub.sums.LEAVES", 10)
    said = text_of(await (await seat(quarter, "inspector")).get(f"/console?{QUARTER}"))
    assert "These figures count 0 of" in said


@pytest.mark.parametrize(
    "query", ["from=2026-13", "from=2020-01", "type=nothing", "agency=nobody", "from=2026-09&to=2026-07"]
)
async def test_what_cannot_be_asked_has_no_page(site: Site, query: str) -> None:
    """Whether it is misspelt, unknown or too much."""
    assert (await (await seat(site, "governance")).get(f"/console?{query}")).status == 404


async def test_who_may_not_see_figures_is_led_elsewhere(site: Site) -> None:
    """An operator's first page is another one."""
    answer = await (await seat(site, "operator")).get("/console")
    assert (answer.status, answer.headers["Location"]) == (303, "/console/proposals")


async def test_coverage_says_who_is_on_the_hub_and_what_the_others_do_to_the_figures(quarter: Site) -> None:
    """Nobody's gateway has called but one; the page names each, and has the figure with and without them."""
    store, snapshot, now = quarter.hub.store, quarter.hub.registry.snapshot, quarter.hub.clock()
    await adding.follow(store, snapshot, now)
    await store.write(lambda tx: tx.see_agencies([(COUNCIL, now), (POLICE, now - 2 * DAY)]))
    said = text_of(await (await seat(quarter, "inspector")).get(f"/console/coverage?{QUARTER}"))
    assert "2 of 5 agencies are on the hub" in said
    assert "never called" in said
    assert "silent" in said
    # Of 64 sets of full minutes, 32 were owed to health and 16 to probation: neither gateway has ever called.
    assert "Strategy-discussion record 40 of 64 (62%) 16 of 16 (100%) 48" in said
    assert "Exampleshire Partnership never" in said
    assert "Northmere Health 16 40 40" in said
    assert "Sampleton Childrens Services 128 104 0 24 0 0" in said
    assert "The agreement asks for nothing by the calendar" in said


async def test_the_quarterly_report_is_fit_for_anyone(quarter: Site) -> None:
    """Page, CSV and PDF say the same, leave small counts out with a second one, and exist for quarters that are over."""
    person = await seat(quarter, "inspector")
    page = await person.get("/console/reports/quarter?quarter=2026-Q3")
    assert page.status == 200
    assert "Counts under 5 are left out" in text_of(page)
    told = await person.get("/console/reports/quarter.csv?quarter=2026-Q3")
    rows = list(csv.DictReader(io.StringIO(told.body.decode())))
    health = next(row for row in rows if (row["type"], row["by"], row["name"]) == ("minutes.full", "sector", "health"))
    assert (health["owed"], health["received"], health["received_rate"], health["missing"]) == ("32", "8", "0.25", "24")
    assert all(
        not row[column] or row[column] == "0" or float(row[column]) >= 5
        for row in rows
        for column in ("owed", "received")
    )
    assert "8 of 32 (25%)" in text_of(page)
    sent = await person.get("/console/reports/quarter.pdf?quarter=2026-Q3")
    assert sent.headers["Content-Type"] == "application/pdf"
    pdf = PdfReader(io.BytesIO(sent.body))
    said = " ".join(" ".join(one.extract_text() for one in pdf.pages).split())
    assert pdf.metadata is not None
    assert pdf.metadata.title == "Exampleshire Partnership: July to September 2026"
    assert "Health 32 8 8 25% 24" in said
    assert next(one.title for one in pdf.outline if not isinstance(one, list)) == "What each figure counts"
    for name in ("2026-Q4", "2026-Q5", "nonsense"):
        assert (await person.get(f"/console/reports/quarter?quarter={name}")).status == 404
    assert (await person.get("/console/reports/quarter")).status == 200
