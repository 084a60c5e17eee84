"""The words of the pages: agencies and teams by name, message types by title, moments in local time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from adapters.errors import NotYetError
from adapters.gateway.context import Gateway
from schemas.identifiers import AgencyId, MailboxId, MessageType, Moment, agency_of
from schemas.strict_json import MalformedError

DAY: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How things are called at one moment."""

    name_of: Callable[[str], str]
    title_of: Callable[[MessageType], str]
    zone: ZoneInfo
    now: Moment

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

    def moment(self, at: Moment) -> str:
        """Return *at* (UTC milliseconds) in local time: ``14 April 2026 at 10:30am``."""
        local = self.local(at)
        return f"{local.day} {local:%B %Y} at {self.time(at)}"

    def day(self, at: Moment) -> str:
        """Return the local day of *at*: ``Tuesday 14 April 2026``, or ``today``, ``yesterday``, ``tomorrow``."""
        local, today = self.local(at).date(), self.local(self.now).date()
        near = {0: "today", 1: "tomorrow", -1: "yesterday"}.get((local - today).days)
        return near or f"{local:%A} {local.day} {local:%B %Y}"

    def near(self, at: Moment) -> str:
        """Return day and time of *at*: ``yesterday at 5pm``."""
        return f"{self.day(at)} at {self.time(at)}"

    def time(self, at: Moment) -> str:
        """Return the time of *at* as public services write it: ``10:30am``, ``5pm``, ``midday``, ``midnight``."""
        local = self.local(at)
        if (local.minute, local.hour) in {(0, 0), (0, 12)}:
            return "midday" if local.hour else "midnight"
        clock = f"{local.hour % 12 or 12}" + (f":{local.minute:02}" if local.minute else "")
        return clock + ("am" if local.hour < 12 else "pm")

    def iso(self, at: Moment) -> str:
        """Return *at* for a ``datetime`` attribute."""
        return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    def local(self, at: Moment) -> datetime:
        """Return *at* as a local date and time."""
        return datetime.fromtimestamp(at / 1000, self.zone)
