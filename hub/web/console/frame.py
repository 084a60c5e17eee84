"""What the console's pages share: the hub, the templates, who asks, and how things are called.

Source: DESIGN 6 (sessions); issue of the console.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

import jinja2
from aiohttp import web

from hub import witnessing
from hub.core.rights import Right, rights_of
from hub.errors import HubError
from hub.kit import pages
from hub.kit.moments import Moments
from hub.kit.oidc import Provider
from hub.people import check_roles
from hub.store.people_rows import AccountRow
from hub.web.context import Hub
from hub.witnessing import Witnessed
from schemas.directory import DirectoryIndex
from schemas.identifiers import AgencyId, MailboxId, MessageType, Moment, agency_of

ROOT: Final = "/console"
# Pages by the right that they need, in the order of the navigation.
NAVIGATION: Final[tuple[tuple[str, str, Right], ...]] = (
    ("/", "Figures", "figures"),
    ("/missing", "Missing now", "obligations"),
    ("/coverage", "Coverage", "figures"),
    ("/reports/quarter", "Reports", "figures"),
    ("/log", "Audit log", "log"),
    ("/proposals", "Proposals", "directory"),
    ("/directory", "Directory", "directory"),
    ("/breaches", "Breaches", "breaches"),
    ("/health", "Health", "health"),
    ("/people", "People", "people"),
)


@dataclass(frozen=True, slots=True)
class Visit:
    """One signed-in person's request: who, what they may do, and the token that this session's forms carry.

    ``since``: when they signed in.
    """

    account: AccountRow
    csrf: str
    token: str
    since: Moment

    @property
    def rights(self) -> frozenset[Right]:
        """Return what this person may do."""
        return rights_of(check_roles(self.account.roles))


VISIT: Final = web.RequestKey("visit", Visit)


class NotHereError(HubError):
    """It isn't there, or not for this person: the page is the same, so that nobody can find out which."""

    def __init__(self) -> None:
        super().__init__("not-found", "There is no such page, or it is not for you", "Go back to the first page")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words(Moments):
    """How things are called at one moment."""

    index: DirectoryIndex
    titles: Mapping[str, str]

    def name_of(self, name: AgencyId | MailboxId) -> str:
        """Return an agency's or mailbox's name, or its id where the directory has none."""
        return self.index.name_at(name, self.now) or name

    def party(self, mailbox: MailboxId) -> str:
        """Return a team with its agency: ``Northmere Council, MASH``."""
        agency, team = self.name_of(agency_of(mailbox)), self.name_of(mailbox)
        return team if team.startswith(agency) else f"{agency}, {team}"

    def title_of(self, kind: MessageType) -> str:
        """Return what a message type is called, with or without its version."""
        return self.titles.get(kind.partition("/")[0], kind)

    def code(self, text: str) -> str:
        """Return a code as words: ``social_care`` is "social care"."""
        return text.replace("_", " ").replace("-", " ")


# For how long a page may say what the witnesses said before.
FRESH: Final = 5_000


@dataclass(slots=True)
class Seen:
    """How far the log was witnessed when somebody last asked, and when that was."""

    state: Witnessed | None = None
    at: Moment = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The console of one hub.

    ``files`` are what pages link to, by name, with their media types; ``version`` changes with them.
    """

    hub: Hub
    environment: jinja2.Environment
    files: Mapping[str, tuple[bytes, str]]
    version: str
    has_script: bool
    titles: Mapping[str, str]
    provider: Provider | None = None
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    seen: Seen = field(default_factory=Seen)

    @property
    def origin(self) -> str:
        """Return the address that people's browsers show."""
        return self.hub.config.console.origin or self.hub.config.url

    def now(self) -> Moment:
        """Return the hub's time."""
        return self.hub.clock()

    async def see_witnesses(self) -> Witnessed:
        """Return how far the log is witnessed, as every page says it; asked again after some seconds."""
        now, snapshot, seen = self.now(), self.hub.registry.snapshot, self.seen
        if seen.state is None or abs(now - seen.at) > FRESH:
            seen.state = await self.hub.store.read(lambda tx: witnessing.state(tx, snapshot, now))
            seen.at = now
        return seen.state

    def words(self) -> Words:
        """Return the words of now for agencies, teams, message types and moments."""
        zone = ZoneInfo(self.hub.config.console.time_zone)
        return Words(zone=zone, now=self.now(), index=self.hub.registry.snapshot.directory, titles=self.titles)

    def show(
        self, request: web.Request, template: str, context: Mapping[str, Any] | None = None, *, status: int = 200
    ) -> web.Response:
        """Return *template* as a page for whoever asks."""
        visit, words = request.get(VISIT), self.words()
        rights = visit.rights if visit else frozenset[Right]()
        path = request.path.removeprefix(ROOT) or "/"
        around: dict[str, Any] = {
            "visit": visit, "rights": rights, "assets": f"{ROOT}/assets/{self.version}", "has_script": self.has_script,
            "partnership": words.name_of(self.hub.registry.snapshot.directory.directory.partnership),
            "training": self.hub.config.training, "witnessed": self.seen.state, "words": words, "path": path, "now": words.now,
            "navigation": [
                {"href": ROOT + link.removesuffix("/"), "text": text, "active": _is_under(path, link)}
                for link, text, right in NAVIGATION if right in rights
            ],
        }  # fmt: skip
        return pages.render(self.environment, template, around | dict(context or {}), status=status)


def _is_under(path: str, link: str) -> bool:
    return path == link or (link != "/" and path.startswith(f"{link}/"))
