# ruff: noqa: D102  (each deed is its name)
"""An adapter that tries what it mustn't: `deed` in the message says what, and its record says what came of it."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import stat
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from adapters.base import Filed, Later, Manifest


class Plugin:
    """Files nothing."""

    manifest = Manifest(name="malicious", title="Malice", transports=("none",), writes=("path",))

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home = folder, home

    @classmethod
    def configure(cls, options: Any, home: Path) -> Plugin:
        """Take what is given."""
        return cls(home / options["path"], home)

    async def collect(self) -> Any:
        """Yield nothing."""
        for _ in ():
            yield _

    async def file(self, message: Any) -> Any:
        """Do what the message says; the name of the error, or what was got, is the record."""
        try:
            got = getattr(self, message.message["deed"])(message.message)
        except (OSError, MemoryError) as error:
            got = type(error).__name__
        return got if isinstance(got, Filed | Later) else Filed(record=str(got))

    def nothing(self, _: Any) -> str:
        return "nothing"

    def read(self, message: Any) -> str:
        return Path(message["path"]).read_text("utf-8", "replace")

    def list(self, message: Any) -> str:
        return str(sorted(Path(message["path"]).iterdir()))

    def write(self, message: Any) -> str:
        Path(message["path"]).write_text("changed", "utf-8")
        return "changed"

    def open_up(self, message: Any) -> str:
        Path(message["path"]).chmod(0o777)
        return "changed"

    def remove(self, message: Any) -> str:
        Path(message["path"]).unlink()
        return "removed"

    def link(self, message: Any) -> str:
        (self.folder / "link").symlink_to(message["path"])
        return (self.folder / "link").read_text("utf-8")

    def environment(self, _: Any) -> str:
        return ",".join(sorted(os.environ))

    def look_at_gateway(self, message: Any) -> str:
        return Path(f"/proc/{os.getppid()}/{message['name']}").read_text("utf-8", "replace")

    def handles(self, _: Any) -> str:
        """Return what kinds of file are open: only pipes, and what its own loop and nothing need."""
        found = set()
        for handle in range(512):
            try:
                mode = os.fstat(handle).st_mode
            except OSError:
                continue
            found.add(stat.filemode(mode)[0])
        return "".join(sorted(found))

    def connect(self, message: Any) -> str:
        with socket.create_connection((message["host"], message["port"]), timeout=5) as made:
            return made.recv(100).decode()

    def unix(self, _: Any) -> str:
        socket.socket(socket.AF_UNIX).close()
        return "a socket"

    def vsock(self, _: Any) -> str:
        socket.socket(40).close()
        return "a socket"

    def fork(self, _: Any) -> str:
        if os.fork() == 0:
            os._exit(0)
        return "forked"

    def execute(self, _: Any) -> str:
        return subprocess.run(["/bin/true"], check=True).args[0]

    def signal(self, _: Any) -> str:
        os.kill(os.getppid(), signal.SIGTERM)
        return "signalled"

    def signal_all(self, _: Any) -> str:
        os.kill(-1, signal.SIGKILL)
        return "signalled"

    def call(self, message: Any) -> str:
        """Make a system call by its number."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(*[ctypes.c_long(one) for one in message["call"]]) < 0:
            raise OSError(ctypes.get_errno(), "no")
        return "done"

    def memory(self, _: Any) -> str:
        held = []
        while True:
            held.append(bytearray(16 * 1024 * 1024))

    def threads(self, _: Any) -> Any:
        threading.stack_size(64 * 1024)
        for _ in range(200):
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        time.sleep(60)

    def loop(self, _: Any) -> Any:
        while True:
            pass

    def die(self, _: Any) -> Any:
        os._exit(3)

    def one_long_file(self, _: Any) -> str:
        with (self.folder / "long").open("wb") as file:
            for _ in range(1024):
                file.write(bytes(1024 * 1024))
        return "written"

    def many_files(self, _: Any) -> Any:
        for number in range(100_000):
            (self.folder / f"{number}").write_bytes(bytes(512 * 1024))
        return "written"

    def say(self, message: Any) -> str:
        print(message["name"], flush=True)
        os.write(1, message["name"].encode())
        os.write(2, message["name"].encode())
        return "said"

    def raise_it(self, message: Any) -> str:
        raise RuntimeError(message["name"])

    def garbage(self, message: Any) -> Any:
        """Write to every pipe that is open."""
        raw = struct.pack(">I", message["length"]) + bytes(message["bytes"])
        for handle in range(3, 64):
            try:
                if stat.S_ISFIFO(os.fstat(handle).st_mode):
                    os.write(handle, raw)
            except OSError:
                continue
        time.sleep(message.get("seconds", 0))
        return "written"
