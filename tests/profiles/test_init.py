"""`gateway init --profile`: a configuration that fits the kind of agency, and what its ids are made with."""

from __future__ import annotations

import tomllib
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import GatewayError
from adapters.gateway.cli import make_parser
from adapters.gateway.config import load_config
from adapters.gateway.starting import list_profiles, make_configuration, write_own_files

PROFILES = list_profiles()
SYSTEM = "https://records.northmere.test:8443/hub"


def options(*more: str) -> Namespace:
    """Return the options of a command line that makes a gateway."""
    words = [
        "init",
        "--home",
        "x",
        "--trust",
        "t",
        "--agency",
        "northmere-health",
        "--mailbox",
        "northmere-health/desk=Desk",
    ]
    return make_parser().parse_args([*words, *more])


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profiles_configuration_can_be_loaded(tmp_path: Path, profile: str) -> None:
    """Agency, mailbox and place stand where the template wants them, and its adapter files for the mailbox."""
    text = make_configuration(options("--profile", profile, "--records", SYSTEM))
    (tmp_path / "gateway.toml").write_text(text)
    config = load_config(tmp_path)
    (box,) = config.mailboxes
    assert (config.agency, box.id, box.title) == ("northmere-health", "northmere-health/desk", "Desk")
    assert "# " in text
    table = next(iter(config.adapters.values()))
    if not box.adapter:
        # Its people read what comes: nothing is filed by itself.
        assert config.atrisk is not None
        assert config.atrisk.clinic == box.id
        return
    assert box.adapter in config.adapters
    assert {table.get(name) for name in ("url", "base", "database")} & {SYSTEM}
    assert table["hosts"] == ["records.northmere.test:8443"]


def test_what_ids_are_made_with_is_made_once(tmp_path: Path) -> None:
    """New bytes over old ones would give everything another id."""
    tables: dict[str, dict[str, Any]] = {"police": {"ids": "own-ids"}, "folder": {}}
    write_own_files(tmp_path, tables)
    made = (tmp_path / "own-ids").read_bytes()
    write_own_files(tmp_path, tables)
    assert len(made) == 32
    assert (tmp_path / "own-ids").read_bytes() == made
    assert (tmp_path / "own-ids").stat().st_mode & 0o077 == 0


def test_without_a_profile_there_is_a_folder() -> None:
    """As before."""
    assert tomllib.loads(make_configuration(options()))["adapters"] == {"folder": {"path": "."}}


@pytest.mark.parametrize(
    ("more", "code"),
    [(["--profile", "nobody"], "init-profile"), (["--profile", "police", "--records", "records"], "init-records")],
)
def test_what_can_not_be_is_refused(more: list[str], code: str) -> None:
    """A profile that isn't there, and an address that is none."""
    with pytest.raises(GatewayError) as caught:
        make_configuration(options(*more))
    assert caught.value.code == code
