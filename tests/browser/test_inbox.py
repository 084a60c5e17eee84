"""The whole journey in a real browser: compose, seal, arrive, open, acknowledge; owed and missing; decline; leaving."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page

from adapters.gateway.inbox.forms.spec import make_form
from adapters.gateway.inbox.forms.values import write_step
from tests.browser.support import check_page, go, open_context
from tests.county import HEALTH
from tests.gateway.inbox.support import PASSWORD, Office
from tests.gateway.support import CATALOGUE
from tests.schemas import samples

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
    await page.get_by_role("button", name="Sign out").wait_for()


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
        await go(page, page.get_by_role("link", name="Strategy-discussion record").first)
        await check_page(page, f"cover-{kind}")
        await go(page, page.get_by_role("button", name="Open it"))
        await page.get_by_text("Zebulon").first.wait_for()
        await check_page(page, f"message-{kind}")
        await go(page, page.get_by_role("button", name="Take receipt"))
        await page.get_by_text("acknowledged").first.wait_for()
        await check_page(page, f"receipt-{kind}")
        levels = await office.levels(minutes.envelope)
        assert [one for one in levels if one in {"opened", "acknowledged"}] == ["opened", "acknowledged"]


@pytest.mark.needs_node
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_every_page_is_one_that_everybody_can_use(office: Office, chromium: Chromium, phone: bool) -> None:
    """Each page of each duty, with something on it, passes axe and fits the screen."""
    kind = "phone" if phone else "desktop"
    await office.person("robin@example.org", name="Robin Sample")
    await office.person("kim@example.org", name="Kim Placeholder", duties=("practitioner", "manager"))
    await office.person("ada@example.org", name="Ada Example", duties=("administrator",), teams=())
    await office.person("rae@example.org", name="Rae Specimen", duties=("reviewer",))
    held = await office.hold_meeting()
    minutes = await office.send_minutes(held.thread)
    pages = {
        "robin@example.org": {
            "thread": f"/threads/{held.thread}", "write": "/write", "search": "/search", "sent": "/receipts",
            "account": "/account", "password": "/account/password", "away": "/account/away",
        },
        "kim@example.org": {"team": "/team", "break-glass": f"/threads/{held.thread}", "managers-thread": f"/threads/{held.thread}"},
        "ada@example.org": {"people": "/people", "add-person": "/people/add"},
        "rae@example.org": {"review": "/review"},
    }  # fmt: skip
    for login, shown in pages.items():
        async with open_context(chromium, phone=phone) as context:
            page = await context.new_page()
            await sign_in(office, page, login)
            if login.startswith("robin"):
                await page.goto(f"http://localhost:{office.ports[HEALTH]}/messages/{minutes.envelope}")
                await go(page, page.get_by_role("button", name="Open it"))
                await page.goto(f"http://localhost:{office.ports[HEALTH]}/messages/{minutes.envelope}/decline")
                await check_page(page, f"decline-{kind}")
                await page.goto(f"http://localhost:{office.ports[HEALTH]}/messages/{minutes.envelope}/copy")
                await check_page(page, f"copy-{kind}")
            for name, path in shown.items():
                answer = await page.goto(f"http://localhost:{office.ports[HEALTH]}{path}")
                assert answer is not None
                assert answer.status == 200, f"{path}: {answer.status}"
                await check_page(page, f"{name}-{kind}")


@pytest.mark.needs_node
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_a_report_is_written_in_steps_with_the_keyboard_alone(
    office: Office, chromium: Chromium, phone: bool
) -> None:
    """A nurse writes an information sharing report; each step passes axe, also with its errors; it is sent once."""
    kind = "phone" if phone else "desktop"
    await office.person("robin@example.org", name="Robin Sample")
    async with open_context(chromium, phone=phone) as context:
        page = await context.new_page()
        await sign_in(office, page, "robin@example.org")
        await page.goto(f"http://localhost:{office.ports[HEALTH]}/write")
        await page.get_by_label("Information sharing report").check()
        await go(page, page.get_by_role("button", name="Begin").first)
        await check_page(page, f"write-gate-{kind}")
        await page.get_by_label("No", exact=True).check()
        await press(page, "Continue")
        await press(page, "Continue")
        await page.get_by_text("There is a problem").wait_for()
        await check_page(page, f"write-errors-{kind}")
        await fill_report(page, kind)
        await check_page(page, f"write-check-{kind}")
        await press(page, "Seal and send")
        await page.get_by_text("on its way").wait_for()
        await check_page(page, f"write-sent-{kind}")
    assert len(await office.health.gateway.spool.all("list_sent")) == 1


async def press(page: Page, name: str) -> None:
    """Press a button with the keyboard: focus it, then Enter."""
    button = page.get_by_role("button", name=name, exact=True).last
    await button.focus()
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def fill_report(page: Page, kind: str) -> None:
    """Fill in what the report must have, page after page, until the answers are to be checked."""
    form = make_form(CATALOGUE, "info.report/1")
    whole = samples.message("info.report/1")
    needed = {name: whole[name] for name in CATALOGUE.schema("info.report/1")["required"]}
    for _ in range(20):
        name = page.url.rpartition("/")[2].partition("#")[0]
        if name == "check":
            return
        step = form.step(name) if "/steps/" in page.url else None
        for box, text in write_step(step, needed).pairs if step else ():
            if box != "entries":
                await fill(page, box, text)
        await check_page(page, f"write-{name}-{kind}")
        await press(page, "Continue")
    raise AssertionError("the form never ends")


async def fill(page: Page, box: str, text: str) -> None:
    """Answer the field called *box*: type, choose or tick."""
    field = page.locator(f'[name="{box}"]')
    if not await field.count():
        return
    kind = await field.first.get_attribute("type")
    if kind in {"radio", "checkbox"}:
        await page.locator(f'[name="{box}"][value="{text}"]').check()
    elif await field.first.evaluate("one => one.tagName") == "SELECT":
        await field.first.select_option(text)
    else:
        await field.first.fill(text)
