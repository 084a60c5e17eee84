"""The first accounts at the console, by the real commands."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cli.support import make_hub, run


def test_the_first_accounts_are_made_at_the_machine(tmp_path: Path) -> None:
    """Added with a code, listed, given a new code, ended; each once."""
    home = tmp_path / "hub"
    make_hub(home)
    config = ("--config", str(home / "hub.toml"))
    added = run("people", "add", "Ada@example.org", "--name", "Ada", "--role", "administrator", *config)
    assert re.search(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){3}$", added.stdout.strip())
    again = run("people", "add", "ada@example.org", "--name", "Ada", "--role", "operator", *config, ok=False)
    assert (again.returncode, "with that login" in again.stderr) == (1, True)
    assert run("people", "list", *config).stdout == "ada@example.org\tAda\tadministrator\tactive\n"
    assert run("people", "code", "ada@example.org", *config).stdout != added.stdout
    run("people", "end", "ada@example.org", *config)
    assert run("people", "list", "--json", *config).stdout.strip().endswith('"state": "ended"}')
    assert run("people", "code", "ada@example.org", *config, ok=False).returncode == 1
    shown = run("audit", "show", *config).stdout
    assert shown.count("account-") == 4
    assert "Ada" not in shown
