"""Plugins as other people would install them: a module and its metadata in a folder of the path."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from adapters import plugins


def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str) -> None:
    """Install a package that offers the class ``Plugin`` of *source* as the adapter *name*."""
    site = tmp_path / "site"
    module = name.replace("-", "_")
    info = site / f"{module}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (site / f"{module}.py").write_text(textwrap.dedent(source), "utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(f"[{plugins.GROUP}]\n{name} = {module}:Plugin\n", "utf-8")
    if str(site) not in __import__("sys").path:
        monkeypatch.syspath_prepend(str(site))
    plugins._describe.cache_clear()
