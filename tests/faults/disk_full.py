"""A hub whose disk is full: it says 507 and when to come back, still answers questions, and loses nothing it accepted.

The disk is a small filesystem of its own where the system lets us make one (root, Linux), else a quota of the database.

    python -m tests.faults.disk_full --n 20

Source: promises 1 (P1), design 6.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from keys.digests import random_bytes
from schemas.envelope import BATCH_MEDIA_TYPE
from tests.county import COUNCIL, HEALTH, MASH, NURSES, County, Sent
from tests.faults.counts import Tally, run
from tests.faults.house import House, batch, body_of, is_whole, now_ms, read_feed
from tests.web.support import Answer, Api

TITLE: Final = "A disk that is full"
SMALL, LARGE = "7m", "40m"
# More than the disk holds, whatever its size; short bodies lie in the database, long ones in files.
MOST: Final = 600
LENGTHS: Final = (3_000, 40_000, 150_000)
# Most of the disk is filled by something else, as is usual; the rest by envelopes.
QUOTA: Final = 3_000_000
SIGN_INS: Final = 150


class Disk:
    """A place for a hub's home that is small until :meth:`widen`."""

    def __init__(self, folder: Path, *, real: bool) -> None:
        self.folder, self.real = folder, real

    def address(self, *, wide: bool) -> str:
        """Return the database's address: with a quota where the disk itself has none."""
        quota = "" if self.real or wide else f"?max_bytes={QUOTA}"
        return f"sqlite:///{self.folder}/hub.db{quota}"

    def fill_up(self) -> None:
        """Take the last byte that is free, as somebody else's files would."""
        if self.real:
            with contextlib.suppress(OSError), self.ballast.open("ab", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass

    @property
    def ballast(self) -> Path:
        """Return somebody else's file."""
        return self.folder / "ballast"

    def widen(self) -> None:
        """Make room."""
        self.ballast.unlink(missing_ok=True)
        if self.real:
            subprocess.run(["mount", "-o", f"remount,size={LARGE}", str(self.folder)], check=True)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """Give a real small filesystem at *folder* if we may mount one, else a folder and a quota."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL},mode=0700", "tmpfs", str(folder)]
    mounted = False
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):
            mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield Disk(folder, real=mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


async def fill(house: House, council: Api, tally: Tally, accepted: dict[str, tuple[Sent, str]]) -> list[Sent]:
    """Send until nothing more fits; return what was refused for want of room."""
    refused: list[Sent] = []
    for _ in range(MOST):
        length = tally.chance.choice(LENGTHS)
        sent = house.county.seal("minutes.full/1", MASH, [NURSES], documents=(b"{}", random_bytes(length)))
        answer = await council.send(sent)
        if answer.status == 201:
            accepted[sent.id] = (sent, answer.json["acceptance"])
            continue
        _hold_refusal(tally, answer)
        refused.append(sent)
        # Long ones no longer fit first; the disk is full once short ones don't either.
        if sum(len(one.raw) < 10_000 for one in refused) >= 3:
            return refused
    raise RuntimeError("the disk did not fill up")


def _hold_refusal(tally: Tally, answer: Answer) -> None:
    told = answer.status == 507 and answer.headers["Content-Type"] == "application/problem+json"
    good = told and answer.code == "store-full" and int(answer.headers.get("Retry-After", "0")) > 0
    tally.hold("a full disk was not said by 507 with Retry-After", good, (answer.status, answer.body[:200]))


async def read_all(health: Api, council: Api, tally: Tally, accepted: dict[str, tuple[Sent, str]]) -> None:
    """Read everything that was accepted, as its recipient and as its sender."""
    entries = [entry for entry in await read_feed(health, NURSES, 20) if entry["kind"] == "delivery"]
    found = [entry["envelope"] for entry in entries]
    tally.hold_all("an envelope answered 201 is lost", len(accepted), len(set(accepted) - set(found)))
    strangers = [name for name in found if name not in accepted]
    tally.hold_all("an envelope refused for want of room is there", len(found), len(strangers), strangers)
    tally.hold_all("an envelope is there twice", len(found), len(found) - len(set(found)))
    for entry in entries:
        if entry["envelope"] in accepted:
            whole = is_whole(await body_of(health, entry), accepted[entry["envelope"]][0].raw)
            tally.hold("a body has another digest", whole, entry["envelope"])
    for name in list(accepted)[:20]:
        answer = await council.get(f"/v1/envelopes/{name}")
        tally.hold("a full disk keeps somebody from reading", answer.status == 200, answer.status)


async def sign_in_full(api: Api, tally: Tally) -> None:
    """Sign in until whatever room refused writes have left is used up, and on: once for each assertion."""
    for _ in range(SIGN_INS):
        assertion = {"assertion": api.assertion(HEALTH).decode()}
        first = await api.post("/v1/token", assertion)
        tally.hold("a full disk keeps somebody from signing in", first.status == 200, first.body[:200])
    again = await api.post("/v1/token", assertion)
    tally.hold("an assertion works twice on a full disk", again.status == 401, again.body[:200])


async def fill_disks(folder: Path, tally: Tally, n: int) -> None:
    """Fill *n* disks, each under a hub of its own."""
    for number in range(n):
        with small_disk(folder / f"disk-{number}") as disk:
            await _fill_one(disk, folder / f"export-{number}", tally)
            tally.figures["disks"] = number + 1
            tally.figures["the disk is"] = f"a filesystem of {SMALL}" if disk.real else f"a quota of {QUOTA} bytes"


async def _fill_one(disk: Disk, export: Path, tally: Tally) -> None:
    house = House(disk.folder, County(now=now_ms()), database=disk.address(wide=False))
    accepted: dict[str, tuple[Sent, str]] = {}
    await house.found()
    async with house.running():
        async with house.caller() as api:
            council, health = await api.sign_in(COUNCIL), await api.sign_in(HEALTH)
            refused = await fill(house, council, tally, accepted)
            disk.fill_up()
            await read_all(health, council, tally, accepted)
            await sign_in_full(api, tally)
            answer = await council.post("/v1/envelopes", batch(one.raw for one in refused), BATCH_MEDIA_TYPE)
            tally.hold(
                "part of a batch was kept on a full disk", answer.status == 507, (answer.status, answer.body[:200])
            )
            alive = (await api.get("/healthz")).status
            tally.hold("a full disk ends the hub", alive == 200 and house.process.poll() is None, alive)  # type: ignore[union-attr]
        # Killed on a full disk, it must come up again, with room at the latest.
        house.kill()
        disk.widen()
        house.database = disk.address(wide=True)
        house.set_up()
        await house.start()
        async with house.caller() as api:
            council, health = await api.sign_in(COUNCIL), await api.sign_in(HEALTH)
            await read_all(health, council, tally, accepted)
            for sent in refused:
                answer = await council.send(sent)
                tally.hold(
                    "what was refused isn't accepted once there is room", answer.status == 201, answer.body[:200]
                )
                accepted[sent.id] = (sent, answer.json.get("acceptance", ""))
            for sent, acceptance in accepted.values():
                answer = await council.send(sent)
                same = answer.status == 200 and answer.json["acceptance"] == acceptance
                tally.hold("a repeated envelope got another answer", same, answer.body[:200])
            await house.covered(api)
        said = await house.audit(export)
        tally.hold("the log does not verify", said["verified"], said["problems"])
        await house.stop()
    await house.check_store()


async def widen_while_running(folder: Path, tally: Tally, n: int) -> None:
    """Make room under a hub that goes on running: it accepts again by itself."""
    for number in range(n):
        with small_disk(folder / f"wide-{number}") as disk:
            if not disk.real:
                tally.notes.append("Room made under a running hub was not tried: it needs a filesystem of our own.")
                return
            house, accepted = House(disk.folder, County(now=now_ms())), dict[str, tuple[Sent, str]]()
            await house.found()
            async with house.running(), house.caller() as api:
                council, health = await api.sign_in(COUNCIL), await api.sign_in(HEALTH)
                refused = await fill(house, council, tally, accepted)
                disk.fill_up()
                await sign_in_full(api, tally)
                await asyncio.sleep(1.2)  # the hub's own rounds meet the full disk too
                disk.widen()
                for sent in refused:
                    answer = await council.send(sent)
                    tally.hold("a running hub doesn't work again once there is room", answer.status == 201, answer.body)
                    accepted[sent.id] = (sent, "")
                await read_all(health, council, tally, accepted)
                await house.covered(api)
                await asyncio.sleep(1.2)
                note, kept = (await api.get("/v1/audit/checkpoint")).body, (disk.folder / "checkpoint").read_bytes()
                tally.hold("the last checkpoint isn't kept beside the keys", note.startswith(kept), kept[:80])


async def program(folder: Path, tally: Tally, n: int) -> None:
    """Fill *n* disks under hubs that are then killed, and *n* under hubs that go on."""
    await fill_disks(folder, tally, n)
    await widen_while_running(folder, tally, n)


if __name__ == "__main__":
    run("disk_full", TITLE, program, 20)
