"""What is missing, one duty, one envelope, its thread and the log, as people see them on both widths."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser as Chromium

from hub.journeys.checking import check_journey
from hub.journeys.files import read_tar
from tests.browser.console.conftest import Quarter
from tests.browser.support import check_page, go


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_from_what_is_missing_to_a_reminder_and_a_proposal(
    chromium: Chromium, county: Quarter, phone: bool
) -> None:
    """The longest overdue is opened, its debtor reminded, and its end proposed with a reason."""
    end = "-phone" if phone else ""
    async with county.look(chromium, "governance", phone=phone) as ada:
        await ada.goto(f"{county.origin}/console/missing")
        await check_page(ada, f"console-missing{end}")
        await ada.get_by_label("Kind").select_option("To be sent")
        await go(ada, ada.get_by_role("button", name="Show these"))
        assert "What is missing now" in await ada.locator("h1").inner_text()
        await go(ada, ada.locator("tbody a").first)
        await check_page(ada, f"console-obligation{end}")
        await go(ada, ada.get_by_role("button", name="Send a reminder"))
        assert "Reminded by hand" in await ada.locator("main").inner_text()
        await go(ada, ada.get_by_role("button", name="Propose this"))
        assert "There is a problem" in await ada.locator("main").inner_text()
        await check_page(ada, f"console-obligation-wrong{end}")
        await ada.get_by_label("It was delivered by other means").check()
        await ada.get_by_label("Handed over").check()
        await go(ada, ada.get_by_role("button", name="Propose this"))
        assert "record that something was delivered by other means" in await ada.locator("h1").inner_text()
        await check_page(ada, f"console-ending-proposed{end}")


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_from_the_log_to_an_envelope_whose_proof_holds(chromium: Chromium, county: Quarter, phone: bool) -> None:
    """A question is asked and saved; an entry leads to its envelope, every check of which holds here and elsewhere."""
    end = "-phone" if phone else ""
    async with county.look(chromium, "inspector", phone=phone) as ada:
        await ada.goto(f"{county.origin}/console/log")
        await check_page(ada, f"console-log{end}")
        await ada.get_by_label("What happened").select_option("Envelope accepted")
        await ada.get_by_label("Message type").select_option("minutes.full")
        await ada.get_by_label("From").fill("2026-07-06")
        await go(ada, ada.get_by_role("button", name="Search"))
        await ada.get_by_text("Save this question, to ask it again").click()
        await ada.get_by_label("What is asked, in a few words").fill("Minutes since July")
        await check_page(ada, f"console-log-found{end}")
        await go(ada, ada.get_by_role("button", name="Save this question"))
        await go(ada, ada.get_by_role("link", name="Minutes since July"))
        await go(ada, ada.get_by_role("link", name="envelope").first)
        assert "Every check holds" in await ada.locator("main").inner_text()
        await check_page(ada, f"console-envelope{end}")
        async with ada.expect_download() as downloading:
            await ada.get_by_role("button", name="Download the proof").click()
        path = await (await downloading.value).path()
        verdict = check_journey(read_tar(path.read_bytes()), county.site.county.roots)
        assert verdict.holds
        await go(ada, ada.locator("dd a.console-key").first)
        await check_page(ada, f"console-thread{end}")
        await ada.goto(f"{county.origin}/console/log/check")
        await check_page(ada, f"console-log-check{end}")
        assert "Does not hold" not in await ada.locator("main").inner_text()


async def test_without_script_everything_goes_the_same_way(chromium: Chromium, county: Quarter) -> None:
    """Filters, lists and forms are plain pages."""
    async with county.look(chromium, "governance", script=False) as ada:
        await ada.goto(f"{county.origin}/console/missing")
        await go(ada, ada.locator("tbody a").first)
        await check_page(ada, "console-obligation-plain")
        await go(ada, ada.get_by_role("button", name="Send a reminder"))
        assert "Reminded by hand" in await ada.locator("main").inner_text()
        await go(ada, ada.locator("dd a.console-key").first)
        assert "One thread" in await ada.locator("h1").inner_text()
