"""A hub after a quarter of discussions, under an address that a browser can open, and people at its console."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page

from hub.kit.browsers import COOKIE
from hub.store.base import Store
from schemas.identifiers import Moment
from tests.browser.support import open_context
from tests.console.support import play_quarter, seat, serve_at
from tests.county import Sent
from tests.web.support import Site, open_site


@dataclass
class Quarter:
    """The hub, where browsers find it, and the records of its discussions."""

    site: Site
    origin: str
    held: list[Sent]

    @property
    def now(self) -> Moment:
        """Return the hub's time."""
        return self.site.hub.clock()

    @asynccontextmanager
    async def look(
        self, chromium: Chromium, *roles: str, phone: bool = False, script: bool = True
    ) -> AsyncIterator[Page]:
        """Give a page of a browser in which a new person with *roles* has signed in."""
        person = await seat(self.site, *roles)
        async with open_context(chromium, phone=phone, script=script) as context:
            cookie = {"name": COOKIE, "value": person.token, "url": self.origin, "secure": True, "httpOnly": True}
            await context.add_cookies([cookie | {"url": self.origin.replace("http:", "https:")}])  # type: ignore[list-item]
            yield await context.new_page()


@pytest.fixture
async def county(sqlite_store: Store, tmp_path: Path) -> AsyncIterator[Quarter]:
    """Give the hub after the quarter."""
    async with open_site(sqlite_store, tmp_path) as site:
        held = await play_quarter(site.desk)
        origin = f"http://localhost:{site.port}"
        serve_at(site, origin)
        yield Quarter(site, origin, held)
