"""Two hub processes on one PostgreSQL, as an operator would run them."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from tests.cli.support import fetch, free_port, make_hub, run, serving, write_request
from tests.county import County
from tests.postgres import Server


@pytest.mark.needs_postgres
def test_two_hubs_on_one_database_are_one_hub(tmp_path: Path, postgres: Server) -> None:
    """What one takes the other knows, and the one log that both write verifies."""
    county, home, other = County(now=time.time_ns() // 1_000_000), tmp_path / "hub", tmp_path / "other"
    with postgres.database() as database:
        url = make_hub(home, "--database", database)
        shutil.copytree(home, other)
        second = f"http://127.0.0.1:{free_port()}"
        text = (other / "hub.toml").read_text()
        # The same public address and keys; another port to listen on.
        (other / "hub.toml").write_text(
            text.replace(f"port = {url.rpartition(':')[2]}", f"port = {second.rpartition(':')[2]}")
        )
        with serving(home, url), serving(other, second):
            for number, (address, agency) in enumerate(((url, "sampleton"), (second, "northmere"))):
                request = tmp_path / f"{number}.json"
                write_request(request, agency, "health", county)
                run("agency", "add", str(request), "--config", str(home / "hub.toml"), "--url", address)
            for address in (url, second):
                keys = fetch(f"{address}/v1/keys")
                assert isinstance(keys, dict)
                assert len(keys["keys"]) == 6
            time.sleep(2)
            run("audit", "export", str(tmp_path / "export"), "--config", str(home / "hub.toml"))
        run("audit", "verify", str(tmp_path / "export"), "--trust", str(home / "trust.json"))
