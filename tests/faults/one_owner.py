"""Who may serve a database: one process on SQLite, never one that was put back; several at once on PostgreSQL.

    python -m tests.faults.one_owner --n 500

Source: promises 1 (P13), 3; design 6.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from keys.digests import random_bytes
from tests.county import COUNCIL, HEALTH, MASH, NURSES, OFFICERS, County, Sent
from tests.faults.counts import Tally, run
from tests.faults.house import House, now_ms, read_feed, run_command
from tests.postgres import UnavailableError, running_server
from tests.web.support import Api

TITLE: Final = "Two processes, and a database that was put back"
POLLS: Final = 12
BOXES: Final = (NURSES, OFFICERS)
SENDERS_EACH: Final = 4


def seal(county: County) -> Sent:
    """Return a new envelope of the council's."""
    county.now = now_ms()
    return county.seal("minutes.full/1", MASH, BOXES, documents=(b"{}", random_bytes(2000)))


async def guard_sqlite(folder: Path, tally: Tally) -> None:
    """Start a second hub beside the first, then one on a database that was put back, then one on the right one."""
    house = House(folder / "hub", County(now=now_ms()))
    await house.found()
    early, late = folder / "early.db", folder / "late"
    async with house.running(), house.caller() as api:
        council = await api.sign_in(COUNCIL)
        tally.hold("the hub doesn't accept", (await council.send(seal(house.county))).status == 201)
        done = await asyncio.to_thread(run_command, "backup", early, "--config", house.config)
        tally.hold("a running hub can't be backed up", done.returncode == 0, done.stderr)
        status, said = await house.serve_until_it_ends()
        named = "another process has the database" in said and "hint:" in said
        tally.hold("a second process on one database was not refused", status != 0 and named, said)
        tally.hold("the first process minds the second", (await council.send(seal(house.county))).status == 201)
        await house.covered(api)
        await asyncio.sleep(0.2)
    files = [house.folder / f"hub.db{end}" for end in ("", "-wal", "-shm")]
    late.mkdir()
    for file in files:
        if file.exists():
            shutil.move(file, late / file.name)
    shutil.copy(early, files[0])
    status, said = await house.serve_until_it_ends()
    refused = status != 0 and "doesn't hold the last checkpoint" in said
    tally.hold("a database from before the last checkpoint was served", refused, said)
    files[0].unlink()
    status, said = await house.serve_until_it_ends()
    tally.hold("a database that is gone was replaced by an empty one", status != 0, said)
    for file in files:
        file.unlink(missing_ok=True)
        if (late / file.name).exists():
            shutil.move(late / file.name, file)
    async with house.running(), house.caller() as api:
        council = await api.sign_in(COUNCIL)
        tally.hold("the right database was not served again", (await council.send(seal(house.county))).status == 201)
        await house.covered(api)
    await house.check_store()


async def _send_through(house: House, api: Api, tally: Tally, count: int) -> list[Sent]:
    sent = []
    for _ in range(count):
        one = seal(house.county)
        answer = await api.send(one)
        tally.hold("one of two hubs doesn't accept", answer.status == 201, answer.body[:200])
        sent.append(one)
    return sent


async def share_postgres(folder: Path, tally: Tally, n: int, url: str) -> None:
    """Send *n* envelopes through each of two hubs at once, and wait at one for what the other accepts."""
    county = County(now=now_ms())
    one, two = (House(folder / name, county, database=url) for name in ("one", "two"))
    await one.found()
    two.set_up()
    async with AsyncExitStack() as stack:
        for house in (one, two):
            await stack.enter_async_context(house.running())
        apis = [await stack.enter_async_context(house.caller()) for house in (one, two)]
        councils = [await api.sign_in(COUNCIL) for api in apis]
        nurses = [await api.sign_in(HEALTH) for api in apis]
        each = -(-n // SENDERS_EACH)
        work = [
            _send_through(house, api, tally, each)
            for house, api in zip((one, two), councils, strict=True)
            for _ in range(SENDERS_EACH)
        ]
        sent = [one for some in await asyncio.gather(*work) for one in some]
        await _repeat_elsewhere(councils, sent[:20], tally)
        feeds = [await read_feed(api, NURSES) for api in nurses]
        numbers = [entry["seq"] for entry in feeds[0]]
        tally.hold("a mailbox's numbers have a gap", numbers == list(range(1, len(numbers) + 1)), numbers[:50])
        tally.hold("two hubs show two feeds", feeds[0] == feeds[1])
        names = sorted(entry["envelope"] for entry in feeds[0] if entry["kind"] == "delivery")
        tally.hold("a delivery is missing or doubled", names == sorted(one.id for one in sent), len(names))
        waits = [
            await _wake(one, nurses[0], councils[1], len(numbers) + i, tally) for i in range(min(POLLS, max(2, n // 4)))
        ]
        tally.figures["woken by the other hub, median s"] = round(statistics.median(waits), 2)
        tally.figures["woken by the other hub, longest s"] = round(max(waits), 2)
        await one.covered(apis[0])
        said = await one.audit(folder / "export")
        tally.hold("the log does not verify", said["verified"], said["problems"])
        tally.figures["leaves of two hubs"] = said["size"]
    await one.check_store()


async def _repeat_elsewhere(councils: list[Api], sent: list[Sent], tally: Tally) -> None:
    for envelope in sent:
        answers = [await api.send(envelope) for api in councils]
        same = {answer.status for answer in answers} == {200} and answers[0].body == answers[1].body
        tally.hold("two hubs answer a repeat differently", same, [answer.body[:80] for answer in answers])


async def _wake(house: House, waiting: Api, sending: Api, after: int, tally: Tally) -> float:
    """Wait at one hub for what is sent through the other; return the seconds from its acceptance."""
    poll = asyncio.create_task(waiting.get(f"/v1/mailboxes/{NURSES}/feed?after={after}&wait=20"))
    await asyncio.sleep(tally.chance.uniform(0.05, 0.3))
    answer = await sending.send(seal(house.county))
    accepted = time.monotonic()
    entries = (await poll).json["entries"]
    seconds = time.monotonic() - accepted
    tally.hold("a wait at one hub misses what the other accepts", answer.status == 201 and len(entries) == 1, entries)
    return seconds


async def program(folder: Path, tally: Tally, n: int) -> None:
    """Guard one database on SQLite, share one on PostgreSQL."""
    await guard_sqlite(folder, tally)
    try:
        with running_server() as server, server.database() as url:
            await share_postgres(folder / "shared", tally, n, url)
    except UnavailableError as error:
        tally.notes.append(f"PostgreSQL was not tried: {error}")


if __name__ == "__main__":
    run("one_owner", TITLE, program, 500)
