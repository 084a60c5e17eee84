"""Figures, coverage and reports as pages: what they say after a quarter of discussions."""

from __future__ import annotations

import pytest

from tests.console.support import seat, text_of
from tests.county import HEALTH
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
