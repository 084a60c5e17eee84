"""Directory, agreement and keys over HTTP: read by anyone, changed by their own signatures."""

from __future__ import annotations

from hub.enrolment import challenge
from hub.web.documents import CHALLENGE_ID, CHALLENGE_SENDER, challenge_secret
from keys import jws, sealing
from keys.digests import sha256_b64u
from keys.sealing import OpeningKey
from tests.county import COUNCIL, HEALTH
from tests.web.support import Site


async def _next_directory(site: Site, *, officers: int = 2) -> bytes:
    county = site.county
    current = await site.hub.store.read(lambda tx: tx.current_document("directory"))
    assert current is not None
    county.directory_version = current.version + 1
    signers = county.officers[:officers]
    return county.sign_document(county.directory(previous=current.sha256), jws.DIRECTORY, signers)


async def test_documents_are_read_without_a_token_and_only_once(site: Site) -> None:
    """The newest, each version, and 304 for who has it."""
    for kind in ("directory", "agreement"):
        newest = await site.api.get(f"/v1/{kind}")
        assert (await site.api.get(f"/v1/{kind}/1")).body == newest.body
        again = await site.api.get(f"/v1/{kind}", If_None_Match=newest.headers["ETag"])
        assert (again.status, again.body) == (304, b"")
        for version in ("2", "0", "x", "99999999999"):
            assert (await site.api.get(f"/v1/{kind}/{version}")).status == 404


async def test_a_directory_takes_effect_by_its_signatures(site: Site) -> None:
    """Two of three officers are enough, one isn't, and a repeat changes nothing."""
    refused = await site.api.post("/v1/directory", await _next_directory(site, officers=1))
    assert (refused.status, refused.code) == (401, "document-signatures")
    document = await _next_directory(site)
    for _ in range(2):
        assert (await site.api.post("/v1/directory", document)).json == {"version": 2}
    assert site.hub.registry.snapshot.directory.directory.version == 2
    assert (await site.api.get("/v1/directory")).body == document
    assert (await site.api.post("/v1/directory", b"[]")).status == 400
    assert (await site.api.post("/v1/directory", b"{}")).status == 400


async def test_an_agreement_takes_effect_by_its_signatures(site: Site) -> None:
    """The next version is the one that the hub then has."""
    county = site.county
    current = await site.hub.store.read(lambda tx: tx.current_document("agreement"))
    assert current is not None
    county.agreement_version = 2
    document = county.sign_document(county.agreement(previous=current.sha256), jws.AGREEMENT)
    assert (await site.api.post("/v1/agreement", document)).json == {"version": 2}
    assert (await site.api.get("/v1/agreement")).body == document


async def test_keys_are_listed_in_pages_with_their_place_in_the_log(site: Site) -> None:
    """Every statement once, each where the log has it."""
    seen: list[str] = []
    after = ""
    while True:
        page = (await site.api.get(f"/v1/keys?limit=4{after}")).json
        for compact, index in zip(page["keys"], page["indexes"], strict=True):
            (leaf,) = await site.hub.store.read(lambda tx, at=index: tx.leaves(at, at + 1))
            assert sha256_b64u(compact.encode()).encode() in leaf.body
        seen += page["keys"]
        if "next" not in page:
            break
        after = f"&after={page['next']}"
    assert len(seen) == len(set(seen)) == 15


async def test_every_statement_about_a_key_is_shown_to_who_asks_for_all(site: Site) -> None:
    """Who joins late judges old signatures by what was said then; the newest alone would not do."""
    county = site.county
    newest = (await site.api.get("/v1/keys")).json
    retired = county.statement(COUNCIL, "sign", county.keyrings[COUNCIL].signing.public.jwk, state="retired")
    assert (await site.api.post("/v1/keys", {"statement": retired.decode()})).status == 200
    now = (await site.api.get("/v1/keys")).json
    assert len(now["keys"]) == len(newest["keys"]) == 15
    page = (await site.api.get("/v1/keys?all=true&limit=15")).json
    rest = (await site.api.get(f"/v1/keys?all=true&after={page['next']}")).json
    assert set(page["keys"] + rest["keys"]) == {*newest["keys"], retired.decode()}
    assert rest["indexes"] == [now["indexes"][-1]]
    for index, at in zip(page["indexes"], page["at"], strict=True):
        (leaf,) = await site.hub.store.read(lambda tx, at=index: tx.leaves(at, at + 1))
        assert leaf.at == at
    assert (await site.api.get("/v1/keys?all=maybe")).status == 400


async def test_a_new_sealing_key_is_proved_by_answering_the_challenge(site: Site) -> None:
    """Only its holder can answer, and without an answer it isn't taken."""
    caller, key = await site.as_agency(HEALTH), OpeningKey.generate()
    answer = (await caller.post("/v1/keys/challenge", {"jwk": key.public.jwk})).json
    secret = sealing.unwrap(
        answer["ek"], answer["wk"], key, envelope_id=CHALLENGE_ID, sender=CHALLENGE_SENDER, mailbox=HEALTH
    )
    assert secret == challenge(challenge_secret(site.hub.keyring), key.kid)
    before = list(site.county.statements[HEALTH])
    unproved = site.county.statement(HEALTH, "seal", key.public.jwk)
    refused = await site.api.post("/v1/keys", {"statement": unproved.decode()})
    assert (refused.status, refused.code) == (401, "key-proof")
    site.county.statements[HEALTH] = [*before]
    proved = site.county.statement(HEALTH, "seal", key.public.jwk, proof=sha256_b64u(secret))
    taken = await site.api.post("/v1/keys", {"statement": proved.decode()})
    assert taken.json == {"agency": HEALTH, "sequence": len(before) + 1, "state": "active"}
    assert key.kid in site.hub.registry.snapshot.keys


async def test_a_challenge_is_for_hybrid_keys_of_a_signed_in_agency(site: Site) -> None:
    """Neither for a stranger nor for a classical key."""
    jwk = {"jwk": OpeningKey.generate().public.jwk}
    assert (await site.api.post("/v1/keys/challenge", jwk)).status == 401
    classical = {"jwk": site.county.keyrings[COUNCIL].signing.public.jwk}
    answer = await (await site.as_agency(COUNCIL)).post("/v1/keys/challenge", classical)
    assert (answer.status, answer.code) == (400, "key-kind")
