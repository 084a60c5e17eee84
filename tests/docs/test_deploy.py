"""What a production machine installs is all that the project runs on."""

from __future__ import annotations

import re
import tomllib

from tests.docs.support import DOCS

_NAME = re.compile(r"^[A-Za-z0-9_.-]+")


def _plain(name: str) -> str:
    found = _NAME.match(name)
    assert found is not None
    return found[0].lower().replace("_", "-")


def test_every_package_that_it_runs_on_is_named_by_digest() -> None:
    """Each dependency, those of the extras too, stands in the list with a digest, as the project pins it."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))
    wanted = [*project["project"]["dependencies"]]
    wanted += [name for extra in project["project"]["optional-dependencies"].values() for name in extra]
    listed = (DOCS / "deploy" / "requirements.txt").read_text("utf-8")
    pins = dict(line.split("==") for line in project["tool"]["uv"]["constraint-dependencies"])
    for name in map(_plain, wanted):
        row = re.search(rf"^{re.escape(name)}(?:\[\w+\])?==(\S+)[^\n]*\\\n\s+--hash=", listed, re.MULTILINE)
        assert row is not None, f"{name}: run the command at the end of docs/deploy/README.md"
        assert row[1] == pins[name], name


def test_the_list_names_no_address() -> None:
    """Where packages come from is the machine's own business."""
    assert "://" not in (DOCS / "deploy" / "requirements.txt").read_text("utf-8")
