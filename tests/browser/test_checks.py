"""A nurse at a clinic asks in a real browser whether a child who is here is known to be at risk, and reads the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page

from hub.store.base import Store
from tests.browser.support import check_page, go, open_context
from tests.gateway.inbox.support import PASSWORD
from tests.gateway.support import open_town
from tests.hl7.hospital import Hospital
from tests.profiles.health.trust import ALEX

pytest.importorskip("private_set_intersection", reason="NOT TESTED: openmined-psi has no wheel for this machine")

from tests.gateway.atrisk_support import CLINIC, add_clinic
from tests.profiles.health.test_clinic import Morning, open_morning


@pytest.fixture
async def morning(sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Morning]:
    """Give police with a list of one child, and the clinic's inbox under an address that a browser can open."""
    add_clinic(monkeypatch)
    hospital = Hospital()
    await hospital.start()
    async with open_town(sqlite_store, tmp_path) as town, open_morning(town, hospital, served=True) as opened:
        yield opened
    await hospital.close()


async def ask(page: Page, number: str) -> None:
    """Type who is here, and send it."""
    for label, value in (
        ("Your own reference of the visit", "V-9"), ("Day", "9"), ("Month", "3"), ("Year", "2011"), ("NHS number", number),
    ):  # fmt: skip
        await page.get_by_label(label, exact=True).fill(value)
    await go(page, page.get_by_role("button", name="Check", exact=True))


@pytest.mark.needs_node
@pytest.mark.parametrize(("phone", "script"), [(False, True), (True, False)], ids=["desktop", "phone-without-script"])
async def test_a_nurse_asks_and_reads_whom_to_contact(
    morning: Morning, chromium: Chromium, phone: bool, script: bool
) -> None:
    """The form, its errors, the wait and the answer are pages that everybody can use."""
    kind = "phone" if phone else "desktop"
    await morning.clinic.person("jo", team=CLINIC, role="nurse")
    base = f"http://localhost:{morning.clinic.port}"
    async with open_context(chromium, phone=phone, script=script) as context:
        page = await context.new_page()
        await page.goto(f"{base}/")
        await page.get_by_label("Login").fill("jo")
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await go(page, page.get_by_role("button", name="Sign in", exact=True))
        await page.goto(f"{base}/checks")
        await check_page(page, f"checks-{kind}")
        await ask(page, "9990000019")
        await page.get_by_text("There is a problem").wait_for()
        await check_page(page, f"checks-wrong-{kind}")
        await ask(page, ALEX)
        await page.get_by_text("not answered yet").wait_for()
        await check_page(page, f"checks-waiting-{kind}")
        await morning.pass_slot()
        await page.goto(f"{base}/checks")
        await go(page, page.get_by_role("button", name="Show V-9"))
        await page.get_by_text("V-9: known risk").wait_for()
        await page.get_by_text("Exampleshire Constabulary, exploitation").wait_for()
        await check_page(page, f"checks-known-{kind}")
