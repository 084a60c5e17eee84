"""What somebody may try who has the mail, a code, another's cookie, or only an address: none of it lets them in."""

from __future__ import annotations

import asyncio
import string

import pytest
import yarl

from adapters.errors import GatewayError
from adapters.gateway import exclusions
from adapters.gateway.guests import codes, serving, taking
from adapters.gateway.guests.book import check_details
from adapters.gateway.guests.codes import MOST_WRONG
from adapters.gateway.guests.links import send_link
from keys import otp
from tests.county import HEALTH, HOUR, MINUTE
from tests.gateway.guests.support import KIT, LEE, WILLOW, Practice
from tests.gateway.inbox.support import Browser

OVER = "This link can't be used"
NOWHERE = "/guest/" + "A" * 43


def wrong_for(code: str) -> str:
    """Return a code that is another one."""
    return f"{(int(code) + 1) % 10**6:06}"


async def test_looking_as_often_as_one_likes_changes_nothing(practice: Practice) -> None:
    """A program that scans mail and follows the link, by GET and HEAD, uses nothing up and learns nothing."""
    guest = await practice.add()
    sent = await practice.send()
    path = practice.link()
    browser = practice.office.browser()
    before = await practice.link_row(guest, sent.envelope)
    for _ in range(3):
        shown = await browser.get(path)
        assert (shown.status, browser.cookie) == (200, "")
        assert "Sampleton" not in shown.text
    async with practice.office.http.head(browser.base + path) as answer:
        assert answer.status == 405
    assert await practice.link_row(guest, sent.envelope) == before
    assert await practice.levels(sent.envelope) == ["collected"]


async def test_unknown_used_and_ended_links_are_answered_alike(practice: Practice) -> None:
    """One page, to the byte but for the link itself, whatever the reason; asking anew says the same for all."""
    guest = await practice.add()
    sent = await practice.send()
    used = practice.link()
    await practice.enter(guest, sent.envelope)
    await practice.send()
    expired = practice.link()
    practice.wait(73 * HOUR)
    browser = practice.office.browser()
    shown = {}
    for path in (NOWHERE, used, expired):
        page = await browser.get(path)
        posted = await browser.post(path, {"code": "123456"})
        asked = await browser.post(f"{path}/ask")
        headers = {name: value for name, value in page.headers.items() if name not in {"Date", "Content-Length"}}
        assert OVER in page.words
        shown[path] = (
            page.status, page.text.replace(path, ""), posted.status, posted.text.replace(path, ""), asked.text, str(headers)
        )  # fmt: skip
    assert len(set(shown.values())) == 1
    assert (await practice.notices()).count("guest-asks") == 2


async def test_five_wrong_codes_end_the_link_and_the_desk_is_told(practice: Practice) -> None:
    """After that the right one doesn't count either, and a new link starts anew."""
    guest = await practice.add()
    sent = await practice.send()
    path, browser = practice.link(), practice.office.browser()
    code = await practice.code(guest, sent.envelope)
    for tries in range(5):
        shown = await browser.post(path, {"code": wrong_for(code)})
        assert shown.status == (404 if tries == 4 else 422)
    assert OVER in (await browser.post(path, {"code": code})).words
    assert browser.cookie == ""
    assert await practice.notices() == ["guest-locked"]
    assert await practice.levels(sent.envelope) == ["collected"]


async def test_many_links_give_no_more_tries(practice: Practice) -> None:
    """Whoever reads a guest's mail gets a link with each message: wrong codes count for the guest, too.

    Whoever of the desk has spoken to them and sends a new link forgives.
    """
    guest = await practice.add()
    path, browser = "", practice.office.browser()
    for _ in range(MOST_WRONG // 4):
        sent = await practice.send()
        path = practice.link()
        practice.wait(HOUR)
        for _ in range(4):
            assert (await browser.post(path, {"code": "000000"})).status == 422
    code = await practice.code(guest, sent.envelope)
    assert (await browser.post(path, {"code": code})).status == 404
    assert await practice.notices() == ["guest-locked"]
    await practice.spool.write(lambda tx: send_link(practice.book, tx, guest, sent.envelope, "desk"))
    await practice.inviter.round()
    await practice.enter(guest, sent.envelope)


async def test_a_code_of_the_desk_counts_once_for_one_link_and_not_for_long(practice: Practice) -> None:
    """Not after a quarter of an hour, not for another link, not after the next one was given."""
    guest = await practice.add()
    first, second = await practice.send(), await practice.send()
    links = practice.link(0), practice.link(1)
    code = await practice.code(guest, first.envelope)
    browser = practice.office.browser()
    assert (await browser.post(links[1], {"code": code})).status == 422
    newer = await practice.code(guest, first.envelope)
    if newer != code:
        assert (await browser.post(links[0], {"code": code})).status == 422
    practice.wait(15 * MINUTE)
    assert (await browser.post(links[0], {"code": newer})).status == 422
    again = await practice.code(guest, second.envelope)
    assert (await browser.post(links[1], {"code": f" {again[:3]} {again[3:]} "})).path == "/guest/item"


async def test_an_apps_code_works_once(practice: Practice) -> None:
    """The code of an enrolled app lets its guest in; seen over a shoulder, it opens no second link."""
    guest = await practice.add()
    await practice.send()
    link = await practice.spool.write(lambda tx: practice.book.enrol(tx, guest, "desk"))
    assert link.startswith(f"otpauth://totp/{HEALTH}:")
    enrolled = await practice.spool.write(lambda tx: practice.book.find(tx, guest.id))
    now = practice.office.town.county.now
    code, other = otp.code_at(enrolled.details.secret, now), practice.office.browser()
    assert (await other.post(practice.link(), {"code": code})).path == "/guest/item"
    await practice.send()
    assert (await practice.office.browser().post(practice.link(), {"code": code})).status == 422
    practice.wait(MINUTE)
    code = otp.code_at(enrolled.details.secret, practice.office.town.county.now)
    assert (await practice.office.browser().post(practice.link(), {"code": code})).path == "/guest/item"


async def test_who_is_in_is_in_for_one_message_and_half_an_hour(practice: Practice) -> None:
    """Another guest's cookie leads to theirs; without one, after its time, or by the used link, to nothing."""
    lee, kit = await practice.add(), await practice.add(KIT, name="Kit Placeholder")
    sent = await practice.send()
    used = practice.link(to=LEE)
    first, second = await practice.enter(lee, sent.envelope), await practice.enter(kit, sent.envelope)
    csrf = first.last.csrf if first.last else ""
    thief = Browser(practice.office.http, first.base, cookie=second.cookie)
    assert "For Kit Placeholder" in (await thief.get("/guest/item")).words
    assert OVER in (await thief.post("/guest/item/open", {"csrf": csrf})).words
    stranger = practice.office.browser()
    assert OVER in (await stranger.get("/guest/item")).words
    assert OVER in (await stranger.post("/guest/item/open", {"csrf": csrf})).words
    assert OVER in (await stranger.get(used)).words
    assert (await first.get(used)).path == "/guest/item"
    practice.wait(31 * MINUTE)
    assert OVER in (await first.post("/guest/item/open", {"csrf": csrf})).words
    assert await practice.levels(sent.envelope) == ["collected"]


async def test_a_form_from_elsewhere_does_nothing(practice: Practice) -> None:
    """A page of another origin can't open or take receipt in a guest's browser, with or without the token of its forms."""
    guest = await practice.add()
    sent = await practice.send()
    browser = await practice.enter(guest, sent.envelope)
    await browser.get("/guest/item")
    for headers in (
        {"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
    ):  # fmt: skip
        assert (await browser.post("/guest/item/open", **headers)).status == 403
        assert (await browser.post(practice.link(), {"code": "123456"}, **headers)).status == 403
    assert OVER in (await browser.post("/guest/item/open", {"csrf": "x"})).words
    assert await practice.levels(sent.envelope) == ["collected"]


async def test_nothing_is_acknowledged_or_saved_unread(practice: Practice) -> None:
    """The buttons after opening do nothing before it."""
    guest = await practice.add()
    sent = await practice.send()
    browser = await practice.enter(guest, sent.envelope)
    for button in ("acknowledge", "copy"):
        assert (await practice.press(browser, button)).status == 422
    assert (await practice.press(browser, "decline", code="wrong_recipient")).status == 422
    assert await practice.levels(sent.envelope) == ["collected"]


@pytest.mark.parametrize(
    "address",
    [
        "lee@willow.test\nBcc: eve@evil.test", "lee@willow.test\r\n.", "lee,eve@evil.test", "lee@willow.test,eve@evil.test",
        "<lee@willow.test>", "Lee <lee@willow.test>", "lee@willow.test eve", '"lee"@willow.test', "lee@", "@willow.test",
        "lee@wil..low.test", "lee;eve@willow.test", "lee@-", "l\u00e9e@willow.test", "",
    ],
)  # fmt: skip
def test_no_address_is_more_than_one(address: str) -> None:
    """What a header, or a list of addresses, would read as something else is refused before it is kept."""
    with pytest.raises(GatewayError) as caught:
        check_details(name="Lee Sample", email=address, role="general_practitioner", variant="gp", own=HEALTH)
    assert caught.value.code == "guest-email"


@pytest.mark.parametrize("variant", ["record", "family", f"agency:{HEALTH}", "agency:", "other"])
def test_no_guest_gets_more_than_a_copy_for_outsiders(variant: str) -> None:
    """Neither the agency's own copy nor what only sender and recipient may have."""
    with pytest.raises(GatewayError) as caught:
        check_details(name="Lee Sample", email=LEE, role="general_practitioner", variant=variant, own=HEALTH)
    assert caught.value.code in {"guest-variant", "export-variant"}


async def test_two_guests_at_once_both_sign_for_themselves(practice: Practice) -> None:
    """Both press at once: each opening and each acknowledgement is its own; a button pressed twice counts once."""
    lee, kit = await practice.add(), await practice.add(KIT, name="Kit Placeholder")
    sent = await practice.send()
    first, second = await practice.enter(lee, sent.envelope), await practice.enter(kit, sent.envelope)
    for button in ("open", "acknowledge"):
        for one in (first, second):
            await one.get("/guest/item")
        await asyncio.gather(*(one.post(f"/guest/item/{button}") for one in (first, second, first)))
    assert sorted(await practice.levels(sent.envelope)) == [
        "acknowledged", "acknowledged", "collected", "opened", "opened"
    ]  # fmt: skip


async def test_one_code_typed_twice_at_once_lets_one_in(practice: Practice) -> None:
    """Two browsers with the link and the code: the first one uses the link up."""
    guest = await practice.add()
    sent = await practice.send()
    code, path = await practice.code(guest, sent.envelope), practice.link()
    browsers = [practice.office.browser() for _ in range(4)]
    shown = await asyncio.gather(*(one.post(path, {"code": code}) for one in browsers))
    assert sorted(one.status for one in shown) == [200, 404, 404, 404]
    assert sum(bool(one.cookie) for one in browsers) == 1


@pytest.mark.parametrize("how", ["withdrawn", "replaced", "swept", "removed", "excluded"])
async def test_a_link_is_dead_at_once(practice: Practice, how: str) -> None:
    """Withdrawn, replaced, its content gone, guest removed, guest excluded: neither the link nor whoever is in sees anything any more."""
    lee, kit = await practice.add(), await practice.add(KIT, name="Kit Placeholder")
    sent = await practice.send()
    inside = await practice.enter(lee, sent.envelope)
    await practice.press(inside, "open")
    gateway, outside = practice.office.health.gateway, practice.link(to=KIT)
    if how == "withdrawn":
        await practice.withdraw(sent)
    elif how == "replaced":
        await practice.send({"version": 2}, thread=sent.thread, supersedes=sent.envelope)
    elif how == "swept":
        await gateway.spool.run("drop_content", envelope=sent.envelope, mailbox=WILLOW)
    for guest in (lee, kit):
        if how == "removed":
            await practice.spool.write(lambda tx, guest=guest: practice.book.remove(tx, guest, "test"))
        elif how == "excluded":
            await gateway.spool.run(
                "add_exclusion", thread=sent.thread, state="excluded", at=gateway.clock(), details=b"",
                person=exclusions.pseudonym(gateway, guest.details.name),
            )  # fmt: skip
    assert OVER in (await inside.get("/guest/item")).words
    assert OVER in (await inside.post("/guest/item/acknowledge")).words
    assert OVER in (await practice.office.browser().get(outside)).words
    assert "acknowledged" not in await practice.levels(sent.envelope)


async def test_killed_between_receipt_and_commit_nothing_was_said(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step before the commit fails: no receipt, no used-up link; the button works once more."""
    guest = await practice.add()
    sent = await practice.send()
    browser = await practice.enter(guest, sent.envelope)
    await practice.press(browser, "open")

    async def die(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as killed:
        killed.setattr(taking, "_note", die)
        assert (await practice.press(browser, "acknowledge")).status == 500
    assert await practice.levels(sent.envelope) == ["collected", "opened"]
    assert "has been told" in (await practice.press(browser, "acknowledge")).words
    assert await practice.levels(sent.envelope) == ["collected", "opened", "acknowledged"]


async def test_every_page_is_kept_by_nobody_and_tells_no_other_host(practice: Practice) -> None:
    """No cache keeps it, no frame holds it, no script of others runs, no address of a page leaves; the cookie is ours alone."""
    guest = await practice.add()
    sent = await practice.send()
    browser = practice.office.browser()
    pages = [await browser.get(path) for path in (practice.link(), NOWHERE, "/guest/asked", "/guest/thanks")]
    await practice.enter(guest, sent.envelope, browser)
    pages += [
        await browser.get("/guest/item"),
        await practice.press(browser, "open"),
        await browser.get("/guest/item/decline"),
    ]
    for page in pages:
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Referrer-Policy"] == "strict-origin"
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert "://" not in page.text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    saved = await practice.press(browser, "copy")
    assert saved.headers["Content-Disposition"] == f'attachment; filename="{sent.envelope}-gp.html"'
    assert "sandbox" in saved.headers["Content-Security-Policy"]
    assert "Zebulon" not in saved.text
    async with practice.office.http.post(
        yarl.URL(browser.base + practice.link()), data={"code": "1"}, headers={"Origin": "http://localhost"}
    ) as answer:
        assert "Set-Cookie" not in answer.headers


async def test_an_address_that_tries_in_vain_has_to_wait(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many links that lead nowhere and wrong codes; ten minutes later it may go on."""
    monkeypatch.setattr(serving, "MOST", 3)
    await practice.add()
    await practice.send()
    browser = practice.office.browser()
    for _ in range(2):
        assert (await browser.get(NOWHERE)).status == 404
    assert (await browser.post(practice.link(), {"code": "000000"})).status == 422
    for path in (NOWHERE, practice.link(), "/guest/item"):
        assert (await browser.get(path)).status == 429
    practice.wait(10 * MINUTE)
    assert (await browser.get(practice.link())).status == 200


def test_too_many_addresses_are_forgotten_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has many addresses fills no memory."""
    monkeypatch.setattr(serving, "MOST_ADDRESSES", 2)
    pace = serving.Pace()
    for address in ("a", "b", "c"):
        pace.count(address)
    assert list(pace._vain) == ["c"]


def test_codes_are_spread_and_have_six_digits() -> None:
    """Leading zeros stay; a thousand codes are nearly as many different ones."""
    made = [codes._make_code() for _ in range(1000)]
    assert {len(one) for one in made} == {6}
    assert len(set(made)) > 990
    assert {one[0] for one in made} == set(string.digits)
