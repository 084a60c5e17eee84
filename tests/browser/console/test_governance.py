"""Holds, retention, breaches, subject access, and what is signed: each page in a real browser, judged by axe."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page

from hub.ledger import sign_checkpoint
from tests.browser.console.conftest import Quarter
from tests.browser.support import check_page, go
from tests.console.support import seat
from tests.county import HEALTH, NURSES, ORIGIN
from tests.hub.support import hold, minutes

WIDTHS = pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])


async def _approve(county: Quarter, proposal: str) -> None:
    other, path = await seat(county.site, "administrator"), proposal.removeprefix(county.origin)
    done = await other.post(f"{path}/decide", {"answer": "approve"}, Origin=county.origin)
    assert done.status == 303


async def _check(page: Page, county: Quarter, phone: bool, *paths: str) -> None:
    for path in paths:
        await page.goto(f"{county.origin}/console{path}")
        name = "-".join(part for part in path.partition("?")[0].split("/") if part and len(part) < 20)
        await check_page(page, f"console-{name}{'-phone' if phone else ''}")


@WIDTHS
async def test_a_hold_is_placed_by_two_people(chromium: Chromium, county: Quarter, phone: bool) -> None:
    """From the form, wrong and right, to the list; retention then says what the hold keeps."""
    end = "-phone" if phone else ""
    thread = county.held[0].header.thread
    async with county.look(chromium, "governance", phone=phone) as page:
        await page.goto(f"{county.origin}/console/holds")
        await page.get_by_label("Thread", exact=True).fill("nonsense")
        await page.get_by_label("Court order").check()
        await go(page, page.get_by_role("button", name="Propose this hold"))
        assert "There is a problem" in await page.locator("main").inner_text()
        await check_page(page, f"console-holds-wrong{end}")
        await page.get_by_label("Thread", exact=True).fill(thread)
        await page.get_by_label("Court order").check()
        await go(page, page.get_by_role("button", name="Propose this hold"))
        await _approve(county, page.url)
        await page.goto(f"{county.origin}/console/holds")
        assert thread in await page.locator("main").inner_text()
        await page.get_by_text("Release", exact=True).click()
        await check_page(page, f"console-holds{end}")
        await page.goto(f"{county.origin}/console/retention")
        assert "a legal hold keeps it" in await page.locator("main").inner_text()
        await check_page(page, f"console-retention{end}")


@WIDTHS
async def test_a_breach_is_decided_and_agencies_are_found(chromium: Chromium, county: Quarter, phone: bool) -> None:
    """The list, a record with both sides' words, a decision; and which agencies hold something of the thread."""
    end, desk = "-phone" if phone else "", county.site.desk
    sent = minutes(county.site.county, hold(county.site.county).header.thread, NURSES)
    await desk.send(sent)
    await desk.receive(sent, NURSES, "collected")
    await desk.withdraw(sent)
    await desk.take(county.site.county.receipt(sent, NURSES, "filed", mode="destroyed"), by=HEALTH)
    async with county.look(chromium, "governance", phone=phone) as page:
        await page.goto(f"{county.origin}/console/breaches")
        await check_page(page, f"console-breaches{end}")
        await go(page, page.get_by_role("link", name=sent.id))
        await page.get_by_label("The regulator has to be told").check()
        await page.get_by_label("Risk likely").check()
        await check_page(page, f"console-breach{end}")
        record = page.url
        await go(page, page.get_by_role("button", name="Propose this decision"))
        await _approve(county, page.url)
        await page.goto(record)
        await page.get_by_label("The regulator has been told").check()
        await check_page(page, f"console-breach-told{end}")
        await page.goto(f"{county.origin}/console/holdings")
        await page.get_by_label("Thread").fill(sent.header.thread)
        await go(page, page.get_by_role("button", name="Find the agencies"))
        assert "Northmere Health" in await page.locator("main").inner_text()
        await check_page(page, f"console-holdings{end}")


@WIDTHS
async def test_what_is_signed_can_be_read(chromium: Chromium, county: Quarter, phone: bool) -> None:
    """Directory, agency, versions, agreement, keys, witnesses: for an inspector, who changes nothing."""
    await county.site.desk.next_directory()
    await county.site.desk.next_agreement()
    await sign_checkpoint(county.site.hub.store, ORIGIN, county.site.county.note_signers, county.now)
    async with county.look(chromium, "inspector", phone=phone) as page:
        await _check(
            page, county, phone, "/directory", f"/directory/agencies/{HEALTH}", "/directory/versions/2", "/agreement",
            "/agreement/versions/2", "/keys", "/witnesses",
        )  # fmt: skip
        assert await page.get_by_role("button", name="Propose").count() == 0


@WIDTHS
async def test_a_draft_is_brought_and_proposed(chromium: Chromium, county: Quarter, phone: bool) -> None:
    """The form, what the draft changes and what a check finds, and the proposal."""
    end = "-phone" if phone else ""
    async with county.look(chromium, "administrator", phone=phone) as page:
        await _check(page, county, phone, "/drafts", "/health", "/keys")
        await page.goto(f"{county.origin}/console/drafts")
        file = {"name": "directory.json", "mimeType": "application/json", "buffer": county.site.county.directory()}
        await page.locator("input[type=file]").set_input_files([file])  # type: ignore[list-item]
        await go(page, page.get_by_role("button", name="Look at it"))
        assert "version 2" in await page.locator("h1").inner_text()
        await check_page(page, f"console-draft{end}")
        await page.get_by_label("Mailboxes change").check()
        await go(page, page.get_by_role("button", name="Propose that officers sign it"))
        proposal = page.url
        await _approve(county, proposal)
        await page.goto(proposal)
        await go(page, page.get_by_role("link", name="The draft"))
        await check_page(page, f"console-draft-approved{end}")
