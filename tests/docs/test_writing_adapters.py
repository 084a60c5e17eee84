"""docs/writing-adapters.md, done exactly as it says by somebody who has nothing but the gateway."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from adapters.hosting.grants import HostConfig, Limits

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/writing-adapters.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Give the environment of a shell in which the gateway is installed; what is installed there stays there."""
    if shutil.which("uv") is None:
        pytest.skip("uv isn't here")
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    site = next(venv.glob("lib/python*/site-packages"))
    theirs = [path for path in sys.path if path.endswith("site-packages")]
    # Through `site.addsitedir`, so that the packages installed as editable there are found too.
    (site / "gateway.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in theirs), "utf-8")
    for name, module in (("gateway", "adapters.gateway.cli:main"), ("pytest", "pytest:console_main")):
        where, _, function = module.partition(":")
        script = venv / "bin" / name
        script.write_text(
            f"#!{venv}/bin/python\nimport sys\nfrom {where} import {function}\nsys.exit({function}())\n", "utf-8"
        )
        script.chmod(0o755)
    return {
        "PATH": f"{venv / 'bin'}:{os.environ['PATH']}",
        "VIRTUAL_ENV": str(venv),
        "HOME": str(tmp_path),
        # What builds the package is among the gateway's own development tools: nothing is fetched.
        "UV_NO_BUILD_ISOLATION": "1",
        "UV_OFFLINE": "1",
        "UV_CACHE_DIR": str(tmp_path / "cache"),
    }


def test_a_stranger_gets_from_nothing_to_a_conforming_adapter(tmp_path: Path, environment: dict[str, str]) -> None:
    """Each command of the first chapter works in the order in which it stands there."""
    chapter = PAGE.partition("## From nothing to a working one")[2].partition("\n## ")[0]
    work = tmp_path / "work"
    (work / "trial").mkdir(parents=True)
    said = {}
    for kind, block in re.findall(r"^```(\w+)\n(.*?)^```$", chapter, re.MULTILINE | re.DOTALL):
        if kind == "toml":
            (work / "trial/gateway.toml").write_text(block, "utf-8")
        for command in block.splitlines() if kind == "sh" else ():
            done = subprocess.run(
                command.split(), cwd=work, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
            said[command] = done.stdout
    assert "passed" in said["pytest ward-board"]
    listed = said["gateway adapter list --home trial"]
    assert "ward-board" in listed
    assert "folder" in listed
    checked = said["gateway adapter check ward-board --home trial"]
    assert "crash between filing and answer" in checked
    assert "doesn't hold" not in checked


def test_the_keys_on_the_page_are_those_that_there_are() -> None:
    """Every key of the gateway's part of an adapter's table is shown, with its default where it is a limit."""
    block = [text for kind, text in BLOCKS if kind == "toml"][-1]
    table = tomllib.loads(block)["adapters"]["ward-board"]
    assert set(HostConfig.__struct_fields__) <= set(table)
    assert table["limits"] == {name: getattr(Limits(), name) for name in Limits.__struct_fields__}
