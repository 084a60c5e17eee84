"""Signing in at the agency's own provider: an account must be here, is pinned to the subject, and nobody slips in between."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import pytest

from adapters.errors import GatewayError
from adapters.gateway.inbox.oidc import make_provider
from hub.kit.oidc_config import OidcConfig
from tests.county import HEALTH, MINUTE
from tests.gateway.inbox.support import Browser, Office, Shown, open_office
from tests.gateway.support import Town
from tests.kit.issuer import CLIENT, SECRET, Issuer, open_issuer


@asynccontextmanager
async def open_at(town: Town, **settings: Any) -> AsyncIterator[tuple[Office, Issuer]]:
    """Give inboxes whose people sign in at a provider."""
    secret = town.tmp / "oidc-secret"
    secret.write_text(SECRET + "\n")
    async with open_issuer(now=town.county.now) as issuer:
        oidc = OidcConfig(issuer=issuer.issuer, client_id=CLIENT, client_secret_file=str(secret), **settings)
        async with open_office(town, oidc=oidc) as office:
            yield office, issuer


async def begin(browser: Browser, back: str = "") -> str:
    """Begin to sign in; return the provider's address to which the browser is sent."""
    query = f"?{urlencode({'back': back})}" if back else ""
    sent = {"Cookie": browser.cookie} if browser.cookie else {}
    async with browser.http.get(f"{browser.base}/sign-in/oidc{query}", allow_redirects=False, headers=sent) as answer:
        assert answer.status == 303
        (cookie,) = answer.headers.getall("Set-Cookie")
        for part in ("__Host-signin=", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=600", "Path=/"):
            assert part in cookie
        browser.cookie = cookie.split(";")[0]
        return answer.headers["Location"]


async def sign_in(browser: Browser, issuer: Issuer, **changes: str) -> Shown:
    """Go through the whole sign-in; return the page at its end."""
    query = issuer.sign_in(await begin(browser)) | changes
    return await browser.get(f"/sign-in/oidc/back?{urlencode(query)}")


async def test_somebody_with_an_account_signs_in_and_is_pinned_to_the_subject(town: Town) -> None:
    """The first time by the verified address, later by the subject whatever the address says."""
    async with open_at(town) as (office, issuer):
        await office.person("robin@example.org")
        browser = office.browser()
        assert "Sign in with your organisation" in (await browser.get("/sign-in")).words
        assert (await sign_in(browser, issuer)).path == "/"
        assert "__Host-signin" not in browser.cookie
        issuer.person |= {"email": "robin.married@example.org"}
        assert (await sign_in(office.browser(), issuer)).path == "/"
        events = await office.inboxes[HEALTH].gateway.spool.all("last_events", limit=9)
        assert [one["code"] for one in events if one["action"] == "sign-in"] == ["oidc", "oidc"]


async def test_who_has_no_account_is_refused_whoever_vouches(town: Town) -> None:
    """Nobody is let in by the provider's word alone; an unverified address is nobody's."""
    async with open_at(town) as (office, issuer):
        assert "You have no account" in (await sign_in(office.browser(), issuer)).words
        await office.person("robin@example.org")
        issuer.person |= {"email_verified": False}
        assert "You have no account" in (await sign_in(office.browser(), issuer)).words
        issuer.person = {"sub": "7f3a"}
        assert "You have no account" in (await sign_in(office.browser(), issuer)).words
        issuer.person = {"sub": "7f3a", "email": ["robin@example.org"], "email_verified": True}
        assert "You have no account" in (await sign_in(office.browser(), issuer)).words


async def test_an_address_given_to_somebody_else_opens_nothing(town: Town) -> None:
    """The account is the subject's; the next holder of the address has none, and who left has none either."""
    async with open_at(town) as (office, issuer):
        robin = await office.person("robin@example.org")
        await sign_in(office.browser(), issuer)
        issuer.person |= {"sub": "somebody-else"}
        assert "You have no account" in (await sign_in(office.browser(), issuer)).words
        issuer.person |= {"sub": "7f3a"}
        await office.inboxes[HEALTH].gateway.spool.run("set_person_state", id=robin, state="left")
        assert "You have no account" in (await sign_in(office.browser(), issuer)).words


async def test_the_login_is_asked_for_where_the_token_leaves_it_out(town: Town) -> None:
    """Some providers tell an address only when asked."""
    async with open_at(town) as (office, issuer):
        await office.person("robin@example.org")
        issuer.in_token = False
        assert (await sign_in(office.browser(), issuer)).path == "/"
        asked = issuer.asked.count("/me")
        assert (await sign_in(office.browser(), issuer)).path == "/"
        assert issuer.asked.count("/me") == asked == 1


async def test_an_answer_counts_once_for_who_asked_and_not_for_long(town: Town) -> None:
    """Another browser, no browser, a second time, after ten minutes, with another state: refused."""
    async with open_at(town) as (office, issuer):
        await office.person("robin@example.org")
        victim, attacker = office.browser(), office.browser()
        back = f"/sign-in/oidc/back?{urlencode(issuer.sign_in(await begin(attacker)))}"
        assert "has ended or was begun elsewhere" in (await victim.get(back)).words
        await begin(victim)
        assert "belongs to another sign-in" in (await victim.get(back)).words
        kept = attacker.cookie
        assert (await attacker.get(back)).path == "/"
        attacker.cookie = kept
        assert "has ended" in (await attacker.get(back)).words
        late = office.browser()
        answer = issuer.sign_in(await begin(late))
        office.town.county.now += 10 * MINUTE
        assert "has ended" in (await late.get(f"/sign-in/oidc/back?{urlencode(answer)}")).words


@pytest.mark.parametrize(
    ("claims", "query"),
    [
        ({"iss": "https://evil.example.org"}, {}),
        ({"aud": "another"}, {}),
        ({"nonce": "another"}, {}),
        ({"exp": 5}, {}),
        ({}, {"iss": "https://evil.example.org"}),
        ({}, {"error": "access_denied"}),
    ],
    ids=repr,
)
async def test_what_the_provider_did_not_say_to_us_signs_nobody_in(
    town: Town, claims: dict[str, Any], query: dict[str, str]
) -> None:
    """Another issuer, client, attempt or time: an error in words, and no session."""
    async with open_at(town) as (office, issuer):
        await office.person("robin@example.org")
        issuer.claims = claims
        browser = office.browser()
        page = await sign_in(browser, issuer, **query)
        assert page.status == 422
        assert "__Host-session" not in browser.cookie
        assert not re.search(r"eyJ|7f3a|robin", page.text)


async def test_a_provider_that_is_away_is_said_to_be_away(town: Town) -> None:
    """The page says so, and other ways to sign in remain."""
    async with open_at(town) as (office, issuer):
        issuer.answers["/.well-known/openid-configuration"] = (503, b"", 0.0)
        page = await office.browser().get("/sign-in/oidc")
        assert page.status == 503
        assert "has a fault" in page.words
        assert (await office.signed_in("robin@example.org")).last is not None


async def test_signing_in_there_leads_only_to_pages_of_this_inbox(town: Town) -> None:
    """Where to go afterwards is kept here, and is one of ours."""
    async with open_at(town) as (office, issuer):
        held = await office.hold_meeting()
        await office.person("robin@example.org")
        for back, path in ((f"/messages/{held.envelope}",) * 2, ("https://evil.example.org/", "/")):
            browser = office.browser()
            answer = issuer.sign_in(await begin(browser, back))
            assert (await browser.get(f"/sign-in/oidc/back?{urlencode(answer)}")).path == path


async def test_without_a_provider_there_is_no_such_page(office: Office) -> None:
    """An inbox that isn't set up for it has no trace of it."""
    assert "organisation" not in (await office.browser().get("/sign-in")).words
    assert (await office.browser().get("/sign-in/oidc")).status == 404
    assert (await office.browser().get("/sign-in/oidc/back?code=x&state=y")).status == 404


async def test_settings_that_can_not_work_are_refused_at_the_start(office: Office) -> None:
    """A scope that is missing, or a secret that isn't there, is said when the gateway starts."""
    inbox = office.inboxes[HEALTH]
    for changes in ({"scopes": ("email",)}, {"client_secret_file": "nowhere"}):
        oidc = OidcConfig(issuer="https://id.example.org", client_id="x", **changes)
        config = type(inbox.config)(oidc=oidc)
        with pytest.raises(GatewayError) as caught:
            make_provider(inbox.gateway, config)
        assert caught.value.code == "inbox-oidc"
