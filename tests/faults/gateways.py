"""Gateways that are killed, restored, cut off, and overtaken by time: nothing is lost, nothing filed twice.

    python -m tests.faults.gateways --n 300

Source: promises 1 (P13); protocol 2, 3 and 6.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from pathlib import Path
from typing import Final

from adapters.gateway.keystore import load_keyring
from hub.store.base import open_store
from tests.county import DAY, MASH, NURSES, Desk
from tests.faults.counts import Tally, run
from tests.faults.village import Village, open_village, until
from tests.gateway.support import PASSPHRASE, draft, minutes_full

TITLE: Final = "Gateways killed, restored and cut off"
EACH: Final = 2
AWAY: Final = 20.0


class Story:
    """What happens to one village; ``names`` are the drafts that must be filed once."""

    def __init__(self, village: Village, tally: Tally) -> None:
        self.village, self.tally = village, tally
        self.names: list[str] = []
        self.ids: dict[str, str] = {}
        self.never: set[str] = set()

    def write(self, count: int = EACH) -> list[str]:
        """Drop *count* minutes for the nurses; return their names."""
        names = [f"minutes-{len(self.names) + place:04}" for place in range(count)]
        for name in names:
            self.village.council.drop(name, draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES])))
        self.names += names
        return names

    async def all_filed(self, why: str) -> None:
        """Wait until every draft that shall be is in the nurses' record system."""
        council, health = self.village.council, self.village.health

        def done() -> bool:
            for name in self.names:
                if name not in self.ids and (note := council.sent(name)):
                    self.ids[name] = note["id"]
            return len(self.ids) == len(self.names) and set(self.ids.values()) - self.never <= health.filed().keys()

        good = await until(done)
        missing = [name for name in self.names if self.ids.get(name) not in health.filed()]
        self.tally.hold(f"something is not filed after {why}", good, (missing, health.log.read_text()[-1500:]))

    async def kills(self, n: int) -> None:
        """Kill one of the two gateways *n* times, at each of the moments in turn."""
        council, health, trap = self.village.council, self.village.health, self.village.trap
        moments = (
            ("after collecting, before its receipt", health, b"/v1/receipts", False),
            ("after filing, before its receipt", health, b"/v1/receipts", False),
            ("after a receipt whose answer is lost", health, b"/v1/receipts", True),
            ("before its envelope is sent", council, b"POST /v1/envelopes", False),
            ("after its envelope was accepted, the answer lost", council, b"POST /v1/envelopes", True),
            ("while a feed comes", health, b"/feed", True),
        )
        for place in range(n):
            why, victim, match, answered = moments[place % len(moments)]
            before = set(health.filed())
            # A receipt leaves after filing, too: where the trap waits for one, something new must be filed.
            fresh = (lambda before=before: set(health.filed()) != before) if "after filing" in why else (lambda: True)
            trap.set(victim, match, answered=answered, holds=fresh)
            self.write()
            sprung = await until(trap.sprung.is_set)
            self.tally.hold("a trap did not spring", sprung, why)
            victim.start()
            await self.all_filed(f"a kill {why}")

    async def restore(self) -> None:
        """Put the nurses' gateway back to an older backup of its home; the record system isn't the gateway's."""
        health = self.village.health
        await health.stop()
        backup = health.home.with_name("backup")
        shutil.copytree(health.home, backup, ignore=shutil.ignore_patterns("in"))
        health.start()
        self.write(3)
        await self.all_filed("a start after a backup")
        await self.receipts_done()
        before = health.filed()
        health.kill()
        for path in health.home.iterdir():
            if path.name != "in":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(backup, health.home, dirs_exist_ok=True)
        health.start()
        self.write(1)
        await self.all_filed("a restore from an older backup")
        await self.receipts_done()
        after = health.filed()
        again = [name for name, written in before.items() if after.get(name) != written]
        self.tally.hold_all("something is filed twice after a restore", len(before), len(again), again)

    async def outage(self) -> None:
        """Kill the hub, let drafts queue, change the agreement meanwhile, and start the hub again."""
        village = self.village
        council, house = village.council, village.house
        house.kill()
        names = self.write(3)
        queued = await until(lambda: all(council.sent(name) for name in names))
        self.tally.hold("a draft doesn't queue while the hub is away", queued, council.log.read_text()[-1500:])
        store = await asyncio.to_thread(open_store, house.url)
        try:
            await Desk(village.county, store, None).next_agreement(refresh=False)  # type: ignore[arg-type]
        finally:
            await store.close()
        await house.start()
        await self.all_filed("an outage with a new agreement")
        refused = {
            leaf["envelope"]
            for leaf in await village.leaves("envelope-refused")
            if leaf["outcome"] == "agreement-outdated"
        }
        made_again = {self.ids[name] for name in names} & refused
        self.tally.hold_all(
            "what was sealed under the old agreement was not made again", 3, 3 - len(made_again), refused
        )

    async def withdraw(self) -> None:
        """Take back one before its collection and one after it was filed."""
        council, health = self.village.council, self.village.health
        await health.stop()
        (early,) = self.write(1)
        sent = await until(lambda: council.sent(early))
        identity = self.ids[early] = (council.sent(early) or {})["id"]
        accepted = sent and await self._logged("envelope-accepted", identity)
        self.tally.hold("an envelope is not accepted", accepted, early)
        self.never.add(identity)
        await council.command("withdraw", identity, "--reason", "misdirected")
        self.tally.hold("a withdrawal does not arrive", await self._logged("withdrawal-recorded", identity), early)
        health.start()
        (late,) = self.write(1)
        await self.all_filed("a withdrawal before collection")
        self.tally.hold("what was withdrawn before collection was filed", identity not in health.filed(), early)
        identity = self.ids[late]
        await council.command("withdraw", identity, "--reason", "misdirected")
        told = await until(
            lambda: (
                {"destruction-asked"}
                <= {note["notice"] for note in health.notices() if note.get("envelope") == identity}
            )
        )
        self.tally.hold("who has filed is not asked to destroy what was withdrawn", told, health.notices()[-3:])

    async def reseal(self) -> None:
        """Let the nurses' sealing key come to its end while mail lies uncollected under it."""
        village = self.village
        council, health = village.council, village.health
        await self.receipts_done()
        await health.stop()
        old = set(load_keyring(health.home, PASSPHRASE).opening_keys)
        (name,) = self.write(1)
        await until(lambda: council.sent(name))
        identity = self.ids[name] = (council.sent(name) or {})["id"]
        self.tally.hold("an envelope is not accepted", await self._logged("envelope-accepted", identity), name)
        village.pass_time(31 * DAY)
        await health.command("keys", "rotate")
        for _ in range(8):
            village.pass_time(DAY)
            await asyncio.sleep(0.2)
        self.tally.hold("nobody seals again before a key ends", await self._logged("wraps-replaced", identity), name)
        village.pass_time(6 * DAY)
        health.start()
        await self.all_filed("a sealing key's end before collection")
        gone = await until(lambda: not old & set(load_keyring(health.home, PASSPHRASE).opening_keys))
        self.tally.hold("a sealing key outlives its 44 days and the reading of all feeds", gone)

    async def _logged(self, event: str, envelope: str) -> bool:
        for _ in range(int(AWAY / 0.5)):
            if any(leaf.get("envelope") == envelope for leaf in await self.village.leaves(event)):
                return True
            await asyncio.sleep(0.2)
        return False

    async def receipts_done(self) -> None:
        """Wait until each filed envelope's receipt is in the log."""
        wanted = set(self.village.health.filed())
        for _ in range(int(AWAY / 0.5)):
            leaves = await self.village.leaves("receipt-accepted")
            if wanted <= {leaf["envelope"] for leaf in leaves if leaf["level"] == "filed"}:
                break
            await asyncio.sleep(0.2)
        else:
            self.tally.hold("a receipt is missing", good=False, example=len(wanted))

    async def hold_log(self) -> None:
        """Hold the log to it: each draft accepted once, each level of each receipt once, but for what a restore repeats."""
        accepted = Counter(leaf["envelope"] for leaf in await self.village.leaves("envelope-accepted"))
        wanted = set(self.ids.values())
        self.tally.hold_all("a draft is not accepted exactly once", len(wanted), len(wanted ^ set(accepted)))
        self.tally.hold_all(
            "an envelope is accepted twice", len(accepted), sum(count > 1 for count in accepted.values())
        )
        refused = [leaf["outcome"] for leaf in await self.village.leaves("receipt-refused")]
        levels = Counter((leaf["envelope"], leaf["level"]) for leaf in await self.village.leaves("receipt-accepted"))
        reached = {name for name, level in levels if level == "filed"}
        filed = set(self.village.health.filed())
        self.tally.hold_all("something filed has no receipt", len(filed), len(filed - reached))
        self.tally.figures["receipts said again after a restore"] = sum(count - 1 for count in levels.values())
        self.tally.figures["receipts refused after a restore"] = len(refused)


async def program(folder: Path, tally: Tally, n: int) -> None:
    """Tell the whole story in one village, with *n* kills."""
    async with open_village(folder) as village:
        story = Story(village, tally)
        story.write(1)
        await story.all_filed("a first start")
        await story.kills(n)
        kills = Counter((leaf["envelope"], leaf["level"]) for leaf in await village.leaves("receipt-accepted"))
        doubled = [pair for pair, count in kills.items() if count > 1]
        tally.hold_all("a receipt is doubled by a kill", len(kills), len(doubled), doubled)
        await story.restore()
        await story.outage()
        await story.withdraw()
        await story.reseal()
        await story.receipts_done()
        await story.hold_log()
        for place in (village.council, village.health):
            await place.stop()
        await asyncio.sleep(1.2)
        said = await village.house.audit(folder / "export")
        tally.hold("the log does not verify", said["verified"], said["problems"])
        await village.house.stop()
        await village.house.check_store()
    tally.figures |= {"kills": n, "drafts": len(story.names)}


if __name__ == "__main__":
    run("gateways", TITLE, program, 300)
