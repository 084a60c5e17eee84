"""The test stand: `hub serve` in a process of its own, on a real disk, with Exampleshire enrolled."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from hub.demo.processes import find_command
from hub.home import save_keyring
from hub.store.base import open_store
from tests.bench.wire import Line
from tests.county import ORIGIN, County

# The address in the county's directory, which assertions must name; the port is another one each time.
URL = "http://127.0.0.1"
CONFIG = f"""
url = "{URL}"
origin = "{ORIGIN}"
training = true
[listen]
port = 0
"""
START_SECONDS = 30


@contextlib.contextmanager
def folder_of(given: Path | None) -> Iterator[Path]:
    """Give a new folder below *given*, else below the system's temporary one; it goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-", dir=given) as name:
        yield Path(name)


@dataclass(frozen=True)
class Cost:
    """What the hub had used at one moment: processor seconds of all threads, and durable commits."""

    cpu: float
    commits: float


class Stand:
    """A hub that serves from *folder*; as a context manager it starts and stops."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.county = County(now=time.time_ns() // 1_000_000)
        self.port = 0

    def __enter__(self) -> Self:
        asyncio.run(self._found())
        (self.folder / "hub.toml").write_text(CONFIG)
        save_keyring(self.folder, self.county.hub, "")
        self._log = (self.folder / "log").open("wb")
        self._process = subprocess.Popen(
            [find_command("hub"), "serve", "--config", str(self.folder / "hub.toml")], stderr=self._log
        )
        try:
            self.port = self._wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(START_SECONDS)
        self._log.close()

    async def _found(self) -> None:
        store = open_store(f"sqlite:///{self.folder}/hub.db")
        try:
            await self.county.found(store)
        finally:
            await store.close()

    def _wait(self) -> int:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            for line in (self.folder / "log").read_text().splitlines():
                with contextlib.suppress(ValueError):
                    if (said := json.loads(line)).get("event") == "serving":
                        return int(said["port"])
            time.sleep(0.05)
        raise RuntimeError(f"the hub did not start: {(self.folder / 'log').read_text()[-2000:]}")

    @property
    def pid(self) -> int:
        """Return the hub's process."""
        return self._process.pid

    async def cost(self, line: Line) -> Cost:
        """Return what the hub has used since it started."""
        metrics = (await line.call("GET", "/metrics")).body.decode()
        found = re.search(r"^hub_store_commits (\S+)$", metrics, re.MULTILINE)
        # Linux gives every process a clock of the processor time of all its threads, those that ended included:
        # the utime + stime of /proc/<pid>/stat, finer than its hundredths of a second.
        clock = (~self.pid << 3) | 2
        return Cost(time.clock_gettime_ns(clock) / 1e9, float(found[1]) if found else float("nan"))

    def peak_memory(self) -> float:
        """Return the most memory that the hub has held at once, in megabytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        return int(found[1]) * 1024 / 1e6 if found else float("nan")
