"""Legal holds at the agencies: what the hub's notice says is held stays in the spool, and is destroyed by nobody."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.errors import GatewayError
from adapters.gateway import errands, holds, negatives
from adapters.gateway.agent import Agent
from hub.holds import Place, Release
from keys.digests import new_id
from schemas.envelope import DAY
from tests.county import COUNCIL, HEALTH, NURSES, PROBATION, Desk
from tests.gateway.support import Town, read_notices, settle
from tests.gateway.test_journey import send_minutes, sent
from tests.gateway.test_negatives import END, answer
from tests.hub.governing import agree


def _desk(town: Town) -> Desk:
    return Desk(town.county, town.site.hub.store, town.site.hub.registry)


async def _hold(town: Town, thread: str, envelope: str | None = None) -> str:
    name = await agree(_desk(town), "hold-place", Place(thread=thread, envelope=envelope), "complaint")
    await town.tick()
    return name


async def _release(town: Town, name: str) -> None:
    await agree(_desk(town), "hold-release", Release(hold=name), "matter_closed")
    await town.tick()


async def _row(agent: Agent, envelope: str) -> Any:
    row = await agent.gateway.spool.one("find_incoming", envelope=envelope, mailbox=NURSES)
    assert row is not None
    return row


async def test_what_is_held_is_not_swept(town: Town) -> None:
    """Content stays at both sides past its days, and goes after the release."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council, health)
        note = sent(town.homes[COUNCIL], "minutes")
        name = await _hold(town, note["thread"])
        await settle(council, health)
        assert "hold-placed" in [one["notice"] for one in read_notices(town.homes[HEALTH])]
        town.county.now += 60 * DAY
        await errands.sweep(health.gateway)
        assert (await _row(health, note["id"]))["content"] is not None
        await _release(town, name)
        await settle(council, health)
        await errands.sweep(health.gateway)
        assert (await _row(health, note["id"]))["content"] is None


async def test_what_is_held_is_destroyed_only_after_the_release(town: Town) -> None:
    """The sender takes it back; the recipient's gateway keeps what it collected until the hold ends, then destroys it."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council)
        await health.refresh_pass()
        await health.drain(NURSES)
        await health.receipt_pass()
        note = sent(town.homes[COUNCIL], "minutes")
        name = await _hold(town, note["thread"], note["id"])
        await health.drain(NURSES)
        await errands.ask_withdrawal(council.gateway, note["id"], "misdirected")
        await settle(council)
        await health.drain(NURSES)
        row = await _row(health, note["id"])
        assert row["content"] is not None
        with pytest.raises(GatewayError) as caught:
            await health.gateway.spool.write(lambda tx: holds.check_free(tx, row))
        assert caught.value.code == "held"
        await _release(town, name)
        await health.drain(NURSES)
        row = await _row(health, note["id"])
        assert (row["state"], row["content"]) == ("destroyed", None)


async def test_what_was_taken_back_before_its_receipt_arrived_waits_for_the_release(town: Town) -> None:
    """The hub asks nobody to destroy what it thinks nobody has: the gateway keeps it back, and lets it go itself."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council)
        await health.refresh_pass()
        await health.drain(NURSES)
        note = sent(town.homes[COUNCIL], "minutes")
        name = await _hold(town, note["thread"])
        await errands.ask_withdrawal(council.gateway, note["id"], "misdirected")
        await settle(council)
        await health.drain(NURSES)
        await health.receipt_pass()
        assert (await _row(health, note["id"]))["content"] is not None
        await _release(town, name)
        await health.drain(NURSES)
        row = await _row(health, note["id"])
        assert (row["state"], row["content"]) == ("destroyed", None)


async def test_a_negative_outlives_its_day_under_a_hold(town: Town) -> None:
    """What the catalogue says is deleted is not, at either side, while the hold stands."""
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        envelope = await answer(town, probation, council)
        thread = (await council.gateway.spool.all("find_for_any", envelope=envelope))[0]["thread"]
        name = await _hold(town, thread)
        await settle(council, probation)
        town.county.now = END + DAY
        assert await negatives.delete_due(council.gateway) == await negatives.delete_due(probation.gateway) == 0
        assert (town.homes[COUNCIL] / "in" / envelope).exists()
        await _release(town, name)
        await settle(council, probation, rounds=1)
        assert not (town.homes[COUNCIL] / "in" / envelope).exists()


async def test_the_end_of_an_unknown_hold_changes_nothing(town: Town) -> None:
    """Repeats and what was never heard of are harmless."""
    async with town.agent(HEALTH) as health:
        thread = new_id(town.county.now)
        assert not await health.gateway.spool.write(lambda tx: holds.is_held(tx, thread, new_id(town.county.now)))
