"""The design system as the pages use it: fetched once, without what only gov.uk may use, and a plain style without it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hub.kit.assets import FOLDER, AssetsError, find_assets, install_assets, prepare_style
from tests.node import ROOT, unavailable

CODE = "import sys; print('npm error code ENOTFOUND', file=sys.stderr); raise SystemExit(1)"


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    """Give a folder into which the design system was fetched."""
    try:
        return install_assets(tmp_path / "pages")
    except AssetsError as error:
        unavailable(error.message)


@pytest.mark.needs_node
def test_what_is_fetched_has_neither_typeface_nor_crest_and_loads_nothing(fetched: Path) -> None:
    """The prepared style names no font file, no crown or crest and no other host, its letters are Arial's; the script is whole."""
    found = find_assets(fetched)
    style = found.style.decode()
    assert len(style) > 50_000
    assert not re.search(r"@font-face|url\(|transport|crest|@import|image-set|<svg|data:", style, re.IGNORECASE)
    assert set(re.findall(r"font-family:([^;}]*)", style)) <= {"arial,sans-serif", "sans-serif"}
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
    for npm, why in (["/nowhere/npm"], "No such file"), ([sys.executable, "-c", CODE, "--"], "(ENOTFOUND)"):
        with pytest.raises(AssetsError, match=re.escape(why)) as caught:
            install_assets(tmp_path / "pages", npm=npm)
        assert FOLDER in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_where_the_folder_cannot_be_written_the_error_says_so(tmp_path: Path) -> None:
    """A file in the way is an error of ours, no traceback."""
    (tmp_path / "way").touch()
    with pytest.raises(AssetsError, match="couldn't be put into") as caught:
        install_assets(tmp_path / "way" / "pages", npm=["/nowhere/npm"])
    assert FOLDER in caught.value.hint


def test_a_folder_with_half_of_it_is_not_taken(tmp_path: Path) -> None:
    """The style without the script is not what was prepared."""
    (tmp_path / "pages.css").write_text("half")
    assert find_assets(tmp_path).style != b"half"


def test_a_named_folder_wins_over_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment names is looked at before anything else, and nothing is fetched then."""
    for name in ("pages.css", "pages.js"):
        (tmp_path / name).write_text(name)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    assert find_assets().style == b"pages.css"
    assert install_assets(npm=["/nowhere/npm"]) == tmp_path


def test_whoever_has_no_home_sees_plain_pages(tmp_path: Path) -> None:
    """A service's user without a home folder starts all the same."""
    code = (
        "import pathlib\n"
        "def none(): raise RuntimeError\n"
        "pathlib.Path.home = none\n"
        "from hub.kit.assets import find_assets\n"
        "assert find_assets().script is None"
    )
    environment = {key: value for key, value in os.environ.items() if key not in {FOLDER, "XDG_CACHE_HOME"}}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


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


def build_wheel(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Build a wheel of this checkout into *folder*."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)


@pytest.mark.needs_node
def test_a_wheel_has_them_and_what_is_installed_from_it_fetches_nothing(fetched: Path, tmp_path: Path) -> None:
    """From a wheel the pages look as they should, though there is neither npm nor a cache."""
    done = build_wheel(tmp_path / "wheel", {FOLDER: str(fetched)})
    assert done.returncode == 0, done.stderr
    [wheel] = (tmp_path / "wheel").iterdir()
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(tmp_path / "installed")
    code = (
        "from hub.kit.assets import find_assets, install_assets\n"
        "print(install_assets(npm=['/nowhere/npm']), find_assets().script is not None)"
    )
    environment = {key: value for key, value in os.environ.items() if key != FOLDER} | {"HOME": str(tmp_path)}
    installed = tmp_path / "installed"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=installed, env=environment, capture_output=True, text=True, check=False
    )
    assert told.stdout.split() == [str(installed / "hub" / "kit" / "styles" / "made"), "True"], told.stderr


def test_a_wheel_that_cannot_have_them_is_not_built(tmp_path: Path) -> None:
    """The build ends with what is missing and the way out, not with a wheel whose pages are plain."""
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text("#!/bin/sh\necho 'npm error code ENOTFOUND' >&2\nexit 1\n")
    npm.chmod(0o755)
    done = build_wheel(tmp_path / "wheel", {"PATH": f"{npm.parent}:/usr/bin:/bin", FOLDER: ""})
    assert done.returncode == 1
    assert "No wheel without the design system of its pages: npm couldn't fetch the design system (ENOTFOUND)" in (
        done.stderr + done.stdout
    )
    assert list(tmp_path.glob("wheel/*")) == []
