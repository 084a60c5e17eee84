"""Hubs made and run by the real commands."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from hub.cli import main
from keys.keyring import Keyring
from schemas.strict_json import dump
from tests.county import EXAMPLES, County

HUB = (sys.executable, "-m", "hub.cli")


class Done(NamedTuple):
    """What a command did."""

    returncode: int
    stdout: str
    stderr: str


def run(*words: str, passphrase: str | None = "", ok: bool = True) -> Done:
    """Return what `hub` *words* did, which must succeed unless *ok* is false; in this process, to save its imports."""
    out, err = io.StringIO(), io.StringIO()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    with (
        mock.patch.dict(os.environ, kept | ({"HUB_PASSPHRASE": passphrase} if passphrase else {}), clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            status = main(words)
        except SystemExit as ended:
            status = int(ended.code or 0)
    done = Done(status, out.getvalue(), err.getvalue())
    assert not ok or done.returncode == 0, done.stderr
    return done


def free_port() -> int:
    """Return a port that nobody listened on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_hub(home: Path, *words: str, clock: str = "system") -> str:
    """Make a training hub in *home* and return its address."""
    url = f"http://127.0.0.1:{free_port()}"
    run(
        "init", str(home), "--training", "--url", url, "--listen", url.removeprefix("http://"), "--clock", clock,
        "--directory", str(EXAMPLES / "county.toml"), "--agreement", str(EXAMPLES / "agreement.toml"), *words,
    )  # fmt: skip
    return url


@contextlib.contextmanager
def serving(home: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `hub serve` for as long as the block lasts."""
    with (home.parent / "serve.log").open("ab") as log:
        process = subprocess.Popen([*HUB, "serve", "--config", str(home / "hub.toml")], stdout=log, stderr=log)
    try:
        wait_ready(process, url)
        yield process
    finally:
        process.terminate()
        process.wait(20)


def wait_ready(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait until the hub at *url* serves, or has ended."""
    for _ in range(1200):
        if process.poll() is not None:
            return
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/readyz", timeout=5):  # noqa: S310 - our own http address
            return
        time.sleep(0.05)
    raise AssertionError("the hub doesn't get ready")


def write_request(path: Path, agency: str, role: str, county: County) -> Keyring:
    """Write the enrolment request of an agency with one mailbox, as its gateway would, and return its keys."""
    keyring = Keyring.create(agency, county.now)
    county.keyrings[agency] = keyring
    (held,) = keyring.opening_keys.values()
    statements = [
        county.statement(agency, use, members).decode()
        for use, members in (
            ("sign", keyring.signing.public.jwk),
            ("witness", keyring.witness.public.jwk),
            ("seal", held.key.public.jwk),
        )
    ]
    assert keyring.identity is not None
    request = {
        "v": 1,
        "agency": agency,
        "name": agency.title(),
        "roles": [role],
        "codes": {},
        "identity": keyring.identity.public.jwk,
        "mailboxes": [{"id": f"{agency}/desk", "title": "Desk", "roles": []}],
        "statements": statements,
    }
    path.write_bytes(dump(request))
    return keyring


def fetch(url: str) -> object:
    """Return the JSON at *url*."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own http address
        return json.loads(answer.read())
