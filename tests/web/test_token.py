"""Signing in: assertions, tokens, and what revocation does to them."""

from __future__ import annotations

from hub import enrolment, registry
from keys import jws
from tests.county import COUNCIL, HEALTH, HOUR, MASH, MINUTE, NURSES, POLICE
from tests.web.support import Site


async def test_an_assertion_becomes_a_token_that_opens_the_private_calls(site: Site) -> None:
    """A gateway trades its own signature for a token, and is then known."""
    caller = await site.api.sign_in(COUNCIL)
    assert (await caller.get("/v1/obligations")).status == 200


async def test_an_assertion_works_once(site: Site) -> None:
    """What was overheard is worth nothing."""
    assertion = {"assertion": site.api.assertion(COUNCIL).decode()}
    assert (await site.api.post("/v1/token", assertion)).status == 200
    again = await site.api.post("/v1/token", assertion)
    assert (again.status, again.code) == (401, "assertion-used")


async def test_an_assertion_speaks_only_for_its_own_key_hub_and_minute(site: Site) -> None:
    """Another agency, another hub and another time are refused."""
    for changes, code in (
        ({"aud": "https://other.example.org"}, "assertion-invalid"),
        ({"iss": HEALTH}, "assertion-subject"),
        ({"iss": HEALTH, "sub": HEALTH}, "assertion-invalid"),
        ({"iss": NURSES, "sub": NURSES}, "assertion-invalid"),
        ({"iat": 1, "exp": 61}, "assertion-expired"),
    ):
        answer = await site.api.post("/v1/token", {"assertion": site.api.assertion(COUNCIL, **changes).decode()})
        assert answer.status in {400, 401}
        assert answer.code == code


async def test_an_assertion_lasts_a_minute_at_most(site: Site) -> None:
    """A longer one is not accepted."""
    seconds = site.county.now // 1000
    answer = await site.api.post(
        "/v1/token", {"assertion": site.api.assertion(COUNCIL, iat=seconds, exp=seconds + 61).decode()}
    )
    assert answer.status in {400, 401}


async def test_a_token_for_a_mailbox_speaks_for_no_other(site: Site) -> None:
    """A narrowed token reads that mailbox alone."""
    caller = await site.api.sign_in(COUNCIL, iss=MASH, sub=MASH)
    assert (await caller.get(f"/v1/mailboxes/{MASH}/feed")).status == 200
    other = await caller.get(f"/v1/mailboxes/{COUNCIL}/service-managers/feed")
    assert (other.status, other.code) == (404, "not-found")


async def test_a_token_ends_after_five_minutes(site: Site) -> None:
    """An old token is refused, remembered or not."""
    caller = await site.api.sign_in(COUNCIL)
    assert (await caller.get("/v1/obligations")).status == 200
    site.county.now += 5 * MINUTE
    assert (await caller.get("/v1/obligations")).code == "token-expired"
    assert (await caller.get("/v1/obligations")).code == "token-expired"


async def test_what_is_no_token_is_refused(site: Site) -> None:
    """Junk gets 401 and a challenge, never 500."""
    for header in ("", "Bearer", "Bearer x", "Bearer a.b.c", "Basic YTpi", "Bearer  "):
        answer = await site.api.get("/v1/obligations", Authorization=header)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_revoked_key_is_refused_though_its_token_is_remembered(site: Site) -> None:
    """Revocation reaches a token that was checked before."""
    caller = await site.api.sign_in(POLICE)
    assert (await caller.get("/v1/obligations")).status == 200
    site.county.now += HOUR // 60
    signing = site.county.keyrings[POLICE].signing
    gone = site.county.statement(POLICE, "sign", signing.public.jwk, state="revoked")
    await enrolment.publish_key(site.hub.store, site.hub.registry, gone, None, b"s" * 32, site.county.now)
    answer = await caller.get("/v1/obligations")
    assert (answer.status, answer.code) == (401, "key-not-active")


async def test_an_ended_agency_is_refused(site: Site) -> None:
    """An agency past its last day is nobody."""
    caller = await site.api.sign_in(POLICE)
    county = site.county
    current = await site.hub.store.read(lambda tx: tx.current_document("directory"))
    assert current is not None
    county.ended[POLICE] = (county.now + 1, ())
    county.directory_version = 2
    document = county.sign_document(county.directory(previous=current.sha256), jws.DIRECTORY)
    await registry.publish_directory(site.hub.store, document, county.now)
    await site.hub.registry.refresh(site.hub.store)
    county.now += 1
    answer = await caller.get("/v1/obligations")
    assert (answer.status, answer.code) == (403, "agency-not-active")
    assert (await site.api.post("/v1/token", {"assertion": site.api.assertion(POLICE).decode()})).status == 403
