"""A hub that shows two logs, or one that it takes back: found out by gateways, and proved by what it signed."""

from __future__ import annotations

from typing import Any

from keys.digests import b64u
from tests.cheating.support import Case, alarms, look, look_for_a_minute, met_with
from tests.county import COUNCIL, HEALTH, NURSES
from tests.gateway.support import settle


def other_agreement(_: int, leaf: dict[str, Any]) -> dict[str, Any] | None:
    """Change the digest of the agreement that the log publishes."""
    return leaf | {"digest": b64u(bytes(32))} if leaf["event"] == "agreement-published" else None


async def test_a_split_view_is_met_with_in_a_receipt_and_proved_by_both(case: Case) -> None:
    """The nurses are shown another log than the council: their receipt carries it, and both checkpoints are the hub's."""
    case.show(await case.fork(other_agreement))
    async with case.town.agent(COUNCIL) as council, case.cheated(HEALTH) as health:
        await settle(health)
        await case.deliver(council, health, "minutes")
        await look(council)
        assert await alarms(council) == {"two-views"}
        # A receipt is the nurses' word; their gateway has what the hub signed.
        assert await case.verdict(council) == {"two-views": False}
        assert (await case.verdict(council, health))["two-logs"] is True


async def test_a_log_that_grows_another_way_proves_itself(case: Case) -> None:
    """One gateway sees both: the log that it cosigned, and a longer one with another beginning."""
    async with case.cheated(COUNCIL) as council:
        await settle(council)
        case.show(await case.fork(other_agreement, b'{"v":1,"at":1,"event":"signed-in"}'))
        assert await look(council) == "log-inconsistent"
        assert await alarms(council) == {"log-inconsistent"}
        assert await case.verdict(council) == {"two-logs": True}


async def test_another_log_of_the_same_size_proves_itself(case: Case) -> None:
    """Two checkpoints over as many leaves need nothing beside them."""
    async with case.cheated(COUNCIL) as council:
        await settle(council)
        case.show(await case.fork(other_agreement))
        assert await look(council) == "log-inconsistent"
        assert await case.verdict(council) == {"two-logs": True}


async def test_a_log_rolled_back_is_met_with_at_once_and_proved_once_it_grows(case: Case) -> None:
    """An old checkpoint again is signed like a new one: what grows from it contradicts what was taken back."""
    before = await case.fork(lambda _i, _l: None)
    async with case.cheated(COUNCIL) as council:
        case.minutes("minutes", NURSES)
        await settle(council)
        await case.town.tick()
        assert await look(council) is None
        case.show(before)
        assert await look(council) == "log-inconsistent"
        assert await alarms(council) == {"log-inconsistent"}
        assert await case.verdict(council) == {"shorter": False}
        seen = council.gateway.witness.seen
        assert seen is not None
        more = [b'{"v":1,"at":%d,"event":"signed-in"}' % number for number in range(seen.size)]
        case.show(await case.fork(lambda index, leaf: None if index < before.head.size else leaf | {"at": 1}, *more))
        assert await look(council) == "log-inconsistent"
        assert (await case.verdict(council))["two-logs"] is True


async def test_a_hub_that_refuses_to_prove_its_log_is_told_of(case: Case) -> None:
    """No answer is no proof: the alarm doesn't wait for the hub's word."""
    async with case.cheated(COUNCIL) as council:
        await settle(council)
        fork = await case.fork(other_agreement, b'{"v":1,"at":1,"event":"signed-in"}')

        async def refuse(request: Any, _: bytes) -> tuple[int, bytes] | None:
            return (404, b"{}") if "/proof/" in request.path or "/tile/" in request.path else None

        case.show(fork)
        case.cheat.answers.insert(0, refuse)
        assert await look(council) == "log-inconsistent"
        assert await alarms(council) == {"log-inconsistent"}
        # Two sizes, and no hashes to lay them together by: the hub's own silence is all that there is.
        assert await case.verdict(council) == {"two-logs": False}


async def test_a_log_that_stands_still_for_one_agency_is_met_with_in_receipts(case: Case) -> None:
    """The council is shown no more than before, while the nurses' receipts carry a longer log."""
    async with case.cheated(COUNCIL) as council, case.town.agent(HEALTH) as health:
        await settle(council, health)
        still = await case.fork(lambda _i, _l: None)
        case.show(still)
        case.minutes("minutes", NURSES)
        await settle(council)
        await case.town.tick()
        await settle(health)
        await council.drain("sampleton-childrens-services/mash")
        await look_for_a_minute(council)
        assert {"shown-less", "not-in-log"} <= await alarms(council)
        assert "not-covered" in await met_with(council)


async def test_an_honest_hub_is_accused_of_nothing(case: Case) -> None:
    """Mail, receipts and a growing log leave nothing in the evidence but checkpoints, which prove nothing."""
    async with case.cheated(COUNCIL) as council, case.cheated(HEALTH) as health:
        case.meeting(NURSES)
        await case.deliver(council, health, "one", "two")
        await settle(council, health)
        for agent in (council, health):
            await look_for_a_minute(agent)
            assert await alarms(agent) == set()
            assert await agent.gateway.spool.all("claims", limit=9) == []
        assert await case.verdict(council, health) == {}
