"""What docs/agencies/webhook.md shows works."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestServer

from adapters.base import Filed, NeedsPerson
from adapters.webhook.bodies import parse_body
from adapters.webhook.signing import Secrets
from tests.webhook.agency import SECRET
from tests.webhook.test_sending import MESSAGE, open_adapter

PAGE = Path(__file__).parents[2] / "docs/agencies/webhook.md"


class Store:
    """What the page leaves to its reader."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.held: dict[str, Any] = {}

    def keep(self, name: str, data: Any) -> str:
        """Keep *data* once."""
        record = self.names.setdefault(name, f"R-{len(self.names) + 1}")
        self.held.setdefault(record, data)
        return record

    def find(self, record: str) -> Any:
        """Return what is kept."""
        return self.held.get(record)


def find_blocks(language: str) -> list[str]:
    """Return the page's blocks of *language*."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


async def test_the_endpoint_of_the_page_files_a_message(tmp_path: Path) -> None:
    """As it stands there it takes a message, knows a repeat, and hears nobody else."""
    (code,) = find_blocks("python")
    space: dict[str, Any] = {"store": Store(), "secret": SECRET}
    exec(compile(code, str(PAGE), "exec"), space)  # noqa: S102 (the page's own)
    async with TestServer(space["app"]) as server:
        url = str(server.make_url("/safeguarding"))
        for _ in range(2):
            assert await open_adapter(url, tmp_path).file(MESSAGE) == Filed(record="R-1")
        stranger = open_adapter(url, tmp_path, f"whsec_{'A' * 32}")
        assert await stranger.file(MESSAGE) == NeedsPerson(code="webhook-unauthorised")
    assert len(space["store"].held) == 1


def test_the_draft_of_the_page_is_one() -> None:
    """But for the document, which isn't spelled out, it is taken."""
    draft = next(block for block in find_blocks("json") if '"draft"' in block)
    content, (paper,) = parse_body(draft.replace('"content": "Base64"', '"content": "JVBERg=="').encode())
    assert paper.content == b"%PDF"
    assert b"named_nurse" in content


def test_the_secret_of_the_page_is_one(tmp_path: Path) -> None:
    """The command writes a secret that is taken, for its owner alone."""
    (command,) = find_blocks("sh")
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    assert Secrets(tmp_path / "webhook-secret").sign("a", 1, b"")["webhook-signature"].startswith("v1,")
    assert (tmp_path / "webhook-secret").stat().st_mode & 0o077 == 0
