"""How soon what is said of a key is in force, by the county's own clock; and that nobody notices what happens by itself."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.durable import make_folder
from adapters.errors import GatewayError
from adapters.gateway import identity, identity_commands, rotation
from adapters.gateway.agent import Agent
from adapters.gateway.config import Config
from adapters.gateway.context import Gateway
from adapters.gateway.keystore import load_keyring, save_keyring
from hub.core.enrolling import COOL_OFF
from hub.errors import NotAuthenticError
from hub.registry import Registry
from hub.web.identity import check_active
from keys import jws
from keys.safety import safety_number, side_of
from schemas.directory import parse_directory
from tests.county import COUNCIL, DAY, HEALTH, MASH, MINUTE, NURSES, PARTNERSHIP, POLICE, as_jwk
from tests.gateway.support import PASSPHRASE, Town, draft, drop, minutes_full, payload_of, read_notices, settle

HUB_WITHIN, GATEWAYS_WITHIN = MINUTE, 5 * MINUTE
LATE = {"owed", "due-soon", "overdue"}


def send_minutes(home: Path, name: str) -> None:
    """Drop full minutes for the nurses."""
    drop(home, name, draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES])))


async def asks(agent: Agent) -> int | str:
    """Ask the hub for something as *agent*'s gateway, with whatever token it has; return the status, or why not."""
    try:
        return (await agent.gateway.client.fetch("/v1/obligations?limit=1", signed_in=True)).status
    except GatewayError as error:
        return error.code


async def replace_first_keys(town: Town, *agents: Agent) -> None:
    """Give *agents* sealing keys as gateways publish them: the county's first ones are good for longer."""
    for agent in agents:
        (first,) = agent.gateway.keyring.opening_keys
        await rotation.rotate_keys(agent.gateway, force=True)
        await town.tick()
        await rotation.give_up(agent.gateway, first, "retired")
    await town.tick(DAY)


async def test_months_of_rotation_are_noticed_by_nobody(town: Town) -> None:
    """Mail before, just after and a day after each change, and when an old key goes: all of it filed, no alarm."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        await settle(council, health)
        await replace_first_keys(town, council, health)
        begun, seen, count = town.county.now - DAY, set[str](), 0
        for month in range(1, 4):
            for day, rotate in ((0, False), (0, True), (1, True), (15, True)):
                await town.tick(begun + (30 * month + day) * DAY - town.county.now)
                for agent in (council, health):
                    await agent.refresh_pass()
                    if rotate:
                        await agent.rotate_pass()
                await town.tick()
                send_minutes(town.homes[COUNCIL], f"{month}-{day}-{rotate}")
                await settle(council, health, rounds=1)
                count += 1
            seen |= set(health.gateway.keyring.opening_keys)
        await settle(council, health)
        await health.rotate_pass()
        assert len(list((town.homes[HEALTH] / "in").glob("*/message.json"))) == count
        assert len(seen) >= 3
        assert len(health.gateway.keyring.opening_keys) == 1
        told = {one["notice"] for agent in (council, health) for one in read_notices(agent.gateway.home)}
        assert told <= LATE


async def test_what_a_destroyed_key_opened_nobody_opens_any_more(town: Town) -> None:
    """Gone from the file too: a copy of the gateway of after that day opens nothing of before."""
    save_keyring(town.county.keyrings[HEALTH], make_folder(town.tmp / HEALTH), PASSPHRASE)
    async with town.agent(HEALTH) as health:
        (first,) = health.gateway.keyring.opening_keys.values()
        await settle(health)
        town.county.now = first.destroy_at - 1
        await settle(health)
        await health.rotate_pass()
        assert first.key.kid in load_keyring(health.gateway.home, PASSPHRASE).opening_keys
        town.county.now = first.destroy_at
        await settle(health)
        await health.rotate_pass()
        assert first.key.kid not in load_keyring(health.gateway.home, PASSPHRASE).opening_keys


async def test_a_revoked_key_is_refused_by_the_hub_within_a_minute(town: Town) -> None:
    """By the answer that takes the revocation, the thief's token included."""
    async with town.agent(COUNCIL) as council:
        thief = await town.site.as_agency(COUNCIL)
        asked, revoked_at = "/v1/obligations?limit=1", town.county.now
        assert (await thief.get(asked)).status == 200
        await rotation.give_up(council.gateway, council.gateway.keyring.signing.kid, "revoked")
        assert (await thief.get(asked)).code == "key-not-active"
        assert await asks(council) == "key-not-active"
        assert town.county.now - revoked_at <= HUB_WITHIN


async def test_another_hub_process_refuses_it_after_its_next_look(town: Town) -> None:
    """Processes on one database look at the registry every few seconds, and at each write."""
    async with town.agent(COUNCIL) as council:
        hub, kid = town.site.hub, council.gateway.keyring.signing.kid
        beside = await Registry.load(hub.store)
        worker = dataclasses.replace(town.worker, registry=beside)
        assert worker.sweep_seconds * 1000 <= HUB_WITHIN
        await rotation.give_up(council.gateway, kid, "revoked")
        check_active(beside.snapshot, beside.snapshot.keys[kid], town.county.now)
        town.county.now += int(worker.sweep_seconds * 1000)
        await worker.follow_registry()
        with pytest.raises(NotAuthenticError) as caught:
            check_active(beside.snapshot, beside.snapshot.keys[kid], town.county.now)
        assert caught.value.code == "key-not-active"


async def test_a_revoked_key_is_refused_by_other_gateways_within_five_minutes(town: Town) -> None:
    """What the thief's hub would still take is refused by the reader at its next look at the log, which is never later."""
    assert Config(agency=POLICE, mailboxes=()).witness_seconds * 1000 <= GATEWAYS_WITHIN
    async with town.agent(COUNCIL) as council, town.agent(POLICE) as police:
        await settle(council, police)
        kid, revoked_at = council.gateway.keyring.signing.kid, town.county.now
        assert police.gateway.partnership.books.find_signer(kid, MASH, revoked_at) is not None
        await rotation.give_up(council.gateway, kid, "revoked")
        await town.tick()
        town.county.now += int(Config(agency=POLICE, mailboxes=()).witness_seconds * 1000)
        await police.refresh_pass()
        assert police.gateway.partnership.books.find_signer(kid, MASH, revoked_at) is None
        assert town.county.now - revoked_at <= GATEWAYS_WITHIN


async def test_a_revocation_reaches_a_gateway_that_runs(town: Town) -> None:
    """By its own loops, nobody calling it."""
    async with town.agent(COUNCIL) as council, town.agent(POLICE) as police:
        await settle(council, police)
        kid = council.gateway.keyring.signing.kid
        running = asyncio.create_task(police.run())
        await rotation.give_up(council.gateway, kid, "revoked")
        await town.tick()
        async with asyncio.timeout(30):
            while police.gateway.partnership.books.find_signer(kid, MASH, town.county.now) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        police.stop()
        await running


async def test_a_new_key_waits_a_day_unless_an_officer_speaks_for_it(town: Town) -> None:
    """To the millisecond, at the hub and at the gateway; with an officer's word at once."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        await settle(council, health)
        fresh = await rotation.rotate_signing(council.gateway)
        await town.tick(COOL_OFF - 1)
        await council.refresh_pass()
        assert council.gateway.keyring.signing.kid != fresh
        await town.tick(1)
        await council.refresh_pass()
        assert council.gateway.keyring.signing.kid == fresh
        assert await asks(council) == 200

        kid, statement = await rotation.state_signing(health.gateway)
        assert kid not in health.gateway.partnership.books.keys
        await town.site.desk.publish_key(statement.encode(), town.county.approve(statement.encode()))
        await town.tick()
        await health.refresh_pass()
        assert health.gateway.keyring.signing.kid == kid
        assert await asks(health) == 200


async def test_an_officer_speaks_for_a_statement_and_no_other(town: Town) -> None:
    """A word for one key doesn't serve for the next; a stranger's serves for none."""
    async with town.agent(HEALTH) as health:
        await settle(health)
        _, statement = await rotation.state_signing(health.gateway)
        county = town.county
        other = county.approve(b"another")
        county.officers[0] = jws.SigningKey.generate()
        for word in (other, county.approve(statement.encode())):
            with pytest.raises(NotAuthenticError) as caught:
                await town.site.desk.publish_key(statement.encode(), word)
            assert caught.value.code == "key-officer"


async def test_a_key_that_is_published_already_is_not_spoken_for(town: Town) -> None:
    """It takes over by itself when its day is over."""
    async with town.agent(HEALTH) as health:
        await settle(health)
        await rotation.rotate_signing(health.gateway)
        with pytest.raises(GatewayError) as caught:
            await rotation.state_signing(health.gateway)
        assert caught.value.code == "key-published"


async def test_an_identity_that_is_not_the_agencys_own_rings_the_alarm(town: Town) -> None:
    """Also where its own is kept elsewhere: the first one that was seen there is what the next is compared with."""
    async with town.agent(HEALTH) as health, town.agent(POLICE) as police:
        entries = parse_directory(town.county.directory()).agencies
        kept, police.gateway.keyring.identity = police.gateway.keyring.identity, None
        await settle(health, police)
        strangers = {agency: jws.SigningKey.generate() for agency in (HEALTH, POLICE)}
        swapped = tuple(
            msgspec.structs.replace(one, identity=as_jwk(strangers[one.id].public.jwk)) if one.id in strangers else one
            for one in entries
        )
        police.gateway.keyring.identity = kept
        await town.site.desk.next_directory(agencies=swapped)
        police.gateway.keyring.identity = None
        await town.tick()
        for agent in (health, police):
            await settle(agent, rounds=1)
            (notice,) = [one for one in read_notices(agent.gateway.home) if one["notice"] == "key-unknown"]
            assert notice["kid"] == strangers[agent.gateway.config.agency].kid


def options(home: Path, **more: Any) -> Namespace:
    """Return a command's options."""
    return Namespace(home=str(home), passphrase_file=None, **more)


async def test_two_gateways_show_the_same_number(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the officers' is the one that the directory's keys give; a swapped identity gives another."""
    async with town.agent(HEALTH) as health, town.agent(POLICE) as police:
        by_home = {str(agent.gateway.home): agent.gateway for agent in (health, police)}

        @asynccontextmanager
        async def opened(home: Path, **_: Any) -> AsyncIterator[Gateway]:
            yield by_home[str(home)]

        monkeypatch.setattr(identity_commands, "open_gateway", opened)
        one = await identity_commands.show_number(options(health.gateway.home, agency=POLICE))
        other = await identity_commands.show_number(options(police.gateway.home, agency=HEALTH))
        assert one["number"] == other["number"]
        assert (one["with"], other["with"]) == (POLICE, HEALTH)
        officers = await identity_commands.show_number(options(health.gateway.home, agency=None))
        own = health.gateway.keyring.identity
        assert own is not None
        county = side_of(PARTNERSHIP, (key.kid for key in town.county.officers), 2)
        assert officers["number"] == safety_number(side_of(HEALTH, [own.kid]), county)
        health.gateway.keyring.identity = jws.SigningKey.generate()
        swapped = await identity_commands.show_number(options(health.gateway.home, agency=POLICE))
        assert swapped["number"] != one["number"]
        assert swapped["own key"] == "held here"
        health.gateway.keyring.identity = None
        kept = await identity_commands.show_number(options(health.gateway.home, agency=POLICE))
        assert (kept["number"], kept["own key"]) == (one["number"], "as the directory has it")
        with pytest.raises(GatewayError) as caught:
            await identity_commands.show_number(options(health.gateway.home, agency="nobody"))
        assert caught.value.code == "agency-unknown"


async def test_what_an_officer_speaks_for_is_written_once(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file for the officer; never over another."""
    async with town.agent(HEALTH) as health:
        await settle(health)

        @asynccontextmanager
        async def opened(_: Path, **__: Any) -> AsyncIterator[Gateway]:
            yield health.gateway

        monkeypatch.setattr(identity_commands, "open_gateway", opened)
        path = town.tmp / "urgent.json"
        said = await identity_commands.rotate_at_once(options(town.tmp, at_once=str(path)))
        (statement,) = json.loads(path.read_bytes())["statements"]
        assert payload_of(statement)["jwk"]["x"] == health.gateway.keyring.next_signing.public.jwk["x"]
        assert said["give to an officer"] == str(path)
        with pytest.raises(GatewayError) as caught:
            await identity_commands.rotate_at_once(options(town.tmp, at_once=str(path)))
        assert caught.value.code == "keys-file"


async def test_an_agency_gets_another_identity(town: Town) -> None:
    """Named by the officers, told by the gateway's own request; mail goes on, for who was there and for who joins later."""
    async with town.agent(HEALTH) as health, town.agent(COUNCIL) as council:
        await settle(health, council)
        old = health.gateway.keyring.identity
        request = await identity.request_identity(health.gateway)
        assert health.gateway.keyring.identity is old
        entries = tuple(
            msgspec.structs.replace(one, identity=as_jwk(request["identity"])) if one.id == HEALTH else one
            for one in parse_directory(town.county.directory()).agencies
        )
        await town.site.desk.next_directory(agencies=entries)
        for statement in request["statements"]:
            await town.site.desk.publish_key(statement.encode(), town.county.approve(statement.encode()))
        await town.tick()
        await settle(health)
        assert health.gateway.keyring.identity.kid == jws.thumbprint(request["identity"])
        assert health.gateway.keyring.next_identity is None
        assert await rotation.rotate_keys(health.gateway, force=True) == 1
        await town.tick()
        send_minutes(town.homes[COUNCIL], "after")
        await settle(council, health)
        assert len(list((town.homes[HEALTH] / "in").glob("*/message.json"))) == 1
        assert [one for one in read_notices(town.homes[HEALTH]) if one["notice"] == "key-unknown"] == []
        async with town.agent(POLICE) as newcomer:
            await newcomer.refresh_pass()
            books = newcomer.gateway.partnership.books
            assert books.sealing_key(NURSES, town.county.now) is not None
            assert books.find_signer(health.gateway.keyring.signing.kid, NURSES, town.county.now) is not None
