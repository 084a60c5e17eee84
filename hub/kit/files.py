"""Files that must survive a crash, and secrets that only their owner may read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
PUBLIC: Final = 0o644


def write_whole(path: Path, data: bytes, mode: int = PRIVATE) -> None:
    """Write *data* to *path*: after a crash the file is the old one or the new one, never half of either."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.fchmod(descriptor, mode)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    # Without this the name may be lost though the bytes are not.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def is_private(path: Path) -> bool:
    """Answer whether nobody but its owner may read or write *path*."""
    return not stat.S_IMODE(path.stat().st_mode) & 0o077
