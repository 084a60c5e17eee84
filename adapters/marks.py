"""What was done already, by names that say nothing, for as long as it could come again; then it is forgotten.

::

    <folder>/<number>/<name>    a mark, and what is to be known of it
    <folder>/.begun             the day on which the newest number began

A mark stays for at least :data:`AGES` times :data:`AGE_DAYS` days after it was made or last asked for: the hub hands nothing over
that is older.  What goes, goes with its number at once; of the others none is looked at.

Source: design 2.6; docs/decisions/adapters-small-files.md.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from adapters.durable import make_folder, mark, move, sync_folder, write_file
from adapters.errors import place_of

_log = logging.getLogger("gateway.adapters")
AGE_DAYS: Final = 100
AGES: Final = 4
_DAY: Final = 86_400
_BEGUN: Final = ".begun"
_GONE: Final = ".gone"


class Marks:
    """The marks in *folder*; several threads may use them."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder, self._clock = make_folder(folder), clock
        self._turn = threading.Lock()
        self._looked = -1
        self._ages = self._list() or [self._begin(0)]

    def find(self, name: str) -> bytes | None:
        """Return what the mark *name* says, which is as good as new from then on."""
        with self._turn:
            for age in self._ages:
                with suppress(FileNotFoundError):
                    said = (age / name).read_bytes()
                    if age != self._ages[0]:
                        with suppress(OSError):
                            move(age / name, self._ages[0] / name)
                    return said
        return None

    def add(self, name: str, said: bytes = b"") -> None:
        """Make the mark *name*, durably, in place of the one that there was."""
        with self._turn:
            if said:
                write_file(self._ages[0] / name, said)
            else:
                mark(self._ages[0] / name)

    def drop(self, name: str) -> None:
        """Forget the mark *name*."""
        with self._turn:
            for age in self._ages:
                with suppress(FileNotFoundError):
                    (age / name).unlink()
                    sync_folder(age)

    def list_all(self) -> Iterator[str]:
        """Yield the names of all marks, however many there are."""
        for age in self._ages:
            yield from (path.name for path in age.iterdir() if not path.name.startswith("."))

    def sweep(self) -> None:
        """Forget what is old enough, and what a kill left of it; a disk that won't let go of it is asked again.

        A clock that was wrong for once costs one number of :data:`AGES`, and never all.
        """
        try:
            if self._today() != self._looked:
                with self._turn:
                    self._turn_over()
            for gone in self._folder.glob(f".*{_GONE}"):
                shutil.rmtree(gone)
        except OSError as error:
            _log.warning("what is old can't be forgotten now: %s", place_of(error))

    def _turn_over(self) -> None:
        today = self._today()
        begun = self._read_day()
        if not 0 <= today - begun < AGE_DAYS:
            # The day first: killed after it, what there is stays for longer.
            write_file(self._folder / _BEGUN, str(today).encode())
            if today > begun > 0:
                self._begin(int(self._ages[0].name) + 1)
        self._ages = self._list()
        for old in self._ages[AGES + 1 :]:
            move(old, self._folder / f".{old.name}{_GONE}")
        self._ages, self._looked = self._ages[: AGES + 1], today

    def _begin(self, number: int) -> Path:
        folder = make_folder(self._folder / str(number))
        sync_folder(self._folder)
        return folder

    def _list(self) -> list[Path]:
        found = [path for path in self._folder.iterdir() if path.name.isdigit()]
        return sorted(found, key=lambda path: int(path.name), reverse=True)

    def _today(self) -> int:
        return int(self._clock()) // _DAY

    def _read_day(self) -> int:
        """Return the day on which the newest number began; 0 where none is known."""
        with suppress(FileNotFoundError, ValueError):
            return int((self._folder / _BEGUN).read_bytes())
        return 0
