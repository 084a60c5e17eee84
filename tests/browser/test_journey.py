"""The whole way in a browser: written, sealed, arrived, told, opened, acknowledged; declined; and the leaver who is out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page

from adapters.gateway.inbox.forms.spec import make_form
from adapters.gateway.inbox.forms.values import write_step
from adapters.gateway.inbox.notify.config import MailConfig, NotifyConfig
from adapters.gateway.inbox.notify.notifier import Notifier
from hub.store.base import Store
from schemas.derivation import spell_moment
from tests.browser.support import check_page, go, open_context
from tests.browser.test_inbox import EVERY, fill, sign_in
from tests.county import COUNCIL, HEALTH, MASH, NURSES
from tests.gateway.inbox.support import Office, open_office
from tests.gateway.inbox.test_notify import Post, mail_server
from tests.gateway.support import CATALOGUE, open_town, settle
from tests.schemas import samples


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    """Give a mail server."""
    async with mail_server() as opened:
        yield opened


@pytest.fixture
async def office(sqlite_store: Store, tmp_path: Path, post: Post) -> AsyncIterator[Office]:
    """Give two agencies' inboxes that send mail."""
    mail = MailConfig(host="127.0.0.1", port=post.port, security="none", sender="inbox@northmere.test")
    async with (
        open_town(sqlite_store, tmp_path) as town,
        open_office(town, served=True, notify=NotifyConfig(mail=mail)) as opened,
    ):
        yield opened


async def write(page: Page, base: str, kind: str, title: str, message: dict[str, Any]) -> None:
    """Write and send a message of *kind* as *message* has it, whatever the pages offer, with a mouse."""
    await page.goto(f"{base}/write")
    await page.get_by_label(title, exact=True).check()
    await go(page, page.get_by_role("button", name="Begin").first)
    form = make_form(CATALOGUE, kind)
    for _ in range(40):
        name = page.url.rpartition("/")[2].partition("#")[0]
        if name == "check":
            break
        step = form.step(name) if "/steps/" in page.url else None
        pairs = write_step(step, message).pairs if step else ()
        for box, pointer in pairs:
            if box == "entries" and not await page.locator(f'[name="entries"][value="{pointer}"]').count():
                await go(page, page.locator(f'button[name="add"][value="{pointer.rpartition("/")[0]}"]'))
        for box, text in pairs:
            if box != "entries":
                await fill(page, box, text)
        await go(page, page.get_by_role("button", name="Continue", exact=True).last)
    await page.get_by_role("button", name="Seal and send").click()
    await page.get_by_text("on its way").wait_for()


@pytest.mark.needs_node
@EVERY
async def test_from_the_one_who_writes_to_the_one_who_acts(
    office: Office, post: Post, chromium: Chromium, phone: bool, script: bool, request: pytest.FixtureRequest
) -> None:
    """A chair says that a discussion was held; the nurse is told, opens it, sees what is missing, takes receipt; and leaves."""
    kind, now = request.node.callspec.id, spell_moment(office.town.county.now)
    await office.person("sam@example.org", agency=COUNCIL, teams=(MASH,), name="Sam Specimen")
    await office.person("robin@example.org", name="Robin Sample")
    await office.person("ada@example.org", name="Ada Example", duties=("administrator",), teams=())
    config = office.inboxes[HEALTH].config.notify
    assert config is not None
    notifier = Notifier(office.inboxes[HEALTH], config)
    await notifier.round()
    people = [samples.participant(MASH), samples.participant(NURSES)]
    held = samples.meeting_held(held_at=now, participants=people, distribution=[])
    council, health = (f"http://localhost:{office.ports[agency]}" for agency in (COUNCIL, HEALTH))
    async with open_context(chromium, phone=phone, script=script) as context:
        page = await context.new_page()
        await sign_in(office, page, "sam@example.org", COUNCIL)
        await write(page, council, "meeting.held/1", "Meeting held", held)
    await settle(office.council, office.health)
    await notifier.round()
    assert [to for to, _ in post.mails] == [["robin@example.org"]]
    async with open_context(chromium, phone=phone, script=script) as context:
        page = await context.new_page()
        await sign_in(office, page, "robin@example.org")
        await page.get_by_role("heading", name="Owed to you and not here").wait_for()
        await go(page, page.get_by_role("link", name="Meeting held").first)
        envelope = page.url.rpartition("/")[2]
        await page.get_by_role("button", name="Open it").click()
        await page.get_by_role("button", name="Take receipt").click()
        await page.get_by_text("You took receipt").wait_for()
        await page.go_back()
        await page.goto(f"{health}/messages/{envelope}")
        assert await page.get_by_role("button", name="Take receipt").count() == 0
        levels = await office.levels(envelope)
        assert [one for one in levels if one in {"opened", "acknowledged"}] == ["opened", "acknowledged"]
        second = await office.send_minutes(await _thread(office, envelope))
        await page.goto(f"{health}/messages/{second.envelope}")
        await page.get_by_role("button", name="Open it").click()
        await page.get_by_role("link", name="Decline it, with a reason").click()
        await page.get_by_role("button", name="Decline it").click()
        await page.get_by_text("There is a problem").wait_for()
        await check_page(page, f"decline-wrong-{kind}")
        await page.get_by_label("I have a conflict of interest").check()
        await page.get_by_role("button", name="Decline it").click()
        await page.get_by_text("You declined it").wait_for()
        assert (await office.levels(second.envelope))[-1] == "declined"
        async with open_context(chromium, script=script) as others:
            desk = await others.new_page()
            await sign_in(office, desk, "ada@example.org")
            await desk.goto(f"{health}/people")
            await desk.get_by_role("link", name="Robin Sample").click()
            await desk.get_by_role("link", name="End this account").click()
            await go(desk, desk.get_by_role("button", name="End the account"))
        await page.goto(f"{health}/messages/{second.envelope}")
        await page.get_by_role("heading", name="Sign in").wait_for()


async def _thread(office: Office, envelope: str) -> str:
    row = await office.council.gateway.spool.one("find_sent", envelope=envelope)
    assert row is not None
    return str(row["thread"])
