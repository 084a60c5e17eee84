"""A suspended key opens nothing at the hub; what its agency says of it stands."""

from __future__ import annotations

import pytest

from hub.suspensions import Readmit, Suspend
from hub.web.identity import check_active
from keys.digests import sha256_b64u
from tests.county import COUNCIL, HEALTH, NURSES, Desk
from tests.hub.governing import agree
from tests.hub.support import code_of, hold, refused


async def _suspend(desk: Desk, kid: str) -> str:
    done = await agree(desk, "key-suspend", Suspend(kid=kid), "key_stolen")
    await desk.registry.refresh(desk.store)
    return done


async def _readmit(desk: Desk, kid: str) -> None:
    await agree(desk, "key-readmit", Readmit(kid=kid), "found_sound")
    await desk.registry.refresh(desk.store)


async def test_a_suspended_key_gets_no_token_and_signs_nothing(desk: Desk) -> None:
    """Tokens that it has are refused with the next look, envelopes and receipts with it too; another agency's go on."""
    county = desk.county
    sent = hold(county, NURSES)
    await desk.send(sent)
    kid = county.keyrings[HEALTH].signing.kid
    by = await _suspend(desk, kid)
    with refused("key-suspended"):
        check_active(desk.registry.snapshot, desk.registry.snapshot.keys[kid], county.now)
    (outcome,) = await desk.take(county.receipt(sent, NURSES, "collected"), by=HEALTH)
    assert code_of(outcome) == "key-suspended"
    await desk.send(hold(county, NURSES))
    other = desk.registry.snapshot.keys[county.keyrings[COUNCIL].signing.kid]
    check_active(desk.registry.snapshot, other, county.now)
    (leaf,) = await desk.leaves("key-suspended")
    assert (leaf["kid"], leaf["agency"], leaf["by"], leaf["outcome"]) == (kid, HEALTH, by, "key_stolen")


async def test_two_people_let_it_in_again(desk: Desk) -> None:
    """Afterwards it is as before, and can be suspended again."""
    county, kid = desk.county, desk.county.keyrings[HEALTH].signing.kid
    sent = hold(county, NURSES)
    await desk.send(sent)
    await _suspend(desk, kid)
    await _readmit(desk, kid)
    await desk.receive(sent, NURSES, "collected")
    await _suspend(desk, kid)
    assert len(await desk.leaves("key-suspended", "key-readmitted")) == 3


async def test_a_writer_that_has_not_looked_yet_refuses_it_too(desk: Desk) -> None:
    """Another process's snapshot is old: the very next write is turned back, reads the registry, and refuses the key."""
    county = desk.county
    kid = county.keyrings[COUNCIL].signing.kid
    await agree(desk, "key-suspend", Suspend(kid=kid), "key_stolen")
    with refused("key-suspended"):
        await desk.send(hold(county, NURSES))


@pytest.mark.parametrize("use", ["sealing", "witness", "nobody's", "suspended"])
async def test_only_a_signing_key_in_use_can_be_suspended(desk: Desk, use: str) -> None:
    """A key of another use, one that nobody has, and one that is suspended are refused; nothing is in the log."""
    keyring = desk.county.keyrings[HEALTH]
    kid = {
        "sealing": next(iter(keyring.opening_keys)),
        "witness": keyring.witness.kid,
        "nobody's": sha256_b64u(b"nobody"),
        "suspended": keyring.signing.kid,
    }[use]
    if use == "suspended":
        await _suspend(desk, kid)
    size = len(await desk.leaves("act-proposed"))
    with refused("suspension-key"):
        await _suspend(desk, kid)
    assert len(await desk.leaves("act-proposed")) == size


async def test_what_is_not_suspended_can_not_be_let_in(desk: Desk) -> None:
    """Refused, and nothing is in the log."""
    with refused("suspension-none"):
        await _readmit(desk, desk.county.keyrings[HEALTH].signing.kid)
