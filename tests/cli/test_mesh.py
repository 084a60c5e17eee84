"""Who uses the MESH front door, by the real commands."""

from __future__ import annotations

from pathlib import Path

from tests.cli.support import make_hub, run, write_request
from tests.county import County


def test_a_mailbox_gets_its_secrets_once(tmp_path: Path) -> None:
    """Adding prints them, adding again ends them, and neither list, log nor database shows them."""
    home = tmp_path / "hub"
    make_hub(home)
    config = ("--config", str(home / "hub.toml"))
    write_request(tmp_path / "a.json", "northmere-clinic", "health", County())
    run("agency", "add", str(tmp_path / "a.json"), *config)
    (box,) = (word for word in (tmp_path / "a.json").read_text().split('"') if word.startswith("northmere-clinic/"))
    first = dict(line.split(": ") for line in run("mesh", "add", box, *config).stdout.splitlines())
    again = dict(line.split(": ") for line in run("mesh", "add", box, *config).stdout.splitlines())
    assert first["mailbox"] == again["mailbox"] == box.replace("/", "_").upper()
    assert first["password"] != again["password"]
    assert run("mesh", "list", *config).stdout == f"{box}\t{first['mailbox']}\n"
    kept = b"".join(path.read_bytes() for path in home.glob("hub.db*"))
    assert not any(secret.encode() in kept for secret in (again["password"], again["shared key"]))
    run("mesh", "end", box, *config)
    assert run("mesh", "list", *config).stdout == ""
    assert run("audit", "show", *config).stdout.count("mesh-") == 3
    for words in (("end", box), ("add", "northmere-clinic/nobody")):
        assert run("mesh", *words, *config, ok=False).returncode == 1
