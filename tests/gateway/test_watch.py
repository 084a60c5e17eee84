"""The gateway's own watch: the alarm that rings while the hub is dark, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import NotYetError
from adapters.gateway import errands
from adapters.gateway.agent import Agent
from tests.county import COUNCIL, DAY, HEALTH, HOUR, MASH, NURSES
from tests.gateway.support import Town, draft, drop, meeting_held, minutes_full, read_notices, settle
from tests.gateway.wire import open_wire


async def hold(town: Town, council: Agent, *others: Agent) -> str:
    """Have the council register a strategy discussion with the nurses; return its thread."""
    home = town.homes[COUNCIL]
    drop(home, "held", draft("meeting.held/1", MASH, message=meeting_held([MASH, NURSES])))
    await settle(council, *others)
    thread: str = json.loads((home / "sent" / "held" / "envelope.json").read_bytes())["thread"]
    return thread


def overdue(home: Path) -> list[dict[str, Any]]:
    """Return the overdue notices in the folder pair at *home*."""
    return [notice for notice in read_notices(home) if notice["notice"] == "overdue"]


async def test_what_is_owed_and_missing_rings_while_the_hub_is_dark(town: Town) -> None:
    """The nurses are owed a decision note and full minutes; nobody sends them, and nobody can ask the hub."""
    async with (
        open_wire(town.site.port) as wire,
        town.agent(COUNCIL) as council,
        town.agent(HEALTH, hub=wire.base) as health,
    ):
        thread = await hold(town, council, health)
        wire.cut()
        town.county.now += 30 * DAY
        assert await health.run_once() > 0
        rung = [one for one in overdue(town.homes[HEALTH]) if one["type"] in {"minutes.full", "minutes.decisions"}]
        assert {one["type"] for one in rung} == {"minutes.full", "minutes.decisions"}
        assert {(one["source"], one["debtor"], one["creditor"]) for one in rung} == {("gateway", MASH, NURSES)}
        assert {one["thread"] for one in rung} == {thread}


async def test_one_alarm_is_shown_once_whoever_rings_first(town: Town) -> None:
    """The hub's notice about what the gateway has rung for already is not shown again; nor the other way round."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        await hold(town, council, health)
        town.county.now += 30 * DAY
        await health.watch_pass()
        await health.file_pass()
        first = overdue(town.homes[HEALTH])
        assert first
        assert {notice["source"] for notice in first} == {"gateway"}
        await town.tick()
        await settle(council, health)
        for home in (town.homes[HEALTH], town.homes[COUNCIL]):
            shown = [
                (notice["obligation"], notice["step"], notice["mailbox"])
                for notice in read_notices(home)
                if "obligation" in notice and "step" in notice
            ]
            assert len(shown) == len(set(shown)) > 0
        assert {notice["source"] for notice in overdue(town.homes[COUNCIL])} == {"hub"}


async def test_hub_and_watch_agree_on_every_obligation(town: Town) -> None:
    """Same ids, same due moments, same states, on both sides of a discussion."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        thread = await hold(town, council, health)
        message = minutes_full([MASH, NURSES])
        drop(town.homes[COUNCIL], "full", draft("minutes.full/1", MASH, message=message, thread=thread))
        await settle(council, health)
        await settle(council, health)
        rows = await town.site.hub.store.read(lambda tx: tx.thread_obligations(thread))
        hub = {row.id: (row.state, row.duty.due, [step.at for step in row.duty.steps]) for row in rows}
        for agent in (council, health):
            mine = await agent.gateway.spool.all("list_obligations")
            found = {}
            for row in mine:
                duty = json.loads(bytes(row["duty"]))
                found[row["id"]] = (row["state"], duty["due"], [step["at"] for step in duty.get("steps", [])])
            assert found == hub


async def test_minutes_that_came_before_the_meeting_was_registered_count(town: Town) -> None:
    """The duty is met as it opens, at the hub and at the gateway."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        message = minutes_full([MASH, NURSES])
        drop(town.homes[COUNCIL], "full", draft("minutes.full/1", MASH, message=message))
        await settle(council, health)
        thread = json.loads((town.homes[COUNCIL] / "sent" / "full" / "envelope.json").read_bytes())["thread"]
        held = draft("meeting.held/1", MASH, message=meeting_held([MASH, NURSES]), thread=thread)
        drop(town.homes[COUNCIL], "held", held)
        await settle(council, health)
        duties = await town.site.desk.duties(thread)
        assert duties["full-minutes", MASH, NURSES] == "met"
        rows = await health.gateway.spool.all("list_obligations")
        states = {json.loads(bytes(row["duty"]))["rule"]: row["state"] for row in rows}
        assert states["full-minutes"] == "met"


async def test_a_waiver_ends_the_alarm(town: Town) -> None:
    """What the council sent by other means, confirmed by a person, is owed no more, and both sides know."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        thread = await hold(town, council, health)
        rows = await town.site.desk.rows(thread)
        name = rows["decision-note", MASH, NURSES].id
        await errands.ask_waiver(
            council.gateway, name, "met_elsewhere", mailbox=MASH, reason="handed_over",
            by=errands.Confirmed("Morgan Sample", "chair"), second=errands.Confirmed("Robin Sample", "named_nurse"),
        )  # fmt: skip
        await settle(council, health)
        for agent in (council, health):
            row = await agent.gateway.spool.one("find_obligation", id=name)
            assert row is not None
            assert row["state"] == "met_elsewhere"
        assert (await town.site.desk.duties(thread))["decision-note", MASH, NURSES] == "met_elsewhere"


async def test_only_the_agencys_own_duties_are_watched(town: Town) -> None:
    """What others owe each other is theirs to watch."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        drop(
            town.homes[COUNCIL],
            "held",
            draft(
                "meeting.held/1", MASH, message=meeting_held([MASH, NURSES, "exampleshire-probation/safeguarding-desk"])
            ),
        )
        await settle(council, health)
        rows = await health.gateway.spool.all("list_obligations")
        assert rows
        for row in rows:
            duty = json.loads(bytes(row["duty"]))
            assert HEALTH in (duty["debtor"].partition("/")[0], duty["creditor"].partition("/")[0])


async def test_a_clock_that_steps_back_takes_no_step_twice(town: Town) -> None:
    """Steps that were taken stay taken."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        await hold(town, council, health)
        town.county.now += 30 * DAY
        await health.watch_pass()
        await health.file_pass()
        before = len(read_notices(town.homes[HEALTH]))
        town.county.now -= 2 * HOUR
        await health.watch_pass()
        town.county.now += 2 * HOUR
        await health.watch_pass()
        await health.file_pass()
        assert len(read_notices(town.homes[HEALTH])) == before


async def test_the_watch_survives_a_restart_without_the_hub(town: Town) -> None:
    """A gateway that starts while the hub is dark knows from its spool what it is owed."""
    async with open_wire(town.site.port) as wire, town.agent(COUNCIL) as council:
        async with town.agent(HEALTH, hub=wire.base) as health:
            await hold(town, council, health)
        wire.cut()
        town.county.now += 30 * DAY
        async with town.agent(HEALTH, hub=wire.base) as health:
            await health.run_once()
        assert {notice["source"] for notice in overdue(town.homes[HEALTH])} == {"gateway"}


async def test_without_any_directory_there_is_nothing_to_watch(town: Town) -> None:
    """A gateway that has never reached its hub says so, and rings for nothing."""
    async with open_wire(town.site.port) as wire:
        wire.dark = True
        async with town.agent(HEALTH, hub=wire.base) as health:
            await health.run_once()
            with pytest.raises(NotYetError) as caught:
                _ = health.gateway.partnership.books
            assert caught.value.code == "directory-missing"
            assert read_notices(town.homes[HEALTH]) == []
