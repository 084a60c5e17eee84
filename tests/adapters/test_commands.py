"""`gateway adapter list`, `check` and `new`: what they say, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.gateway.cli import main
from tests.adapters.plugin_support import install

FORGETFUL = """
    import os
    from adapters.base import Filed, Later, Manifest

    class Plugin:
        manifest = Manifest(name="forgetful", title="Forgetful", transports=("none",), network=NETWORK)

        @classmethod
        def configure(cls, options, home):
            return cls()

        async def collect(self):
            for one in ():
                yield one

        async def file(self, message):
            print("Zebulon")
            if message.documents and message.documents[0].name == "scan.pdf":
                os._exit(1)
            return Filed(record=os.urandom(8).hex())
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a home with a configuration and nothing else: no key, no hub."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "gateway.toml").write_text(
        'agency = "northmere-health"\n[[mailboxes]]\nid = "northmere-health/safeguarding"\nadapter = "forgetful"\n'
        "[adapters.forgetful]\nnetwork = true\n",
        "utf-8",
    )
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    """Return exit code, printed JSON and what was said beside it."""
    code = main([*arguments, "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out) if said.out.strip() else None, said.err


def test_one_that_breaks_the_contract_is_told_by_which_sentence(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It files anew each time and dies of long documents: both are said, the other checks are made, nothing is printed."""
    install(tmp_path, monkeypatch, "forgetful", FORGETFUL.replace("NETWORK", "False"))
    code, points, beside = run(capsys, "adapter", "check", "forgetful", "--home", str(home))
    assert code == 1
    said = {point["point"]: point for point in points}
    assert not said["repeat"]["good"]
    assert "same record" in said["repeat"]["says"]
    assert not said["huge"]["good"]
    assert "adapter-died" in said["huge"]["says"]
    assert said["clock"]["good"]
    assert "limits" in said["confined as to"]["says"]
    assert "Zebulon" not in beside + json.dumps(points)


def test_samples_are_not_filed_into_a_real_system_by_chance(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An adapter that works over the network is tried only by somebody who says that it may file."""
    install(tmp_path, monkeypatch, "forgetful", FORGETFUL.replace("NETWORK", "True"))
    code, _, beside = run(capsys, "adapter", "check", "forgetful", "--home", str(home))
    assert (code, "--file-samples" in beside) == (1, True)


def test_the_list_says_what_is_installed_and_enabled(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each with its title, transports and levels; one that is enabled and can't be had makes it fail."""
    install(tmp_path, monkeypatch, "forgetful", FORGETFUL.replace("NETWORK", "False"))
    code, rows, _ = run(capsys, "adapter", "list", "--home", str(home))
    listed = {row["adapter"]: row for row in rows}
    assert code == 0
    assert listed["forgetful"]["enabled"]
    assert not listed["folder"]["enabled"]
    assert listed["folder"]["levels"] == "full"
    install(tmp_path, monkeypatch, "forgetful", "raise RuntimeError")
    code, rows, _ = run(capsys, "adapter", "list", "--home", str(home))
    assert code == 1
    assert next(row for row in rows if row["adapter"] == "forgetful")["good"] is False


@pytest.mark.parametrize("name", ["Ward", "ward_board", "../ward", "ward--board", "w" * 41])
def test_a_new_adapters_name_is_plain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """What could be no entry point and no module is refused, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "adapter", "new", name)[0] == 1
    assert list(tmp_path.iterdir()) == []


def test_a_new_adapter_never_overwrites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder of that name that is there already stays as it is."""
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "adapter", "new", "ward")[0] == 0
    (tmp_path / "ward/ward.py").write_text("mine", "utf-8")
    assert run(capsys, "adapter", "new", "ward")[0] == 1
    assert (tmp_path / "ward/ward.py").read_text("utf-8") == "mine"
