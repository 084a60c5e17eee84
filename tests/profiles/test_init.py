"""How an agency begins with a profile: `gateway init --profile` and `gateway adapter mapping`."""

from __future__ import annotations

import contextlib
import io
import json
import tomllib
from argparse import Namespace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import GatewayError
from adapters.gateway.cli import main, make_parser
from adapters.gateway.config import load_config
from adapters.gateway.starting import list_profiles, make_configuration, write_own_files
from tests.profiles.server import TOKEN

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


def test_a_team_that_the_profile_knows_is_as_it_has_it(tmp_path: Path) -> None:
    """Source protection reads what comes by itself; another team files as the first does."""
    boxes = ("child-abuse-investigation", "source-protection", "cadets")
    words = [word for box in boxes for word in ("--mailbox", f"westmere-police/{box}")]
    asked = ["init", "--home", "x", "--trust", "t", "--agency", "westmere-police", "--profile", "police", *words]
    (tmp_path / "gateway.toml").write_text(make_configuration(make_parser().parse_args(asked)))
    made = [(box.adapter, box.roles, box.title) for box in load_config(tmp_path).mailboxes]
    assert made == [
        ("police", ("police_single_point",), "Child abuse investigation"),
        ("", ("source_protection",), "Source protection"),
        ("police", (), "westmere-police/cadets"),
    ]


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


# ---- trying a mapping


def run(*arguments: str) -> tuple[int, Any, str]:
    """Run one command; return its exit code, what it printed as JSON, and what it complained of."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*arguments, "--json"])
    text = out.getvalue()
    return code, json.loads(text) if text else None, err.getvalue()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give the home of a police gateway as `init` makes its files."""
    words = ["init", "--home", "x", "--trust", "t", "--agency", "north-police", "--mailbox", "north-police/desk"]
    text = make_configuration(make_parser().parse_args([*words, "--profile", "police"]))
    (tmp_path / "gateway.toml").write_text(text)
    (tmp_path / "records-token").write_text(TOKEN)
    write_own_files(tmp_path, load_config(tmp_path).adapters)
    return tmp_path


RECORD = {
    "number": "RET-1", "period_from": "2026-06-01", "period_to": "2026-06-30", "made": "2026-07-01 09:00", "occurred": 0,
    "sent": 0, "officer": {"name": "Morgan Sample", "role": "DESK"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("record", "code", "says"),
    [
        (None, 0, "rules send"),
        ({"kind": "incident_return", "fields": RECORD}, 0, "incident.reconciliation/1, as its type wants it"),
        ({"kind": "incident_return", "fields": {**RECORD, "occurred": "none"}}, 1, "message-schema"),
        ({"kind": "incident_return", "fields": {**RECORD, "made": "Purple"}}, 1, "record-value: the field `made`"),
        ({"kind": "nothing", "fields": {}}, 1, "record-kind"),
        ({"kind": 7}, 1, "can't be read"),
    ],
)
def test_a_mapping_is_tried_without_the_record_system(home: Path, record: Any, code: int, says: str) -> None:
    """What fits, what doesn't, and what a made-up record becomes, before anything is sent by it."""
    more = []
    if record is not None:
        (home / "record.json").write_text(json.dumps(record))
        more = ["--record", str(home / "record.json")]
    found, points, _ = run("adapter", "mapping", "police", "--home", str(home), *more)
    assert found == code
    assert says in str(points)
    assert "Purple" not in str(points)


def test_a_mapping_that_does_not_fit_says_all_that_is_wrong(home: Path) -> None:
    """An agency's own copy with a code that is none, and one that people would have to file."""
    own = json.loads((files("adapters.profiles.police") / "mapping.json").read_text())
    del own["tables"]["markers"]["WM-OTH"]
    (home / "own.json").write_text(json.dumps(own))
    config = (home / "gateway.toml").read_text().replace('ids = "own-ids"', 'mapping = "own.json"\nids = "own-ids"')
    (home / "gateway.toml").write_text(config)
    code, points, _ = run("adapter", "mapping", "police", "--home", str(home))
    assert (code, points[1]["says"]) == (0, "flag.request/1 /flag_kind: other")
    own["tables"]["themes"]["CSE"] = "crime"
    (home / "own.json").write_text(json.dumps(own))
    code, points, _ = run("adapter", "mapping", "police", "--home", str(home))
    assert (code, len(points)) == (1, 1)
    assert "/themes can't be `crime`" in points[0]["says"]


def test_only_a_profile_that_is_enabled_has_a_mapping_to_try(home: Path) -> None:
    """Another adapter has none, and one that isn't there can't be tried."""
    (home / "gateway.toml").write_text((home / "gateway.toml").read_text() + "\n[adapters.folder]\n")
    for name, says in (("folder", "has no mapping"), ("probation", "isn't enabled")):
        code, _, complaint = run("adapter", "mapping", name, "--home", str(home))
        assert code == 1
        assert says in complaint
