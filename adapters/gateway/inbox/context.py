"""What the pages share: the gateway, its people, the templates, and who asks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jinja2
from aiohttp import web

from adapters.errors import GatewayError
from adapters.gateway.context import Gateway
from adapters.gateway.guests.config import is_of_desk
from adapters.gateway.inbox.access import Page, may_visit
from adapters.gateway.inbox.config import InboxConfig
from adapters.gateway.inbox.people import People, Person
from adapters.gateway.inbox.reading.documents import Drawer
from adapters.gateway.inbox.words import Words
from adapters.gateway.watch import Watch
from hub.kit import pages
from hub.kit.oidc import Provider
from schemas.identifiers import Moment


@dataclass(frozen=True, slots=True)
class Visit:
    """One signed-in person's request: who, and the token that this session's forms carry."""

    person: Person
    csrf: str
    token: str


VISIT: Final = web.RequestKey("visit", Visit)


class NotHereError(GatewayError):
    """It isn't there, or not for this person: the page is the same, so that nobody can find out which."""

    def __init__(self) -> None:
        super().__init__("page-unknown", "There is no such page, or it is not for you", "Go back to your inbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """The inbox of one gateway.

    ``files`` are what pages link to, by name, with their media types; ``version`` changes with them.
    ``listening`` counts each person's open streams; ``stopping`` ends them.
    """

    gateway: Gateway
    watch: Watch
    people: People
    config: InboxConfig
    environment: jinja2.Environment
    files: Mapping[str, tuple[bytes, str]]
    version: str
    has_script: bool
    provider: Provider | None = None
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    drawer: Drawer = field(default_factory=Drawer)
    listening: Counter[str] = field(default_factory=Counter)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def now(self) -> Moment:
        """Return the gateway's time."""
        return self.gateway.clock()

    def words(self) -> Words:
        """Return the words of today for agencies, teams, message types and moments."""
        return Words.of(self.gateway, self.config.time_zone)

    def show(
        self, request: web.Request, template: str, context: Mapping[str, Any] | None = None, *, status: int = 200
    ) -> web.Response:
        """Return *template* as a page for whoever asks."""
        visit, words = request.get(VISIT), self.words()
        around: dict[str, Any] = {
            "visit": visit, "assets": f"/assets/{self.version}", "has_script": self.has_script,
            "agency": words.name_of(self.gateway.config.agency), "training": self.gateway.config.training,
            "words": words, "may_visit": lambda page: visit is not None and may_visit(visit.person.duties, page),
            "is_of_desk": visit is not None and is_of_desk(self.config.guests, visit.person.teams, visit.person.duties),
            "is_of_clinic": visit is not None and self.gateway.atrisk is not None
            and self.gateway.atrisk.is_clinician(visit.person.teams, visit.person.duties),
            "path": request.path, "now": self.now(), "quorum": self.gateway.quorum.state,
        }  # fmt: skip
        return pages.render(self.environment, template, around | dict(context or {}), status=status)


def visit_of(request: web.Request, page: Page) -> Visit:
    """Return who asks for *page*.

    Raises:
        NotHereError: the page isn't for them.
    """
    visit = request[VISIT]
    if not may_visit(visit.person.duties, page):
        raise NotHereError
    return visit
