"""``hub audit verify-envelope``: what it says of a proof, and of one that somebody touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub import ledger
from hub.cli import main
from hub.journeys.files import Files, as_tar, prove, read_tar
from hub.journeys.tracing import trace
from hub.store.base import Store
from schemas.strict_json import dump
from tests.county import CAIT, NURSES, ORIGIN, County, Desk
from tests.hub.support import hold


@pytest.fixture
async def proof(sqlite_store: Store, tmp_path: Path) -> tuple[Path, Path]:
    """Give the proof of an envelope that the nurses filed and nobody else took, and the officers' keys."""
    county = County()
    desk = Desk(county, sqlite_store, await county.found(sqlite_store))
    await desk.send(sent := hold(county, CAIT, NURSES))
    await desk.receive(sent, NURSES, "collected", "filed")
    await ledger.sign_checkpoint(sqlite_store, ORIGIN, county.note_signers, county.now)

    def look(tx: object) -> Files:
        journey = trace(tx, sent.id)  # type: ignore[arg-type]
        assert journey is not None
        return prove(tx, desk.registry.snapshot, journey, county.now)  # type: ignore[arg-type]

    path, trust = tmp_path / "envelope.tar", tmp_path / "trust.json"
    path.write_bytes(as_tar(await sqlite_store.read(look), county.now))
    trust.write_bytes(dump({"officers": county.roots, "hub_url": "https://hub.example.org"}))
    return path, trust


def _run(*words: str | Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["audit", "verify-envelope", *map(str, words)])
    got = capsys.readouterr()
    return code, got.out + got.err


def test_a_proof_says_who_had_what(proof: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """In words, and as JSON for a program."""
    path, trust = proof
    code, text = _run(path, "--trust", trust, capsys=capsys)
    assert code == 0
    assert "every check holds" in text
    assert f"{NURSES}: collected" in text
    assert f"{CAIT}: no receipt is proved" in text
    assert "not witnessed" in text
    code, text = _run(path, "--trust", trust, "--json", capsys=capsys)
    said = json.loads(text)
    assert (code, said["verified"], said["problems"]) == (0, True, [])
    assert [(one["mailbox"], one["level"]) for one in said["reached"]] == [(NURSES, "collected"), (NURSES, "filed")]


def test_a_proof_that_somebody_touched_is_none(proof: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """The exit status is 1, and it is said what does not hold."""
    path, trust = proof
    files = read_tar(path.read_bytes())
    name = next(one for one in files if one.startswith("receipt-"))
    files[name] = files[name].replace(b".", b".A", 1)
    path.write_bytes(as_tar(files, 0))
    code, text = _run(path, "--trust", trust, capsys=capsys)
    assert code == 1
    assert "NOT PROVED" in text
    assert "wrong: receipt" in text


def test_what_is_no_proof_is_said_so(
    proof: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that isn't there, isn't one, or officers' keys that aren't any."""
    path, trust = proof
    (tmp_path / "other").write_bytes(b"{}")
    for words in (
        (tmp_path / "missing", "--trust", trust),
        (trust, "--trust", trust),
        (path, "--trust", tmp_path / "other"),
    ):
        code, text = _run(*words, capsys=capsys)
        assert code != 0
        assert "hint:" in text
