"""Accounts: begun with a code, changed, left, come back to; and being away.

Who leaves, or loses a team, holds nothing of it any more: their colleagues see it as nobody's at once, and are told.
Each act is in the agency's own log, with who did it.

Source: domain 10 (role inboxes), 11 (risk 5); issue of the inbox.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from adapters.errors import GatewayError
from adapters.gateway.context import Gateway
from adapters.gateway.inbox.access import Duty
from adapters.gateway.inbox.people import Details, People, Person, check_duties, check_role
from adapters.gateway.spool import Transaction
from keys.codes import make_code, read_code
from schemas.identifiers import MailboxId, Moment

HOUR: Final = 3_600_000
CODE_HOURS: Final = 72
LONGEST_AWAY: Final = 366 * 24 * HOUR
# Who acts at the command line while there is no administrator yet.
COMMAND: Final = "command"
# Whoever has none of these opens no messages.
_OPENING: Final[frozenset[Duty]] = frozenset({"practitioner", "manager"})
MOST_TOLD: Final = 50


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of one gateway; each method is part of a spool transaction, and ``by`` is the account that acts."""

    gateway: Gateway
    people: People

    def now(self) -> Moment:
        """Return the gateway's time."""
        return self.gateway.clock()

    async def get(self, tx: Transaction, person: str) -> Person:
        """Return the account *person*.

        Raises:
            GatewayError: ``person-unknown``.
        """
        found = await self.people.find(tx, person)
        if found is None:
            raise GatewayError("person-unknown", "There is no such account", "See the list of accounts")
        return found

    async def add(
        self, tx: Transaction, details: Details, duties: Iterable[str], teams: Iterable[str], by: str
    ) -> tuple[str, str]:
        """Add an account; return its id and the code with which its person begins.

        Raises:
            GatewayError: ``person-exists``, ``person-duty``, ``person-team``.
        """
        checked = self._check_places(duties, teams)
        person = await self.people.add(tx, details, *checked, self.now())
        await self._note(tx, by, "account-added", person)
        return person, await self.give_code(tx, person, by)

    async def give_code(self, tx: Transaction, person: str, by: str) -> str:
        """Return a new code for *person*; every way in that they had before ends.

        Raises:
            GatewayError: ``person-unknown``, ``person-left``.
        """
        _check_active(await self.get(tx, person))
        code = make_code()
        await self._lock_out(tx, person)
        until = self.now() + CODE_HOURS * HOUR
        await tx.run("set_welcome", code=self.people.digest("welcome", read_code(code)), person=person, until=until)
        await self._note(tx, by, "code-given", person)
        return code

    async def find_code(self, tx: Transaction, code: str) -> str | None:
        """Return the account that *code*, as somebody typed it, is for, if it still is."""
        row = await tx.one("find_welcome", code=self.people.digest("welcome", read_code(code)), now=self.now())
        return str(row["person"]) if row else None

    async def change(
        self, tx: Transaction, person: str, by: str, *, role: str | None = None, duties: Iterable[str] | None = None,
        teams: Iterable[str] | None = None, version: int | None = None,
    ) -> None:  # fmt: skip
        """Change what is given; *version* is the account's as whoever changes it saw it.

        Raises:
            GatewayError: ``person-changed`` (by somebody else meanwhile), ``person-self``, ``person-unknown``,
                ``person-left``, ``person-role``, ``person-duty``, ``person-team``.
        """
        found = await self.get(tx, person)
        _check_active(found)
        if version is not None and version != found.version:
            raise GatewayError(
                "person-changed",
                "Somebody else changed this account meanwhile",
                "Look at it as it is now, then change it",
            )
        places = self._check_places(found.duties if duties is None else duties, found.teams if teams is None else teams)
        if person == by and set(places[0]) != set(found.duties):
            raise _not_yourself()
        details = Details(
            name=found.name, login=found.login, role=check_role(found.role if role is None else role), email=found.email
        )
        await self.people.set_details(tx, person, details)
        await self.people.set_places(tx, person, *places)
        await self._note(tx, by, "account-changed", person)
        lost = found.teams if not _OPENING.intersection(places[0]) else found.teams.difference(places[1])
        await self._let_go(tx, person, lost)

    async def leave(self, tx: Transaction, person: str, by: str) -> int:
        """End the account: no way in is left, and what they held is nobody's; return how many threads that were.

        Raises:
            GatewayError: ``person-self``, ``person-unknown``, ``person-left``.
        """
        found = await self.get(tx, person)
        _check_active(found)
        if person == by:
            raise _not_yourself()
        await tx.run("set_person_state", id=person, state="left")
        await self._lock_out(tx, person)
        await tx.run("drop_away", person=person)
        await self._note(tx, by, "account-left", person)
        return await self._let_go(tx, person, None)

    async def come_back(self, tx: Transaction, person: str, by: str) -> str:
        """Begin the account of somebody who had left again; return a new code.

        Raises:
            GatewayError: ``person-unknown``, ``person-here``.
        """
        found = await self.get(tx, person)
        if found.state == "active":
            raise GatewayError("person-here", "That account hasn't ended", "Nothing has to be done")
        await tx.run("set_person_state", id=person, state="active")
        await self._note(tx, by, "account-returned", person)
        return await self.give_code(tx, person, by)

    async def end_sessions(self, tx: Transaction, person: str, by: str) -> int:
        """End every session of *person*; return how many there were."""
        await self.get(tx, person)
        await self._note(tx, by, "sessions-ended", person)
        return await tx.run("drop_sessions", person=person)

    async def go_away(self, tx: Transaction, person: Person, since: Moment, until: Moment, cover: str | None) -> None:
        """Say that *person* is out of office from *since* until *until*, and that *cover* covers for them.

        What they hold is open to their teams meanwhile; each team, and through it who covers, is told.

        Raises:
            GatewayError: ``away-time``, ``away-cover``.
        """
        if not since < until or until <= self.now() or until - since > LONGEST_AWAY:
            raise GatewayError("away-time", "You come back after you have gone, within a year", "Check both days")
        if cover is not None and cover not in {one.id for one in await self.list_colleagues(tx, person)}:
            raise GatewayError("away-cover", "That person can't cover for you", "Choose somebody of your team")
        await tx.run("set_away", person=person.id, since=since, until=until, cover=cover)
        await self.people.note(tx, person.id, "away-set", self.now(), about=cover)
        held = await tx.all("held_by", person=person.id)
        for mailbox in sorted(person.teams):
            threads = [row["thread"] for row in held if row["mailbox"] == mailbox]
            details = {"person": person.id, "until": until} | ({"cover": cover} if cover else {})
            await self._tell(tx, "holder-away", person.id, mailbox, threads, details)

    async def be_back(self, tx: Transaction, person: Person) -> None:
        """Say that *person* is here again."""
        if await tx.run("drop_away", person=person.id):
            await self.people.note(tx, person.id, "away-ended", self.now())

    async def list_colleagues(self, tx: Transaction, person: Person) -> list[Person]:
        """Return who else of the teams of *person* opens messages, each once, by name."""
        found: dict[str, Person] = {}
        for mailbox in sorted(person.teams):
            for row in await tx.all("list_members", mailbox=mailbox):
                if row["state"] == "active" and row["id"] not in found and row["id"] != person.id:
                    one = await self.people.read(tx, row)
                    if _OPENING.intersection(one.duties):
                        found[one.id] = one
        return sorted(found.values(), key=lambda one: one.name.casefold())

    def _check_places(
        self, duties: Iterable[str], teams: Iterable[str]
    ) -> tuple[tuple[Duty, ...], tuple[MailboxId, ...]]:
        checked, wanted = check_duties(duties), tuple(dict.fromkeys(teams))
        if not set(wanted) <= set(self.gateway.mailboxes()):
            raise GatewayError("person-team", "that is no team here", "use a mailbox that this gateway serves")
        if _OPENING.intersection(checked) and not wanted:
            raise GatewayError("person-team", "Who opens messages is of a team", "Choose one team or more")
        return checked, wanted

    async def _lock_out(self, tx: Transaction, person: str) -> None:
        await tx.run("set_password", id=person, password=None)
        await tx.run("drop_subject", id=person)
        for query in ("drop_passkeys", "drop_sessions", "drop_known_browsers", "drop_welcome"):
            await tx.run(query, person=person)

    async def _let_go(self, tx: Transaction, person: str, mailboxes: Iterable[MailboxId] | None) -> int:
        """Drop what *person* holds in *mailboxes* (everywhere: ``None``), and tell each team what nobody holds now."""
        dropped: dict[MailboxId, list[str]] = defaultdict(list)
        gone = None if mailboxes is None else frozenset(mailboxes)
        for row in await tx.all("held_by", person=person):
            mailbox, thread = row["mailbox"], row["thread"]
            if gone is not None and mailbox not in gone:
                continue
            await tx.run("drop_holder", thread=thread, mailbox=mailbox, person=person)
            dropped[mailbox].append(thread)
        for mailbox, threads in dropped.items():
            await self._tell(tx, "holder-left", person, mailbox, threads, {"person": person})
        return sum(map(len, dropped.values()))

    async def _tell(
        self,
        tx: Transaction,
        code: str,
        person: str,
        mailbox: MailboxId,
        threads: list[str],
        details: dict[str, object],
    ) -> None:
        box = self.gateway.config.find_mailbox(mailbox)
        deputy = box.deputy if box is not None else None
        served = [one for one in (mailbox, deputy) if one is not None and one in set(self.gateway.mailboxes())]
        said = {"team": mailbox, "threads": threads[:MOST_TOLD], "count": len(threads)} | details
        for one in dict.fromkeys(served):
            topic = f"{code} {person} {mailbox} {one} {self.now()}"
            await self.gateway.tell(tx, code, topic, mailbox=one, details=said)

    async def _note(self, tx: Transaction, by: str, action: str, person: str) -> None:
        await self.people.note(tx, by, action, self.now(), about=person)


def _check_active(person: Person) -> None:
    if person.state != "active":
        raise GatewayError("person-left", "That account has ended", "`gateway people return` begins it again")


def _not_yourself() -> GatewayError:
    return GatewayError("person-self", "Nobody ends their own account or changes their own duties", "Ask a colleague")
