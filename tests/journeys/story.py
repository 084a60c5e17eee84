"""The same story for every pair of systems: given twice, down for days, answered wrongly once, cut off after filing; filed once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.base import Filed, Later
from adapters.gateway.agent import Agent
from adapters.gateway.filing import read_content
from tests.county import DAY
from tests.gateway.support import Town
from tests.journeys.systems import Meshed, System, running


@dataclass(frozen=True)
class End:
    """One agency: its gateway, its system, and the mailbox that the story is about."""

    agent: Agent
    system: System
    box: str


@asynccontextmanager
async def two_ends(
    town: Town, tmp_path: Path, one: tuple[Callable[[Path], Any], str], other: tuple[Callable[[Path], Any], str]
) -> AsyncIterator[tuple[End, End]]:
    """Give two agencies, each by its kind of system and its mailbox."""
    async with (
        running(one[0], tmp_path / "one") as first,
        running(other[0], tmp_path / "other") as second,
        town.agent(one[1].partition("/")[0], system=(first.name, first.adapter)) as here,
        town.agent(other[1].partition("/")[0], system=(second.name, second.adapter)) as there,
    ):
        yield End(here, first, one[1]), End(there, second, other[1])


async def look(*ends: End, rounds: int = 2) -> None:
    """Have each gateway do everything, whatever pause it had promised itself."""
    for _ in range(rounds):
        for end in ends:
            end.agent.gateway.pacer._failures.clear()
            assert await end.agent.run_once() == 0
            await _work(end.system)


async def _work(system: System) -> None:
    """Have a system do its part, where it answers by itself and later."""
    if isinstance(system, Meshed):
        await system.work()


async def levels(town: Town, envelope: str) -> list[str]:
    """Return the levels of the receipts of *envelope*, in the order of the hub's log."""
    leaves = await town.site.desk.leaves("receipt-accepted")
    return [leaf["level"] for leaf in leaves if leaf["envelope"] == envelope]


async def steps(town: Town, thread: str) -> list[str]:
    """Return what the hub told of the duties of *thread*, in the order of its log."""
    return [leaf["outcome"] for leaf in await town.site.desk.leaves("step-taken") if leaf["thread"] == thread]


async def carry(town: Town, giver: End, taker: End, draft: Mapping[str, Any], kind: str) -> tuple[str, str]:
    """Have *draft* reach the taker's system through everything; return the envelope and its thread.

    The receipt is never ahead: after each step the log says what is true then.
    """
    sent = len(await town.site.desk.leaves("envelope-accepted"))
    before, told = taker.system.filed(), giver.system.told().count("overdue")
    await taker.system.stop()
    for _ in range(2):
        await giver.system.say(draft)
        await look(giver, taker)
    (leaf,) = (await town.site.desk.leaves("envelope-accepted"))[sent:]
    envelope, thread = leaf["envelope"], leaf["thread"]
    assert leaf["type"] == kind
    assert await levels(town, envelope) == ["collected"]

    for _ in range(3):
        await town.tick(DAY)
        await look(giver, taker)
    assert await levels(town, envelope) == ["collected"]
    assert "overdue" in await steps(town, thread)
    if giver.system.name != "hl7":
        assert giver.system.told().count("overdue") > told

    await taker.system.start()
    taker.system.mislead()
    await look(taker, rounds=1)
    assert await levels(town, envelope) == ["collected"]
    taker.system.mend()
    assert taker.system.filed() == before

    # Killed between filing and saying so.
    row = await taker.agent.gateway.spool.one("find_incoming", envelope=envelope, mailbox=taker.box)
    assert row is not None
    message = read_content(taker.agent.gateway, row)
    outcome = await taker.system.adapter.file(message)
    if isinstance(outcome, Later):
        await _work(taker.system)
        outcome = await taker.system.adapter.file(message)
    assert isinstance(outcome, Filed)
    assert await levels(town, envelope) == ["collected"]

    await look(taker, giver)
    assert await levels(town, envelope) == ["collected", "filed"]
    new = taker.system.filed()
    for one in before:
        new.remove(one)
    assert new == [message.message]
    heard = await giver.agent.gateway.spool.all("heard_of", envelope=envelope)
    assert [(one["mailbox"], one["level"]) for one in heard] == [(taker.box, "collected"), (taker.box, "filed")]
    return envelope, thread
