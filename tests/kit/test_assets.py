"""The design system as the pages use it: fetched once, without what only gov.uk may use, and a plain style without it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from hub.kit.assets import AssetsError, find_assets, install_assets, prepare_style
from tests.node import unavailable


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    """Give a folder into which the design system was fetched."""
    try:
        return install_assets(tmp_path / "pages")
    except AssetsError as error:
        unavailable(error.message)


@pytest.mark.needs_node
def test_what_is_fetched_has_neither_typeface_nor_crest_and_loads_nothing(fetched: Path) -> None:
    """The prepared style names no font file, no crest and no other host; the script is a module that starts by itself."""
    found = find_assets(fetched)
    style = found.style.decode()
    assert len(style) > 50_000
    assert not re.search(r"@font-face|url\(|GDS Transport|crest|@import", style)
    assert found.script is not None
    assert b"sourceMappingURL" not in found.script
    assert b"initAll" in found.script


@pytest.mark.needs_node
def test_fetching_again_changes_nothing(fetched: Path) -> None:
    """What is there stays, though npm could not be run any more."""
    before = (fetched / "pages.css").stat().st_mtime_ns
    assert install_assets(fetched, npm=["/nowhere/npm"]) == fetched
    assert (fetched / "pages.css").stat().st_mtime_ns == before


def test_without_npm_the_error_says_the_way_out_and_leaves_nothing(tmp_path: Path) -> None:
    """A machine that can't fetch is told what to do; no half of a folder stays behind."""
    for npm in (["/nowhere/npm"], [sys.executable, "-c", "raise SystemExit(1)", "--"]):
        with pytest.raises(AssetsError) as caught:
            install_assets(tmp_path / "pages", npm=npm)
        assert "SAFEGUARDING_ASSETS" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_without_the_design_system_there_is_a_plain_style(tmp_path: Path) -> None:
    """Pages stay usable with nothing fetched."""
    found = find_assets(tmp_path / "none")
    assert found.script is None
    assert b":focus-visible" in found.style


def test_a_crest_of_another_shape_goes_too() -> None:
    """However the image stands in a rule, nothing is left to load."""
    style = prepare_style("@font-face{src:url(x)}.a{background-image:url('/c.svg');color:red}.b{mask:url(d.svg) 0 0}")
    assert "url(" not in style
    assert "color:red" in style
