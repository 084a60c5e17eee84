"""What an adapter's process may reach and how much it may use: from its manifest and the gateway's configuration.

Both must agree: what the manifest doesn't ask for isn't given, and what the configuration doesn't grant isn't either.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from adapters.base import Manifest
from adapters.durable import make_folder
from adapters.errors import GatewayError

HTTPS: Final = 443
# What Python, TLS and name look-ups read of a system.
_SYSTEM: Final = (
    "/usr", "/lib", "/lib64", "/bin", "/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/localtime", "/etc/mime.types",
    "/etc/ld.so.cache", "/dev/urandom",
)  # fmt: skip
_NAMES: Final = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/services",
    "/etc/gai.conf",
    "/run/systemd/resolve",
)
# Of the gateway's own home: an adapter that could write here could change whom the gateway trusts.
_OWN: Final = ("trust", "messages", "atrisk")


class PluginError(GatewayError):
    """An adapter can't be had as it is configured."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much one adapter's process may use."""

    seconds: Annotated[
        float, Meta(gt=0, le=3600, description="How long it may take over one message before it is ended.")
    ] = 60.0
    memory_mb: Annotated[int, Meta(ge=128, le=65_536, description="Address space.")] = 1024
    file_mb: Annotated[int, Meta(ge=1, le=65_536, description="The longest file that it may write.")] = 256
    written_mb: Annotated[int, Meta(ge=1, le=1_048_576, description="What it may write in a minute.")] = 1024
    threads: Annotated[int, Meta(ge=2, le=1024, description="How many threads it may have.")] = 64


class HostConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of `[adapters.NAME]` that are the gateway's; every other key is the adapter's own option."""

    network: Annotated[bool, Meta(description="Lets it make connections, if its manifest asks for them.")] = False
    hosts: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]+(:[0-9]{1,5})?\Z")], ...],
        Meta(max_length=64, description="Where to, as `name:port` (port 443 if it is left out)."),
    ] = ()
    listen: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[0-9.]+:[0-9]{1,5}\Z")], ...],
        Meta(
            max_length=16,
            description="Where others reach it, as `address:port`. Neither this nor `hosts`: it has the whole network.",
        ),
    ] = ()
    without: Annotated[
        tuple[Literal["files", "network", "sockets", "processes", "rights", "limits"], ...],
        Meta(description="Which parts of its confinement it may run without, where the kernel doesn't offer them."),
    ] = ()
    limits: Limits = Limits()


class Grants(msgspec.Struct, frozen=True, kw_only=True):
    """All that a process is given.

    ``named`` are the paths of options: put anew, they have to be granted anew.  ``network``: none, only to ``hosts`` and from
    ``listen``, or any.  ``without``: what of its confinement needn't hold.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    network: bool = False
    hosts: tuple[tuple[str, int], ...] = ()
    listen: tuple[tuple[str, int], ...] = ()
    without: tuple[str, ...] = ()
    limits: Limits = Limits()
    scratch: str = ""

    @property
    def is_free(self) -> bool:
        """Answer whether it has the network that the gateway has."""
        return self.network and not self.hosts and not self.listen


def split_table(name: str, table: Mapping[str, Any]) -> tuple[HostConfig, dict[str, Any]]:
    """Return the gateway's part and the adapter's own part of ``[adapters.NAME]``.

    Raises:
        PluginError: ``adapter-options``.
    """
    ours = set(HostConfig.__struct_fields__)
    try:
        config = msgspec.convert({key: table[key] for key in table if key in ours}, HostConfig, strict=True)
    except msgspec.ValidationError as error:
        raise PluginError(
            "adapter-options", f"adapter `{name}`: {error}", "correct its table in gateway.toml"
        ) from error
    return config, {key: value for key, value in table.items() if key not in ours}


def make_grants(manifest: Manifest, config: HostConfig, options: Mapping[str, Any], home: Path) -> Grants:
    """Return what the adapter of *manifest* gets; the folders that it is to write to are made where they are missing.

    Raises:
        PluginError: ``adapter-network``, ``adapter-folder``.
    """
    if manifest.network and not config.network:
        raise PluginError(
            "adapter-network",
            f"the adapter `{manifest.name}` works over the network, which isn't granted to it",
            f"set `network = true` and `hosts` under [adapters.{manifest.name}]",
        )
    network = manifest.network and config.network
    entries = manifest.writes
    if options.get("share") is True:
        # A folder made here while the share is away would lie under it, unseen, once it is back.
        entries = tuple(dict.fromkeys(entry.partition("/")[0] for entry in entries))
    writes = [_check_folder(manifest.name, path, home) for path in _named(entries, options, home)]
    for path in writes if options.get("share") is not True else ():
        with suppress(OSError):  # a full disk, a folder of somebody else's: the adapter says it when it is asked
            make_folder(path)
    code = [part for path in sys.path if path for part in _around(Path(path).resolve(), home.resolve())]
    prefixes = [
        part for path in {sys.prefix, sys.base_prefix} for part in _around(Path(path).resolve(), home.resolve())
    ]
    system = [Path(path) for path in (*_SYSTEM, *(_NAMES if network else ()))]
    named = list(_named(manifest.reads, options, home))
    reads = [*(path for path in (*code, *prefixes, *system) if path.exists()), *named]
    return Grants(
        reads=tuple(dict.fromkeys(map(str, reads))),
        writes=tuple(map(str, writes)),
        named=tuple(map(str, [*named, *writes])),
        network=network,
        hosts=tuple(_split(host) for host in config.hosts) if network else (),
        listen=tuple(_split(place) for place in config.listen) if network else (),
        without=config.without,
        limits=config.limits,
    )


def bare_grants(without: tuple[str, ...] = ()) -> Grants:
    """Return what a process gets that is only to say what its adapter is: the code."""
    bare = make_grants(Manifest(name="", title="", transports=()), HostConfig(), {}, Path("/nowhere"))
    return replace(bare, without=without)


def _named(entries: tuple[str, ...], options: Mapping[str, Any], home: Path) -> Iterator[Path]:
    for entry in entries:
        option, _, inside = entry.partition("/")
        value = options.get(option, "." if inside else None)
        if isinstance(value, str) and value:
            yield home / value / inside if inside else home / value


def _check_folder(name: str, path: Path, home: Path) -> Path:
    """Return *path*, unless whoever can write there can change what is the gateway's own."""
    there, own = path.resolve(), home.resolve()
    if own == there or there in own.parents or any(own / part in (there, *there.parents) for part in _OWN):
        raise PluginError(
            "adapter-folder",
            f"a folder of the adapter `{name}` holds the gateway's own files",
            "give it a folder of its own, beside or inside the gateway's home",
        )
    return path


def _around(path: Path, home: Path) -> Iterator[Path]:
    """Yield *path*, or where *home* lies in it, what is in it except the way to *home*."""
    if path != home and path not in home.parents:
        yield path
    elif path != home and path.is_dir():
        for entry in path.iterdir():
            yield from _around(entry, home)


def _split(host: str) -> tuple[str, int]:
    name, _, port = host.partition(":")
    return name, int(port or HTTPS)
