"""An inspector's visit: from a fresh export and the officers' keys to "25 %, here is the proof", without the hub."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from hub.export import open_export, write_folder
from hub.store.base import Store
from keys import digests, merkle, notes
from tests.console.support import RECEIVED, play_quarter
from tests.county import MASH, NURSES, PAEDIATRICS, County, Desk

ASKED = ("--type", "minutes.full", "--sector", "health")


@pytest.fixture
async def desk(sqlite_store: Store) -> Desk:
    """Give a county at work."""
    county = County()
    return Desk(county, sqlite_store, await county.found(sqlite_store))


def _ask(export: Path, trust: Path, *words: str) -> tuple[int, str]:
    """Return what a process of its own, in a folder of its own, says of *export*."""
    command = [sys.executable, "-m", "hub.cli", "audit", "figures", str(export), "--trust", str(trust), *ASKED, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode in {0, 1}, done.stderr
    return done.returncode, done.stdout


def _trust(county: County, folder: Path) -> Path:
    path = folder / "trust.json"
    path.write_bytes(msgspec.json.encode({"officers": county.roots}))
    return path


async def test_health_had_received_a_quarter_by_the_deadline_and_here_is_the_proof(desk: Desk, tmp_path: Path) -> None:
    """The figure, each gap, and the entries that prove it come from the export and the officers' keys alone."""
    await play_quarter(desk)
    export, trust = tmp_path / "export", _trust(desk.county, tmp_path)
    await write_folder(await open_export(desk.store, desk.county.now), export)
    await desk.store.close()

    status, text = _ask(export, trust)
    assert (status, text.splitlines()[0]) == (0, "health had received 8 of 32 by the deadline (25%); 8 in the end")

    status, told = _ask(export, trust, "--json")
    said = json.loads(told)
    total = said["figures"]["total"]
    assert (status, total["received"], total["owed"], total["received_rate"]) == (0, 8, 32, 0.25)
    assert said["verdict"]["verified"]
    missed = {(box, place) for box in (NURSES, PAEDIATRICS) for place in range(16) if place not in RECEIVED[box]}
    assert len(said["gaps"]) == len(missed) == 24
    _check_proofs(export, said)


def _check_proofs(export: Path, said: dict) -> None:  # type: ignore[type-arg]
    """Hold each entry that was named against the signed tree, by hashes alone."""
    leaves = (export / "leaves.jsonl").read_bytes().splitlines()
    hashes = [merkle.leaf_hash(line) for line in leaves]
    checkpoint = notes.Checkpoint.parse((export / "checkpoint.txt").read_text().split("\n\n")[0] + "\n")
    tree = merkle.Frontier()
    nodes = {(0, place): leaf for place, leaf in enumerate(hashes)}
    nodes |= {(height, index): node for leaf in hashes for height, index, node in tree.append(leaf)}
    assert (tree.size, tree.root()) == (checkpoint.size, checkpoint.root)
    assert digests.b64u(checkpoint.root) == said["verdict"]["root"]
    for gap in said["gaps"]:
        opened = gap["entries"][0]
        leaf = json.loads(leaves[opened])
        assert (leaf["event"], leaf["obligation"], leaf["mailbox"]) == ("obligation-opened", gap["obligation"], MASH)
        assert {json.loads(leaves[place])["event"] for place in gap["entries"][1:]} <= {"step-taken"}
        proof = merkle.inclusion_proof(opened, tree.size, lambda height, index: nodes[height, index])
        merkle.verify_inclusion(hashes[opened], opened, tree.size, proof, checkpoint.root)


async def test_a_hub_that_hides_a_gap_is_found_out(desk: Desk, tmp_path: Path) -> None:
    """Whoever leaves an entry out, or writes that something was met, gets no figure that verifies."""
    await play_quarter(desk)
    trust = _trust(desk.county, tmp_path)
    export = tmp_path / "export"
    await write_folder(await open_export(desk.store, desk.county.now), export)
    lines = (export / "leaves.jsonl").read_bytes().splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if b'"obligation-opened"' in line and b"full-minutes" in line)
    for changed in (
        lines[:place] + lines[place + 1 :],
        [*lines[:place], lines[place].replace(b"full-minutes", b"none-minutes"), *lines[place + 1 :]],
    ):
        (export / "leaves.jsonl").write_bytes(b"".join(changed))
        status, told = _ask(export, trust, "--json")
        assert status == 1
        assert not json.loads(told)["verdict"]["verified"]


async def test_another_partnerships_keys_verify_nothing(desk: Desk, tmp_path: Path) -> None:
    """The officers' keys are what everything rests on."""
    export, trust = tmp_path / "export", _trust(County(), tmp_path)
    await play_quarter(desk)
    await write_folder(await open_export(desk.store, desk.county.now), export)
    status, text = _ask(export, trust)
    assert (status, text) == (1, "")
