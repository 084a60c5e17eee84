"""The commands as a person types them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hub.cli import GROUPS, make_parser
from hub.home import load_keyring
from tests.cli.support import fetch, make_hub, run, serving, write_request
from tests.county import EXAMPLES, County


@pytest.fixture
def county() -> County:
    """Give a county whose time is the system's."""
    return County(now=time.time_ns() // 1_000_000)


def test_a_hub_is_made_served_and_told_of_agencies(tmp_path: Path, county: County) -> None:
    """Init, agencies before and while it runs, an end, a new agreement, then an export that verifies."""
    home, config = tmp_path / "hub", str(tmp_path / "hub" / "hub.toml")
    url = make_hub(home)
    write_request(tmp_path / "a.json", "sampleton", "social_care", county)
    write_request(tmp_path / "b.json", "northmere", "health", county)
    added = run("agency", "add", str(tmp_path / "a.json"), "--config", config)
    assert "directory version 2" in added.stdout
    assert "compare by telephone" in added.stdout
    with serving(home, url):
        locked = run("agency", "add", str(tmp_path / "b.json"), "--config", config, ok=False)
        assert locked.returncode == 1
        assert "--url" in locked.stderr
        run("agency", "add", str(tmp_path / "b.json"), "--config", config, "--url", url)
        run("agency", "end", "sampleton", "--at", "2030-01-01", "--successor", "northmere:north",
            "--config", config, "--url", url)  # fmt: skip
        run("agreement", "publish", str(EXAMPLES / "agreement.toml"), "--config", config, "--url", url)
        assert len(fetch(f"{url}/v1/keys")["keys"]) == 6  # type: ignore[index]
        time.sleep(1.5)
        assert json.loads(run("report", "receipts", "--json", "--config", config).stdout)["total"]["owed"] == 0
        exports = [str(tmp_path / "export"), str(tmp_path / "export.tar")]
        for export in exports:
            run("audit", "export", export, "--config", config)
            assert verify(export, home)["verified"] is True
        run("backup", str(tmp_path / "copy.db"), "--config", config)
    shown = run("audit", "show", "--event", "key-published", "--limit", "2", "--json", "--config", config).stdout
    assert [json.loads(line)["leaf"]["event"] for line in shown.splitlines()] == ["key-published"] * 2
    assert "serving" in (tmp_path / "serve.log").read_text()
    leaves = Path(exports[0], "leaves.jsonl")
    data = bytearray(leaves.read_bytes())
    data[len(data) // 2] ^= 1
    leaves.write_bytes(data)
    assert verify(exports[0], home, ok=False).get("verified", False) is False


def verify(export: str, home: Path, *, ok: bool = True) -> dict[str, object]:
    """Return what `hub audit verify` says."""
    done = run("audit", "verify", export, "--trust", str(home / "trust.json"), "--json", ok=ok)
    found: dict[str, object] = json.loads(done.stdout or "{}")
    return found


def test_a_database_from_before_the_last_checkpoint_is_not_served(tmp_path: Path, county: County) -> None:
    """What was put back is noticed, because the last checkpoint lies beside the keys."""
    home = tmp_path / "hub"
    url = make_hub(home)
    shutil.copytree(home, tmp_path / "before")
    write_request(tmp_path / "a.json", "sampleton", "social_care", county)
    with serving(home, url):
        run("agency", "add", str(tmp_path / "a.json"), "--config", str(home / "hub.toml"), "--url", url)
        time.sleep(1.5)
    for name in home.glob("hub.db*"):
        name.unlink()
    shutil.copy(tmp_path / "before" / "hub.db", home / "hub.db")
    refused = run("serve", "--config", str(home / "hub.toml"), ok=False)
    assert refused.returncode == 1
    assert "doesn't hold the last checkpoint" in refused.stderr


def test_a_stop_is_graceful(tmp_path: Path) -> None:
    """SIGTERM ends the process with 0."""
    home = tmp_path / "hub"
    url = make_hub(home)
    with serving(home, url) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_keys_need_their_passphrase(tmp_path: Path) -> None:
    """Outside training there is no empty one, and a wrong one opens nothing."""
    home, secret = tmp_path / "hub", tmp_path / "secret"
    words = ("--directory", str(EXAMPLES / "county.toml"), "--agreement", str(EXAMPLES / "agreement.toml"))
    refused = run("init", str(home), *words, ok=False)
    assert "HUB_PASSPHRASE" in refused.stderr
    secret.write_text("correct horse\nsecond line\n")
    secret.chmod(0o644)
    assert "chmod 600" in run("init", str(home), *words, "--passphrase-file", str(secret), ok=False).stderr
    secret.chmod(0o600)
    run("init", str(home), *words, "--passphrase-file", str(secret))
    assert load_keyring(home, "correct horse").signing.kid
    wrong = run("serve", "--config", str(home / "hub.toml"), passphrase="wrong", ok=False)
    assert wrong.returncode == 1
    assert "couldn't open" in wrong.stderr
    assert "correct" not in wrong.stderr
    (home / "keys.enc").chmod(0o644)
    opened = run("serve", "--config", str(home / "hub.toml"), passphrase="correct horse", ok=False)
    assert "chmod 600" in opened.stderr


def test_a_failure_names_the_thing_and_the_way_out(tmp_path: Path) -> None:
    """Lower case, no full stop, then a hint; never a traceback."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    (tmp_path / "bad.toml").write_text("clok = 1\n")
    for words in (
        ("serve", "--config", str(tmp_path / "none.toml")),
        ("serve", "--config", str(tmp_path / "bad.toml")),
        ("init", str(tmp_path / "full"), "--directory", "x", "--agreement", "x"),
        ("init", str(tmp_path / "new"), "--directory", str(tmp_path / "none"), "--agreement", "x", "--training"),
        ("agreement", "explain", str(tmp_path / "none.toml")),
        ("audit", "verify", str(tmp_path / "none"), "--trust", str(tmp_path / "none")),
        ("report", "receipts", "--from", "yesterday", "--config", str(tmp_path / "bad.toml")),
    ):
        done = run(*words, ok=False)
        first, hint, *_ = [*done.stderr.splitlines(), "", ""]
        assert done.returncode == 1, done.stderr
        assert first.startswith("hub: ")
        assert not first.endswith(".")
        assert hint.startswith("hint: ")
        assert "Traceback" not in done.stderr


def test_an_agreement_is_explained_in_english() -> None:
    """From the text alone, without a hub."""
    said = run("agreement", "explain", str(EXAMPLES / "agreement.toml")).stdout
    assert "minutes.full" in said
    assert "working day" in said


def test_every_command_has_help() -> None:
    """Each group lists what it takes."""
    for group in GROUPS:
        help_text = run(group.name, "--help").stdout
        assert help_text.startswith(f"usage: hub {group.name}")
    assert make_parser([group.name for group in GROUPS]).format_help().count("\n") > len(GROUPS)


def test_the_command_starts_without_what_it_does_not_need() -> None:
    """Help and mistakes are answered before any library is loaded."""
    code = (
        "import sys; from hub.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'aiohttp', 'cryptography', 'jose', 'msgspec', 'rich', 'psycopg', 'sqlite3', 'asyncio', 'nacl'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_agency_cannot_take_anothers_name(tmp_path: Path, county: County) -> None:
    """A second request under the same id with another identity key is refused."""
    home, config = tmp_path / "hub", str(tmp_path / "hub" / "hub.toml")
    make_hub(home)
    write_request(tmp_path / "a.json", "sampleton", "social_care", county)
    run("agency", "add", str(tmp_path / "a.json"), "--config", config)
    write_request(tmp_path / "b.json", "sampleton", "social_care", County(now=county.now))
    refused = run("agency", "add", str(tmp_path / "b.json"), "--config", config, ok=False)
    assert "another identity key" in refused.stderr
    # The same request again renews the entry and changes no key.
    assert "version 3" in run("agency", "add", str(tmp_path / "a.json"), "--config", config).stdout
