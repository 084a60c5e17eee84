"""Signing in by password: who is here can't be found out, who guesses waits, and who is kept out by guessing isn't."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlencode

from adapters.gateway.inbox import signing_in
from tests.county import DAY, MINUTE
from tests.gateway.inbox.support import ORIGIN, PASSWORD, Browser, Office

WRONG = "Your login or password is not right"


async def tries(browser: Browser, login: str, count: int, password: str = "wrong") -> None:
    """Sign in wrongly *count* times."""
    for _ in range(count):
        assert WRONG in (await browser.sign_in(login, password)).words


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_hosts(office: Office) -> None:
    """Secure, HttpOnly, Lax, for this host and all its paths, and gone when the browser closes."""
    await office.person("robin@example.org")
    browser = office.browser()
    headers = {"Origin": ORIGIN}
    fields = {"login": "robin@example.org", "password": PASSWORD}
    async with office.http.post(
        f"{browser.base}/sign-in", data=fields, headers=headers, allow_redirects=False
    ) as answer:
        cookies = {one.split("=")[0]: one for one in answer.headers.getall("Set-Cookie")}
        assert answer.headers["Location"] == "/"
    session = cookies["__Host-session"]
    for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in session
    assert "Max-Age" not in session
    assert "Domain" not in session
    assert "HttpOnly" in cookies["__Host-known"]


async def test_a_token_from_before_signing_in_is_worth_nothing_afterwards(office: Office) -> None:
    """Whoever planted a cookie in somebody's browser doesn't have their session; an earlier session ends by the next."""
    await office.person("robin@example.org")
    browser = office.browser()
    browser.cookie = "__Host-session=planted"
    await browser.sign_in("robin@example.org")
    first = browser.cookie
    assert "planted" not in first
    intruder = office.browser()
    intruder.cookie = "__Host-session=planted"
    assert (await intruder.get("/")).path == "/sign-in"
    await browser.get("/account")
    await browser.post("/sign-in", {"login": "robin@example.org", "password": PASSWORD})
    assert browser.cookie != first
    intruder.cookie = first
    assert (await intruder.get("/")).path == "/sign-in"


async def test_nobody_learns_who_has_an_account(office: Office) -> None:
    """An unknown login, somebody who left, one without a password: the same words, status, headers and waiting."""
    robin = await office.person("robin@example.org")
    gone = await office.person("gone@example.org")
    inbox = office.inboxes["northmere-health"]
    await inbox.gateway.spool.run("set_person_state", id=gone, state="left")
    await inbox.gateway.spool.run("set_password", id=await office.person("code@example.org"), password=None)
    shown = []
    for login in ("robin@example.org", "nobody@example.org", "gone@example.org", "code@example.org"):
        browser = office.browser()
        for _ in range(signing_in.FREE_TRIES + 2):
            one = await browser.sign_in(login, "wrong wrong wrong")
            shown.append(
                (
                    one.status,
                    one.text.replace(login, "LOGIN"),
                    {k: v for k, v in one.headers.items() if k not in {"Date", "Content-Length"}},
                )
            )
    assert all(one == shown[0] for one in shown)
    assert robin


async def test_a_try_costs_the_same_whoever_it_names(office: Office) -> None:
    """The slow hash is computed for everybody, once."""
    await office.person("robin@example.org")
    inbox = office.inboxes["northmere-health"]
    spent: dict[str, float] = {}
    for login in ("warm@example.org", "robin@example.org", "nobody@example.org"):
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            assert await signing_in.check_password(inbox, login, "wrong") is None
            times.append(time.perf_counter() - begun)
        spent[login] = min(times)
    assert 0.5 < spent["robin@example.org"] / spent["nobody@example.org"] < 2


async def test_who_guesses_waits_ever_longer_and_many_guesses_at_once_are_counted_too(office: Office) -> None:
    """After five tries the right password doesn't help for a minute, then two; guesses in parallel gain nothing."""
    await office.person("robin@example.org")
    guesser = office.browser()
    await asyncio.gather(*(guesser_try(office) for _ in range(8)))
    assert WRONG in (await guesser.sign_in("robin@example.org")).words
    office.town.county.now += MINUTE + 1
    assert WRONG in (await guesser.sign_in("robin@example.org", "wrong")).words
    office.town.county.now += MINUTE + 1
    assert WRONG in (await guesser.sign_in("robin@example.org")).words
    office.town.county.now += MINUTE + 1
    assert (await guesser.sign_in("robin@example.org")).path == "/"


async def guesser_try(office: Office) -> None:
    """Guess once from a new browser."""
    await tries(office.browser(), "robin@example.org", 1)


async def test_nobody_keeps_a_colleague_out_by_guessing(office: Office) -> None:
    """A browser on which somebody has signed in counts by itself, so strangers' guesses don't lock them out."""
    nurse = await office.signed_in("robin@example.org")
    await nurse.post("/sign-out")
    await tries(office.browser(), "robin@example.org", signing_in.FREE_TRIES + 1)
    assert WRONG in (await office.browser().sign_in("robin@example.org")).words
    assert (await nurse.sign_in("robin@example.org")).path == "/"
    # The known browser is no way around the count either, nor for another's account.
    await nurse.post("/sign-out")
    await tries(nurse, "robin@example.org", signing_in.FREE_TRIES)
    assert WRONG in (await nurse.sign_in("robin@example.org")).words
    await office.person("sam@example.org")
    await tries(nurse, "sam@example.org", signing_in.FREE_TRIES)
    assert WRONG in (await office.browser().sign_in("sam@example.org")).words


async def test_a_form_from_elsewhere_signs_nobody_in_or_out(office: Office) -> None:
    """Another origin, none, or another site: refused; so is a session's form without its token."""
    nurse = await office.signed_in("robin@example.org")
    fields = {"login": "robin@example.org", "password": PASSWORD}
    for headers in ({"Origin": "https://evil.example.org"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert (await office.browser().post("/sign-in", fields, **headers)).status == 403
        assert (await nurse.post("/sign-out", **headers)).status == 403
    assert (await nurse.post("/sign-out", {"csrf": "another"})).status == 403
    assert (await nurse.get("/")).path == "/"
    await nurse.post("/sign-out")
    assert (await nurse.get("/")).path == "/sign-in"


async def test_signing_in_leads_only_to_pages_of_this_inbox(office: Office) -> None:
    """No address that came with the request is gone to."""
    await office.person("robin@example.org")
    browser, headers = office.browser(), {"Origin": ORIGIN}
    for back in (
        "https://evil.example.org/", "//evil.example.org", "/\\evil.example.org", "/messages/../people", "/sign-out",
        "/messages/" + "a" * 22 + "/open", "/messages/" + "a" * 22 + "\n", "javascript:alert(1)", "/people",
    ):  # fmt: skip
        fields = {"login": "robin@example.org", "password": PASSWORD, "back": back}
        page = await browser.get("/sign-in?" + urlencode({"back": back}))
        assert 'name="back" value="/"' in page.text
        async with office.http.post(
            f"{browser.base}/sign-in", data=fields, headers=headers, allow_redirects=False
        ) as answer:
            assert answer.headers["Location"] == "/"


async def test_who_followed_a_link_gets_there_after_signing_in(office: Office) -> None:
    """A notification leads to a message; the way there goes through signing in."""
    held = await office.hold_meeting()
    await office.person("robin@example.org")
    browser = office.browser()
    page = await browser.get(f"/messages/{held.envelope}")
    assert page.path == f"/sign-in?back=/messages/{held.envelope}"
    assert f'name="back" value="/messages/{held.envelope}"' in page.text
    fields = {"login": "robin@example.org", "password": PASSWORD, "back": f"/messages/{held.envelope}"}
    assert (await browser.post("/sign-in", fields)).path == f"/messages/{held.envelope}"


async def test_a_session_ends_after_a_while_and_with_its_day(office: Office) -> None:
    """Half an hour without a page; twelve hours in any case."""
    nurse = await office.signed_in("robin@example.org")
    for _ in range(3):
        office.town.county.now += 29 * MINUTE
        assert (await nurse.get("/")).path == "/"
    office.town.county.now += 31 * MINUTE
    assert (await nurse.get("/")).path == "/sign-in"
    await nurse.sign_in("robin@example.org")
    for _ in range(25):
        office.town.county.now += 29 * MINUTE
        page = await nurse.get("/")
    assert page.path == "/sign-in"


async def test_passwords_can_be_off_and_an_enormous_one_is_no_work(office: Office) -> None:
    """What can't be anybody's password isn't hashed."""
    await office.person("robin@example.org")
    begun = time.perf_counter()
    await tries(office.browser(), "robin@example.org", 1, "x" * 500_000)
    assert time.perf_counter() - begun < 5
    office.town.county.now += DAY + 1
    assert (await office.browser().sign_in("robin@example.org")).path == "/"
