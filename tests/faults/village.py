"""Real gateway processes beside a real hub, on one training clock, and a network that kills at a chosen moment."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from adapters.gateway.keystore import save_keyring
from adapters.gateway.statements import KEY_LIFE
from tests.county import AGENCIES, COUNCIL, HEALTH, PARTNERSHIP, START, County
from tests.faults.house import ROOT, House, Killable, environment
from tests.gateway.support import PASSPHRASE, drop, make_home

GATEWAY: Final = (sys.executable, "-m", "adapters.gateway.cli")
PATIENCE: Final = 60.0
SETTINGS: Final = (
    "training = true", 'passphrase_file = "passphrase"', "poll_seconds = 0.2", "wait_seconds = 5",
    "watch_seconds = 0.5", "witness_seconds = 1", "retry_seconds = 0.5", 'log_level = "info"',
)  # fmt: skip


class AgingCounty(County):
    """The county whose sealing keys end when its gateways destroy them, as `gateway init` has it."""

    def statement(self, agency: str, use: str, members: Mapping[str, Any], **changes: Any) -> bytes:
        """Return the next key statement of *agency*."""
        if use == "seal":
            changes.setdefault("expires", self.now + KEY_LIFE["seal"])
        return super().statement(agency, use, members, **changes)


@dataclass
class Place(Killable):
    """One agency's gateway: its home, its record system (``in/``), and its process."""

    agency: str
    home: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Return what its processes wrote."""
        return self.home.with_name(f"{self.agency}.log")

    def start(self) -> None:
        """Start the gateway, after ending the one that runs: a home has one."""
        self.kill()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*GATEWAY, "run", "--home", str(self.home)], cwd=ROOT, stdout=log, stderr=log, env=environment()
            )

    async def command(self, *words: str) -> Any:
        """Run one `gateway` command that must work; return what it printed as JSON."""
        done = await asyncio.to_thread(
            subprocess.run,
            [*GATEWAY, *words, "--home", str(self.home), "--json"],
            cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout) if done.stdout else None

    def drop(self, name: str, value: Mapping[str, Any], **files: bytes) -> None:
        """Put a draft into ``out/``."""
        drop(self.home, name, value, **files)

    def sent(self, name: str) -> dict[str, str] | None:
        """Return id and thread of the draft *name* once the gateway has it."""
        with suppress(FileNotFoundError, ValueError):
            return dict(json.loads((self.home / "sent" / name / "envelope.json").read_bytes()))
        return None

    def filed(self) -> dict[str, int]:
        """Return what is in the record system: each envelope's id and when it was written, in nanoseconds."""
        return {path.parent.name: path.stat().st_mtime_ns for path in (self.home / "in").glob("*/message.json")}

    def notices(self) -> list[dict[str, Any]]:
        """Return the notices shown to its staff."""
        return [json.loads(path.read_bytes()) for path in (self.home / "in" / "notices").glob("*.json")]


@dataclass
class Trap:
    """The network between a gateway and the hub: kills its *victim* at the request whose first line holds ``match``.

    ``answered``: after the hub has answered, whose answer is lost; else before the request reaches it.  ``holds`` can
    ask for more.
    """

    port: int
    victim: Place | None = None
    match: bytes = b""
    answered: bool = False
    holds: Callable[[], bool] = lambda: True
    sprung: asyncio.Event = field(default_factory=asyncio.Event)
    listening: int = 0

    def set(self, victim: Place, match: bytes, *, answered: bool, holds: Callable[[], bool] = lambda: True) -> None:
        """Set the trap for *victim*."""
        self.sprung.clear()
        self.victim, self.match, self.answered, self.holds = victim, match, answered, holds

    def _spring(self) -> None:
        if self.victim is not None:
            self.victim.kill()
            self.victim = None
            self.sprung.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection, from question to answer to the next."""
        up_writer = None
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.port)
            caught = [False]
            tasks = {
                asyncio.create_task(self._carry(reader, up_writer, caught, asks=True)),
                asyncio.create_task(self._carry(up_reader, writer, caught, asks=False)),
            }
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        except OSError:
            pass
        finally:
            for one in (writer, up_writer):
                if one is not None:
                    one.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, caught: list[bool], *, asks: bool
    ) -> None:
        while data := await reader.read(1 << 16):
            first = data.split(b"\r\n", 1)[0]
            if (
                asks
                and self.victim is not None
                and first.endswith(b"HTTP/1.1")
                and self.match in first
                and self.holds()
            ):
                if not self.answered:
                    self._spring()
                    return
                caught[0] = True
            if not asks and caught[0]:
                self._spring()
                return
            writer.write(data)
            await writer.drain()


@dataclass
class Village:
    """A hub, the gateways of the council and of health, and their common clock."""

    house: House
    clock: Path
    trap: Trap
    council: Place
    health: Place

    @property
    def county(self) -> County:
        """Return the county."""
        return self.house.county

    def pass_time(self, by: int) -> None:
        """Let *by* milliseconds pass for everybody."""
        self.county.now += by
        fresh = self.clock.with_suffix(".new")
        fresh.write_text(str(self.county.now))
        fresh.replace(self.clock)

    async def leaves(self, event: str) -> list[dict[str, Any]]:
        """Return the log's entries of *event*, as any agency may read them; the hub runs."""
        entries: list[dict[str, Any]] = []
        async with self.house.caller() as api:
            caller = await api.sign_in(PARTNERSHIP)
            after = ""
            while True:
                page = (await caller.get(f"/v1/audit/entries?event={event}&limit=1000{after}")).json
                entries += [entry["leaf"] for entry in page["entries"]]
                if "next" not in page:
                    return entries
                after = f"&after={page['next']}"


def _write_gateway(folder: Path, county: County, agency: str, base: str, clock: Path) -> Place:
    home, _ = make_home(folder, county, agency, base)
    save_keyring(county.keyrings[agency], home, PASSPHRASE)
    boxes = [f'[[mailboxes]]\nid = "{box}"' for box, _, _ in AGENCIES[agency][1]]
    lines = [f'agency = "{agency}"', f'hub = "{base}"', f'clock = "file:{clock}"', *SETTINGS, *boxes]
    (home / "gateway.toml").write_text("\n".join(lines) + "\n")
    return Place(agency, home)


@asynccontextmanager
async def open_village(folder: Path) -> AsyncIterator[Village]:
    """Give a hub and two gateways, all running; whatever runs at the end is ended."""
    county, clock = AgingCounty(), folder / "clock"
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    clock.write_text(str(START))
    house = House(folder / "hub", county, clock=clock)
    await house.found()
    async with AsyncExitStack() as stack:
        stack.callback(house.kill)
        await house.start()
        trap = Trap(house.port)
        server = await asyncio.start_server(trap.serve, "127.0.0.1", 0)
        stack.callback(server.close)
        # The gateways are ended before this: what they were saying must have come to its end too.
        stack.push_async_callback(asyncio.sleep, 0.1)
        base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        places = [_write_gateway(folder, county, agency, base, clock) for agency in (COUNCIL, HEALTH)]
        for place in places:
            stack.callback(place.kill)
            place.start()
        yield Village(house, clock, trap, *places)


async def until(holds: Callable[[], Any], seconds: float = PATIENCE) -> bool:
    """Wait until *holds* is true; answer whether it was, in *seconds*."""
    try:
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110 - what it waits for happens in another process
                await asyncio.sleep(0.03)
    except TimeoutError:
        return False
    return True
