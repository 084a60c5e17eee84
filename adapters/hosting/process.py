"""The gateway's end of one adapter's process: started, asked one thing at a time, watched, ended.

Source: design 5 (adapters).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from adapters.hosting.frames import (
    Answer,
    FrameError,
    Question,
    Ready,
    Setup,
    Unfit,
    pack,
    parse_answer,
    read_frame,
)
from adapters.hosting.grants import Limits, PluginError
from adapters.hosting.relaying import Door, Relay

MEBIBYTE: Final = 1024 * 1024
START_SECONDS: Final = 30.0
# How often a process that is asked something is looked at, and one that isn't.
BUSY_SECONDS, IDLE_SECONDS = 0.25, 2.0
MAX_PRINTED: Final = 64 * MEBIBYTE
_ENVIRONMENT: Final = {"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2", "TZ": "UTC"}


class ProcessEndedError(Exception):
    """It ended, or was ended, while it was asked something.  ``reason`` is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _command(*more: str) -> list[str]:
    # Neither the environment nor the current folder may add code to it.
    return [sys.executable, "-I", "-m", "adapters.hosting.child", *more]


def describe(name: str, setup: Setup) -> Ready:
    """Return what the adapter *name* says of itself, asked of a process that may do nothing else.

    Raises:
        PluginError: ``adapter-import``, ``adapter-manifest``, ``adapter-died``, ``adapter-unconfined``.
    """
    try:
        done = subprocess.run(  # noqa: S603 (the command is this module's own)
            _command(), input=pack(setup), capture_output=True, timeout=START_SECONDS, env=_ENVIRONMENT, check=False,
            start_new_session=True,
        )  # fmt: skip
        answer = parse_answer(done.stdout[4:], 0)
    except (subprocess.TimeoutExpired, FrameError) as error:
        raise _died(name) from error
    return check_ready(name, answer)


def check_ready(name: str, answer: Answer) -> Ready:
    """Return *answer*, unless it says that there is no such adapter.

    Raises:
        PluginError: ``adapter-options``, ``adapter-import``, ``adapter-manifest``, ``adapter-died``, ``adapter-unconfined``.
    """
    if isinstance(answer, Unfit) and answer.code == "adapter-unconfined":
        raise PluginError(
            "adapter-unconfined",
            f"this machine can't shut in the adapter `{name}`, as to {answer.text}",
            "use a kernel that can, or accept it: name that in `without`, in its table in gateway.toml",
        )
    if isinstance(answer, Unfit):
        hints = {
            "adapter-options": "correct its table in gateway.toml",
            "adapter-import": "install what it needs, or see its own documentation",
        }
        code = answer.code if answer.code in hints else "adapter-manifest"
        text = "".join(letter if letter.isprintable() else " " for letter in answer.text)
        raise PluginError(code, f"adapter `{name}`: {text}", hints.get(code, "see docs/writing-adapters.md"))
    if not isinstance(answer, Ready):
        raise _died(name)
    return answer


def _died(name: str) -> PluginError:
    return PluginError(
        "adapter-died", f"the adapter `{name}` didn't start", "run `gateway adapter check` to see it fail"
    )


class Process:
    """One process, from :meth:`start` to :meth:`end`; after that another is made."""

    def __init__(self, name: str, setup: Setup, *, printed: Callable[[bytes], None] | None = None) -> None:
        self._name, self._setup, self._printed = name, setup, printed
        self._limits: Limits = setup.grants.limits
        self._process: asyncio.subprocess.Process | None = None
        self._relay: Relay | None = None
        self._door: Door | None = None
        self._watching: list[asyncio.Task[None]] = []
        self._scratch = ""
        self._seq = 0
        self._busy = asyncio.Event()
        self._received = 0
        self._reason = "adapter-died"
        self.output = 0

    @property
    def is_alive(self) -> bool:
        """Answer whether it can be asked something."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> Ready:
        """Start it; return what it says of itself and which confinements hold.

        Raises:
            PluginError: ``adapter-options``, ``adapter-import``, ``adapter-manifest``, ``adapter-died``, ``adapter-unconfined``.
        """
        self._scratch = tempfile.mkdtemp(prefix="adapter-")
        grants = replace(self._setup.grants, scratch=self._scratch)
        setup = replace(self._setup, grants=grants)
        # Over stream sockets two handles could come as one; each is a packet of its own.
        alone = sys.platform == "linux" and grants.network and not grants.is_free
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET) if alone else (None, None)
        try:
            handles = (theirs.fileno(),) if theirs else ()
            self._process = await asyncio.create_subprocess_exec(
                *_command(*map(str, handles)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=_ENVIRONMENT | {"TMPDIR": self._scratch}, pass_fds=handles, start_new_session=True,
            )  # fmt: skip
            if theirs:
                theirs.close()
            self._watching = [asyncio.create_task(self._drain()), asyncio.create_task(self._watch())]
            ready = check_ready(self._name, await self._exchange(setup, START_SECONDS, ours))
            if ours and "network" in ready.holds:
                self._open_door(ours)
                ours = None
        except ProcessEndedError as error:
            await self.end()
            raise _died(self._name) from error
        except BaseException:
            await self.end()
            raise
        else:
            return ready
        finally:
            for one in (ours, theirs):
                if one:
                    one.close()

    def _open_door(self, control: socket.socket) -> None:
        """Let in who comes to the addresses granted; the door has *control* from here on.

        Raises:
            PluginError: ``adapter-listen``.
        """
        try:
            self._door = Door(control, self._setup.grants.listen)
        except OSError as error:
            raise PluginError(
                "adapter-listen",
                f"an address at which the adapter `{self._name}` is to be reached can't be had",
                "see which other program has it, or correct `listen`",
            ) from error

    async def ask(self, make: Callable[[int], Question]) -> Answer:
        """Return its answer to the question that *make* gives for a number.

        Raises:
            ProcessEndedError: it died, took too long, or what it said is no answer; it has been ended.
        """
        self._seq += 1
        return await self._exchange(make(self._seq), self._limits.seconds, None)

    async def _exchange(self, question: Question, seconds: float, control: socket.socket | None) -> Answer:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise ProcessEndedError("adapter-died")
        self._busy.set()
        try:
            async with asyncio.timeout(seconds):
                process.stdin.write(pack(question))
                await process.stdin.drain()
                if control is not None:
                    await self._take_listeners(control)
                raw = await read_frame(process.stdout)
            self._received += len(raw)
            answer = parse_answer(raw, question.seq)
        except TimeoutError:
            reason = "adapter-hung"
        except FrameError:
            reason = "adapter-garbage"
        except (EOFError, OSError):
            await asyncio.sleep(0)
            reason = self._reason
        except BaseException:
            # The one who asked went away: the answer would be taken for the next one's.
            await self.end()
            raise
        else:
            return answer
        finally:
            self._busy.clear()
        await self.end()
        raise ProcessEndedError(reason)

    async def _take_listeners(self, control: socket.socket) -> None:
        """Take the sockets on which it will call the hosts that it was granted; without them it has no way out."""
        control.setblocking(False)
        hosts = self._setup.grants.hosts
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(control, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(control)
        _, handles, _, _ = socket.recv_fds(control, 16, max(len(hosts), 1))
        listeners = [socket.socket(fileno=handle) for handle in handles]
        self._relay = Relay(list(zip(listeners, hosts, strict=False)))

    async def _drain(self) -> None:
        """Take what it prints out of the way; how much is counted, what is left out, for it may be content."""
        if self._process is None or self._process.stderr is None:
            return
        while chunk := await self._process.stderr.read(65_536):
            self.output += len(chunk)
            if self._printed is not None:
                self._printed(chunk)
            if self.output > MAX_PRINTED:
                self._kill("adapter-output")

    async def _watch(self) -> None:
        """End it once it writes more, or has more threads, than it may."""
        loop = asyncio.get_running_loop()
        written, since = self._written(), loop.time()
        while self.is_alive:
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._busy.wait()
            await asyncio.sleep(BUSY_SECONDS)
            if self._written() - written > self._limits.written_mb * MEBIBYTE:
                self._kill("adapter-wrote-too-much")
            elif self._threads() > self._limits.threads:
                self._kill("adapter-threads")
            if loop.time() - since >= 60:
                written, since = self._written(), loop.time()

    def _read_state(self, name: str) -> dict[str, str]:
        if self._process is None:
            return {}
        try:
            text = Path(f"/proc/{self._process.pid}/{name}").read_text("ascii", "replace")
        except OSError:
            return {}
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def _written(self) -> int:
        """Return how many bytes it has written to files; its answers and what it printed don't count."""
        state = self._read_state("io")
        wrote = int(state.get("wchar", 0)) - self._received - self.output
        return max(wrote, int(state.get("write_bytes", 0)))

    def _threads(self) -> int:
        return int(self._read_state("status").get("Threads", 0))

    def _kill(self, reason: str) -> None:
        if self._process is not None and self._process.returncode is None:
            self._reason = reason
            with suppress(ProcessLookupError):
                # Its own session: where the kernel couldn't keep it from starting others, they end with it.
                os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """End it at once, as a power cut would, and leave nothing of it."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            with suppress(OSError):
                await process.stdin.wait_closed() if process.stdin else None
            process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 (nothing public closes its pipes)
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        self._watching = []
        for way in (self._relay, self._door):
            if way is not None:
                await way.close()
        self._relay = self._door = None
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = ""
