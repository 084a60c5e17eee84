"""A town in which one agency has its own records: a hub, gateways, and the agency's adapter into a sample system.

The adapter runs in this process, so that a journey is fast; that it works shut in is `test_hosted`'s.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from adapters.base import Adapter
from adapters.gateway.agent import Agent, open_gateway
from adapters.gateway.config import MailboxConfig
from adapters.profiles.adapter import RecordsAdapter
from tests.gateway.support import Town, make_home
from tests.profiles.server import TOKEN, RecordsServer


def write_secrets(home: Path) -> None:
    """Put what a profile's files are into *home*: the token, and what ids are made with."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "token").write_text(TOKEN)
    (home / "ids").write_bytes(bytes(range(32)))


def http_options(server: RecordsServer, sender: str, role: str, **changes: Any) -> dict[str, Any]:
    """Return the options of a profile whose system is *server*."""
    return {
        "url": server.url,
        "token": "token",
        "ids": "ids",
        "seconds": 5.0,
        "from": sender,
        "role": role,
    } | changes


@asynccontextmanager
async def open_profile(
    town: Town, agency: str, name: str, kind: type[RecordsAdapter], options: Mapping[str, Any], **changes: Any
) -> AsyncIterator[Agent]:
    """Open *agency*'s gateway with the profile *kind* under *name*, for all of its mailboxes."""
    boxes = tuple(MailboxConfig(id=box, adapter=name) for box, _, _ in town.county.agencies[agency][1])
    settings: dict[str, Any] = {"adapters": {name: dict(options)}, "mailboxes": boxes}
    home, config = make_home(town.tmp, town.county, agency, town.base, **settings | changes)
    write_secrets(home)
    adapter: Adapter = kind.configure(options, home)
    async with open_gateway(
        home,
        config=config,
        clock=lambda: town.county.now,
        keyring=town.county.keyrings[agency],
        adapters={name: adapter},
    ) as gateway:
        town.homes[agency] = home
        yield Agent(gateway)
