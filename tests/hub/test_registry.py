"""Directory, agreement and keys: what takes effect by its own signatures, and what does not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub import registry
from hub.enrolment import challenge
from hub.errors import HubError
from hub.exchange import accept_envelopes
from hub.store.base import Store
from keys import digests, jws, sealing
from schemas import strict_json
from schemas.envelope import DAY
from tests.county import (
    CAIT,
    COUNCIL,
    HEALTH,
    MASH,
    NURSES,
    OFFICERS,
    POLICE,
    PROBATION,
    SECRET,
    County,
    Desk,
    as_jwk,
)
from tests.hub.support import code_of, hold, minutes, refused


async def _previous(store: Store, kind: str) -> str | None:
    row = await store.read(lambda tx: tx.current_document(kind))
    return row.sha256 if row else None


async def test_there_is_no_registry_before_it_is_founded(store: Store) -> None:
    """No directory, no hub; no agreement without a directory; no first directory without pinned officers."""
    county = County()
    with refused("home"):
        await registry.Registry.load(store)
    with refused("document-version"):
        await registry.publish_agreement(store, county.sign_document(county.agreement(), jws.AGREEMENT), county.now)
    first = county.sign_document(county.directory(), jws.DIRECTORY)
    with refused("document-version"):
        await registry.publish_directory(store, first, county.now)
    with refused("document-signatures"):
        await registry.publish_directory(store, first, county.now, County().roots)
    await registry.publish_directory(store, first, county.now, county.roots)
    with refused("home"):
        await registry.Registry.load(store)


async def test_a_document_needs_k_of_n_officers(desk: Desk) -> None:
    """Two of three, counted by distinct key; a stranger adds nothing, and all must sign the same payload."""
    county, store = desk.county, desk.store
    county.directory_version = 2
    payload = county.directory(previous=await _previous(store, "directory"))
    one, two, _ = county.officers
    stranger = jws.SigningKey.generate()

    async def publish(document: bytes) -> None:
        await registry.publish_directory(store, document, county.now)

    for signers in ([one], [one, one], [one, stranger], [stranger, stranger]):
        with refused("document-signatures"):
            await publish(county.sign_document(payload, jws.DIRECTORY, signers))
    mixed = strict_json.dump([one.sign(payload, jws.DIRECTORY).decode(), two.sign(b"{}", jws.DIRECTORY).decode()])
    with refused("document-payloads"):
        await publish(mixed)
    wrong_typ = county.sign_document(payload, jws.AGREEMENT)
    with refused("jws-header"):
        await publish(wrong_typ)
    broken = county.sign_document(payload, jws.DIRECTORY).replace(b'"]', b'A"]')
    with pytest.raises(Exception, match="JWS"):
        await publish(broken)
    for nothing in (b"", b"[]", b"{}", b'["a.b"]'):
        with pytest.raises(Exception, match=r"JWS|document"):
            await publish(nothing)
    await publish(county.sign_document(payload, jws.DIRECTORY, [two, one, stranger]))
    assert (await desk.leaves("directory-published"))[-1]["version"] == 2


async def test_versions_are_contiguous_and_name_the_one_before(desk: Desk) -> None:
    """No version is left out, taken twice or put on another one; the current one again changes nothing.

    What officers signed and the hub refused is in the log, once however often it is brought.
    """
    county, store = desk.county, desk.store
    size = len(await desk.leaves())
    previous = await _previous(store, "directory")
    first = await store.read(lambda tx: tx.current_document("directory"))
    assert first is not None
    await registry.publish_directory(store, first.document, county.now)
    for version, before, code in (
        (3, previous, "document-version"),
        (1, None, "document-version"),
        (2, None, "document-previous"),
        (2, digests.sha256_b64u(b"?"), "document-previous"),
    ):
        county.directory_version = version
        county.now += 1
        document = county.sign_document(county.directory(previous=before), jws.DIRECTORY)
        with refused(code):
            await registry.publish_directory(store, document, county.now)
        with refused(code):
            await registry.publish_directory(store, document, county.now)
    county.agreement_version = 3
    skipped = county.agreement(previous=await _previous(store, "agreement"))
    with refused("document-version"):
        await registry.publish_agreement(store, county.sign_document(skipped, jws.AGREEMENT), county.now)
    leaves = await desk.leaves("document-refused")
    assert [(leaf["kind"], leaf["version"]) for leaf in leaves] == [
        *(("directory", version) for version in (3, 1, 2, 2)),
        ("agreement", 3),
    ]
    assert len(await desk.leaves()) == size + len(leaves)
    county.directory_version = 1
    await desk.next_directory()
    assert desk.registry.snapshot.directory.directory.version == 2


async def test_another_partnerships_documents_are_refused(desk: Desk) -> None:
    """Even signed by the same officers, a document of another partnership is not this one's."""
    county, store = desk.county, desk.store
    county.directory_version = 2
    directory = county.directory(previous=await _previous(store, "directory"), partnership="elsewhere")
    with refused("document-partnership"):
        await registry.publish_directory(store, county.sign_document(directory, jws.DIRECTORY), county.now)
    county.agreement_version = 2
    agreement = county.agreement(previous=await _previous(store, "agreement"))
    foreign = agreement.replace(b'"partnership":"exampleshire-partnership"', b'"partnership":"elsewhere"')
    assert foreign != agreement
    with refused("document-partnership"):
        await registry.publish_agreement(store, county.sign_document(foreign, jws.AGREEMENT), county.now)


async def test_new_officers_are_signed_in_by_old_and_new(desk: Desk) -> None:
    """A new set needs enough of the old and enough of the new; from then on only the new one counts."""
    county, store = desk.county, desk.store
    old, new = county.officers, [jws.SigningKey.generate() for _ in range(3)]
    county.officers = new
    county.directory_version = 2
    payload = county.directory(previous=await _previous(store, "directory"))
    for signers in (new[:2], old[:2], [old[0], new[0], new[1]], [old[0], old[1], new[0]]):
        with refused("document-signatures"):
            document = county.sign_document(payload, jws.DIRECTORY, signers)
            await registry.publish_directory(store, document, county.now)
    both = county.sign_document(payload, jws.DIRECTORY, [*old[:2], *new[:2]])
    await registry.publish_directory(store, both, county.now)
    county.agreement_version = 2
    agreement = county.agreement(previous=await _previous(store, "agreement"))
    with refused("document-signatures"):
        await registry.publish_agreement(store, county.sign_document(agreement, jws.AGREEMENT, old[:2]), county.now)
    await registry.publish_agreement(store, county.sign_document(agreement, jws.AGREEMENT), county.now)
    # The outsider pins the first officers, and finds the new ones through their directory.
    county.officers = old


async def test_a_snapshot_that_is_old_is_refreshed_inside_the_write(desk: Desk) -> None:
    """Another process published meanwhile: the write sees it, and judges by what is in force, never by the old."""
    county = desk.county
    sent = minutes(county, hold(county).header.thread, CAIT)
    await desk.next_agreement(refresh=False)
    serial = desk.registry.snapshot.serial
    with refused("agreement-outdated"):
        await desk.send(sent)
    assert desk.registry.snapshot.serial == serial + 1
    await desk.next_directory(refresh=False)
    assert not (await desk.send(minutes(county, sent.header.thread, CAIT))).repeat


async def test_a_key_that_another_process_revoked_signs_nothing_more(desk: Desk) -> None:
    """The signature was looked at by the old snapshot; whose key it is, is asked again in the transaction."""
    county = desk.county
    stale = await registry.Registry.load(desk.store)
    sent = minutes(county, hold(county).header.thread, CAIT)
    await desk.send(sent)
    receipt = county.receipt(sent, CAIT, "collected")
    for agency in (COUNCIL, POLICE):
        key = county.keyrings[agency].signing
        await desk.publish_key(county.statement(agency, "sign", key.public.jwk, state="revoked"))
    late = minutes(county, sent.header.thread, CAIT)
    (outcome,) = await accept_envelopes(desk.store, stale, COUNCIL, [late.raw], county.now, county.hub.signing)
    assert code_of(outcome) == "key-not-active"
    (taken,) = await desk.take(receipt, by=POLICE)
    assert code_of(taken) == "key-not-active"
    assert len(await desk.leaves("envelope-accepted")) == 1


async def test_a_directory_that_keeps_changing_is_an_outage_not_a_loop(desk: Desk) -> None:
    """A write that never finds its snapshot fresh gives up, says so, and leaves nothing."""

    class Restless(registry.Registry):
        async def refresh(self, store: Store) -> None:
            await store.write(registry.bump)
            self.snapshot = (await registry.Registry.load(store)).snapshot
            await store.write(registry.bump)

    restless = Restless(desk.registry.snapshot)
    await desk.store.write(registry.bump)
    sent = minutes(desk.county, hold(desk.county).header.thread, CAIT)
    with pytest.raises(HubError) as error:
        await accept_envelopes(desk.store, restless, COUNCIL, [sent.raw], desk.county.now, desk.county.hub.signing)
    assert error.value.code == "unavailable"
    assert await desk.leaves("envelope-accepted") == []


async def test_before_any_agreement_is_in_force_the_first_one_counts(desk: Desk) -> None:
    """A partnership may start on paper before its day: nobody is left without rules."""
    first = desk.registry.snapshot.rules[0]
    assert desk.registry.snapshot.rules_at(0) is first
    assert desk.registry.snapshot.rules_at(desk.county.now) is first


# Keys -----------------------------------------------------------------------------------------------------------


def _sign_key(county: County, agency: str, **changes: Any) -> tuple[jws.SigningKey, bytes]:
    key = county.keyrings[agency].replace_signing()
    return key, county.statement(agency, "sign", key.public.jwk, **changes)


async def test_statements_come_in_their_sequence(desk: Desk) -> None:
    """A number that is not the next, or another predecessor, is refused; the same statement again changes nothing."""
    county = desk.county
    before = list(county.statements[HEALTH])
    _, wrong = _sign_key(county, HEALTH, sequence=9)
    county.statements[HEALTH] = list(before)
    with pytest.raises(HubError) as error:
        await desk.publish_key(wrong)
    assert error.value.code in {"key-sequence", "key-proof"}
    _, other = _sign_key(county, HEALTH, previous=digests.sha256_b64u(b"?"))
    county.statements[HEALTH] = list(before)
    with refused("key-sequence"):
        await desk.publish_key(other)
    _, right = _sign_key(county, HEALTH)
    await desk.publish_key(right)
    size = len(await desk.leaves())
    assert (await desk.publish_key(right)).sequence == len(before) + 1
    assert len(await desk.leaves()) == size


async def test_only_the_identity_key_speaks_about_keys(desk: Desk) -> None:
    """A signing key can't make another; an agency that is not in the directory has none."""
    county = desk.county
    _, said = _sign_key(county, HEALTH)
    body = jws.parse(said, jws.KEY).payload
    county.statements[HEALTH].pop()
    for signer in (county.keyrings[HEALTH].signing, county.keyrings[POLICE].identity, jws.SigningKey.generate()):
        assert signer is not None
        with refused("key-identity"):
            await desk.publish_key(signer.sign(body, jws.KEY))
    identity = county.keyrings[HEALTH].identity
    assert identity is not None
    with refused("agency-unknown"):
        await desk.publish_key(identity.sign(body.replace(HEALTH.encode(), b"nowhere"), jws.KEY))
    with refused("jws-signature"):
        await desk.publish_key(said[:-20] + b"AAAA" + said[-16:])


async def test_a_first_key_needs_an_officers_word(desk: Desk) -> None:
    """Nobody begins to seal, sign or witness for an agency unseen; the word is about that very statement."""
    county = desk.county
    agency, stranger = "newcomer", jws.SigningKey.generate()
    ring = County().keyrings[HEALTH]
    assert ring.identity is not None
    county.keyrings[agency] = ring
    entry = {
        "id": agency,
        "name": "Newcomer",
        "roles": ("health",),
        "codes": {},
        "valid_from": 0,
        "identity": as_jwk(ring.identity.public.jwk),
        "mailboxes": (),
    }
    from schemas.directory import AgencyEntry

    agencies = (*desk.registry.snapshot.directory.directory.agencies, AgencyEntry(**entry))  # type: ignore[arg-type]
    await desk.next_directory(agencies=agencies)
    said = county.statement(agency, "sign", ring.signing.public.jwk)
    with refused("key-officer"):
        await desk.publish_key(said)
    other = county.statement(HEALTH, "sign", jws.SigningKey.generate().public.jwk)
    county.statements[HEALTH].pop()
    with refused("key-officer"):
        await desk.publish_key(said, county.approve(other))
    word = jws.parse(county.approve(said), jws.KEY).payload
    with refused("key-officer"):
        await desk.publish_key(said, stranger.sign(word, jws.KEY))
    approved = county.approve(said)
    with refused("jws-signature"):
        await desk.publish_key(said, approved[:-20] + b"AAAA" + approved[-16:])
    await desk.publish_key(said, approved)
    assert desk.registry.snapshot.keys[ring.signing.kid].usable_from == county.now


async def test_a_young_key_cools_off_unless_an_officer_speaks_for_it(desk: Desk) -> None:
    """Twenty-four hours from when the hub took it, or at once; a later statement does not begin them anew."""
    county = desk.county
    key, said = _sign_key(county, HEALTH)
    await desk.publish_key(said)
    assert desk.registry.snapshot.keys[key.kid].usable_from == county.now + DAY
    start = county.now
    county.now += DAY // 2
    await desk.publish_key(county.statement(HEALTH, "sign", key.public.jwk, expires=county.now + 9 * DAY))
    assert desk.registry.snapshot.keys[key.kid].usable_from == start + DAY
    again = county.statement(HEALTH, "sign", key.public.jwk)
    await desk.publish_key(again, county.approve(again))
    assert desk.registry.snapshot.keys[key.kid].usable_from == county.now


async def test_a_revoked_key_never_comes_back(desk: Desk) -> None:
    """Not by its agency's word, not by an officer's: whoever holds the identity key may be who stole the other one."""
    county = desk.county
    key = county.keyrings[HEALTH].signing
    await desk.publish_key(county.statement(HEALTH, "sign", key.public.jwk, state="revoked"))
    before = list(county.statements[HEALTH])
    for state in ("active", "retired", "revoked"):
        said = county.statement(HEALTH, "sign", key.public.jwk, state=state, issued=county.now + 1)
        county.statements[HEALTH] = list(before)
        with refused("key-revoked"):
            await desk.publish_key(said, county.approve(said))
    assert desk.registry.snapshot.keys[key.kid].state == "revoked"


async def test_a_retired_key_comes_back_as_young_as_a_new_one(desk: Desk) -> None:
    """What it had waited before counts no more: the 24 hours begin again, and end with an officer's word alone."""
    county = desk.county
    key = county.keyrings[HEALTH].signing
    county.now += 9 * DAY
    await desk.publish_key(county.statement(HEALTH, "sign", key.public.jwk, state="retired"))
    await desk.publish_key(county.statement(HEALTH, "sign", key.public.jwk))
    assert desk.registry.snapshot.keys[key.kid].usable_from == county.now + DAY
    again = county.statement(HEALTH, "sign", key.public.jwk, issued=county.now + 1)
    await desk.publish_key(again, county.approve(again))
    assert desk.registry.snapshot.keys[key.kid].usable_from == county.now


async def test_a_known_key_keeps_its_use_and_mailbox(desk: Desk) -> None:
    """An old witness key is no signing key that has cooled off, and a team's key is not the agency's."""
    county = desk.county
    witness, signing = county.keyrings[HEALTH].witness, county.keyrings[HEALTH].signing
    before = list(county.statements[HEALTH])
    for use, key, mailbox in (("sign", witness, None), ("witness", signing, None), ("sign", signing, NURSES)):
        said = county.statement(HEALTH, use, key.public.jwk, mailbox=mailbox)
        county.statements[HEALTH] = list(before)
        with refused("key-changed"):
            await desk.publish_key(said, county.approve(said))
    assert desk.registry.snapshot.keys[witness.kid].use == "witness"


async def test_refused_statements_are_in_the_log_once(desk: Desk) -> None:
    """What an identity key has signed is on record with why it was refused; bringing it again adds nothing."""
    county = desk.county
    before = list(county.statements[HEALTH])
    _, wrong = _sign_key(county, HEALTH, sequence=len(before) + 9)
    _, right = _sign_key(county, HEALTH, sequence=len(before) + 1, previous=digests.sha256_b64u(b"?"))
    county.statements[HEALTH] = list(before)
    for said in (wrong, right, wrong, wrong, right):
        with pytest.raises(HubError):
            await desk.publish_key(said)
    leaves = await desk.leaves("key-refused")
    assert [leaf["digest"] for leaf in leaves] == [digests.sha256_b64u(said) for said in (wrong, right)]
    assert {leaf["agency"] for leaf in leaves} == {HEALTH}
    size = len(await desk.leaves())
    # The first statement of all is public: whoever brings it again changes nothing either.
    await desk.publish_key(before[0])
    assert len(await desk.leaves()) == size


async def test_possession_is_shown(desk: Desk) -> None:
    """By the new key's signature; for a sealing key by what the hub wrapped to it; giving a key up needs none."""
    county = desk.county
    before = list(county.statements[HEALTH])
    for proof in (None, "A" * 86, "?"):
        _, said = _sign_key(county, HEALTH, proof=proof)
        county.statements[HEALTH] = list(before)
        with refused("key-proof"):
            await desk.publish_key(said, county.approve(said))
    held = county.keyrings[HEALTH].add_opening_key(None, county.now)
    for proof in (None, digests.sha256_b64u(b"a guess")):
        said = county.statement(HEALTH, "seal", held.key.public.jwk, proof=proof)
        county.statements[HEALTH] = list(before)
        with refused("key-proof"):
            await desk.publish_key(said)
    secret = challenge(SECRET, held.key.kid)
    ek, wk = sealing.wrap(secret, held.key.public, envelope_id="key-proof", sender="hub", mailbox=HEALTH)
    answer = sealing.unwrap(ek, wk, held.key, envelope_id="key-proof", sender="hub", mailbox=HEALTH)
    await desk.publish_key(county.statement(HEALTH, "seal", held.key.public.jwk, proof=digests.sha256_b64u(answer)))
    assert held.key.kid in desk.registry.snapshot.keys
    await desk.publish_key(county.statement(HEALTH, "seal", held.key.public.jwk, state="retired"))


async def test_nobody_gives_up_a_key_of_another_agency(desk: Desk) -> None:
    """Giving up needs no proof of possession, so it is asked whose the key is."""
    county = desk.county
    theirs = county.keyrings[COUNCIL].signing.public.jwk
    for state in ("revoked", "retired"):
        said = county.statement(POLICE, "sign", theirs, state=state)
        county.statements[POLICE].pop()
        with refused("key-foreign"):
            await desk.publish_key(said, county.approve(said))
    await desk.send(minutes(county, hold(county).header.thread, CAIT))


async def test_a_key_of_another_kind_is_refused(desk: Desk) -> None:
    """Sealing keys are hybrid, signing keys Ed25519; a statement that says otherwise is no statement."""
    county = desk.county
    before = list(county.statements[HEALTH])
    signing, opening = county.keyrings[HEALTH].signing, county.newest(NURSES)
    for use, members in (("seal", signing.public.jwk), ("sign", opening.key.public.jwk)):
        said = county.statement(HEALTH, use, members)
        county.statements[HEALTH] = list(before)
        with refused("key-kind"):
            await desk.publish_key(said, county.approve(said))
    foreign = county.statement(HEALTH, "sign", signing.public.jwk, mailbox=CAIT)
    county.statements[HEALTH] = list(before)
    with refused("key-statement"):
        await desk.publish_key(foreign, county.approve(foreign))


async def test_keys_published_at_the_same_time_are_taken_one_after_the_other(desk: Desk) -> None:
    """Two statements with one number: one of them is the next, the other is refused."""
    county = desk.county
    before = list(county.statements[HEALTH])
    _, one = _sign_key(county, HEALTH)
    county.statements[HEALTH] = list(before)
    _, two = _sign_key(county, HEALTH)
    outcomes = await asyncio.gather(desk.publish_key(one), desk.publish_key(two), return_exceptions=True)
    codes = [getattr(outcome, "code", "taken") for outcome in outcomes]
    assert sorted(codes) == ["key-sequence", "taken"]


async def test_everybody_is_told_when_the_rules_change_or_an_agency_ends(desk: Desk) -> None:
    """A new agreement, and an agency's end, are notices in every open mailbox; a directory without an end is none."""
    await desk.next_agreement()
    await desk.next_directory()
    desk.county.ended[PROBATION] = (desk.county.now + DAY, (COUNCIL,))
    await desk.next_directory()
    for mailbox in (MASH, CAIT, OFFICERS):
        assert [notice["notice"] for notice in await desk.notices(mailbox)] == ["agreement-changed", "agency-ended"]
