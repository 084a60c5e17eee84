"""The API's description in a real browser: found from the list, read on a telephone, without script."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser as Chromium

from tests.browser.console.conftest import Quarter
from tests.browser.support import check_page, open_context


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_an_engineer_finds_an_operation_and_what_each_code_means(
    chromium: Chromium, county: Quarter, *, phone: bool
) -> None:
    """From the list to an operation, its examples and shapes, and from a code to what it means."""
    async with open_context(chromium, phone=phone) as context:
        page = await context.new_page()
        end = "-phone" if phone else ""
        await page.goto(f"{county.origin}/docs")
        await check_page(page, f"console-api{end}")
        await page.get_by_role("link", name="GET /v1/audit/entries", exact=True).click()
        await page.get_by_role("heading", level=1, name="GET /v1/audit/entries").wait_for()
        assert (
            "Authorization: Bearer $TOKEN" in await page.get_by_role("region", name="A line for a shell").inner_text()
        )
        await page.get_by_text("Shape of answer 200, application/json").click()
        await check_page(page, f"console-api-operation{end}")
        await page.get_by_role("link", name="token-scope").click()
        await page.get_by_text("The access token doesn't allow this").wait_for()
        assert page.url.endswith("/docs/errors#token-scope")
        await check_page(page, f"console-api-errors{end}")


async def test_the_pages_need_no_script(chromium: Chromium, county: Quarter) -> None:
    """What a page says is in the page."""
    async with open_context(chromium, script=False) as context:
        page = await context.new_page()
        await page.goto(f"{county.origin}/docs/operations/sendReceipts")
        await page.get_by_text("Shape of what is sent, application/json").click()
        assert "maxItems" in await page.get_by_role("region", name="Shape: what is sent, application/json").inner_text()
