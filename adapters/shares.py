"""What a folder on a network share does that a folder on a disk of one's own doesn't.

It goes away and comes back, may be full or read-only, takes capitals and small letters for the same, refuses some names, and is
written by machines whose locks, clocks and change events don't come through.  Nothing here relies on any of these.
"""

from __future__ import annotations

import errno
import json
import time
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Literal

from adapters.base import MAX_DRAFT, Later, is_plain_name
from adapters.durable import read_regular

# After which what can't be a draft, or can't be read, is called one that never will be: nobody copies for an hour in silence.
PATIENCE: Final = 3600.0
MAX_NAME: Final = 120
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_READ_ONLY: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_PASSING: Final = frozenset({"desktop.ini", "thumbs.db"})
_UNFINISHED: Final = frozenset({".tmp", ".part", ".partial", ".crdownload", ".filepart"})
# Windows takes these for devices, whatever follows the first dot.
_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{kind}{number}" for kind in ("com", "lpt") for number in range(10))}
)
_Facts = tuple[tuple[str, int, int], ...]
Verdict = Literal["complete", "waiting", "stuck"]


def say_later(error: OSError) -> Later:
    """Return why the folder can't take a message now: ``folder-full``, ``folder-read-only`` or ``folder-away``."""
    if error.errno in _FULL:
        return Later(reason="folder-full")
    return Later(reason="folder-read-only" if error.errno in _READ_ONLY else "folder-away")


def is_passing(name: str) -> bool:
    """Answer whether *name* is of a file that programs leave beside others: hidden, temporary, a lock, a folder's settings."""
    folded = name.casefold()
    return folded.startswith((".", "~$")) or folded in _PASSING or Path(folded).suffix in _UNFINISHED


def is_safe_name(name: str, taken: Iterable[str]) -> bool:
    """Answer whether a file called *name* can be beside those *taken* on any share, and none of them is meant by it."""
    return (
        is_plain_name(name)
        and _fold(name).partition(".")[0].strip() not in _DEVICES
        and _fold(name) not in {_fold(one) for one in taken}
    )


def shorten(name: str) -> str:
    """Return *name*, or its beginning where a number before it or after it would make it too long for a share."""
    whole = name.encode("utf-8", "surrogateescape")
    return name if len(whole) <= MAX_NAME else whole[:MAX_NAME].decode("utf-8", "ignore").rstrip(". ")


def find_free(folder: Path, name: str, suffix: str) -> Path:
    """Return a path in *folder* that isn't there yet, called *name*, or *name* and *suffix*."""
    path = folder / (shorten(name) or suffix)
    return path if not path.exists() else path.with_name(f"{path.name}-{suffix}")


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


class Settling:
    """Which entries of a folder nobody writes any more, by looking again: no lock, event or clock of the share is asked.

    ``seconds``: for how long nothing of it may have changed; with none, JSON that ends is enough.
    """

    def __init__(self, seconds: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._seen: dict[str, tuple[_Facts, float]] = {}

    def judge(self, entry: Path) -> Verdict:
        """Return what *entry*, a JSON file or a folder with ``message.json``, is now; ``stuck``: not a draft for an hour.

        Raises:
            OSError: the share can't be asked.
        """
        files, same, quiet = self._look(entry)
        if self._seconds and (not same or quiet < self._seconds):
            return "waiting"
        draft = entry / "message.json" if entry.is_dir() else entry
        late: Verdict = "stuck" if quiet >= PATIENCE else "waiting"
        if not draft.exists() or (entry.is_file() and entry.suffix.casefold() != ".json"):
            return late
        try:
            json.loads(read_regular(draft, max_bytes=MAX_DRAFT))
            for path in files if self._seconds else ():
                # One that its writer holds can't be opened on some shares, though its length is already the last.
                path.open("rb").close() if path.is_file() and not path.is_symlink() else None
        except OSError:
            return late
        except (ValueError, RecursionError):
            return "complete" if same else "waiting"
        return "complete"

    def is_quiet(self, path: Path) -> bool:
        """Answer whether *path*, a file whose end can't be seen in it, hasn't changed since an earlier look.

        Raises:
            OSError: the share can't be asked.
        """
        _, same, quiet = self._look(path)
        return same and quiet >= self._seconds

    def _look(self, entry: Path) -> tuple[list[Path], bool, float]:
        """Return the files of *entry*, whether they are as they were at the last look, and for how many seconds."""
        files = sorted(entry.iterdir()) if entry.is_dir() else [entry]
        facts = tuple((path.name, (found := path.lstat()).st_size, found.st_mtime_ns) for path in files)
        before, since = self._seen.get(entry.name, (None, 0.0))
        if before != facts:
            since = self._clock()
            self._seen[entry.name] = (facts, since)
        return files, before == facts, self._clock() - since

    def forget_all_but(self, names: Iterable[str]) -> None:
        """Forget what is gone."""
        self._seen = {name: self._seen[name] for name in names if name in self._seen}
