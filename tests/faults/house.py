"""A real hub process that can be killed, starved and restarted, and callers that speak to it over loopback HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from hub.demo.processes import free_port
from hub.home import save_keyring, save_trust
from hub.store.base import open_store
from keys.digests import from_b64u, sha256_b64u
from schemas.strict_json import dump
from tests.county import ORIGIN, County
from tests.invariants import check
from tests.web.support import URL, Answer, Api

ROOT: Final = Path(__file__).parents[2]
HUB: Final = (sys.executable, "-m", "hub.cli")
START_SECONDS: Final = 60.0


def now_ms() -> int:
    """Return the system's moment."""
    return time.time_ns() // 1_000_000


def run_command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the project to its end, as a process of its own."""
    return subprocess.run(
        [*HUB, *map(str, words)], capture_output=True, text=True, check=False, cwd=ROOT, timeout=120, env=environment()
    )


def environment() -> dict[str, str]:
    """Return what the project's commands see."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


class Killable:
    """One process of the project, ended as a power cut would end it, or as an operator does."""

    process: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """End the process as a power cut would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    async def stop(self) -> None:
        """Ask the process to end, and wait until it has."""
        if self.process is not None:
            self.process.terminate()
            try:
                await asyncio.to_thread(self.process.wait, 20)
            finally:
                self.kill()


@dataclass
class House(Killable):
    """A hub's home in ``folder`` on a port of its own; ``clock`` is a training clock's file, else the system's."""

    folder: Path
    county: County
    clock: Path | None = None
    database: str = ""
    limits: str = ""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> str:
        """Return the address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Return the database's address."""
        return self.database or f"sqlite:///{self.folder}/hub.db"

    @property
    def config(self) -> Path:
        """Return the configuration file."""
        return self.folder / "hub.toml"

    def set_up(self) -> None:
        """Write configuration and keys, and what every agency pins."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [f'url = "{URL}"', f'origin = "{ORIGIN}"', f'database = "{self.url}"', "training = true"]
        if self.clock:
            lines.append(f'clock = "file:{self.clock}"')
        lines += [f"[listen]\nport = {self.port}", f"[limits]\n{self.limits}"]
        self.config.write_text("\n".join(lines) + "\n")
        save_keyring(self.folder, self.county.hub, "")
        save_trust(self.folder, json.loads(dump(self.county.roots)), URL)

    async def found(self) -> None:
        """Set up, and enrol the county."""
        self.set_up()
        store = await asyncio.to_thread(open_store, self.url)
        try:
            await self.county.found(store)
        finally:
            await store.close()

    def spawn(self) -> None:
        """Start the process, and wait for nothing."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*HUB, "serve", "--config", str(self.config)], cwd=ROOT, stdout=log, stderr=log, env=environment()
            )

    @property
    def log(self) -> Path:
        """Return what the process wrote; beside the home, so that a full disk doesn't matter to it."""
        return self.folder.with_name(self.folder.name + ".log")

    async def start(self) -> float:
        """Start, and return after how many seconds it was ready."""
        started = time.monotonic()
        self.spawn()
        await self.until_ready()
        return time.monotonic() - started

    async def until_ready(self) -> None:
        """Return when the hub says that it is ready.

        Raises:
            RuntimeError: it ended instead, or takes a minute.
        """
        until = time.monotonic() + START_SECONDS
        async with aiohttp.ClientSession() as session:
            while time.monotonic() < until and self.process is not None and self.process.poll() is None:
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    async with session.get(f"{self.base}/readyz") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.01)
        raise RuntimeError(f"the hub did not start: {self.log.read_text()[-2000:]}")

    async def serve_until_it_ends(self) -> tuple[int, str]:
        """Start a hub that must not come up; return its exit status and what it said."""
        process = await asyncio.to_thread(run_command, "serve", "--config", self.config)
        return process.returncode, process.stderr

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run for as long as the block lasts, unless the block stops it first."""
        try:
            await self.start()
            yield
            await self.stop()
        finally:
            self.kill()

    @contextlib.asynccontextmanager
    async def caller(self) -> AsyncIterator[Api]:
        """Give a caller without rights; its requests end with the process."""
        timeout = aiohttp.ClientTimeout(total=60)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(auto_decompress=False, timeout=timeout, connector=connector) as session:
            yield Api(session, self.base, self.county)

    async def audit(self, export: Path) -> dict[str, Any]:
        """Export the log and return what the offline verifier says of it: two commands, as typed."""
        done = await asyncio.to_thread(run_command, "audit", "export", export, "--config", self.config)
        if done.returncode:
            raise RuntimeError(done.stderr)
        trust = self.folder / "trust.json"
        said = await asyncio.to_thread(run_command, "audit", "verify", export, "--trust", trust, "--json")
        return dict(json.loads(said.stdout)) if said.stdout else {"verified": False, "problems": [said.stderr]}

    async def covered(self, api: Api) -> int:
        """Return the log's size once a checkpoint covers all that was there when this was asked."""
        size = await self.log_size()
        async with asyncio.timeout(30):
            while True:
                answer = await api.get("/v1/audit/checkpoint")
                if answer.status == 200 and int(answer.body.split(b"\n")[1]) >= size:
                    return size
                await asyncio.sleep(0.05)

    async def log_size(self) -> int:
        """Return how many leaves the log has; asks the database, beside the running hub."""
        store = await asyncio.to_thread(lambda: open_store(self.url, read_only=True))
        try:
            return await store.read(lambda tx: tx.log_head().size)
        finally:
            await store.close()

    async def check_store(self) -> None:
        """Assert that everything in the database agrees with everything else; the hub has ended."""
        store = await asyncio.to_thread(open_store, self.url)
        try:
            await check(store)
        finally:
            await store.close()


async def read_feed(api: Api, mailbox: str, page: int = 200) -> list[dict[str, Any]]:
    """Return the whole feed of *mailbox* from its first number."""
    entries: list[dict[str, Any]] = []
    while True:
        after = entries[-1]["seq"] if entries else 0
        answer = await api.get(f"/v1/mailboxes/{mailbox}/feed?after={after}&limit={page}")
        assert answer.status == 200, answer.body
        if not answer.json["entries"]:
            return entries
        entries += answer.json["entries"]


async def body_of(api: Api, entry: dict[str, Any]) -> bytes:
    """Return the sealed body of a delivery."""
    if "body" in entry:
        return from_b64u(entry["body"])
    answer = await api.get(f"/v1/envelopes/{entry['envelope']}/body")
    assert answer.status == 200, answer.body
    return answer.body


def is_whole(body: bytes, raw: bytes) -> bool:
    """Answer whether *body* is the sealed body of the envelope *raw*."""
    return sha256_b64u(body) == sha256_b64u(raw.split(b"\n", 2)[2])


def batch(raws: Iterable[bytes]) -> bytes:
    """Return several envelopes as one batch."""
    return b"".join(struct.pack(">I", len(raw)) + raw for raw in raws)


def words_of(answer: Answer) -> Iterator[str]:
    """Yield what *answer* says, for an example of a failure."""
    yield f"{answer.status} {answer.body[:200].decode(errors='replace')}"
