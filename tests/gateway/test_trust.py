"""A gateway believes what the partnership's officers signed, in order, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adapters.errors import GatewayError
from adapters.gateway import trust
from keys import jws
from keys.digests import sha256_b64u
from keys.errors import KeysError
from schemas.directory import Directory, Officers, parse_directory
from schemas.strict_json import MalformedError, dump
from tests.county import COUNCIL, HEALTH, County, as_jwk


def code_of(work: Callable[[], Any]) -> str:
    """Return the code that *work* fails with."""
    with pytest.raises((GatewayError, KeysError, MalformedError)) as caught:
        work()
    return caught.value.code


def first(county: County) -> tuple[Directory, str]:
    """Return the county's first directory and its digest."""
    payload = county.directory()
    return parse_directory(payload), sha256_b64u(payload)


def following(county: County, previous: str | None, **changes: Any) -> bytes:
    """Return the payload of the county's second directory."""
    county.directory_version = 2
    return county.directory(previous=previous, **changes)


def test_the_first_directory_is_signed_by_the_pinned_officers() -> None:
    """Two of three, counted by distinct key."""
    county = County()
    payload = county.directory()
    one, two, _ = county.officers

    def verify(document: bytes) -> Directory:
        return trust.verify_directory(document, None, None, county.roots)

    assert verify(county.sign_document(payload, jws.DIRECTORY)).version == 1
    for signers in ([one], [one, one], [one, jws.SigningKey.generate()]):
        document = county.sign_document(payload, jws.DIRECTORY, signers)
        assert code_of(lambda document=document: verify(document)) == "trust-signatures"
    agreement = dump([key.sign(payload, jws.AGREEMENT).decode() for key in (one, two)])
    assert code_of(lambda: verify(agreement)) == "jws-header"
    other = dump([one.sign(payload, jws.DIRECTORY).decode(), two.sign(payload + b" ", jws.DIRECTORY).decode()])
    assert code_of(lambda: verify(other)) == "trust-document"
    assert code_of(lambda: verify(b"[]")) == "trust-document"
    assert code_of(lambda: verify(b'{"a":1}')) == "trust-document"


def test_versions_follow_each_other() -> None:
    """Not the same again, not one left out, not another history."""
    county = County()
    before, digest = first(county)

    def verify(version: int, previous: str | None) -> Directory:
        county.directory_version = version
        document = county.sign_document(county.directory(previous=previous), jws.DIRECTORY)
        return trust.verify_directory(document, before, digest, county.roots)

    assert verify(2, digest).version == 2
    for version, previous in ((1, None), (1, digest), (3, digest), (2, None), (2, sha256_b64u(b"another"))):
        assert code_of(lambda v=version, p=previous: verify(v, p)) == "trust-version"


def test_new_officers_are_signed_in_by_the_old_and_by_themselves() -> None:
    """Neither can do it alone; the pinned ones no longer count once they were replaced."""
    county = County()
    before, digest = first(county)
    fresh = [jws.SigningKey.generate() for _ in range(3)]
    officers = Officers(threshold=2, keys=tuple(as_jwk(key.public.jwk) for key in fresh))
    payload = following(county, digest, officers=officers)

    def verify(*signers: jws.SigningKey) -> Directory:
        document = county.sign_document(payload, jws.DIRECTORY, signers)
        return trust.verify_directory(document, before, digest, county.roots)

    assert verify(*county.officers[:2], *fresh[:2]).officers == officers
    assert code_of(lambda: verify(*county.officers[:2])) == "trust-signatures"
    assert code_of(lambda: verify(*fresh[:2])) == "trust-signatures"
    assert code_of(lambda: verify(county.officers[0], *fresh[:2])) == "trust-signatures"


def test_an_old_agreement_may_be_signed_by_old_officers() -> None:
    """Whoever they were, they must be officers that the chain of directories names."""
    county, strangers = County(), County()
    document = county.sign_document(county.agreement(), jws.AGREEMENT)
    assert trust.verify_agreement(document, 0, None, [strangers.roots, county.roots]).version == 1
    assert code_of(lambda: trust.verify_agreement(document, 0, None, [strangers.roots])) == "trust-signatures"
    assert code_of(lambda: trust.verify_agreement(document, 1, None, [county.roots])) == "trust-version"


def listed(*compacts: bytes) -> list[trust.Listed]:
    """Return key statements as the hub lists them."""
    return [trust.Listed(jws=one.decode(), index=at, usable_from=0) for at, one in enumerate(compacts)]


def test_key_statements_are_the_agencys_own() -> None:
    """Signed by its identity key, in its own name, in one chain; what isn't is left out, and the rest stands."""
    county = County()
    directory, _ = first(county)
    sign = county.statement(HEALTH, "sign", county.keyrings[HEALTH].signing.public.jwk)
    (held,) = county.keyrings[HEALTH].opening_keys.values()
    seal = county.statement(HEALTH, "seal", held.key.public.jwk)
    identity = county.keyrings[COUNCIL].identity
    assert identity is not None
    theirs = identity.sign(jws.parse(sign, jws.KEY).payload, jws.KEY)
    altered = sign[:-8] + bytes(8 * [ord("A")])
    good, wrong = trust.verify_statements(listed(sign, theirs, altered, b"junk", seal), directory, {})
    assert [one.statement.use for one in good] == ["sign", "seal"]
    assert wrong == ["jws-signature", "jws-signature", "jws-syntax"]


def test_a_statement_that_does_not_follow_is_left_out() -> None:
    """A sequence neither falls nor repeats, and neighbours name each other; gaps are what was superseded."""
    county = County()
    directory, _ = first(county)
    keys = county.keyrings[HEALTH]
    one = county.statement(HEALTH, "sign", keys.signing.public.jwk)
    two = county.statement(HEALTH, "witness", keys.witness.public.jwk)
    three = county.statement(HEALTH, "sign", keys.signing.public.jwk, state="retired")
    assert len(trust.verify_statements(listed(one, two, three), directory, {})[0]) == 3
    assert len(trust.verify_statements(listed(one, three), directory, {})[0]) == 2
    for order in ((two, one), (one, one)):
        good, wrong = trust.verify_statements(listed(*order), directory, {})
        assert (len(good), wrong) == (1, ["key-sequence"])
    other = county.statement(HEALTH, "witness", keys.witness.public.jwk, sequence=2, previous=sha256_b64u(b"other"))
    assert trust.verify_statements(listed(one, other), directory, {})[1] == ["key-sequence"]


def test_statements_verified_before_outlive_a_new_identity_key() -> None:
    """What was good when it came stays good: the chain isn't judged again by a key that came later."""
    county = County()
    directory, _ = first(county)
    sign = county.statement(HEALTH, "sign", county.keyrings[HEALTH].signing.public.jwk)
    good, _ = trust.verify_statements(listed(sign), directory, {})
    later, _ = first(County())
    assert trust.verify_statements(listed(sign), later, {})[0] == []
    assert trust.verify_statements(listed(sign), later, {one.sha256: one for one in good})[0] == good
