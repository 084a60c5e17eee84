"""A probation officer answers "not known here" in a real browser: opens, presses, looks at what goes, sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser as Chromium

from hub.store.base import Store
from tests.browser.support import check_page, focus_order, go, open_context
from tests.browser.test_inbox import press, sign_in
from tests.county import MASH, OFFICERS, PROBATION
from tests.gateway.inbox.support import Office, open_office
from tests.gateway.inbox.test_replies import ask
from tests.gateway.support import open_town, settle


@pytest.fixture
async def desk(sqlite_store: Store, tmp_path: Path) -> AsyncIterator[Office]:
    """Give the council's inbox and probation's under addresses that a browser can open."""
    async with open_town(sqlite_store, tmp_path) as town, open_office(town, served=True, other=PROBATION) as opened:
        yield opened


@pytest.mark.needs_node
@pytest.mark.parametrize(("phone", "script"), [(False, True), (True, False)], ids=["desktop", "phone-without-script"])
async def test_not_known_is_answered_with_the_keyboard_alone(
    desk: Office, chromium: Chromium, phone: bool, script: bool
) -> None:
    """Two presses after opening; each page is one that everybody can use; the council's duty is met by one message."""
    kind = "phone" if phone else "desktop"
    await desk.person("pat@example.org", agency=PROBATION, teams=(OFFICERS,), role="probation_officer")
    envelope = await ask(desk)
    async with open_context(chromium, phone=phone, script=script) as context:
        page = await context.new_page()
        await sign_in(desk, page, "pat@example.org", PROBATION)
        await page.goto(f"http://localhost:{desk.ports[PROBATION]}/messages/{envelope}")
        await press(page, "Open it")
        await check_page(page, f"reply-offered-{kind}")
        assert "Answer: not known here" in await focus_order(page)
        await go(page, page.get_by_role("button", name="Answer: not known here"))
        await page.get_by_role("heading", name="Answer that the person is not known here").wait_for()
        await check_page(page, f"reply-{kind}")
        await press(page, "Send this answer")
        await page.get_by_text("was given by your team").wait_for()
        await check_page(page, f"reply-given-{kind}")
    await settle(desk.health, desk.council)
    (sent,) = await desk.health.gateway.spool.all("list_sent")
    duties = await desk.town.site.desk.duties(sent["thread"])
    assert duties["adult-check-answered", OFFICERS, MASH] == "met"
