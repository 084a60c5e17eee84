"""Whom something concerns, as far as they are here: who holds the thread, who covers for them, else the team.

Asked when something happens and again when it is time to tell, so that nobody's absence, leaving or exclusion meanwhile
swallows it or tells the wrong person.  The pages show it to the same people (``relations``).

Source: domain 10 (role inboxes); issue of the inbox (out-of-office, leaver).
"""

from __future__ import annotations

from collections.abc import Mapping

from adapters.gateway import exclusions
from adapters.gateway.inbox.context import Inbox
from adapters.gateway.spool import Row, Transaction
from schemas.identifiers import MailboxId, ThreadId


class Audience:
    """Who is to be told, as of one transaction: what was asked in it once is not looked up again."""

    def __init__(self, inbox: Inbox, tx: Transaction) -> None:
        self._inbox, self._tx = inbox, tx
        self._known: dict[tuple[MailboxId | None, ThreadId], tuple[str, ...]] = {}
        self._names: dict[str, str | None] = {}

    async def choose(self, mailbox: MailboxId | None, thread: ThreadId) -> tuple[str, ...]:
        """Return the accounts that are told of something about *thread* (``""``: of none) in the team *mailbox*.

        Of what concerns no team the reviewers are told.
        """
        key = (mailbox, thread)
        if key not in self._known:
            self._known[key] = await self._choose(mailbox, thread)
        return self._known[key]

    async def _choose(self, mailbox: MailboxId | None, thread: ThreadId) -> tuple[str, ...]:
        if mailbox is None:
            return tuple(row["id"] for row in await self._tx.all("reviewers_to_tell"))
        rows = await self._tx.all("members_to_tell", mailbox=mailbox, thread=thread, now=self._inbox.now())
        members = {row["id"]: row for row in rows if not await self._is_excluded(row["id"], thread)}
        here = [row["id"] for row in members.values() if not row["is_away"]]
        holding = [one for one in here if members[one]["holds"]]
        covers = [_cover_of(row, members) for row in members.values() if row["is_away"] and row["holds"]]
        # A team that is all away is told all the same: it is not for us to judge that nobody looks.
        chosen = holding or [one for one in covers if one] or here or list(members)
        return tuple(dict.fromkeys(chosen))

    async def _is_excluded(self, person: str, thread: ThreadId) -> bool:
        if person not in self._names:
            found = await self._inbox.people.find(self._tx, person)
            self._names[person] = found.name if found else None
        name = self._names[person]
        return name is None or await exclusions.is_excluded(self._inbox.gateway, self._tx, thread, name)


def _cover_of(away: Row, members: Mapping[str, Row]) -> str | None:
    """Return who of the team covers for *away*, and is here: the cover's own cover where that one is away too."""
    asked = {away["id"]}
    name = away["cover"]
    while name in members and members[name]["is_away"] and name not in asked:
        asked.add(name)
        name = members[name]["cover"]
    return name if name in members and not members[name]["is_away"] else None
