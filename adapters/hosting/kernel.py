"""The few calls into Linux that Python has no names for.  Nothing here decides; ``confining`` does."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_SIGKILL: Final = 9
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_CLONE_NEWIPC: Final = 0x08000000
# Numbers of system calls that are the same on every architecture.
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_PATH_BENEATH: Final = 1

# Rights of Landlock, by the version that brought them.  Source: linux/landlock.h.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_UP_TO: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_READS: Final = _EXECUTE | _READ_FILE | _READ_DIR
# For writing: no devices, sockets, pipes or links.
_WRITES: Final = _READ_FILE | _READ_DIR | _WRITE_FILE | _TRUNCATE | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 13
_OF_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_TCP: Final = 0b11
_SCOPES: Final = 0b11

_libc: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _call(name: str, *arguments: object) -> int:
    """Call the C library.

    Raises:
        OSError: it said no, or there is none to call.
    """
    if _libc is None:
        raise OSError("not Linux")
    result = int(getattr(_libc, name)(*arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{name} was refused")
    return result


def _long(value: int) -> ctypes.c_ulong:
    return ctypes.c_ulong(value)


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it ends, however it ends."""
    _call("prctl", _PR_SET_PDEATHSIG, _long(_SIGKILL), _long(0), _long(0), _long(0))


def gain_nothing() -> None:
    """Never gain a right again, by whatever is run."""
    _call("prctl", _PR_SET_NO_NEW_PRIVS, _long(1), _long(0), _long(0), _long(0))


def leave_network() -> None:
    """Go into a network of one's own, which has nothing but an idle loopback, under the same user.

    Raises:
        OSError: this kernel doesn't let this user.
    """
    user, group = os.getuid(), os.getgid()
    try:
        _call("unshare", _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC)
    except OSError:
        _call("unshare", _CLONE_NEWNET | _CLONE_NEWIPC)
        return
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        Path(f"/proc/self/{name}").write_text(text, "ascii")


def raise_loopback(addresses: Iterable[str]) -> None:
    """Bring the loopback of one's own network up, with *addresses* (IPv4) beside those that it has."""
    set_flags, set_address, up = 0x8914, 0x8916, 0x1 | 0x40
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        fcntl.ioctl(asking, set_flags, struct.pack("16sH14x", b"lo", up))
        for number, address in enumerate(addresses):
            name = f"lo:{number}".encode()
            where = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(asking, set_address, struct.pack("16s16s", name, where))


def drop_capabilities() -> None:
    """Give up every capability, also those over one's own namespaces."""
    version = 0x20080522
    header = ctypes.create_string_buffer(struct.pack("=Ii", version, 0))
    _call("capset", header, ctypes.create_string_buffer(24))


def landlock_version() -> int:
    """Return which Landlock this kernel has; 0: none."""
    try:
        return _call("syscall", _long(_CREATE_RULESET), None, _long(0), _long(1))
    except OSError:
        return 0


def restrict_files(reads: Iterable[str], writes: Iterable[str], *, no_tcp: bool) -> None:
    """Let this process and all it starts open only what lies in *reads* and *writes*; for good.

    With *no_tcp* also neither connect nor listen; signals and abstract sockets reach only itself, where the kernel knows how.

    Raises:
        OSError: this kernel can't.
    """
    version = landlock_version()
    handled = _UP_TO[max(known for known in _UP_TO if known <= version)] if version else 0
    network = _TCP if no_tcp and version >= 4 else 0
    scopes = _SCOPES if version >= 6 else 0
    attributes = struct.pack("=QQQ", handled, network, scopes)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    ruleset = _call(
        "syscall",
        _long(_CREATE_RULESET),
        ctypes.create_string_buffer(attributes, len(attributes)),
        _long(len(attributes)),
        _long(0),
    )
    try:
        for paths, rights in ((reads, _READS), (writes, _WRITES)):
            for path in paths:
                _allow(ruleset, path, rights & handled)
        _call("syscall", _long(_RESTRICT_SELF), _long(ruleset), _long(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # missing, or on a share that is away: not granted, rather than nothing confined
    try:
        allowed = rights if Path(path).is_dir() else rights & _OF_FILES
        rule = ctypes.create_string_buffer(struct.pack("=Qi", allowed, handle), 12)
        _call("syscall", _long(_ADD_RULE), _long(ruleset), _long(_PATH_BENEATH), rule, _long(0))
    finally:
        os.close(handle)


def filter_calls(program: bytes) -> None:
    """Have every system call of this process and its threads judged by *program*, instructions of a BPF filter; for good."""
    seccomp, filtering = 22, 2
    body = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(body)))
    _call("prctl", seccomp, _long(filtering), header, _long(0), _long(0))
