"""Figures, coverage and the quarterly report, as people see them after a quarter of discussions."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser as Chromium

from tests.browser.console.conftest import Quarter
from tests.browser.support import check_page, go
from tests.county import COUNCIL, POLICE
from tests.hub import adding


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_what_was_received_who_is_covered_and_the_report(
    chromium: Chromium, county: Quarter, phone: bool
) -> None:
    """From the year's figures to health's quarter of full minutes, to who is missing in them, to the board's report."""
    end = "-phone" if phone else ""
    hub = county.site.hub
    await adding.follow(hub.store, hub.registry.snapshot, county.now)
    await hub.store.write(lambda tx: tx.see_agencies([(COUNCIL, county.now), (POLICE, county.now)]))
    async with county.look(chromium, "governance", phone=phone) as page:
        await page.goto(f"{county.origin}/console")
        await check_page(page, f"console-figures-first{end}")
        await page.get_by_label("From", exact=True).fill("2026-07")
        await page.get_by_label("To", exact=True).fill("2026-09")
        await page.get_by_label("What", exact=True).select_option("minutes.full")
        await page.get_by_label("Sector", exact=True).select_option("health")
        await go(page, page.get_by_role("button", name="Show these"))
        said = await page.locator("main").inner_text()
        assert "8 (25%) were received by the deadline" in said
        assert await page.get_by_role("img", name="Received of what was owed, by sector").count() == 1
        await check_page(page, f"console-figures{end}")
        await page.get_by_text("What each figure counts").click()
        await check_page(page, f"console-figures-definitions{end}")
        await go(page, page.get_by_role("link", name="Coverage").last)
        assert "2 of 5 agencies are on the hub" in await page.locator("main").inner_text()
        await check_page(page, f"console-coverage{end}")
        await go(page, page.get_by_role("link", name="Quarterly report"))
        assert "July to September 2026" in await page.locator("h1").inner_text()
        await check_page(page, f"console-report{end}")
        async with page.expect_download() as kept:
            await page.get_by_role("link", name="Download it as a PDF").click()
        assert (await kept.value).suggested_filename == "2026-Q3.pdf"
