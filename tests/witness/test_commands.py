"""The real commands: a hub whose directory names a witness, and that witness on another machine."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.cli.support import HUB, free_port, make_hub, run, serving
from tests.county import EXAMPLES

NAME = "notary.example/w1"


def get(url: str) -> bytes:
    """Return what is at *url*."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own http address
        return bytes(answer.read())


@contextlib.contextmanager
def witnessing(home: Path, url: str) -> Iterator[None]:
    """Run `hub witness serve` for as long as the block lasts."""
    words = [*HUB, "witness", "serve", str(home), "--listen", url.removeprefix("http://")]
    with (home.parent / "witness.log").open("ab") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def wait_for(url: str, wanted: Any) -> dict[str, Any]:
    """Return what the hub at *url* says of its witnesses once *wanted* holds of it."""
    said: dict[str, Any] = {}
    for _ in range(2400):
        said = json.loads(get(f"{url}/v1/audit/witnesses"))
        if wanted(said):
            return said
        time.sleep(0.05)
    raise AssertionError(said)


def test_a_hub_and_a_witness_that_share_nothing_but_the_wire(tmp_path: Path) -> None:
    """Made, followed, served, asked: the log is witnessed; without the witness the hub goes on and says who is missing."""
    home, url = tmp_path / "witness", f"http://127.0.0.1:{free_port()}"
    made = run("witness", "init", str(home), "--name", NAME, "--training").stdout
    line = next(row for row in made.splitlines() if row.startswith("witness notary.example "))
    policy = f"{line.removesuffix('https://...')}{url}\nquorum notary.example\n"
    county = tmp_path / "county.toml"
    text = (EXAMPLES / "county.toml").read_text()
    county.write_text(text.replace("[partnership]\n", f"[partnership]\nwitnesses = {json.dumps(policy)}\n", 1))
    hub = tmp_path / "hub"
    base = make_hub(hub, "--directory", str(county))
    config = hub / "hub.toml"
    config.write_text(f"witness_seconds = 0.2\n{config.read_text()}")
    with serving(hub, base):
        # Nobody is there yet, and nothing stops.
        said = wait_for(base, lambda said: said["witnesses"][-1]["error"])
        assert said["witnesses"][-1]["error"] == "witness-unreachable"
        assert said["witnessed_size"] == 0
        (tmp_path / "directory.json").write_bytes(get(f"{base}/v1/directory"))
        words = ("--trust", str(hub / "trust.json"), "--directory", str(tmp_path / "directory.json"))
        assert "follows 127.0.0.1" in run("witness", "follow", str(home), *words).stdout
        with witnessing(home, url):
            said = wait_for(base, lambda said: said["size"] == said["witnessed_size"])
            assert said["quorum"] == "notary.example"
            assert "another process" in run("witness", "follow", str(home), *words, ok=False).stderr
        metrics = get(f"{base}/metrics").decode()
        assert 'hub_witness_failures_total{code="witness-unreachable"}' in metrics
        assert 'hub_witnesses{state="current"} 1.0' in metrics
        assert f"hub_witnessed_size {said['size']}.0" in metrics
    shown = run("witness", "show", str(home)).stdout
    assert f"cosigned {said['size']} entries" in shown
    run("audit", "export", str(tmp_path / "export"), "--config", str(config))
    verdict = json.loads(
        run("audit", "verify", str(tmp_path / "export"), "--trust", str(hub / "trust.json"), "--json").stdout
    )
    assert (verdict["verified"], verdict["witnessed"], verdict["witnesses"]) == (True, True, [NAME])


def test_what_a_witness_is_not_told_rightly_is_refused(tmp_path: Path) -> None:
    """A name that can't be, a folder in use, officers that are not these, a clock outside training: each by its reason."""
    home = tmp_path / "witness"
    assert "space, plus" in run("witness", "init", str(home), "--name", "a+b", "--training", ok=False).stderr
    run("witness", "init", str(home), "--name", NAME, "--training")
    assert "isn't empty" in run("witness", "init", str(home), "--name", NAME, "--training", ok=False).stderr
    make_hub(tmp_path / "one")
    make_hub(tmp_path / "two")
    # Not by HTTP: the signed directory lies in the database of a hub that never ran.
    import sqlite3

    with contextlib.closing(sqlite3.connect(tmp_path / "one" / "hub.db")) as database:
        ((document,),) = database.execute("SELECT document FROM document WHERE kind = 'directory'").fetchall()
    (tmp_path / "directory.json").write_bytes(document)
    given = ("--directory", str(tmp_path / "directory.json"))
    wrong = run("witness", "follow", str(home), *given, "--trust", str(tmp_path / "two" / "trust.json"), ok=False)
    assert "officers' keys signed it" in wrong.stderr
    assert "couldn't read" in run("witness", "follow", str(home), *given, "--trust", "/nowhere", ok=False).stderr
    junk = run("witness", "follow", str(home), *given, "--trust", str(tmp_path / "directory.json"), ok=False)
    assert "officers' keys" in junk.stderr
    run("witness", "follow", str(home), *given, "--trust", str(tmp_path / "one" / "trust.json"))
    strict = tmp_path / "strict"
    run("witness", "init", str(strict), "--name", NAME, passphrase="correct horse")
    clock = run("witness", "serve", str(strict), "--clock", "file:/nowhere", ok=False)
    assert "training clock outside training" in clock.stderr
    assert "need a passphrase" in run("witness", "serve", str(strict), ok=False).stderr
    assert "HOST:PORT" in run("witness", "serve", str(home), "--listen", "nowhere", ok=False).stderr
