"""The life of an agency's keys, from its own statement to mail that is opened under them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from adapters.durable import make_folder
from adapters.errors import GatewayError, NotYetError
from adapters.gateway import keystore, rotation
from adapters.gateway.agent import Agent, open_gateway
from adapters.gateway.client import Client, HubAwayError
from adapters.gateway.keystore import load_keyring, save_keyring
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
        kid = await wait_for_own_key(town, health)
        held = health.gateway.keyring.opening_keys[kid]
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


async def test_a_command_makes_keys_beside_the_running_gateway(town: Town) -> None:
    """Neither loses what the other made; the gateway takes up the command's keys, and cries no alarm about them."""
    save_keyring(town.county.keyrings[HEALTH], make_folder(town.tmp / HEALTH), PASSPHRASE)
    async with town.agent(HEALTH) as health:
        home = town.homes[HEALTH]
        async with open_gateway(home, config=health.gateway.config, clock=health.gateway.clock) as beside:
            assert await rotation.rotate_keys(beside, force=True) == 1
            fresh = await rotation.rotate_signing(beside)
            await rotation.rotate_keys(health.gateway, force=True)
            await rotation.give_up(beside, next(iter(beside.keyring.opening_keys)), "retired")
            await town.tick()
            await health.refresh_pass()
            held = health.gateway.keyring
            assert list(held.kids()) == list(load_keyring(home, PASSPHRASE).kids())
            assert len(held.opening_keys) == 3
            assert held.next_signing is not None
            await town.tick(2 * DAY)
            await beside.partnership.refresh()
            assert rotation.adopt_signing(beside)
            await health.refresh_pass()
            assert held.signing.kid == fresh
            assert not rotation.adopt_signing(health.gateway)
            await health.file_pass()
            assert read_notices(home) == []
            answer = await health.gateway.client.fetch("/v1/obligations?limit=1", signed_in=True)
            assert answer.status == 200


async def test_one_process_at_a_time_changes_the_keys(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the gateway publishes what it made, a command is told to try again, and changes nothing."""
    save_keyring(town.county.keyrings[HEALTH], make_folder(town.tmp / HEALTH), PASSPHRASE)
    publishing, go_on = asyncio.Event(), asyncio.Event()
    publish = Client.publish_key

    async def slow(client: Client, statement: str) -> None:
        publishing.set()
        await go_on.wait()
        await publish(client, statement)

    monkeypatch.setattr(Client, "publish_key", slow)
    async with town.agent(HEALTH) as health:
        task = asyncio.create_task(rotation.rotate_keys(health.gateway, force=True))
        await publishing.wait()
        saved = (town.homes[HEALTH] / keystore.KEYS_NAME).read_bytes()
        config, clock = health.gateway.config, health.gateway.clock
        async with open_gateway(town.homes[HEALTH], config=config, clock=clock) as beside:
            for change in (
                rotation.rotate_keys(beside, force=True),
                rotation.rotate_signing(beside),
                rotation.give_up(beside, beside.keyring.signing.kid, "retired"),
            ):
                with pytest.raises(NotYetError) as caught:
                    await change
                assert caught.value.code == "keys-busy"
            assert (town.homes[HEALTH] / keystore.KEYS_NAME).read_bytes() == saved
            go_on.set()
            assert await task == 1
            assert await rotation.rotate_keys(beside, force=True) == 1


async def test_a_key_that_could_not_be_saved_is_never_published(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: the key that was made is gone, not half alive, and the next pass makes another."""
    async with town.agent(HEALTH) as health:
        before = list(health.gateway.keyring.kids())

        def full(*_: object) -> None:
            raise OSError("no space left on device")

        monkeypatch.setattr(keystore, "write_file", full)
        for change in (rotation.rotate_keys(health.gateway, force=True), rotation.rotate_signing(health.gateway)):
            with pytest.raises(OSError, match="no space"):
                await change
        assert list(health.gateway.keyring.kids()) == before
        monkeypatch.undo()
        assert await rotation.rotate_keys(health.gateway) == 0
        assert await rotation.rotate_keys(health.gateway, force=True) == 1


async def test_a_key_saved_and_not_published_is_published_by_the_next_process(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two: the same key, of either kind, is published by whoever opens the file next."""
    save_keyring(town.county.keyrings[HEALTH], make_folder(town.tmp / HEALTH), PASSPHRASE)

    async def killed(*_: object) -> None:
        raise KeyboardInterrupt

    async with town.agent(HEALTH) as health:
        monkeypatch.setattr(Client, "publish_key", killed)
        for change in (rotation.rotate_keys(health.gateway, force=True), rotation.rotate_signing(health.gateway)):
            with pytest.raises(KeyboardInterrupt):
                await change
        monkeypatch.undo()
        made = set(health.gateway.keyring.kids())
        config, clock = health.gateway.config, health.gateway.clock
    async with open_gateway(town.homes[HEALTH], config=config, clock=clock) as after:
        assert set(after.keyring.kids()) == made
        assert await rotation.rotate_keys(after) == 1
        await rotation.rotate_signing(after)
        assert after.keyring.next_signing is not None
        assert {after.keyring.next_signing.kid, *after.keyring.opening_keys} <= set(after.partnership.books.keys)
        assert set(after.keyring.kids()) == made


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
