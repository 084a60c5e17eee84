"""A case system for each test that asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.profiles.interface import Interface
from tests.profiles.social_care.council import new_cases
from tests.profiles.social_care.system import CaseSystem


@pytest.fixture
def cases(tmp_path: Path) -> CaseSystem:
    """Give a case system on SQLite."""
    folder = tmp_path / "cases"
    folder.mkdir()
    return new_cases(Interface(f"sqlite://{folder}/records.db"))
