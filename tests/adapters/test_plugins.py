"""Only adapters that the configuration names are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.folder import FolderAdapter
from adapters.plugins import PluginError, load_adapters


def test_an_enabled_adapter_is_loaded_with_its_options(tmp_path: Path) -> None:
    """The folder pair is found by its entry point's exact name."""
    adapters = load_adapters({"folder": {"path": "pair"}}, tmp_path)
    assert isinstance(adapters["folder"], FolderAdapter)
    assert (tmp_path / "pair/out").is_dir()


def test_nothing_is_loaded_that_is_not_named(tmp_path: Path) -> None:
    """Installed is not enabled."""
    assert load_adapters({}, tmp_path) == {}


@pytest.mark.parametrize(
    ("name", "options", "code"), [("Folder", {}, "adapter-unknown"), ("folder", {"x": 1}, "adapter-options")]
)
def test_what_cannot_be_loaded_says_why(tmp_path: Path, name: str, options: dict[str, int], code: str) -> None:
    """An unknown name and an unknown option each have a code, a sentence and a way out."""
    with pytest.raises(PluginError) as caught:
        load_adapters({name: options}, tmp_path)
    assert caught.value.code == code
    assert caught.value.hint
