"""The demo's processes: the real `hub` and `gateway` commands, none of which outlives the demo.

Each runs in a session of its own, so that Ctrl-C reaches the demo alone, which then stops them in order.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final

from hub.demo.errors import DemoError

STOP_SECONDS: Final = 15
COMMAND_SECONDS: Final = 300
TAIL: Final = 1200


def find_command(name: str) -> str:
    """Return the path of the installed command *name*, the one beside this interpreter first.

    Raises:
        DemoError: it isn't installed.
    """
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    found = beside or shutil.which(name)
    if found is None:
        raise DemoError(f"couldn't find the command `{name}`", "install the project: uv sync, or pip install .")
    return found


def free_port() -> int:
    """Return a TCP port of the loopback address that nobody listened on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Processes:
    """Starts commands and ends every one of them when left, whatever happened.

    ``logs`` is the folder that gets each process's output, ``environment`` what they see beside the caller's.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str] | None = None) -> None:
        self.logs = logs
        self._environment = {**os.environ, **(environment or {}), "PYTHONUNBUFFERED": "1"}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._handlers: dict[int, object] = {}

    def __enter__(self) -> Processes:
        self.logs.mkdir(parents=True, exist_ok=True)
        for number in (signal.SIGTERM, signal.SIGHUP):
            with contextlib.suppress(ValueError):  # not the main thread: a test's, which ends us otherwise
                self._handlers[number] = signal.signal(number, _interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A second Ctrl-C while we clean up must not leave anybody behind.
        before = None
        with contextlib.suppress(ValueError):
            before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self.stop_all()
        finally:
            for number, handler in {**self._handlers, signal.SIGINT: before}.items():
                if handler is not None:
                    with contextlib.suppress(ValueError):
                        signal.signal(number, handler)  # type: ignore[arg-type]

    @property
    def pids(self) -> Mapping[str, int]:
        """Return the process id of each that runs, by name."""
        return {name: process.pid for name, process in self._running.items()}

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start *command* under *name*; its output is added to ``logs/<name>.log``."""
        with (self.logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [find_command(command[0]), *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    def stop(self, name: str) -> None:
        """Ask the process *name* to end, and end it if it doesn't within 15 seconds."""
        process = self._running.pop(name)
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def stop_all(self) -> None:
        """Ask all to end at once, the last started first, then wait for each."""
        for process in reversed(self._running.values()):
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for name in reversed(list(self._running)):
            self.stop(name)

    def check(self) -> None:
        """Raise DemoError, with the end of its log, if one has ended by itself."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise DemoError(f"{name} ended with status {process.returncode}", self.tail(name))

    def tail(self, name: str) -> str:
        """Return the end of the log of *name*."""
        return (self.logs / f"{name}.log").read_bytes()[-TAIL:].decode("utf-8", "replace")

    def run(self, command: Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one *command* to its end and return what it wrote.

        Raises:
            DemoError: it failed (unless *check* is off), with the end of what it said.
        """
        done = subprocess.run(
            [find_command(command[0]), *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=self._environment,
            start_new_session=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if check and done.returncode != 0:
            raise DemoError(f"`{' '.join(command[:3])}` failed", (done.stderr or done.stdout)[-TAIL:])
        return done


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
