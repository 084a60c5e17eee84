"""The whole journey in a real browser: compose, seal, arrive, open, acknowledge; owed and missing; decline; leaving."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page

from tests.browser.support import check_page, open_context
from tests.county import HEALTH
from tests.gateway.inbox.support import PASSWORD, Office

EVERY = pytest.mark.parametrize(
    ("phone", "script"), [(False, True), (True, True), (False, False), (True, False)],
    ids=["desktop", "phone", "desktop-without-script", "phone-without-script"],
)  # fmt: skip


async def sign_in(office: Office, page: Page, login: str, agency: str = HEALTH) -> None:
    """Sign in as somebody who has an account already."""
    await page.goto(f"http://localhost:{office.ports[agency]}/")
    await page.get_by_label("Login").fill(login)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.wait_for_url("**/")


@pytest.mark.needs_node
@EVERY
async def test_minutes_are_opened_and_receipt_is_taken(
    office: Office, chromium: Chromium, phone: bool, script: bool, request: pytest.FixtureRequest
) -> None:
    """A nurse sees what is missing and what came, opens it, takes receipt; every page is one that everybody can use."""
    kind = request.node.callspec.id
    await office.person("robin@example.org", name="Robin Sample")
    held = await office.hold_meeting()
    async with open_context(chromium, phone=phone, script=script) as context:
        page = await context.new_page()
        await page.goto(f"http://localhost:{office.ports[HEALTH]}/")
        await check_page(page, f"sign-in-{kind}")
        await sign_in(office, page, "robin@example.org")
        await page.get_by_role("heading", name="Owed to you and not here").wait_for()
        await check_page(page, f"today-{kind}")
        minutes = await office.send_minutes(held.thread)
        await page.reload()
        await page.get_by_role("link", name="Strategy-discussion record").first.click()
        await check_page(page, f"cover-{kind}")
        await page.get_by_role("button", name="Open it").click()
        await page.get_by_text("Zebulon").first.wait_for()
        await check_page(page, f"message-{kind}")
        await page.get_by_role("button", name="Take receipt").click()
        await page.get_by_text("acknowledged").first.wait_for()
        await check_page(page, f"receipt-{kind}")
        levels = await office.levels(minutes.envelope)
        assert [one for one in levels if one in {"opened", "acknowledged"}] == ["opened", "acknowledged"]
