"""Adapters that are installed, and the few that a gateway's configuration enables by exact name.

Installed is not enabled: nothing is read of a package but what the configuration names, and of that nothing is run in the
gateway's own process.

Source: design 5 (adapters), 6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from adapters.hosting.frames import OPTIONAL, Ready
from adapters.hosting.grants import PluginError, bare_grants, make_grants, split_table
from adapters.hosting.host import HostedAdapter, make_setup
from adapters.hosting.process import describe

GROUP: Final = "safeguarding_hub.adapters"


def load_adapters(
    tables: Mapping[str, Mapping[str, Any]], home: Path, *, printed: Callable[[bytes], None] | None = None
) -> dict[str, HostedAdapter]:
    """Return the adapters that *tables* (name to options, the ``[adapters]`` of the configuration) enable, none started.

    *printed* is given what they print; without it that is left out.

    Raises:
        PluginError: ``adapter-unknown``, ``adapter-twice``, ``adapter-options``, ``adapter-import``, ``adapter-manifest``,
            ``adapter-died``, ``adapter-unconfined``, ``adapter-network``, ``adapter-folder``.
    """
    return {name: _load(name, table, home, printed) for name, table in tables.items()}


def list_installed() -> list[str]:
    """Return the names of the adapters that installed packages offer, enabled or not; nothing of them is read."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def describe_adapter(name: str, without: tuple[str, ...] = ()) -> Ready:
    """Return what the adapter *name* says of itself; *without*: what of its confinement needn't hold.

    Raises:
        PluginError: ``adapter-unknown``, ``adapter-twice``, ``adapter-import``, ``adapter-manifest``, ``adapter-died``,
            ``adapter-unconfined``.
    """
    entry = _find(name)
    described = _describe(name, entry.value, without)
    if described.manifest.name != name:
        raise PluginError(
            "adapter-manifest",
            f"the adapter `{name}` calls itself something else in its manifest",
            "give both one name",
        )
    return described


def find_own(name: str) -> type[Any] | None:
    """Return the class of the adapter *name* where it is this project's own, else ``None``: others' code isn't read here.

    Raises:
        PluginError: ``adapter-unknown``, ``adapter-twice``.
    """
    module, _, attribute = _find(name).value.partition(":")
    if module.partition(".")[0] != "adapters":
        return None
    found: type[Any] = getattr(import_module(module), attribute)
    return found


def _find(name: str) -> EntryPoint:
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        raise PluginError(
            "adapter-unknown", f"no installed package offers the adapter `{name}`", "install it, or correct its name"
        )
    if len({entry.value for entry in found}) > 1:
        # Two packages under one name: whichever came first would get the agency's plaintext.
        raise PluginError("adapter-twice", f"two packages offer the adapter `{name}`", "uninstall one of them")
    return found[0]


@cache
def _describe(name: str, value: str, without: tuple[str, ...]) -> Ready:
    module, _, attribute = value.partition(":")
    if module.partition(".")[0] == "adapters":
        # This project's own may be looked at here; it is still run elsewhere.
        try:
            kind = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise PluginError(
                "adapter-import",
                f"what the adapter `{name}` needs isn't installed",
                "install the extra that its guide in docs/agencies/ names",
            ) from error
        return Ready(manifest=kind.manifest, offers=tuple(one for one in OPTIONAL if hasattr(kind, one)))
    return describe(name, replace(make_setup(value, {}, Path("/"), bare_grants(without)), describe=True))


def _load(name: str, table: Mapping[str, Any], home: Path, printed: Callable[[bytes], None] | None) -> HostedAdapter:
    config, options = split_table(name, table)
    described = describe_adapter(name, config.without)
    grants = make_grants(described.manifest, config, options, home)
    return HostedAdapter(name, make_setup(_find(name).value, options, home, grants), described, printed=printed)
