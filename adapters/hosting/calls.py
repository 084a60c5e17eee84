"""Which system calls an adapter's process may not make, as a table, and the filter that is made from it.

What isn't in the table is allowed: it forbids what reaches other processes, starts new ones, gets round the limits or opens
another way in.  Files are not its business (Landlock's is).

Source: seccomp(2); the numbers of x86_64 and of the generic table that aarch64 has.
"""

from __future__ import annotations

import errno
import struct
from typing import Final

_DENY: Final = errno.EPERM
# Name: its number on x86_64 and on aarch64 (`None`: it has none), what it answers.
FORBIDDEN: Final[dict[str, tuple[int | None, int | None, int]]] = {
    # Other processes, and new ones.
    "fork": (57, None, _DENY),
    "vfork": (58, None, _DENY),
    "execve": (59, 221, _DENY),
    "execveat": (322, 281, _DENY),
    "clone3": (435, 435, errno.ENOSYS),  # C libraries fall back to clone, whose flags can be looked at
    "ptrace": (101, 117, _DENY),
    "process_vm_readv": (310, 270, _DENY),
    "process_vm_writev": (311, 271, _DENY),
    "tkill": (200, 130, _DENY),
    "rt_sigqueueinfo": (129, 138, _DENY),
    "rt_tgsigqueueinfo": (297, 240, _DENY),
    "pidfd_open": (434, 434, _DENY),
    "pidfd_send_signal": (424, 424, _DENY),
    "pidfd_getfd": (438, 438, _DENY),
    "setpriority": (141, 140, _DENY),
    "ioprio_set": (251, 30, _DENY),
    # Namespaces, mounts, the kernel itself.
    "unshare": (272, 97, _DENY),
    "setns": (308, 268, _DENY),
    "mount": (165, 40, _DENY),
    "umount2": (166, 39, _DENY),
    "pivot_root": (155, 41, _DENY),
    "chroot": (161, 51, _DENY),
    "open_by_handle_at": (304, 265, _DENY),
    "bpf": (321, 280, _DENY),
    "perf_event_open": (298, 241, _DENY),
    "userfaultfd": (323, 282, _DENY),
    "add_key": (248, 217, _DENY),
    "request_key": (249, 218, _DENY),
    "keyctl": (250, 219, _DENY),
    "personality": (135, 92, _DENY),
    # Work that the filter and the limits wouldn't see.
    "io_uring_setup": (425, 425, _DENY),
    "io_uring_enter": (426, 426, _DENY),
    "io_uring_register": (427, 427, _DENY),
    "memfd_create": (319, 279, _DENY),
    "memfd_secret": (447, 447, _DENY),
    "shmget": (29, 194, _DENY),
    "msgget": (68, 186, _DENY),
    "semget": (64, 190, _DENY),
    "mq_open": (240, 180, _DENY),
    "fallocate": (285, 47, errno.EOPNOTSUPP),
    # What Landlock leaves alone: a file's mode and owner, by its name.
    "chmod": (90, None, _DENY),
    "fchmodat": (268, 53, _DENY),
    "fchmodat2": (452, 452, _DENY),
    "chown": (92, None, _DENY),
    "lchown": (94, None, _DENY),
    "fchownat": (260, 54, _DENY),
    "setxattr": (188, 5, _DENY),
    "lsetxattr": (189, 6, _DENY),
    "removexattr": (197, 14, _DENY),
    "lremovexattr": (198, 15, _DENY),
}
# Allowed by their first argument only.
_SOCKET: Final = (41, 198)
_CLONE: Final = (56, 220)
_KILL: Final = (62, 129)
_TGKILL: Final = (234, 131)
_PRLIMIT: Final = (302, 261)
_PRCTL: Final = (157, 167)
_CLONE_THREAD: Final = 0x10000
_AF_INET, _AF_INET6 = 2, 10
# PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_MM, PR_SET_PTRACER: who may end it, and look into it.
_FIXED: Final = (1, 4, 35, 0x59616D61)

_ARCHITECTURES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_KILL_PROCESS: Final = 0x80000000
_X32: Final = 0x40000000
_NUMBER, _ARCHITECTURE, _FIRST = 0, 4, 16


def make_filter(machine: str, pid: int, *, sockets: bool) -> bytes | None:
    """Return the BPF program for *machine* (as ``os.uname`` says it), or ``None`` where its numbers aren't known.

    *pid* is the process's own: it may signal itself.  *sockets*: it may have those of the internet.
    """
    if machine not in _ARCHITECTURES:
        return None
    column, architecture = _ARCHITECTURES[machine]
    program = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, architecture, 1, 0),
        _step(_RETURN, _KILL_PROCESS),
        _step(_LOAD, _NUMBER),
        # The second numbering of x86_64 would get round every line below.
        _step(_AT_LEAST, _X32, 0, 1),
        _step(_RETURN, _KILL_PROCESS),
    ]
    for row in FORBIDDEN.values():
        number = row[column]
        if number is not None:
            program += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _ERRNO | row[2])]
    program += _judged(_CLONE[column], [_step(_ANY_BIT, _CLONE_THREAD, 1, 0)])
    program += _judged(_KILL[column], [_step(_EQUAL, pid, 1, 0)])
    program += _judged(_TGKILL[column], [_step(_EQUAL, pid, 1, 0)])
    program += _judged(_PRLIMIT[column], [_step(_EQUAL, 0, 1, 0)])
    program += _judged(_SOCKET[column], _one_of((_AF_INET, _AF_INET6) if sockets else ()))
    program += _unless(_PRCTL[column], _FIXED)
    return b"".join([*program, _step(_RETURN, _ALLOW)])


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _judged(number: int, test: list[bytes]) -> list[bytes]:
    """Return the steps for one call: denied, unless *test* on its first argument jumps over that."""
    inside = [_step(_LOAD, _FIRST), *test, _step(_RETURN, _ERRNO | _DENY), _step(_RETURN, _ALLOW)]
    return [_step(_EQUAL, number, 0, len(inside)), *inside]


def _one_of(values: tuple[int, ...]) -> list[bytes]:
    return [_step(_EQUAL, value, len(values) - place, 0) for place, value in enumerate(values)]


def _unless(number: int, values: tuple[int, ...]) -> list[bytes]:
    """Return the steps for one call that is allowed, but with one of *values* as its first argument."""
    tests = [_step(_EQUAL, value, len(values) - place, 0) for place, value in enumerate(values)]
    inside = [_step(_LOAD, _FIRST), *tests, _step(_RETURN, _ALLOW), _step(_RETURN, _ERRNO | _DENY)]
    return [_step(_EQUAL, number, 0, len(inside)), *inside]
