"""Large sealed bodies as files named by their digest."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from hub.store.base import StoreDamagedError, StoreFullError


class BodyFolder:
    """A folder of sealed bodies.  A file that has its name is whole: it gets it only after its bytes are durable."""

    def __init__(self, folder: Path) -> None:
        """Use *folder*, which is made with the first body."""
        self.folder = folder

    def keep(self, name: str, content: bytes | memoryview) -> None:
        """Make *content* durable under *name*, its digest; doing it again changes nothing.

        Raises:
            StoreFullError: nothing is left under *name*.
        """
        target = self._path(name)
        if target.exists() and target.stat().st_size == len(content):
            return
        temporary = target.with_suffix(".part")
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with temporary.open("wb", buffering=0) as file:
                rest = memoryview(content)
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            temporary.replace(target)
            # Without these a power cut could keep the row and lose the name.
            for folder in (target.parent, self.folder, self.folder.parent):
                sync_folder(folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise StoreFullError from error
            raise

    def load(self, name: str) -> bytes:
        """Return the content kept under *name*.

        Raises:
            StoreDamagedError: the database names it, but it isn't there.
        """
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError as error:
            raise StoreDamagedError("a body's file is missing", "restore the folder of bodies from a backup") from error

    def drop(self, name: str) -> None:
        """Remove *name*, if it is there."""
        self._path(name).unlink(missing_ok=True)

    def sweep(self, wanted: frozenset[str]) -> int:
        """Remove what a crash left: half-written files and bodies that no envelope names; return how many."""
        left = [path for path in self.folder.glob("??/*") if path.suffix or path.name not in wanted]
        for path in left:
            path.unlink()
        return len(left)

    def _path(self, name: str) -> Path:
        return self.folder / name[:2] / name


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
