"""What a process gives up before it touches bytes that somebody sent: files, memory, time, and whatever else is there.

Every limit is the kernel's and holds for the rest of the process.  Nothing here needs a right that a gateway hasn't.

Source: setrlimit(2), prctl(2), landlock(7).
"""

from __future__ import annotations

import ctypes
import resource
import sys
from typing import Final

MEMORY: Final = 768 * 1024 * 1024
SECONDS: Final = 8

_NO_NEW_PRIVILEGES: Final = 38
# The same numbers on every machine that Linux has had landlock on.
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
# All rights of the first version: read, write, make, remove, run.
_EVERY_RIGHT: Final = (1 << 13) - 1


def confine(*, memory: int = MEMORY, seconds: int = SECONDS) -> None:
    """Give up opening anything, writing files, more than *memory* bytes, and more than *seconds* of processor time.

    Call it once everything that is needed is imported: nothing can be loaded afterwards.
    """
    # What is under landlock can't look into processes that aren't, which no limit on files would keep it from.
    _deny_paths()
    for what, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_NPROC, 0),
        # Last, and the strongest: a descriptor that can't be had is no file, no socket, no pipe.
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(what, (limit, limit))


def _deny_paths() -> None:
    """Take every path away where the kernel can; where it can't, the limits alone hold."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    handled = ctypes.c_uint64(_EVERY_RIGHT)
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(handled), ctypes.sizeof(handled), 0)
    if ruleset >= 0:
        # A rule set without rules: all that it handles is denied.
        libc.syscall(_RESTRICT_SELF, ruleset, 0)
