"""Adapters that are installed, and the few that a gateway's configuration enables by exact name.

Installed is not enabled: nothing is imported but what the configuration names.

Source: design 5 (adapters), 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, cast

from adapters.base import Adapter, AdapterFactory
from adapters.errors import GatewayError

GROUP: Final = "safeguarding_hub.adapters"


class PluginError(GatewayError):
    """An adapter can't be loaded."""


def load_adapters(tables: Mapping[str, Mapping[str, Any]], home: Path) -> dict[str, Adapter]:
    """Return the adapters that *tables* (name to options, the ``[adapters]`` of the configuration) enable.

    Raises:
        PluginError: ``adapter-unknown``, ``adapter-twice``, ``adapter-options``.
    """
    return {name: _load(name, options, home) for name, options in tables.items()}


def _load(name: str, options: Mapping[str, Any], home: Path) -> Adapter:
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        raise PluginError(
            "adapter-unknown", f"no installed package offers the adapter `{name}`", "install it, or correct its name"
        )
    if len({entry.value for entry in found}) > 1:
        # Two packages under one name: whichever came first would get the agency's plaintext.
        raise PluginError("adapter-twice", f"two packages offer the adapter `{name}`", "uninstall one of them")
    factory = cast("AdapterFactory", found[0].load())
    try:
        return factory.configure(options, home)
    except ValueError as error:
        raise PluginError(
            "adapter-options", f"adapter `{name}`: {error}", "correct its table in gateway.toml"
        ) from error
