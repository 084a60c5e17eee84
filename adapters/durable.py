"""Files that are there whole or not at all, also after a power cut.

Source: design 6 (temp, fsync, rename, fsync the folder).
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700


def write_file(path: Path, content: bytes, *, mode: int = PRIVATE) -> None:
    """Put *content* at *path*, replacing what was there, so that no reader or crash ever sees half of it."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def write_new(path: Path, content: bytes, *, mode: int = PRIVATE) -> None:
    """Put *content* at *path*, which must not exist, inside a folder that is renamed into place later."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def mark(path: Path) -> None:
    """Make the empty file *path*, durably; two that do so at once don't meet."""
    path.touch(mode=PRIVATE)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in *path* durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems know it for files only; there a name is durable when the server has answered.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(handle)


def move(source: Path, target: Path) -> None:
    """Rename *source* to *target* within one file system; both folders are durable afterwards."""
    source.rename(target)
    sync_folder(target.parent)
    sync_folder(source.parent)


def make_folder(path: Path, *, mode: int = PRIVATE_FOLDER) -> Path:
    """Return *path*, made with its parents where it wasn't there."""
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    return path


def read_regular(path: Path, *, max_bytes: int) -> bytes:
    """Return the bytes of *path*, a plain file of at most *max_bytes* bytes.

    Raises:
        ValueError: it is a link, a device or a folder, or longer.
        OSError: it can't be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink():
            # Following it would send whatever file it points to.
            raise ValueError("a link stands where a file is expected") from error
        raise
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError("it is not a plain file")
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"it is longer than {max_bytes} bytes")
    return content
