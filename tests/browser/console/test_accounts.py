"""Signing in, accounts, tokens and proposals, as people see them."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser as Chromium

from hub import people
from tests.browser.console.conftest import Quarter
from tests.browser.support import check_page, go, open_context


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_two_people_and_an_account(chromium: Chromium, county: Quarter, phone: bool) -> None:
    """One proposes an account, another approves it, and a code is given."""
    end = "-phone" if phone else ""
    async with county.look(chromium, "administrator", phone=phone) as ada:
        await ada.goto(f"{county.origin}/console/people")
        await check_page(ada, f"console-people{end}")
        await go(ada, ada.get_by_role("button", name="Propose an account"))
        await ada.get_by_label("Name").fill("Cai Example")
        await ada.get_by_label("Login").fill("cai@example.org")
        await ada.get_by_label("Inspector").check()
        await check_page(ada, f"console-people-add{end}")
        await go(ada, ada.get_by_role("button", name="Propose"))
        assert "isn't known" in await ada.locator("main").inner_text()
        await check_page(ada, f"console-people-add-wrong{end}")
        await ada.get_by_label("Inspection").check()
        await go(ada, ada.get_by_role("button", name="Propose"))
        await check_page(ada, f"console-proposal{end}")
        proposal = ada.url
        async with county.look(chromium, "governance", "administrator", phone=phone) as bea:
            await bea.goto(f"{county.origin}/console/proposals")
            await check_page(bea, f"console-proposals{end}")
            await bea.goto(proposal)
            await check_page(bea, f"console-proposal-decide{end}")
            await go(bea, bea.get_by_role("button", name="Approve"))
            await bea.goto(f"{county.origin}/console/people")
            await go(bea, bea.get_by_role("link", name="Cai Example"))
            await check_page(bea, f"console-person{end}")
            await go(bea, bea.get_by_role("button", name="Give a code"))
            await check_page(bea, f"console-person-code{end}")
            await bea.goto(f"{county.origin}/console/programs")
            await bea.get_by_label("For which program").fill("Warehouse")
            await bea.get_by_label("Figures").check()
            await go(bea, bea.get_by_role("button", name="Make the token"))
            await check_page(bea, f"console-programs{end}")


async def test_first_sign_in_by_passkey(chromium: Chromium, county: Quarter) -> None:
    """With a code and a passkey somebody gets in, and gets in again by the passkey alone."""
    store, now = county.site.hub.store, county.now
    account = await store.write(
        lambda tx: people.add_account(tx, None, "ada@example.org", "Ada Example", ["operator"], now)
    )
    code = await store.write(lambda tx: people.give_code(tx, None, account, now))
    async with open_context(chromium) as context:
        page = await context.new_page()
        devtools = await context.new_cdp_session(page)
        await devtools.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
            "isUserVerified": True,
        }  # fmt: skip
        await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        await page.goto(f"{county.origin}/console")
        assert page.url.endswith("/console/sign-in")
        await check_page(page, "console-sign-in")
        await go(page, page.get_by_role("link", name="I have a code to begin with"))
        await page.get_by_label("Code").fill(code)
        await check_page(page, "console-welcome")
        await go(page, page.get_by_role("button", name="Continue"))
        await check_page(page, "console-welcome-choose")
        await page.get_by_label("Name of the passkey").fill("work laptop")
        await go(page, page.get_by_role("button", name="Make a passkey and sign in"))
        await page.goto(f"{county.origin}/console/account")
        assert "work laptop" in await page.locator("main").inner_text()
        await check_page(page, "console-account")
        await go(page, page.get_by_role("button", name="Sign out"))
        await go(page, page.get_by_role("button", name="Sign in with a passkey"))
        await page.goto(f"{county.origin}/console/account")
        assert "Ada Example" in await page.locator("main").inner_text()
