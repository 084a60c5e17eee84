"""A gateway whose adapter dies of a message: an alarm, an open duty, and everything else filed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.base import Filed, Held, Incoming, Later, NeedsPerson, Outcome, Outgoing
from adapters.conformance import sample_incoming
from adapters.gateway import failing, filing, outgoing
from adapters.hosting.host import HostedAdapter
from adapters.plugins import load_adapters
from tests.adapters.plugin_support import install
from tests.county import COUNCIL, HEALTH, MASH, NURSES
from tests.gateway.support import Town, draft, drop, minutes_full, settle

MORTAL = """
    import os
    from adapters.base import Filed, Manifest

    class Plugin:
        manifest = Manifest(name="mortal", title="Mortal", transports=("none",))

        @classmethod
        def configure(cls, options, home):
            return cls()

        async def collect(self):
            for one in ():
                yield one

        async def file(self, message):
            if message.type == "minutes.full/1":
                os._exit(9)
            return Filed(record=message.envelope)
"""


async def test_a_message_that_kills_is_set_aside_with_an_alarm(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three deaths the minutes wait for a person, unfiled and unreceipted beyond `collected`; the notice names them, not what they say."""
    install(tmp_path, monkeypatch, "mortal", MORTAL)
    mortal = load_adapters({"mortal": {}}, tmp_path)["mortal"]
    async with town.agent(COUNCIL) as council:
        drop(town.homes[COUNCIL], "minutes", draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES])))
        await settle(council)
    async with town.agent(HEALTH) as health:
        health.gateway.adapters["folder"] = mortal  # type: ignore[index]
        await settle(health, rounds=1)
        (row,) = await health.gateway.spool.all("list_incoming")
        async with asyncio.timeout(30):
            while row["state"] == "collected":
                await asyncio.sleep(0.1)
                health.gateway.pacer.worked(f"file {row['envelope']} {row['mailbox']}")
                await filing.file_collected(health.gateway)
                (row,) = await health.gateway.spool.all("list_incoming")
        await failing.tell(health.gateway)
        assert (row["state"], row["code"]) == ("waiting-person", "adapter-poison")
        receipts = await health.gateway.spool.all("receipts_of", envelope=row["envelope"], mailbox=row["mailbox"])
        assert [one["level"] for one in receipts] == ["collected"]
        notices = {one["code"]: one for one in await health.gateway.spool.all("untold_notices", limit=100)}
        details = bytes(notices["adapter-failing"]["details"])
        assert row["envelope"].encode() in details
        assert b"Zebulon" not in details
        assert "needs-person" in notices
        assert await mortal.file(sample_incoming(type="flag.set/1")) in {
            Later(reason="adapter-restarting"),
            Filed(record=sample_incoming().envelope),
        }
        await mortal.close()


class ReadingBack:
    """An adapter whose system says what stands there."""

    def __init__(self, held: Held | None) -> None:
        self.held = held

    async def collect(self) -> AsyncIterator[Outgoing]:
        """Want to send nothing."""
        return
        yield

    async def file(self, message: Incoming) -> Outcome:
        """Say that it is filed."""
        return Filed(record="F-1")

    async def read_back(self, record: str) -> Held | None:
        """Return what stands there."""
        return self.held


@pytest.mark.parametrize(
    ("held", "state"),
    [
        (Held(record="F-1", members={"/participants/*/name": []}), "waiting-person"),
        (Held(record="F-1", members={}), "filed"),
        (Held(record="F-1", members={"/minutes_status": "never said"}), "waiting-person"),
        (Held(record="F-1", ended=True), "waiting-person"),
        (None, "collected"),
    ],
)
async def test_filed_is_signed_only_for_what_stands_there(town: Town, held: Held | None, state: str) -> None:
    """What the system doesn't hold is asked again; what stands there otherwise, or was taken down, is for a person."""
    async with town.agent(COUNCIL) as council:
        drop(town.homes[COUNCIL], "minutes", draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES])))
        await settle(council)
    async with town.agent(HEALTH) as health:
        health.gateway.adapters["folder"] = ReadingBack(held)  # type: ignore[index]
        await settle(health, rounds=1)
        (row,) = await health.gateway.spool.all("list_incoming")
        assert row["state"] == state
        receipts = await health.gateway.spool.all("receipts_of", envelope=row["envelope"], mailbox=row["mailbox"])
        assert ("filed" in [one["level"] for one in receipts]) == (state == "filed")


def test_what_was_destroyed_must_be_gone() -> None:
    """`destroyed` isn't signed while the record still stands."""
    message, gone = sample_incoming(), Filed(record="F-1", mode="destroyed")
    assert filing._hold_to_record(gone, message, None) == gone
    assert filing._hold_to_record(gone, message, Held(record="F-1")) == NeedsPerson(code="record-stands")


async def test_an_adapter_that_cannot_work_stops_the_start(town: Town, tmp_path: Path) -> None:
    """Its options are looked at when the gateway starts, not with the first message."""
    wrong = load_adapters({"folder": {"paht": "x"}}, tmp_path)["folder"]
    assert isinstance(wrong, HostedAdapter)
    async with town.agent(HEALTH) as health:
        health.gateway.adapters["folder"] = wrong  # type: ignore[index]
        with pytest.raises(ValueError, match="paht"):
            await failing.start(health.gateway)
    await wrong.close()


class Unread:
    """An adapter whose system can't be asked for what waits, until it can."""

    def __init__(self) -> None:
        self.away = True

    async def collect(self) -> AsyncIterator[Outgoing]:
        """Say nothing, or that it is away."""
        if self.away:
            raise ConnectionError("Zebulon")
        for one in ():
            yield one

    async def file(self, message: Incoming) -> Outcome:
        """File it."""
        return Filed(record=message.envelope)


async def test_a_system_that_cannot_say_for_long_what_waits_is_an_alarm_once(town: Town) -> None:
    """After a quarter of an hour, once for each outage, whatever the gateway is restarted meanwhile; with nothing of what it said."""

    async def look(system: Unread, minutes: int) -> list[dict[str, Any]]:
        town.county.now += minutes * 60_000
        async with town.agent(COUNCIL) as council:
            council.gateway.adapters["folder"] = system  # type: ignore[index]
            assert await outgoing.collect(council.gateway) == 0
            rows = await council.gateway.spool.all("untold_notices", limit=100)
            return [msgspec.json.decode(bytes(row["details"])) for row in rows if row["code"] == "adapter-failing"]

    system = Unread()
    assert await look(system, 0) == await look(system, 14) == []
    (said,) = await look(system, 1)
    assert said == {"adapter": "folder", "reason": "outbox-unread", "since": town.county.now - 15 * 60_000}
    assert await look(system, 600) == [said]
    system.away = False
    assert await look(system, 1) == [said]
    system.away = True
    assert await look(system, 1) == await look(system, 14) == [said]
    assert len(await look(system, 1)) == 2
