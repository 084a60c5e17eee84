"""Shutting an adapter's process in, before a line of the adapter is read.  Which of it holds is said, not assumed.

| name | what holds |
|---|---|
| `files` | nothing can be opened but the code and the folders of its options (Landlock) |
| `network` | it has no connections at all, or only with the hosts granted (a network of its own) |
| `sockets` | it can't have a socket, or only internet ones (a filter of system calls) |
| `processes` | it can't start, signal or look into another process (the same filter) |
| `rights` | it can never gain a right, and has none to give up |
| `limits` | memory, length of files, open files |

Source: landlock(7), seccomp(2), network_namespaces(7), getrlimit(2).
"""

from __future__ import annotations

import os
import platform
import resource
import socket
import sys
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address
from typing import Any, Final

from adapters.hosting import kernel
from adapters.hosting.calls import make_filter
from adapters.hosting.grants import Grants, Limits

MEBIBYTE: Final = 1024 * 1024
OPEN_FILES: Final = 256
ALL: Final = ("files", "network", "sockets", "processes", "rights", "limits")


class Confined:
    """What holds of :data:`ALL`, and the sockets on which the gateway hears a process that may reach only some hosts."""

    def __init__(self) -> None:
        self.holds: list[str] = []
        self.listeners: list[socket.socket] = []

    def missing(self, grants: Grants) -> list[str]:
        """Return what of :data:`ALL` doesn't hold, but for a network that *grants* leave it whole."""
        return [one for one in ALL if one not in self.holds and not (one == "network" and grants.is_free)]

    def attempt(self, name: str, work: Callable[[], object]) -> bool:
        """Do *work*; *name* holds if it didn't fail."""
        try:
            work()
        except OSError:
            return False
        self.holds.append(name)
        return True


def confine(grants: Grants) -> Confined:
    """Shut this process in for good, as far as the kernel lets it."""
    done = Confined()
    if sys.platform == "linux":
        kernel.die_with_parent()
        _shut_network(grants, done)
        done.attempt("rights", _give_up_rights)
        reads, writes = grants.reads, [*grants.writes, *([grants.scratch] if grants.scratch else [])]
        writes.append("/dev/null")
        if kernel.landlock_version():
            done.attempt("files", lambda: kernel.restrict_files(reads, writes, no_tcp=not grants.network))
    done.attempt("limits", lambda: _limit(grants.limits))
    if sys.platform == "linux":
        program = make_filter(platform.machine(), os.getpid(), sockets=grants.network)
        if program is not None and done.attempt("processes", lambda: kernel.filter_calls(program)):
            done.holds.append("sockets")
    return done


def _give_up_rights() -> None:
    kernel.gain_nothing()
    kernel.drop_capabilities()


def _limit(limits: Limits) -> None:
    memory, length = limits.memory_mb * MEBIBYTE, limits.file_mb * MEBIBYTE
    for name, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, length),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(name, (most, most))


def _shut_network(grants: Grants, done: Confined) -> None:
    """Leave the network; keep a listener of one's own for each host that is granted, where the gateway takes what comes."""
    if grants.is_free:
        return

    def leave() -> None:
        kernel.leave_network()
        places = {host: _place(number, host) for number, (host, _) in enumerate(grants.hosts)}
        own = {*places.values(), *(address for address, _ in grants.listen)}
        kernel.raise_loopback(sorted(place for place in own if not place.startswith(("127.", "0."))))
        for host, port in grants.hosts:
            done.listeners.append(socket.create_server((places[host], port), backlog=64))
        if grants.hosts:
            _know_only(places)

    if not done.attempt("network", leave):
        done.listeners.clear()


def _place(number: int, host: str) -> str:
    """Return the address in the process's own network that stands for *host*."""
    try:
        return str(IPv4Address(host))
    except AddressValueError:
        return f"127.77.{number // 250}.{number % 250 + 1}"


def _know_only(places: dict[str, str]) -> None:
    """Have the names in *places*, and no other, mean their addresses here."""
    really = socket.getaddrinfo
    known = {name.casefold(): place for name, place in places.items()}

    def getaddrinfo(host: Any, port: Any, *more: Any, **options: Any) -> Any:
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if isinstance(name, str):
            name = known.get(name.casefold().rstrip("."), name)
        return really(name, port, *more, **options)

    socket.getaddrinfo = getaddrinfo
