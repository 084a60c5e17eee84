"""A general practitioner at a link in a real browser, on a phone and at a desk; and the desk that reads out the code."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser as Chromium

from hub.store.base import Store
from tests.browser.support import check_page, focus_order, go, open_context
from tests.browser.test_inbox import press, sign_in
from tests.county import HEALTH
from tests.gateway.guests.support import Practice, practice_over


@pytest.fixture
async def practice(sqlite_store: Store, tmp_path: Path) -> AsyncIterator[Practice]:
    """Give a practice whose links a browser can open."""
    async with practice_over(sqlite_store, tmp_path, served=True) as opened:
        yield opened


@pytest.mark.needs_node
@pytest.mark.parametrize(("phone", "script"), [(True, True), (False, False)], ids=["phone", "desktop-without-script"])
async def test_a_practice_reads_and_takes_receipt(
    practice: Practice, chromium: Chromium, phone: bool, script: bool
) -> None:
    """The desk's page, the code, the message, the copy, the receipt: each page is one that everybody can use."""
    kind = "phone" if phone else "desktop"
    await practice.add()
    sent = await practice.send()
    await practice.office.person("robin@example.org", name="Robin Desk")
    async with open_context(chromium, phone=phone, script=script) as context:
        page = await context.new_page()
        await sign_in(practice.office, page, "robin@example.org", HEALTH)
        await page.goto(f"http://localhost:{practice.office.ports[HEALTH]}/guests")
        await check_page(page, f"guests-desk-{kind}")
        await press(page, "Show a code for Lee Sample")
        await check_page(page, f"guests-code-{kind}")
        code = re.sub(r"\D", "", await page.locator(".govuk-panel__title").inner_text())
    async with open_context(chromium, phone=phone, script=script) as context:
        page = await context.new_page()
        base = f"http://localhost:{practice.office.ports[HEALTH]}"
        await page.goto(f"{base}/guest/{'A' * 43}")
        await check_page(page, f"guest-over-{kind}")
        await press(page, "Ask for a new link")
        await check_page(page, f"guest-asked-{kind}")
        await page.goto(base + practice.link())
        await check_page(page, f"guest-link-{kind}")
        assert "Continue" in await focus_order(page)
        await page.get_by_label("Code").fill(f"{(int(code) + 1) % 10**6:06}")
        await press(page, "Continue")
        await page.get_by_role("alert").wait_for()
        await check_page(page, f"guest-wrong-{kind}")
        await page.get_by_label("Code").fill(code)
        await press(page, "Continue")
        await check_page(page, f"guest-cover-{kind}")
        await press(page, "Open the message")
        await check_page(page, f"guest-message-{kind}")
        async with page.expect_download() as saved:
            await page.get_by_role("button", name="Save a copy for our record").click()
        assert (await saved.value).suggested_filename == f"{sent.envelope}-gp.html"
        await go(page, page.get_by_role("link", name="It isn't for us"))
        await check_page(page, f"guest-decline-{kind}")
        await go(page, page.get_by_role("link", name="Go back to the message"))
        await press(page, "I have read it and understand what is asked")
        await page.get_by_role("heading", name="Thank you").wait_for()
        await check_page(page, f"guest-thanks-{kind}")
    assert await practice.levels(sent.envelope) == ["collected", "opened", "acknowledged"]
