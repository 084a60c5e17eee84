"""Accounts in a real browser: the first code, passkeys by the browser itself, a real provider, and a leaver."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page

from adapters.gateway.inbox.config import OidcConfig
from hub.store.base import Store
from tests.browser.support import check_page, open_context
from tests.county import HEALTH
from tests.gateway.inbox import support
from tests.gateway.inbox.support import PASSWORD, Office, open_office
from tests.gateway.support import open_town
from tests.kit.issuer import CLIENT, SECRET
from tests.kit.provider import run_provider

pytestmark = pytest.mark.needs_node
SCRIPT = pytest.mark.parametrize(
    ("phone", "script"), [(False, True), (True, False)], ids=["desktop", "phone-without-script"]
)


def at(office: Office, path: str) -> str:
    """Return the address of *path*."""
    return f"http://localhost:{office.ports[HEALTH]}{path}"


async def sign_in(office: Office, page: Page, login: str) -> None:
    """Sign in by password."""
    await page.goto(at(office, "/sign-in"))
    await page.get_by_label("Login").fill(login)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.get_by_role("button", name="Sign out").wait_for()


async def press(page: Page, name: str) -> None:
    """Press the button *name*."""
    await page.get_by_role("button", name=name, exact=True).click()


@SCRIPT
async def test_an_account_from_its_code_to_its_end(
    office: Office, chromium: Chromium, phone: bool, script: bool
) -> None:
    """An administrator adds somebody, who sets a password by the code; at the end they are out while their page is open."""
    await office.person("ada@example.org", name="Ada Example", duties=("administrator",), teams=())
    kind = "phone" if phone else "desktop"
    async with (
        open_context(chromium, phone=phone, script=script) as hers,
        open_context(chromium, phone=phone, script=script) as theirs,
    ):
        admin, sam = await hers.new_page(), await theirs.new_page()
        await sign_in(office, admin, "ada@example.org")
        await admin.goto(at(office, "/people/add"))
        await press(admin, "Add them")
        await admin.get_by_text("There is a problem").wait_for()
        await check_page(admin, f"add-person-wrong-{kind}")
        await admin.get_by_label("Name", exact=True).fill("Sam Sample")
        await admin.get_by_label("Login").fill("sam@example.org")
        await admin.get_by_label("Professional role").fill("school_nurse")
        await admin.get_by_label("Practitioner").check()
        await admin.get_by_role("group", name="Teams").get_by_role("checkbox").first.check()
        await press(admin, "Add them")
        await admin.get_by_role("heading", name="Code to begin with").wait_for()
        await check_page(admin, f"person-code-{kind}")
        code = re.search(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}", await admin.inner_text("main"))
        assert code
        await sam.goto(at(office, "/welcome"))
        await check_page(sam, f"welcome-{kind}")
        await sam.get_by_label("Code").fill(code[0])
        await press(sam, "Continue")
        await check_page(sam, f"welcome-choose-{kind}")
        await sam.get_by_label("Choose a password").fill("short")
        await press(sam, "Set the password and sign in")
        await sam.get_by_text("There is a problem").wait_for()
        await check_page(sam, f"welcome-wrong-{kind}")
        await sam.get_by_label("Choose a password").fill("three other fictional words")
        await press(sam, "Set the password and sign in")
        await sam.get_by_role("heading", name="Today").wait_for()
        await admin.get_by_role("link", name="People", exact=True).click()
        await check_page(admin, f"people-{kind}")
        await admin.get_by_role("link", name="Sam Sample").click()
        await admin.get_by_role("link", name="End this account").click()
        await check_page(admin, f"leave-{kind}")
        await press(admin, "End the account")
        await admin.get_by_text("This account has ended").wait_for()
        await check_page(admin, f"person-left-{kind}")
        await sam.reload()
        await sam.get_by_role("heading", name="Sign in").wait_for()


async def test_somebody_signs_in_by_the_browsers_own_passkey(office: Office, chromium: Chromium) -> None:
    """Chromium makes the passkey and signs by it; without script there is no button for it; a failure is said in words."""
    await office.person("robin@example.org", name="Robin Sample")
    async with open_context(chromium) as context:
        page = await context.new_page()
        devtools = await context.new_cdp_session(page)
        await devtools.send("WebAuthn.enable")
        key = {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
            "isUserVerified": True, "automaticPresenceSimulation": True,
        }  # fmt: skip
        made = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": key})
        await sign_in(office, page, "robin@example.org")
        await page.goto(at(office, "/account"))
        await page.get_by_label("Name of the passkey").fill("Work phone")
        await press(page, "Add a passkey")
        await page.get_by_role("heading", name="Work phone").wait_for()
        assert await page.get_by_role("button", name="Remove the passkey Work phone").is_visible()
        await check_page(page, "account-passkey-desktop")
        await press(page, "Sign out")
        await press(page, "Sign in with a passkey")
        await page.get_by_role("heading", name="Today").wait_for()
        await press(page, "Sign out")
        unverified = {"authenticatorId": made["authenticatorId"], "isUserVerified": False}
        await devtools.send("WebAuthn.setUserVerified", unverified)
        await press(page, "Sign in with a passkey")
        await page.get_by_text("The passkey could not be used").wait_for()
        await check_page(page, "sign-in-passkey-wrong-desktop")
    async with open_context(chromium, script=False) as context:
        page = await context.new_page()
        await page.goto(at(office, "/sign-in"))
        assert not await page.get_by_role("button", name="Sign in with a passkey").is_visible()
        assert await page.get_by_label("Login").is_visible()


async def test_somebody_signs_in_at_a_real_provider_by_browser(
    sqlite_store: Store, tmp_path: Path, chromium: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pages' own policy lets the browser go there and come back signed in."""
    (tmp_path / "oidc-secret").write_text(SECRET)
    ports = [support.find_free_port(), support.find_free_port()]
    # The provider is told beforehand where it may send browsers back to.
    monkeypatch.setattr(support, "find_free_port", iter(ports).__next__)
    async with (
        open_town(sqlite_store, tmp_path) as town,
        run_provider(f"http://localhost:{ports[1]}/sign-in/oidc/back") as provider,
    ):
        town.county.now = time.time_ns() // 1_000_000
        oidc = OidcConfig(issuer=provider.issuer, client_id=CLIENT, client_secret_file=str(tmp_path / "oidc-secret"))
        async with open_office(town, served=True, oidc=oidc) as office, open_context(chromium) as context:
            await office.person("robin@example.org", name="Robin Sample")
            page = await context.new_page()
            await page.goto(at(office, "/sign-in"))
            await check_page(page, "sign-in-provider-desktop")
            await page.get_by_role("button", name="Sign in with your organisation").click()
            await page.get_by_placeholder("Enter any login").fill("robin")
            await page.get_by_placeholder("and password").fill("any")
            await page.get_by_role("button", name="Sign-in").click()
            await page.get_by_role("button", name="Continue").click()
            town.county.now = time.time_ns() // 1_000_000
            await page.get_by_role("heading", name="Today").wait_for()
