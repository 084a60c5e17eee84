"""A hub whose officers' keys are elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.officers import House, make_house


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Give a house that no test changes."""
    return make_house(tmp_path_factory.mktemp("built"))


@pytest.fixture
def house(built: House, tmp_path: Path) -> House:
    """Give a hub whose officers' keys are elsewhere."""
    root = tmp_path / "house"
    shutil.copytree(built.root, root)
    return built._replace(root=root)
