"""The words of the pages: agencies and teams by name, message types by title, moments in local time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from adapters.errors import NotYetError
from adapters.gateway.context import Gateway
from hub.kit.moments import Moments
from schemas.identifiers import AgencyId, MailboxId, MessageType, agency_of
from schemas.strict_json import MalformedError

DAY: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Words(Moments):
    """How things are called at one moment."""

    name_of: Callable[[str], str]
    title_of: Callable[[MessageType], str]

    @classmethod
    def of(cls, gateway: Gateway, zone: str) -> Words:
        """Return the words by the directory and the catalogue that *gateway* has now."""
        now = gateway.clock()
        try:
            index = gateway.partnership.books.index
        except NotYetError:
            index = None

        def name_of(name: AgencyId | MailboxId) -> str:
            return (index.name_at(name, now) if index else None) or name

        def title_of(kind: MessageType) -> str:
            try:
                title = gateway.catalogue.schema(kind).get("title", kind)
            except MalformedError:
                return kind
            return str(title)

        return cls(name_of=name_of, title_of=title_of, zone=ZoneInfo(zone), now=now)

    def party(self, mailbox: MailboxId) -> str:
        """Return a team with its agency: ``Northmere Council, MASH``."""
        agency, team = self.name_of(agency_of(mailbox)), self.name_of(mailbox)
        return team if team.startswith(agency) else f"{agency}, {team}"
