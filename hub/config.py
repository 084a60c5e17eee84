"""The hub's configuration: one TOML file, every key documented here and nowhere else.

Unknown keys are refused, so that a misspelt limit can't pass for a set one.  ``docs/configuration.md`` is held
against :func:`describe`.
"""

from __future__ import annotations

import os
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from hub.errors import HubError
from hub.kit.oidc_config import OidcConfig

CONFIG_VARIABLE: Final = "HUB_CONFIG"
PASSPHRASE_VARIABLE: Final = "HUB_PASSPHRASE"  # noqa: S105 - the name of a variable
CONFIG_NAME: Final = "hub.toml"

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Minutes = Annotated[int, Meta(ge=1, le=1440)]


def _says(text: str) -> Meta:
    return Meta(description=text)


class Listen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the hub listens."""

    host: Annotated[str, _says("Address to listen on. Put a TLS proxy in front of anything but loopback.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one and logs it.")] = 8400


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one client can cost."""

    request_seconds: Annotated[
        Seconds, _says("A request that hasn't been read whole after so many seconds is cut off.")
    ] = 120.0
    grace_seconds: Annotated[Seconds, _says("A body may be slower than the minimum rate for so many seconds.")] = 5.0
    min_bytes_per_second: Annotated[
        int, Meta(ge=1, description="A body that comes slower than this, after the grace, is cut off.")
    ] = 4096
    max_batch_bytes: Annotated[
        int, Meta(ge=1024, description="The longest batch of envelopes, in bytes. One envelope may always be 64 MiB.")
    ] = 64 * 1024 * 1024
    max_connections: Annotated[
        int, Meta(ge=8, description="Connections served at once; further ones get 503 and Retry-After, and are closed.")
    ] = 4096
    max_in_flight: Annotated[
        int, Meta(ge=1, description="Requests with a body at work at once; further ones get 503 and Retry-After.")
    ] = 256
    max_body_memory: Annotated[
        int, Meta(ge=70 * 1024 * 1024, description="Bytes of request bodies held at once; beyond it 503.")
    ] = 256 * 1024 * 1024
    max_waits_per_agency: Annotated[
        int, Meta(ge=1, description="Long polls and event streams open at once for one agency; further ones get 429.")
    ] = 256


class Console(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The administrator's console, under ``/console`` of the same address."""

    origin: Annotated[str, _says("The address that people's browsers show, without a path; empty: that of `url`.")] = ""
    time_zone: Annotated[str, _says("In which zone moments are shown and asked for.")] = "Europe/London"
    idle_minutes: Annotated[Minutes, _says("After how long without a page a session ends.")] = 30
    session_minutes: Annotated[Minutes, _says("After how long it ends in any case.")] = 480
    passwords: Annotated[
        bool, _says("Whether local accounts may sign in by password and one-time code, beside passkeys.")
    ] = True
    oidc: OidcConfig | None = None


class Mesh(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The front door for MESH clients, under ``/messageexchange`` of the same address."""

    enabled: Annotated[bool, _says("Whether mailboxes that `hub mesh add` named may send and collect by MESH.")] = False
    part_bytes: Annotated[
        int, Meta(ge=1024, le=100 * 1000 * 1000, description="A longer message is collected in parts of so many bytes.")
    ] = 20 * 1024 * 1024


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set.  Paths are absolute once loaded."""

    home: Annotated[str, _says("Folder of the hub's keys and of its last checkpoint. Relative to this file.")] = "."
    database: Annotated[
        str, _says("`sqlite:///path` (relative to this file without a leading slash) or `postgresql://…`.")
    ] = "sqlite:///hub.db"
    url: Annotated[str, _says("The hub's public address: what gateways call, and whom their assertions must name.")] = (
        "http://127.0.0.1:8400"
    )
    origin: Annotated[str, _says("The audit log's name in every checkpoint; never changes.")] = "hub.example/log"
    training: Annotated[
        bool, _says("A training partnership: allows a training clock and empty passphrases. Never with real data.")
    ] = False
    clock: Annotated[
        str, _says("`system`, or `file:path` of a training clock: a file with UTC milliseconds as text.")
    ] = "system"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], _says("How much is logged.")] = "info"
    checkpoint_seconds: Annotated[Seconds, _says("How often a checkpoint over new entries is signed.")] = 1.0
    sweep_seconds: Annotated[Seconds, _says("How often obligations that have come due are looked for.")] = 1.0
    witness_seconds: Annotated[
        Seconds, _says("How often outside witnesses are asked to cosign, if the log has grown.")
    ] = 5.0
    stop_seconds: Annotated[Seconds, _says("How long requests may take to end once the hub is told to stop.")] = 10.0
    certificates: Annotated[
        tuple[str, ...], _says("PEM files of certificates whose end the console warns of, such as the proxy's.")
    ] = ()
    listen: Listen = Listen()
    limits: Limits = Limits()
    console: Console = Console()
    mesh: Mesh = Mesh()

    @property
    def home_path(self) -> Path:
        """Return the hub's folder."""
        return Path(self.home)


class Key(NamedTuple):
    """One configuration key as documented: dotted name, type in words, default, meaning."""

    name: str
    kind: str
    default: Any
    meaning: str


def describe(kind: type[msgspec.Struct] = Config, prefix: str = "") -> Iterator[Key]:
    """Yield every key in order, sections after single keys, for the documentation and its test."""
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        hint = hints[field.name]
        if section := _section(hint):
            yield from describe(section, f"{prefix}{field.name}.")
            continue
        notes = [note for note in hint.__metadata__ if isinstance(note, Meta) and note.description]
        yield Key(prefix + field.name, _in_words(hint.__origin__), field.default, str(notes[-1].description))


def _section(hint: Any) -> type[msgspec.Struct] | None:
    """Return the struct of a section, also of one that may be left out."""
    kinds = [one for one in (hint, *typing.get_args(hint)) if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    return kinds[0] if kinds else None


def _in_words(kind: Any) -> str:
    if typing.get_origin(kind) is Literal:
        return " | ".join(typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return "list of text"
    return {str: "text", bool: "true | false", int: "integer", float: "number"}[kind]


def find_config(given: str | None = None) -> Path:
    """Return the configuration file: *given*, else ``HUB_CONFIG``, else ``hub.toml`` in the current folder."""
    return Path(given or os.environ.get(CONFIG_VARIABLE) or CONFIG_NAME)


def load_config(path: Path) -> Config:
    """Return the configuration in the file *path*, its paths made absolute.

    Raises:
        HubError: ``config``, naming the key and the rule.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise HubError(
            "config",
            f"couldn't read configuration {path}: {error.strerror}",
            f"run `hub init`, or name the file by --config or {CONFIG_VARIABLE}",
        ) from error
    return parse_config(text, path.resolve().parent)


def parse_config(text: str, base: Path) -> Config:
    """Return the configuration that *text* (TOML) says, paths relative to *base*.

    Raises:
        HubError: ``config``.
    """
    try:
        config = msgspec.convert(tomllib.loads(text), Config, strict=True)
    except tomllib.TOMLDecodeError as error:
        raise HubError("config", f"the configuration isn't TOML: {error}", "correct that line") from error
    except msgspec.ValidationError as error:
        raise HubError("config", f"configuration: {error}", "see docs/configuration.md") from error
    if config.clock != "system" and not config.clock.startswith("file:"):
        raise HubError("config", "`clock` is neither `system` nor `file:path`", 'write clock = "system"')
    if config.clock != "system" and not config.training:
        raise HubError("config", "a training clock outside training", 'set training = true, or clock = "system"')
    if not config.database.startswith(("sqlite:///", "postgresql://", "postgres://")):
        raise HubError("config", "`database` is neither sqlite:/// nor postgresql://", "see docs/configuration.md")
    changes: dict[str, Any] = {
        "home": str(base / config.home),
        "certificates": tuple(str(base / name) for name in config.certificates),
    }
    if config.database.startswith("sqlite:///"):
        changes["database"] = "sqlite:///" + str(base / config.database.removeprefix("sqlite:///"))
    if config.clock.startswith("file:"):
        changes["clock"] = "file:" + str(base / config.clock.removeprefix("file:"))
    return msgspec.structs.replace(config, **changes)
