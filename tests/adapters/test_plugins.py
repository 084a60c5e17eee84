"""Only adapters that the configuration names are loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.folder import FolderAdapter
from adapters.plugins import PluginError, load_adapters


def test_an_enabled_adapter_is_loaded_with_its_options(tmp_path: Path) -> None:
    """The folder pair is found by its entry point's exact name, and its folders are there before its process is."""
    adapters = load_adapters({"folder": {"path": "pair"}}, tmp_path)
    assert adapters["folder"].manifest is FolderAdapter.manifest
    assert (tmp_path / "pair/out").is_dir()


def test_nothing_is_loaded_that_is_not_named(tmp_path: Path) -> None:
    """Installed is not enabled."""
    assert load_adapters({}, tmp_path) == {}


@pytest.mark.parametrize(
    ("name", "options", "code"),
    [
        ("Folder", {}, "adapter-unknown"),
        ("folder", {"network": 1}, "adapter-options"),
        ("folder", {"limits": {"secnods": 1}}, "adapter-options"),
        ("folder", {"hosts": ["http://x/"]}, "adapter-options"),
    ],
)
def test_what_cannot_be_loaded_says_why(tmp_path: Path, name: str, options: dict[str, Any], code: str) -> None:
    """An unknown name and an ill-typed key of the gateway's each have a code, a sentence and a way out."""
    with pytest.raises(PluginError) as caught:
        load_adapters({name: options}, tmp_path)
    assert caught.value.code == code
    assert caught.value.hint


async def test_options_that_the_adapter_refuses_stop_its_start(tmp_path: Path) -> None:
    """An option that the adapter doesn't know is named, and nothing of it runs on."""
    adapter = load_adapters({"folder": {"paht": "x"}}, tmp_path)["folder"]
    with pytest.raises(PluginError, match="paht") as caught:
        await adapter.start()
    assert caught.value.code == "adapter-options"
    assert [one.reason for one in adapter.take_troubles()] == ["adapter-options"]
    await adapter.close()
