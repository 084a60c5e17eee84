"""What the tests of keys share: fixed keys, a naive tree, and the Node program that checks us from outside."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from keys.jws import SigningKey
from keys.sealing import OpeningKey
from tests.node import find_nodes, installed, unavailable

ROOT = Path(__file__).parents[2]
ORACLES = ROOT / "tests" / "oracles"
PROGRAMS = ("oracle.mjs", "audit.mjs", "note.mjs", "tree.mjs")
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


def ask_oracle(kind: str, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the answers of the Node program for keys and sealing, as :func:`run_oracle` has them."""
    answers: list[dict[str, Any]] = run_oracle(kind, "oracle.mjs", requests)
    return answers


def run_oracle(kind: str, program: str, asked: Any) -> Any:
    """Return what a Node program says to *asked*, run by the Node called *kind* in :func:`find_nodes`.

    Skips the test where there is no such Node or its packages can't be had; under ``CI=true`` fails instead.
    """
    nodes = find_nodes()
    if kind not in nodes:
        unavailable("there is no Node")
    node, npm = nodes[kind]
    done = subprocess.run(
        [*node, program],
        cwd=installed(ORACLES, tuple(npm), PROGRAMS),
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
