"""The life of an agency's keys, from its own statement to mail that is opened under them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.errors import GatewayError
from adapters.gateway import rotation
from adapters.gateway.agent import Agent
from adapters.gateway.client import HubAwayError
from adapters.gateway.keystore import load_keyring
from keys.keyring import Keyring
from tests.county import CAIT, COUNCIL, DAY, HEALTH, MASH, NURSES, PAEDIATRICS, POLICE
from tests.gateway.support import PASSPHRASE, Town, draft, drop, minutes_full, read_notices, settle
from tests.gateway.wire import open_wire


def send_minutes(home: Path, *parties: str, name: str = "minutes") -> None:
    """Drop full minutes for *parties*."""
    drop(home, name, draft("minutes.full/1", MASH, message=minutes_full([MASH, *parties])))


def sent(home: Path, name: str = "minutes") -> str:
    """Return the id of what was sent under *name*."""
    envelope: str = json.loads((home / "sent" / name / "envelope.json").read_bytes())["id"]
    return envelope


def filed(home: Path) -> list[str]:
    """Return the ids of what is filed in the folder pair at *home*."""
    return sorted(path.parent.name for path in (home / "in").glob("*/message.json"))


async def wait_for_own_key(town: Town, health: Agent) -> str:
    """Have the nurses' gateway publish a sealing key of its own making, a day before it is used; return its kid."""
    before = set(health.gateway.keyring.opening_keys)
    await rotation.rotate_keys(health.gateway, force=True)
    (kid,) = set(health.gateway.keyring.opening_keys) - before
    await town.tick()
    await town.tick(DAY)
    return kid


async def test_what_lies_uncollected_is_sealed_again_before_its_key_is_destroyed(town: Town) -> None:
    """From the gateway's own statement through the hub's notice to an opened message, nobody lending a hand."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        held = health.gateway.keyring.opening_keys[await wait_for_own_key(town, health)]
        await settle(council)
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council)
        await town.tick(29 * DAY)
        await rotation.rotate_keys(health.gateway)
        await town.tick()
        assert await town.site.desk.leaves("wraps-replaced") == []
        await town.tick(2 * DAY)
        await settle(council)
        assert [leaf["envelope"] for leaf in await town.site.desk.leaves("wraps-replaced")] == [
            sent(town.homes[COUNCIL])
        ]
        assert town.county.now < held.destroy_at - 7 * DAY
        town.county.now = held.destroy_at
        assert await rotation.destroy_keys(health.gateway, [town.county.now]) > 0
        assert held.key.kid not in health.gateway.keyring.opening_keys
        await settle(health)
        assert len(filed(town.homes[HEALTH])) == 1


async def test_what_came_too_late_for_its_key_is_sealed_again(town: Town) -> None:
    """The receipt `rejected` for want of the key is enough: the sender wraps the same body for the next one."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council)
        old = town.county.newest(NURSES).key.kid
        await town.site.desk.rotate(HEALTH)
        await town.tick()
        del health.gateway.keyring.opening_keys[old]
        await settle(health, rounds=1)
        await health.drain(NURSES)
        await health.receipt_pass()
        row = await health.gateway.spool.one("find_incoming", envelope=sent(town.homes[COUNCIL]), mailbox=NURSES)
        assert row is not None
        assert (row["state"], row["code"]) == ("rejected", "opening-key")
        await settle(council, health)
        assert len(filed(town.homes[HEALTH])) == 1


async def test_a_recipient_that_opens_nothing_is_not_sealed_to_for_ever(town: Town) -> None:
    """It has lost its current key: sealing to it again helps nobody, and the sender's mailbox hears that."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council)
        health.gateway.keyring.opening_keys.clear()
        await health.refresh_pass()
        await health.drain(NURSES)
        await health.receipt_pass()
        await settle(council)
        assert await town.site.desk.leaves("wraps-replaced") == []
        (told,) = [one for one in read_notices(town.homes[COUNCIL]) if one["notice"] == "reseal-refused"]
        assert told["code"] == "recipient-key"
        assert await council.gateway.spool.all("chores", limit=9) == []


async def test_no_key_is_destroyed_before_every_feed_was_read(town: Town) -> None:
    """After an outage what waits is collected first, also where the identity key is kept elsewhere."""
    async with (
        open_wire(town.site.port) as wire,
        town.agent(COUNCIL) as council,
        town.agent(HEALTH, hub=wire.base) as health,
    ):
        old = set(health.gateway.keyring.opening_keys)
        health.gateway.keyring.identity = None
        send_minutes(town.homes[COUNCIL], NURSES, PAEDIATRICS)
        await settle(council)
        wire.cut()
        town.county.now += 50 * DAY
        await health.rotate_pass()
        assert set(health.gateway.keyring.opening_keys) == old
        wire.dark = False
        await health.refresh_pass()
        await health.drain(NURSES)
        await health.rotate_pass()
        assert set(health.gateway.keyring.opening_keys) == old
        await health.drain(PAEDIATRICS)
        await health.rotate_pass()
        assert not health.gateway.keyring.opening_keys
        await settle(health)
        assert len(filed(town.homes[HEALTH])) == 1


async def test_keys_that_are_due_are_asked_for_where_no_identity_key_is(town: Town) -> None:
    """A person has to sign for the next one elsewhere, and hears so once, a day before it is due."""
    async with town.agent(HEALTH) as health:
        health.gateway.keyring.identity = None
        for days in (28, 1, 1):
            town.county.now += days * DAY
            await health.rotate_pass()
        await health.file_pass()
        assert [one["notice"] for one in read_notices(town.homes[HEALTH])] == ["keys-due"]


async def test_the_next_signing_key_takes_over_when_it_may(town: Town) -> None:
    """Published, waited for, used; and what the retired one signed still opens for who joins later."""
    async with town.agent(COUNCIL) as council:
        home = town.homes[COUNCIL]
        old = council.gateway.keyring.signing.kid
        await settle(council)
        send_minutes(home, NURSES, CAIT, name="before")
        await settle(council)
        fresh = await rotation.rotate_signing(council.gateway)
        assert await rotation.rotate_signing(council.gateway) == fresh
        await town.tick()
        await settle(council)
        assert council.gateway.keyring.signing.kid == old
        assert load_keyring(home, PASSPHRASE).next_signing is not None
        await town.tick(DAY + 1)
        await town.tick(DAY)
        await settle(council)
        assert council.gateway.keyring.signing.kid == fresh
        await rotation.give_up(council.gateway, old, "retired")
        await town.tick()
        send_minutes(home, NURSES, CAIT, name="after")
        await settle(council)
        assert [one for one in read_notices(home) if one["notice"] == "key-unknown"] == []
        async with town.agent(HEALTH) as health:
            await settle(health)
            assert filed(town.homes[HEALTH]) == sorted([sent(home, "before"), sent(home, "after")])


async def test_a_key_that_is_given_up_is_so_for_all(town: Town) -> None:
    """Retired or revoked by one command; twice, or a stranger's, is refused."""
    async with town.agent(COUNCIL) as council, town.agent(POLICE) as police:
        kid = next(iter(council.gateway.keyring.opening_keys))
        await rotation.give_up(council.gateway, kid, "retired")
        await rotation.give_up(council.gateway, kid, "revoked", compromised_from=town.county.now - DAY)
        await police.refresh_pass()
        said = police.gateway.partnership.books.keys[kid]
        assert [one.statement.state for one in said.stated] == ["active", "retired", "revoked"]
        assert said.last.compromised_from == town.county.now - DAY
        for state in ("retired", "revoked"):
            with pytest.raises(GatewayError) as caught:
                await rotation.give_up(council.gateway, kid, state)  # type: ignore[arg-type]
            assert caught.value.code == "key-given-up"
        with pytest.raises(GatewayError) as caught:
            await rotation.give_up(police.gateway, kid, "revoked")
        assert caught.value.code == "key-unknown"
        council.gateway.keyring.identity = None
        with pytest.raises(GatewayError) as caught:
            await rotation.give_up(council.gateway, kid, "revoked")
        assert caught.value.code == "identity-missing"


async def test_receipts_signed_with_the_key_before_are_signed_again(town: Town) -> None:
    """What waited while the key changed is said with the new one, in order, and taken."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council)
        await rotation.rotate_signing(health.gateway)
        await town.tick()
        await health.refresh_pass()
        await town.tick(2 * DAY)
        await health.drain(NURSES)
        await health.file_pass()
        old = health.gateway.keyring.signing.kid
        await health.refresh_pass()
        assert health.gateway.keyring.signing.kid != old
        await rotation.give_up(health.gateway, old, "retired")
        await town.tick()
        await settle(health)
        await settle(council)
        heard = await council.gateway.spool.all("heard_of", envelope=sent(town.homes[COUNCIL]))
        assert [row["level"] for row in heard] == ["collected", "filed"]


async def test_an_answer_lost_before_the_key_changed_is_found_again(town: Town) -> None:
    """The hub took the envelope; asked again with a key that is given up by now, its first word stands."""
    async with open_wire(town.site.port) as wire, town.agent(COUNCIL, hub=wire.base) as council:
        await settle(council)
        fresh = await rotation.rotate_signing(council.gateway)
        await town.tick()
        await council.refresh_pass()
        send_minutes(town.homes[COUNCIL], NURSES)
        await council.collect_pass()
        wire.match, wire.swallow = b"/v1/envelopes", 1
        with pytest.raises(HubAwayError):
            await council.send_pass()
        old = council.gateway.keyring.signing.kid
        await town.tick(2 * DAY)
        await council.refresh_pass()
        assert council.gateway.keyring.signing.kid == fresh
        await rotation.give_up(council.gateway, old, "retired")
        await town.tick()
        await council.send_pass()
        (row,) = await council.gateway.spool.all("list_sent")
        assert (row["state"], row["envelope"]) == (
            "accepted",
            (await town.site.desk.leaves("envelope-accepted"))[0]["envelope"],
        )


def test_key_files_of_before_are_still_read() -> None:
    """A keyring that knew no next signing key has none, and keeps what it gets."""
    keyring = Keyring.create(COUNCIL, 0)
    kek = b"k" * 32
    assert Keyring.decrypt(keyring.encrypt(kek), kek).next_signing is None
    old, fresh = keyring.signing.kid, keyring.prepare_signing()
    read = Keyring.decrypt(keyring.encrypt(kek), kek)
    assert read.next_signing is not None
    assert read.next_signing.kid == fresh.kid
    read.adopt_signing()
    again = Keyring.decrypt(read.encrypt(kek), kek)
    assert (again.signing.kid, again.next_signing) == (fresh.kid, None)
    assert {old, fresh.kid} <= set(again.kids())
    again.adopt_signing()
    assert again.signing.kid == fresh.kid
