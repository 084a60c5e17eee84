"""Passkeys: made once, used without a login, bound to this page, this moment and a verified user; copies are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.gateway.inbox.account_pages import RECENT
from keys.digests import b64u, from_b64u
from tests.county import HEALTH, MINUTE
from tests.gateway.inbox.authenticator import PRESENT, Authenticator
from tests.gateway.inbox.support import Browser, Office, Shown

WRONG = "The passkey could not be used"


async def options(browser: Browser, path: str) -> dict[str, Any]:
    """Ask for what a passkey needs, as the script does, and keep the page that was shown."""
    before = browser.last
    answer = await browser.post(path)
    assert answer.status == 200, answer.words
    browser.last = before
    found: dict[str, Any] = json.loads(answer.text)
    return found


async def add(browser: Browser, key: Authenticator, name: str = "Work phone", **changes: Any) -> Shown:
    """Add a passkey to the account that is signed in."""
    await browser.get("/account")
    asked = await options(browser, "/account/passkeys/options")
    return await browser.post("/account/passkeys", {"credential": key.create(asked, **changes), "name": name})


async def sign_in(browser: Browser, key: Authenticator, **changes: Any) -> Shown:
    """Sign in by passkey."""
    await browser.get("/sign-in")
    asked = await options(browser, "/sign-in/passkey/options")
    return await browser.post("/sign-in/passkey", {"credential": key.get(asked, **changes)})


async def test_somebody_signs_in_by_passkey_without_typing_who_they_are(office: Office) -> None:
    """Added under a name, used in another browser, shown with when it was used, removed again."""
    nurse, key = await office.signed_in("robin@example.org"), Authenticator()
    page = await add(nurse, key, "  Work   phone ")
    assert "Work phone" in page.words
    phone = office.browser()
    assert (await sign_in(phone, key)).path == "/"
    assert "last used" in (await phone.get("/account")).words
    await phone.post("/account/passkeys/remove", {"passkey": b64u(key.id)})
    assert "Work phone" not in (await phone.get("/account")).words
    assert WRONG in (await sign_in(office.browser(), key)).words


async def test_the_browser_is_asked_for_a_discoverable_passkey_and_a_verified_user(office: Office) -> None:
    """No list of ids is given away, no attestation is asked for, and what somebody has isn't made again."""
    nurse, key = await office.signed_in("robin@example.org"), Authenticator()
    await add(nurse, key)
    asked = await options(nurse, "/account/passkeys/options")
    assert asked["authenticatorSelection"]["residentKey"] == "required"
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert asked["attestation"] == "none"
    assert [one["id"] for one in asked["excludeCredentials"]] == [b64u(key.id)]
    assert len(from_b64u(asked["challenge"])) == 32
    asked = await options(office.browser(), "/sign-in/passkey/options")
    assert asked["rpId"] == "localhost"
    assert asked["userVerification"] == "required"
    assert not asked.get("allowCredentials")


async def test_what_another_page_moment_or_user_signed_is_refused(office: Office) -> None:
    """Another origin, another challenge, another ceremony, an unverified user, another person's handle, nonsense."""
    nurse, key = await office.signed_in("robin@example.org"), Authenticator()
    await add(nurse, key)
    changed: list[dict[str, Any]] = [
        {"origin": "https://evil.example.org"}, {"challenge": b64u(bytes(32))}, {"type": "webauthn.create"},
    ]  # fmt: skip
    for changes in changed:
        assert WRONG in (await sign_in(office.browser(), key, **changes)).words
    key.flags = PRESENT
    assert WRONG in (await sign_in(office.browser(), key)).words
    key.flags |= 0x04
    own, key.user = key.user, (await office.person("sam@example.org")).encode()
    assert WRONG in (await sign_in(office.browser(), key)).words
    key.user = b""
    assert WRONG in (await sign_in(office.browser(), key)).words
    key.user = own
    for credential in (
        "",
        "{}",
        "[]",
        "7",
        "null",
        '{"id": 5}',
        "[" * 60_000,
        "x" * 70_000,
        '{"id":"a","rawId":"a","response":5}',
    ):
        browser = office.browser()
        await options(browser, "/sign-in/passkey/options")
        assert WRONG in (await browser.post("/sign-in/passkey", {"credential": credential})).words
    assert (await sign_in(office.browser(), key)).path == "/"


async def test_an_assertion_counts_once_and_a_copy_of_a_passkey_is_found_out(office: Office) -> None:
    """The challenge is spent by its first use; a counter that doesn't grow is refused, and noted."""
    nurse, key = await office.signed_in("robin@example.org"), Authenticator()
    await add(nurse, key)
    browser = office.browser()
    asked = await options(browser, "/sign-in/passkey/options")
    fields, cookie = {"credential": key.get(asked)}, browser.cookie
    assert (await browser.post("/sign-in/passkey", fields)).path == "/"
    replay = office.browser()
    replay.cookie = cookie
    assert WRONG in (await replay.post("/sign-in/passkey", fields)).words
    await sign_in(office.browser(), key)
    key.count -= 1
    copy = Authenticator(id=key.id, user=key.user, private=key.private, count=key.count - 1)
    assert WRONG in (await sign_in(office.browser(), copy)).words
    events = await office.inboxes[HEALTH].gateway.spool.all("last_events", limit=1)
    assert (events[0]["action"], events[0]["code"]) == ("sign-in-tried", "passkey")


async def test_a_challenge_ends_after_ten_minutes(office: Office) -> None:
    """Whoever waits has to begin again."""
    nurse, key = await office.signed_in("robin@example.org"), Authenticator()
    await add(nurse, key)
    browser = office.browser()
    asked = await options(browser, "/sign-in/passkey/options")
    office.town.county.now += 10 * MINUTE
    assert WRONG in (await browser.post("/sign-in/passkey", {"credential": key.get(asked)})).words


async def test_a_passkey_is_added_only_right_after_signing_in_and_in_the_same_session(office: Office) -> None:
    """A session left open lets nobody in for good; another's challenge, an unverified user and a known id are refused."""
    nurse, key = await office.signed_in("robin@example.org"), Authenticator()
    await nurse.get("/account")
    asked = await options(nurse, "/account/passkeys/options")
    other = await office.signed_in("sam@example.org")
    await other.get("/account")
    await options(other, "/account/passkeys/options")
    wrong = await other.post("/account/passkeys", {"credential": key.create(asked)})
    assert "could not be added" in wrong.words
    assert "could not be added" in (await add(nurse, Authenticator(flags=PRESENT))).words
    assert "could not be added" in (await add(nurse, Authenticator(origin="https://evil.example.org"))).words
    await add(nurse, key)
    assert "could not be added" in (await add(other, Authenticator(id=key.id))).words
    office.town.county.now += RECENT + 1
    page = await nurse.get("/account")
    assert "sign out and in again first" in page.words
    assert (await nurse.post("/account/passkeys/options")).status == 422


async def test_a_passkeys_form_needs_its_session_and_its_owner(office: Office) -> None:
    """No adding or removing from elsewhere, and nobody removes another's."""
    nurse, key = await office.signed_in("robin@example.org"), Authenticator()
    await add(nurse, key)
    other = await office.signed_in("sam@example.org")
    await other.get("/account")
    await other.post("/account/passkeys/remove", {"passkey": b64u(key.id)})
    for path in ("/account/passkeys", "/account/passkeys/options", "/account/passkeys/remove"):
        assert (await nurse.post(path, {"csrf": "another"})).status == 403
        assert (await nurse.post(path, Origin="https://evil.example.org")).status == 403
        assert (await office.browser().post(path)).path == "/sign-in"
    assert (await office.browser().post("/sign-in/passkey/options", Origin="https://evil.example.org")).status == 403
    assert (await sign_in(office.browser(), key)).path == "/"


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "x" * 61])
async def test_a_passkeys_name_is_text(office: Office, name: str) -> None:
    """It is shown as it was written, or refused."""
    nurse = await office.signed_in("robin@example.org")
    page = await add(nurse, Authenticator(), name)
    assert "<script>alert" not in page.text
    assert "&lt;span" not in page.text
    assert "&lt;script&gt;" in page.text or page.status == 422


async def test_nobody_has_passkeys_without_end(office: Office) -> None:
    """Ten are enough."""
    nurse = await office.signed_in("robin@example.org")
    for _ in range(10):
        assert (await add(nurse, Authenticator())).status == 200
    assert "more than 10" in (await add(nurse, Authenticator())).words
